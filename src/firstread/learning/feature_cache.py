"""The frozen phase: images become features without learning, so that only the head pays for learning."""

import copy
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from firstread.learning.models import Classifier


class FrozenBackbone:
    """Turns images into features, (N, F), while a network's backbone does not learn.

    The features are those that the backbone gives inside the network, but for rounding. What is saved is the graph for learning,
    which is never built, each BatchNorm, which becomes part of the convolution before it, the conversion of its weights at each
    step, and, without augmentation, all passes but one.

    Args:
        model: its backbone must not change while this lives.
        accelerator: says device and precision.
    """

    def __init__(self, model: Classifier, accelerator: Any) -> None:
        self.model, self.accelerator = model, accelerator
        self.backbone = _for_reading(model.backbone, bfloat16=accelerator.mixed_precision == "bf16")
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
        with torch.inference_mode(), self.accelerator.autocast():
            features = self.backbone(self.model.normalise(pixels))
        return features.float().clone()  # outside inference mode, so that the head may learn from it


def _for_reading(backbone: nn.Module, *, bfloat16: bool) -> nn.Module:
    """A copy that only reads: BatchNorm is part of the convolutions, which with dense layers hold bfloat16 where they are to compute in it."""
    copied = copy.deepcopy(backbone).eval().requires_grad_(False)
    for before, after in _convolutions_with_their_norm(copied):
        convolution, norm = copied.get_submodule(before), copied.get_submodule(after)
        copied.set_submodule(before, fuse_conv_bn_eval(convolution, norm))
        copied.set_submodule(after, getattr(norm, "act", nn.Identity()))  # timm's BatchNorm holds its activation
    if bfloat16:
        for module in copied.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                module.to(torch.bfloat16)
    return copied


def _convolutions_with_their_norm(network: nn.Module) -> list[tuple[str, str]]:
    """Names of each convolution whose result goes into a BatchNorm and nowhere else, and of that; none for a network that cannot be traced."""
    if not any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
        return []
    try:
        steps = [step for step in _Tracer().trace(network).nodes if step.op == "call_module"]
    except Exception:  # torch.fx raises whatever the network's own code raises when it is not given numbers
        return []
    modules, called = dict(network.named_modules()), Counter(step.target for step in steps)
    pairs = []
    for step in steps:
        before = step.args[0] if step.args else None
        if (
            isinstance(modules[step.target], nn.BatchNorm2d)
            and modules[step.target].running_var is not None
            and isinstance(before, fx.Node) and before.op == "call_module" and len(before.users) == 1
            and isinstance(modules[before.target], nn.Conv2d)
            and called[step.target] == called[before.target] == 1
        ):  # fmt: skip
            pairs.append((before.target, step.target))
    return pairs


class _Tracer(fx.Tracer):
    """Follows a network down to its layers; a BatchNorm of timm's is one layer."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, nn.BatchNorm2d) or super().is_leaf_module(module, name)
