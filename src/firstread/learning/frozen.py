"""The frozen phase: images become features without learning, so that only the head pays for learning."""

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from firstread.learning.models import Classifier


class FrozenBackbone:
    """Turns images into features, (N, F), while a network's backbone does not learn.

    The features are those that the backbone gives inside the network: same precision, same numbers. What is saved is the graph for
    learning, which is never built, the conversion of its weights at each step, and, without augmentation, all passes but one.

    Args:
        model: its backbone must not change while this lives.
        accelerator: says device and precision.
    """

    def __init__(self, model: Classifier, accelerator: Any) -> None:
        self.model, self.accelerator = model, accelerator
        self.backbone = _converted(model.backbone) if accelerator.mixed_precision == "bf16" else model.backbone
        self._kept: list[tuple[np.ndarray, torch.Tensor]] = []

    def features(self, images: np.ndarray, *, batch_size: int) -> torch.Tensor:
        """uint8 images (N, S, S) or (N, S, S, 3) -> (N, F); the same array is read once only."""
        for known, found in self._kept:
            if known is images:
                return found
        parts = [self._read(self.model.prepare(images[i : i + batch_size])) for i in range(0, len(images), batch_size)]
        found = torch.cat(parts)
        self._kept.append((images, found))
        return found

    def read(self, batches: Iterable, *, batch_size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Batches of pixels and targets -> batches of features and targets.

        Small batches are read together, up to `batch_size` images at once, and handed on one by one.
        """
        together: list[tuple[torch.Tensor, torch.Tensor]] = []
        for batch in batches:
            if together and sum(len(targets) for _, targets in together) + len(batch[1]) > batch_size:
                yield from self._apart(together)
                together = []
            together.append(batch)
        if together:
            yield from self._apart(together)

    def _apart(self, together: list[tuple[torch.Tensor, torch.Tensor]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        features = self._read(torch.cat([pixels for pixels, _ in together]))
        yield from zip(features.split([len(t) for _, t in together]), [t for _, t in together], strict=True)

    @torch.no_grad()
    def _read(self, pixels: torch.Tensor) -> torch.Tensor:
        self.backbone.eval()
        with torch.inference_mode(), self.accelerator.autocast():
            features = self.backbone(self.model.normalise(pixels))
        return features.float().clone()  # outside inference mode, so that the head may learn from it


def _converted(backbone: nn.Module) -> nn.Module:
    """A copy whose convolutions and dense layers hold bfloat16, which autocast would make of them anew at every step."""
    copied = copy.deepcopy(backbone).requires_grad_(False)
    for module in copied.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.to(torch.bfloat16)
    return copied
