"""timm backbones: the blueprint of a network, and the backbone built from it with its weights and normalization."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import timm
import torch
from torch import nn

from firstread.core.errors import SettingError
from firstread.learning.weights import count_input_channels, load_backbone


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
        gray_as_color: True repeats the gray input in the three channels of a backbone whose weights normalize each
            channel differently.
    """

    backbone: str
    classes: tuple[str, ...]
    dropout: float
    size: int
    channels: int
    weights: str
    per_image_normalization: bool = False
    gray_as_color: bool = False

    @property
    def backbone_channels(self) -> int:
        """Input channels of the backbone, behind the normalization."""
        return 3 if self.gray_as_color else self.channels

    def describe(self) -> dict[str, Any]:
        """Plain values from which it is built again; `gray_as_color` only where it is True, as older files have it."""
        values = {**asdict(self), "classes": list(self.classes)}
        return values if self.gray_as_color else {key: value for key, value in values.items() if key != "gray_as_color"}


def create_backbone(blueprint: Blueprint, weights_file: Path | None) -> tuple[nn.Module, list[float], list[float]]:
    """Create a timm backbone without its classifier; returns it with mean and standard deviation of each channel."""
    arguments = {"num_classes": 0, "in_chans": blueprint.backbone_channels, **_timm_arguments(blueprint)}
    try:
        backbone = timm.create_model(blueprint.backbone, pretrained=False, **arguments)
    except (TypeError, RuntimeError, ValueError) as error:
        raise SettingError(
            "timm cannot build this backbone so",
            where=f"{blueprint.backbone}, size {blueprint.size}",
            do="try another size",
        ) from error
    mean, std = [0.5] * blueprint.backbone_channels, [0.25] * blueprint.backbone_channels
    if weights_file is not None:
        load_backbone(backbone, weights_file, name=blueprint.backbone)
        config = cast(dict[str, Any], backbone.pretrained_cfg)
        mean, std = list(config["mean"]), list(config["std"])
        if blueprint.backbone_channels == 1:  # of weights for gray, or the same in each channel
            mean, std = [float(np.mean(mean))], [float(np.mean(std))]
    return backbone, mean, std


def needs_color_channels(backbone: str, weights_file: Path | None) -> bool:
    """True if gray images must be repeated in three channels to be seen as the weights' own color channels see gray.

    ImageNet's red, green and blue have a mean and a standard deviation each. Summed kernels with one mean for all three
    would change the features of ResNet18 by 6 %, and at the border, where zeros are padded after the normalization, no
    constant makes up for it. Where the channels are normalized alike (Inception), summed kernels are exact.

    Args:
        backbone: name in timm.
        weights_file: of its weights; None for random ones.
    """
    config = None if weights_file is None else timm.models.get_pretrained_cfg(backbone)
    if weights_file is None or config is None or (len(set(config.mean)) == 1 and len(set(config.std)) == 1):
        return False
    first = config.first_conv if isinstance(config.first_conv, str) else next(iter(config.first_conv or ()), "")
    return count_input_channels(weights_file, first) == 3


@torch.no_grad()
def count_features(backbone: nn.Module, blueprint: Blueprint) -> int:
    """Number of features (N, F) that a backbone returns.

    Raises:
        SettingError: the images are too small for it.
    """
    backbone.eval()
    try:
        return backbone(torch.zeros(1, blueprint.backbone_channels, blueprint.size, blueprint.size)).shape[1]
    except RuntimeError as error:
        raise SettingError(
            f"{blueprint.backbone} cannot take images of {blueprint.size} pixels",
            do="choose a larger size (Inception needs 75 or more)",
        ) from error


def _timm_arguments(blueprint: Blueprint) -> dict[str, Any]:
    fixed_size = any(word in blueprint.backbone for word in ("vit_", "swin", "deit", "mixer"))
    return {"img_size": blueprint.size} if fixed_size else {}
