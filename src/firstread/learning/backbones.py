"""timm backbones: the blueprint of a network, and the backbone built from it with its weights and normalization."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from torch import nn

from firstread.core.errors import SettingError
from firstread.learning.weights import load_backbone


@dataclass(frozen=True)
class Blueprint:
    """Configuration of a Classifier: enough, with its weights, to build it again.

    Attributes:
        backbone: name in timm.
        classes: class names in the order of the outputs.
        dropout: fraction of the dense layer that is switched off in training.
        size: input size in pixels.
        channels: input channels, 1 or 3.
        weights: what the weights were initialized from.
        per_image_normalization: True normalizes each image by its own mean and standard deviation, as the bundled
            weights need.
    """

    backbone: str
    classes: tuple[str, ...]
    dropout: float
    size: int
    channels: int
    weights: str
    per_image_normalization: bool = False


def create_backbone(blueprint: Blueprint, weights_file: Path | None) -> tuple[nn.Module, list[float], list[float]]:
    """Create a timm backbone without its classifier; returns it with mean and standard deviation of each channel."""
    arguments = {"num_classes": 0, "in_chans": blueprint.channels, **_timm_arguments(blueprint)}
    try:
        backbone = timm.create_model(blueprint.backbone, pretrained=False, **arguments)
    except (TypeError, RuntimeError, ValueError) as error:
        raise SettingError(
            "timm cannot build this backbone so",
            where=f"{blueprint.backbone}, size {blueprint.size}",
            do="try another size",
        ) from error
    mean, std = [0.5] * blueprint.channels, [0.25] * blueprint.channels
    if weights_file is not None:
        load_backbone(backbone, weights_file, name=blueprint.backbone)
        config = cast(dict[str, Any], backbone.pretrained_cfg)
        mean, std = list(config["mean"]), list(config["std"])
        if blueprint.channels == 1:
            mean, std = [float(np.mean(mean))], [float(np.mean(std))]
    return backbone, mean, std


@torch.no_grad()
def count_features(backbone: nn.Module, blueprint: Blueprint) -> int:
    """Number of features (N, F) that a backbone returns.

    Raises:
        SettingError: the images are too small for it.
    """
    backbone.eval()
    try:
        return backbone(torch.zeros(1, blueprint.channels, blueprint.size, blueprint.size)).shape[1]
    except RuntimeError as error:
        raise SettingError(
            f"{blueprint.backbone} cannot take images of {blueprint.size} pixels",
            do="choose a larger size (Inception needs 75 or more)",
        ) from error


def _timm_arguments(blueprint: Blueprint) -> dict[str, Any]:
    fixed_size = any(word in blueprint.backbone for word in ("vit_", "swin", "deit", "mixer"))
    return {"img_size": blueprint.size} if fixed_size else {}
