"""Grad-CAM of a network's last feature map. Source: Selvaraju 2017, doi 10.1109/ICCV.2017.74."""

from typing import Any

import numpy as np
import torch
from torch import nn

from firstread.core.errors import SettingError
from firstread.learning.models import Classifier


def grad_cam(model: Classifier, pixels: torch.Tensor, index: int) -> np.ndarray:
    """(1, C, S, S) pixels -> (S, S) map: the last map's features, each weighted by how much the score rises with it, without those that speak against it."""
    seen: list[torch.Tensor] = []

    def look(_: nn.Module, __: Any, features: torch.Tensor) -> torch.Tensor:
        seen.append(features)
        return features.clone()  # what follows may change its input in place

    hook = model.backbone.get_submodule(last_map_layer(model)).register_forward_hook(look)
    try:
        with torch.enable_grad():
            score = SignedLogits(model)(pixels.clone().requires_grad_())[0, index]
            (slope,) = torch.autograd.grad(score, seen[0])
    finally:
        hook.remove()
    found = (slope.mean(dim=(2, 3), keepdim=True) * seen[0].detach()).sum(dim=1, keepdim=True).relu()
    found = torch.nn.functional.interpolate(found, size=pixels.shape[2:], mode="bilinear", align_corners=False)
    return found[0, 0].numpy()


@torch.inference_mode()
def last_map_layer(model: Classifier) -> str:
    """Name of the last layer of the backbone whose output is still a map fine enough to point with, at least 5 x 5 if any is."""
    shapes: list[tuple[str, tuple[int, ...]]] = []
    hooks = [
        layer.register_forward_hook(
            lambda _m, _i, out, name=name: shapes.append((name, tuple(getattr(out, "shape", ()))))
        )
        for name, layer in model.backbone.named_modules()
        if name
    ]
    try:
        model.eval()
        model.backbone(torch.zeros(1, model.channels, model.size, model.size))
    finally:
        for hook in hooks:
            hook.remove()
    for finest in (5, 2):
        maps = [n for n, shape in shapes if len(shape) == 4 and min(shape[2:]) >= finest and shape[1] >= shape[2]]
        if maps:
            return maps[-1]
    raise SettingError("This backbone has no layer that Grad-CAM can read", do='use method="occlusion"')


class SignedLogits(nn.Module):
    """A network of one output seen as two, so that the negative class has a score to explain."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, K) logits."""
        logits = self.model(pixels)
        return torch.cat([-logits, logits], dim=1) if logits.shape[1] == 1 else logits
