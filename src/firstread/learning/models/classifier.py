"""Classifier: a timm backbone and the head of the published lesson.

The head is global average pooling, a dense layer of 256, dropout, and one output for two classes (sigmoid) or one for
each of more (softmax).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import timm
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from firstread.core.errors import SettingError, suggest
from firstread.core.task_protocol import Task
from firstread.core.tasks import Classification
from firstread.learning.backbones import Blueprint, count_features, create_backbone, needs_color_channels
from firstread.learning.examples import to_tensor
from firstread.learning.input_spec import InputSpec
from firstread.learning.models.model_file import save_model
from firstread.learning.random_state import seeded
from firstread.learning.weights import DEFAULT_BACKBONE, find_weights, uses_per_image_normalization

HEAD_WIDTH = 256


class Classifier(nn.Module):
    """Image classifier: normalization, timm backbone, and head.

    Attributes:
        blueprint: what it was built from.
        backbone: a timm model without its classifier: (N, C, S, S) -> (N, F, h, w) through `forward_features`.
        head: pooling, dense 256, dropout, outputs.
        mean, std: (1, C, 1, 1), normalization of pixels (0 to 1), to match the weights; C is 3 where gray goes into the
            three channels of the weights.
        fitted: False for random weights, until `fit_normalization` has run before their first epoch.
    """

    #: what `history` and validation call the share of right answers
    metric: ClassVar[str] = "accuracy"
    #: schedule -> learning rate, where `train` is given none: those of Lakhani 2018 and Smith 2018
    default_learning_rates: ClassVar[Mapping[str, float]] = {"constant": 1e-4, "one-cycle": 1e-3}

    mean: torch.Tensor
    std: torch.Tensor
    fitted: torch.Tensor

    def __init__(self, blueprint: Blueprint, backbone: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.blueprint = blueprint
        self.backbone = backbone
        outputs = 1 if len(blueprint.classes) == 2 else len(blueprint.classes)
        features = count_features(backbone, blueprint)
        self.head = nn.Sequential(
            nn.Linear(features, HEAD_WIDTH), nn.ReLU(), nn.Dropout(blueprint.dropout), nn.Linear(HEAD_WIDTH, outputs)
        )
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("fitted", torch.tensor(blueprint.weights != "none"))

    @classmethod
    def build(
        cls,
        task: Task,
        *,
        backbone: str | None = None,
        dropout: float | None = None,
        size: int | None = None,
        channels: int | None = None,
        weights: str | Path | None = None,
        seed: int = 0,
    ) -> "Classifier":
        """Build a classifier; see `firstread.learning.models.build_model`."""
        classes, backbone = _check_classes(task), backbone or DEFAULT_BACKBONE
        dropout = 0.5 if dropout is None else dropout
        if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
            raise SettingError(f"dropout={dropout!r} is not possible", expected="0 (off) to below 1")
        backbone_names = timm.list_models()
        if backbone not in backbone_names:
            hint = suggest(backbone, ("resnet18", "resnet34", "inception_v3", *backbone_names))
            raise SettingError(f'There is no backbone called "{backbone}".{hint}')
        weights, file = find_weights(weights, backbone)
        channels = channels or (3 if weights == "imagenet" else 1)
        size = size or (299 if "inception" in backbone else 96)
        if channels not in (1, 3) or not isinstance(size, int) or size < 32:
            what = f"size={size!r}, channels={channels!r} is not possible"
            raise SettingError(what, expected="a whole size from 32, channels 1 or 3")
        per_image_normalization = file is not None and uses_per_image_normalization(file)
        gray_as_color = channels == 1 and not per_image_normalization and needs_color_channels(backbone, file)
        blueprint = Blueprint(
            backbone=backbone,
            classes=classes,
            dropout=float(dropout),
            size=int(size),
            channels=channels,
            weights=weights,
            per_image_normalization=per_image_normalization,
            gray_as_color=gray_as_color,
        )
        with seeded(seed):
            return cls(blueprint, *create_backbone(blueprint, file))

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Classifier":
        """The classifier that `describe` described, with random weights."""
        values = {name: value for name, value in description.items() if name != "parameters"}
        blueprint = Blueprint(**{**values, "classes": tuple(values["classes"])})
        with seeded(0):
            return cls(blueprint, *create_backbone(blueprint, None))

    @property
    def task(self) -> Classification:
        """One of the classes for each image."""
        return Classification(self.classes)

    @property
    def inputs(self) -> InputSpec:
        """Square pictures of 8 bits."""
        return InputSpec(patch_size=(self.size, self.size), channels=self.channels)

    @property
    def device(self) -> torch.device:
        """Where the network lies: on the device that it was trained on."""
        return self.mean.device

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the outputs; with two, the second is the positive one."""
        return self.blueprint.classes

    @property
    def size(self) -> int:
        """Input size: pixels on each side of the image."""
        return self.blueprint.size

    @property
    def channels(self) -> int:
        """Input channels: 1 for grayscale, 3 for color."""
        return self.blueprint.channels

    @property
    def backbone_name(self) -> str:
        """Name of the backbone in timm."""
        return self.blueprint.backbone

    @property
    def pretrained(self) -> bool:
        """True if the backbone began with weights that have seen images."""
        return self.blueprint.weights != "none"

    @property
    def parameter_count(self) -> int:
        """Number of parameters, trainable or not."""
        return sum(p.numel() for p in self.parameters())

    def prepare(self, images: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Convert uint8 (N, S, S) or (N, S, S, 3) to float32 (N, C, S, S) between 0 and 1, on the network's device."""
        tensor = to_tensor(images)
        tensor = tensor.unsqueeze(1) if tensor.ndim == 3 else tensor.permute(0, 3, 1, 2)
        return tensor.to(self.mean.device).float().div_(255.0)

    def normalize(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalize pixels (N, C, S, S), 0 to 1, as the backbone's weights expect; gray may become three channels."""
        if self.blueprint.per_image_normalization:
            return per_image_standardization(pixels)
        return (pixels - self.mean) / self.std

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """(N, C, S, S), 0 to 1 -> logits, (N, 1) for two classes or (N, K)."""
        features = self.backbone(self.normalize(pixels))  # (N, F)
        return self.head(features)

    def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy in nats: logits (N, 1) or (N, K), class indices (N,) -> scalar, 0 is best."""
        if outputs.shape[1] == 1:
            return binary_cross_entropy_with_logits(outputs[:, 0].float(), targets.float())
        return cross_entropy(outputs.float(), targets)

    def weighted_loss(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        *,
        class_weights: torch.Tensor | None,
        label_smoothing: float,
    ) -> torch.Tensor:
        """Cross-entropy as torch.nn.CrossEntropyLoss has it with class weights and label smoothing.

        Args:
            outputs: logits (N, 1) or (N, K).
            targets: class indices (N,).
            class_weights: (K,); None weighs every example alike.
            label_smoothing: share of the target that is spread evenly over all classes.
        """
        logits = outputs.float()
        if logits.shape[1] == 1:  # the sigmoid of a logit is the softmax of it and 0
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        return cross_entropy(logits, targets, weight=class_weights, label_smoothing=label_smoothing)

    def score(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Right answers and answers: logits (N, 1) or (N, K), class indices (N,) -> two numbers, (1,) each."""
        predicted = (outputs[:, 0] >= 0).long() if outputs.shape[1] == 1 else outputs.argmax(dim=1)
        right = (predicted == targets).sum()[None]
        return right, torch.full_like(right, len(targets))

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Class probabilities: logits (N, 1) or (N, K) -> (N, K) float64 on the CPU, rows sum to 1."""
        logits = logits.cpu()  # not every GPU has float64
        if logits.shape[1] == 1:
            positive = torch.sigmoid(logits.double())
            return torch.cat([1 - positive, positive], dim=1)
        return torch.softmax(logits.double(), dim=1)

    def freeze(self, frozen: bool = True) -> None:
        """Freeze (or unfreeze) the backbone; its BatchNorm keeps its statistics while it is frozen."""
        self.backbone.requires_grad_(not frozen)
        self.train(self.training)

    @property
    def frozen(self) -> bool:
        """True if no parameter of the backbone is trainable."""
        return not any(p.requires_grad for p in self.backbone.parameters())

    def train(self, mode: bool = True) -> "Classifier":
        """Set training mode; what is frozen keeps its BatchNorm statistics: the backbone, or a layer of it."""
        super().train(mode)
        if mode and self.frozen:
            self.backbone.eval()
        elif mode:
            for layer in self.backbone.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm) and _is_frozen(layer):
                    layer.eval()
        return self

    @torch.no_grad()
    def fit_normalization(self, images: np.ndarray) -> None:
        """Fit the normalization of a network with random weights to its training images, before any training.

        Pixel mean and standard deviation, and the statistics of every BatchNorm layer, are taken from one batch of 8 to
        64 training images, evenly spaced, so that features have a usable spread even while the backbone is frozen
        (Krahenbuhl 2016, arXiv 1511.06856).

        Args:
            images: training images, uint8 (N, S, S) or (N, S, S, 3).
        """
        self.fitted.fill_(True)
        pixels = self.prepare(images[:: -(-len(images) // self.inputs.inference_batch_size)])
        self.mean.copy_(pixels.mean(dim=(0, 2, 3), keepdim=True))
        self.std.copy_(pixels.std(dim=(0, 2, 3), keepdim=True).clamp_min(0.02))
        layers = [m for m in self.backbone.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        if not layers or len(pixels) < 2:
            return
        momenta = [layer.momentum for layer in layers]
        self.backbone.train()
        for layer in layers:
            layer.momentum = 1.0  # replaces the running statistics by this batch's
        self.backbone(self.normalize(pixels))
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        self.backbone.eval()

    def describe(self) -> dict[str, Any]:
        """Blueprint and parameter count as plain values, for reports and `run.json`."""
        return {**self.blueprint.describe(), "parameters": self.parameter_count}

    def save(self, path: str | Path) -> Path:
        """Write weights and blueprint to one safetensors file, atomically."""
        return save_model(self, path)

    def __repr__(self) -> str:
        b = self.blueprint
        trainable = sum(p.numel() for p in self.parameters() if p.requires_grad)
        weights = "random" if b.weights == "none" else b.weights
        return (
            f"{b.backbone}: {self.parameter_count:,} weights, {trainable:,} of them learn; starts from {weights} "
            f"weights; takes {b.size} x {b.size} pixels; dropout {b.dropout:g}; answers {', '.join(b.classes)}"
        )


def per_image_standardization(pixels: torch.Tensor) -> torch.Tensor:
    """Standardize every image of (N, C, H, W) to mean 0 and standard deviation 1, a blank one to 0.

    So exposure, window and sequence do not matter.
    """
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    std = pixels.std(dim=(1, 2, 3), keepdim=True)
    return (pixels - mean) / std.clamp_min(0.02)


def _check_classes(task: Task) -> tuple[str, ...]:
    classes = tuple(str(name) for name in getattr(task, "classes", ()))
    if len(set(classes)) < 2 or len(set(classes)) != len(classes):
        raise SettingError("A classifier needs at least two different classes", where=f"classes={list(classes)}")
    return classes


def _is_frozen(layer: nn.Module) -> bool:
    parameters = list(layer.parameters(recurse=False))
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
