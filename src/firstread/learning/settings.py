"""TrainingSettings: the settings of one call of `train`, with their defaults, checked in one place."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from firstread.core.errors import SettingError, suggest
from firstread.learning.augmentation import Augmentation

_CHOICES = {
    "schedule": ("constant", "one-cycle"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "precision": ("auto", "float32", "bfloat16"),
    "sampler": ("random", "balanced"),
    "batch_norm": ("auto", "fixed", "batch"),
}
#: name, lowest, below what, in words
_RANGES = (
    ("learning_rate", sys.float_info.min, 100, "a small number above 0, such as 1e-4"),
    ("minutes", sys.float_info.min, float("inf"), "a number above 0"),
    ("label_smoothing", 0, 1, "0 (off) to below 1, such as 0.1"),
    ("weight_decay", 0, 1, "0 (off) to below 1, such as 0.01"),
)
DEFAULT_LEARNING_RATES = {"constant": 1e-4, "one-cycle": 1e-3}


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of one call of `train`; what they do stands there.

    Attributes:
        epochs: how often every training example is shown; None with `minutes`.
        minutes: how long the training takes, instead of a number of epochs.
        freeze: True trains the head only.
        augmentation: random changes of the training images, or None.
        schedule: "constant" (Adam, as Lakhani 2018) or "one-cycle" (AdamW, rising then falling, as Smith 2018).
        learning_rate: step size; the highest one under "one-cycle". None is the network's own default.
        batch_size: examples a step.
        patience: stop after this many epochs without a lower validation loss, and keep the best; None never stops.
        class_weights: None, "balanced", or class -> weight in the loss, of training and validation.
        sampler: "random" (every example once an epoch) or "balanced" (each class equally often).
        label_smoothing: share of the target that is spread over all classes in the loss, 0 to below 1.
        batch_norm: "fixed" keeps the statistics of BatchNorm, "batch" takes those of each batch; "auto" fixes them
            after frozen epochs of weights that had seen images before.
        weight_decay: of AdamW; None is the schedule's own: 0.01 under "one-cycle", none under "constant".
        seed: of the order of images, augmentation and dropout.
        deterministic: refuse operations that are not reproducible bit by bit.
        folder: where checkpoints go; None is a new folder.
        checkpoints: False for a throw-away training that writes nothing.
        device: "auto", "cpu", "cuda", "mps".
        precision: "auto", "float32", "bfloat16".
        arms: experiment arms as really run, kept with the result.
        quiet: True shows no progress and prints no remarks.

    Raises:
        SettingError: an impossible value.

    Example:
        >>> TrainingSettings(epochs=5).batch_size
        8
    """

    epochs: int | None = None
    minutes: float | None = None
    freeze: bool = False
    augmentation: Augmentation | None = None
    schedule: str = "constant"
    learning_rate: float | None = None
    batch_size: int = 8
    patience: int | None = None
    class_weights: str | Mapping[str, float] | None = None
    sampler: str = "random"
    label_smoothing: float = 0.0
    weight_decay: float | None = None
    batch_norm: str = "auto"
    seed: int = 0
    deterministic: bool = False
    folder: str | Path | None = None
    checkpoints: bool = True
    device: str = "auto"
    precision: str = "auto"
    arms: Mapping[str, str] | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = str(getattr(self, name))
            if value not in choices:
                raise SettingError(f'{name}="{value}" is not possible.{suggest(value, choices)}')
        for name, minimum in (("batch_size", 1), ("patience", 1), ("seed", 0), ("epochs", 1)):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < minimum):
                raise SettingError(f"{name}={value!r} is not possible", expected=f"a whole number from {minimum}")
        for name, lowest, highest, hint in _RANGES:
            value = getattr(self, name)
            is_unset = value is None and getattr(type(self), name) is None
            if not is_unset and not (_is_number(value) and lowest <= value < highest):
                raise SettingError(f"{name}={value!r} is not possible", expected=hint)
        self._check_class_weights()
        if (self.epochs is None) == (self.minutes is None):
            given = "neither" if self.epochs is None else "both"
            raise SettingError(f"A training takes epochs or minutes, and {given} was given", expected="one of the two")
        if self.augmentation is not None and self.augmentation.is_identity:
            object.__setattr__(self, "augmentation", None)

    def _check_class_weights(self) -> None:
        weights = self.class_weights
        if isinstance(weights, Mapping):
            wrong = [value for value in weights.values() if not (_is_number(value) and 0 < value < float("inf"))]
            if wrong:
                raise SettingError(f"class_weights holds {wrong[0]!r}", expected="a number above 0 for each class")
            object.__setattr__(self, "class_weights", {str(name): float(value) for name, value in weights.items()})
        elif weights is not None and not (isinstance(weights, str) and weights == "balanced"):
            expected = '"balanced", or the weight of each class, such as {"normal": 1, "pneumothorax": 4}'
            raise SettingError(f"class_weights={weights!r} is not possible", expected=expected)
        elif weights == self.sampler == "balanced":
            raise SettingError(
                'class_weights="balanced" and sampler="balanced" together correct the same imbalance twice',
                do="take one of the two",
            )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The settings that `to_json` described."""
        augmentation = values.get("augmentation")
        return cls(**{**values, "augmentation": Augmentation(**augmentation) if augmentation else None})

    def to_json(self) -> dict[str, Any]:
        """The settings as plain values, as `Run.settings` holds them: all but the folder."""
        return {name: value for name, value in asdict(self).items() if name != "folder"}


SETTING_NAMES = tuple(field.name for field in fields(TrainingSettings))


def refuse_unknown_settings(names: Mapping[str, Any]) -> None:
    """Refuse settings that `train` does not have, with the nearest one that it has.

    Raises:
        SettingError: there is at least one.
    """
    for name in names:
        raise SettingError(f'train has no setting called "{name}".{suggest(name, (*SETTING_NAMES, "resume"))}')


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
