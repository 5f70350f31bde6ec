"""The settings of `train` beyond its first arguments, with their defaults, checked in one place."""

from pathlib import Path
from typing import Any, TypedDict

from firstread.core.errors import SettingError, suggest


class TrainingSettings(TypedDict, total=False):
    """Keyword settings of `train`. All are optional.

    schedule: "constant" (Adam, as Lakhani 2018) or "one-cycle" (AdamW, rising then falling rate, as Smith 2018).
    learning_rate: step size; the highest one under "one-cycle". Default 1e-4 constant, 1e-3 one-cycle.
    batch_size: images a step; default 8.
    patience: stop after this many epochs without a lower validation loss, and keep the best epoch. Default: never.
    seed: of the order of images, augmentation and dropout.
    deterministic: refuse operations that are not reproducible bit by bit.
    folder: where checkpoints go; default a new folder under the runs folder.
    checkpoints: False for a throw-away training that writes nothing.
    device: "auto", "cpu", "cuda", "mps".
    precision: "auto", "float32", "bfloat16".
    arms: experiment arms as really run, kept with the result.
    quiet: True shows no progress and prints no remarks; they are kept in `run.metadata`.
    """

    schedule: str
    learning_rate: float
    batch_size: int
    patience: int | None
    seed: int
    deterministic: bool
    folder: str | Path | None
    checkpoints: bool
    device: str
    precision: str
    arms: dict[str, str]
    quiet: bool


DEFAULTS: dict[str, Any] = {
    "schedule": "constant",
    "learning_rate": None,
    "batch_size": 8,
    "patience": None,
    "seed": 0,
    "deterministic": False,
    "folder": None,
    "checkpoints": True,
    "device": "auto",
    "precision": "auto",
    "arms": None,
    "quiet": False,
}
_CHOICES = {
    "schedule": ("constant", "one-cycle"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "precision": ("auto", "float32", "bfloat16"),
}
_DEFAULT_LEARNING_RATES = {"constant": 1e-4, "one-cycle": 1e-3}


def resolve_settings(settings: dict[str, Any], *, epochs: int) -> dict[str, Any]:
    """Fill in defaults and check values.

    Raises:
        SettingError: a name with a typo, or an impossible value.
    """
    for name in settings:
        if name not in DEFAULTS:
            raise SettingError(f'train has no setting called "{name}".{suggest(name, DEFAULTS)}')
    settings = {**DEFAULTS, **settings}
    for name, choices in _CHOICES.items():
        if settings[name] not in choices:
            raise SettingError(f'{name}="{settings[name]}" is not possible.{suggest(str(settings[name]), choices)}')
    if settings["learning_rate"] is None:
        settings["learning_rate"] = _DEFAULT_LEARNING_RATES[settings["schedule"]]
    for name, minimum in (("batch_size", 1), ("patience", 1), ("seed", 0)):
        value = settings[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < minimum):
            raise SettingError(f"{name}={value!r} is not possible", expected=f"a whole number from {minimum}")
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise SettingError(f"epochs={epochs!r} is not possible", expected="a whole number from 1")
    rate = settings["learning_rate"]
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 < rate < 100:
        raise SettingError(f"learning_rate={rate!r} is not possible", expected="a small number above 0, such as 1e-4")
    return settings
