"""Grad-CAM, our own implementation. Source: Selvaraju 2017, doi 10.1109/ICCV.2017.74.

Firstread computes it itself, because MONAI's leaves hooks on the network; a test compares the maps of the two.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from firstread.core.errors import SettingError
from firstread.learning.models import Classifier


class TargetLayer(NamedTuple):
    """The layer whose features Grad-CAM reads.

    Attributes:
        name: within the backbone, such as "layer3".
        rows, columns: size of its feature map: the map's true resolution, whatever it is enlarged to.
    """

    name: str
    rows: int
    columns: int


def compute_grad_cam(model: Classifier, pixels: torch.Tensor, index: int, *, layer: str = "") -> np.ndarray:
    """Grad-CAM of output `index`: (1, C, S, S) pixels -> (S, S) map.

    The features of the target layer, each weighted by the mean gradient of the score, summed, negative values cut off.

    Args:
        layer: name of the target layer; default the one that `find_target_layer` finds.
    """
    captured: list[torch.Tensor] = []

    def capture(_: nn.Module, __: Any, features: torch.Tensor) -> torch.Tensor:
        captured.append(features)
        return features.clone()  # later layers may change their input in place

    name = layer or find_target_layer(model).name
    hook = model.backbone.get_submodule(name).register_forward_hook(capture)
    try:
        with torch.enable_grad():
            score = SignedLogits(model)(pixels.clone().requires_grad_())[0, index]
            (gradient,) = torch.autograd.grad(score, captured[0])
    finally:
        hook.remove()
    cam = (gradient.mean(dim=(2, 3), keepdim=True) * captured[0].detach()).sum(dim=1, keepdim=True).relu()
    cam = torch.nn.functional.interpolate(cam, size=pixels.shape[2:], mode="bilinear", align_corners=False)
    return cam[0, 0].cpu().numpy()


@torch.inference_mode()
def find_target_layer(model: Classifier) -> TargetLayer:
    """The backbone's last layer with a feature map of at least 5 x 5, or of 2 x 2 if there is none.

    That is often not the last layer of all, whose map is too coarse to show a place: 3 x 3 on images of 96 pixels.

    Raises:
        SettingError: no layer has a feature map (N, F, h, w).
    """
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
        model(torch.zeros(1, model.channels, model.size, model.size, device=model.device))
    finally:
        for hook in hooks:
            hook.remove()
    for smallest_side in (5, 2):
        maps = [
            TargetLayer(name, shape[2], shape[3])
            for name, shape in shapes
            if len(shape) == 4 and min(shape[2:]) >= smallest_side and shape[1] >= shape[2]
        ]
        if maps:
            return maps[-1]
    raise SettingError("This backbone has no layer that Grad-CAM can read", do='use method="occlusion"')


class SignedLogits(nn.Module):
    """Wraps a network of one output so that it has two, and the negative class has a score to explain."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S) -> (N, K) logits."""
        logits = self.model(pixels)
        return torch.cat([-logits, logits], dim=1) if logits.shape[1] == 1 else logits
