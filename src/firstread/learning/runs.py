"""Create and resume runs, and check the training images before the first epoch."""

import secrets
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.paths import runs_folder
from firstread.core.run import Run
from firstread.learning.checkpoints import load_checkpoint, restore_weights
from firstread.learning.models import Classifier

_IMBALANCE_RATIO = 3  # largest class / smallest class from which on the user is warned


def create_run(model: Classifier, *, settings: dict[str, Any], call_settings: dict[str, Any]) -> Run:
    """Create a run in a new folder: an earlier run is never overwritten."""
    folder = Path(settings["folder"]) if settings["folder"] else runs_folder() / _make_run_name(model)
    if settings["checkpoints"]:
        folder = _unused_folder(folder)
    return Run(folder, model.describe(), [call_settings], [], settings["arms"] or {}, _read_versions())


def resume_run(
    model: Classifier, run: Run, *, settings: dict[str, Any], call_settings: dict[str, Any]
) -> tuple[Run, str]:
    """Continue an earlier run: load its last weights into the network, and keep its history.

    Returns:
        (run, message); the message is empty unless the run has more epochs on disk than in memory.

    Raises:
        SettingError: the network and the run do not belong together.
    """
    if not isinstance(run, Run):
        raise SettingError(
            f"resume={type(run).__name__} is not a run", expected="what train gave back, or Run.load(folder)"
        )
    if run.model["classes"] != list(model.classes):
        raise SettingError("The run that is resumed had other classes", expected=", ".join(run.model["classes"]))
    message = ""
    last = run.folder / "last.safetensors"
    if last.exists():
        tensors, progress = load_checkpoint(last)
        history = progress.get("history", [])
        if len(history) >= run.epochs:  # else this network was trained further, without checkpoints
            restore_weights(model, tensors)
        if len(history) > run.epochs:
            message = f"This run had gone on since: it is continued from epoch {len(history)}, where it stands now."
            run = replace(run, history=history, settings=progress["settings"])
    metadata = {name: value for name, value in run.metadata.items() if name != "interrupted"}
    arms = settings["arms"] or run.arms
    return replace(run, settings=[*run.settings, call_settings], arms=arms, metadata=metadata), message


def load_training_images(model: Classifier, cohort: Cohort) -> tuple[np.ndarray, np.ndarray]:
    """Read the uint8 images and (N,) targets of the training split, and check them.

    Raises:
        DataError: no images, a missing label, a class without images.
        SettingError: the network was built for other classes.
    """
    if not len(cohort):
        raise DataError("There are no training images", where='split "train"', do="split the cohort first")
    if cohort.classes != model.classes:
        raise SettingError(
            "The network and the cohort have different classes",
            where=f"network: {', '.join(model.classes)}",
            expected=", ".join(cohort.classes),
            do="build the network with classes=cohort.classes",
        )
    targets = cohort.targets
    if (targets < 0).any():
        raise DataError(
            f"{int((targets < 0).sum())} training images have no label",
            where='split "train"',
            do="label them, or leave them out with cohort.where(cohort.targets >= 0)",
        )
    empty = [name for index, name in enumerate(cohort.classes) if not (targets == index).any()]
    if empty:
        raise DataError(
            f"No training image of the class {', '.join(empty)}",
            where='split "train"',
            do="add images, or leave the class out",
        )
    return cohort.images(model.size, channels=model.channels), targets


def list_cohort_warnings(cohort: Cohort, targets: np.ndarray) -> list[str]:
    """Warnings about a cohort that change how its curves must be read: no validation split, class imbalance."""
    messages = []
    if not len(cohort.validation):
        messages.append(
            "There is no validation split: the curves will show training only, and cannot show overfitting."
        )
    counts = np.bincount(targets, minlength=len(cohort.classes))
    if counts.max() >= _IMBALANCE_RATIO * counts.min():
        largest, smallest = cohort.classes[int(counts.argmax())], cohort.classes[int(counts.argmin())]
        messages.append(
            f"The classes are uneven: {counts.max()} training images of {largest}, {counts.min()} of {smallest}. "
            f"Always saying {largest} would be right in {counts.max() / counts.sum():.0%}: compare accuracy with that, "
            "and look at each class."
        )
    return messages


def log_message(text: str) -> None:
    """Print a message for the user to standard error."""
    print(text, file=sys.stderr)


def _unused_folder(folder: Path) -> Path:
    number, unused = 1, folder
    while (unused / "run.json").exists() or (unused / "last.safetensors").exists():
        number += 1
        unused = folder.with_name(f"{folder.name}-{number}")
    return unused


def _make_run_name(model: Classifier) -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{model.backbone_name}-{secrets.token_hex(2)}"


def _read_versions() -> dict[str, Any]:
    import platform
    from importlib.metadata import version

    names = ("firstread", "torch", "timm", "accelerate", "numpy")
    return {"python": platform.python_version(), "versions": {name: version(name) for name in names}}
