"""What happens before the first epoch: the images are checked, and a run is begun or taken up again."""

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
from firstread.learning.checkpoints import load_checkpoint, restore
from firstread.learning.models import Classifier

_UNEVEN = 3  # from this ratio of the largest to the smallest class on, the learner is told


def begin(model: Classifier, *, chosen: dict[str, Any], call: dict[str, Any]) -> Run:
    """A new run, in a folder of its own: an earlier run is never overwritten."""
    folder = Path(chosen["folder"]) if chosen["folder"] else runs_folder() / _stamp(model)
    if chosen["checkpoints"]:
        folder = _unused(folder)
    return Run(folder, model.describe(), [call], [], chosen["arms"] or {}, _facts())


def take_up(model: Classifier, run: Run, *, chosen: dict[str, Any], call: dict[str, Any]) -> tuple[Run, str]:
    """An earlier run, to be continued: its last weights are put into the network, and its history is kept.

    Returns:
        (run, message); the message is empty unless the run had gone on since.

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
        if len(history) >= run.epochs:  # else the epochs since were trained without checkpoints, in this network
            restore(model, tensors)
        if len(history) > run.epochs:
            message = f"This run had gone on since: it is continued from epoch {len(history)}, where it stands now."
            run = replace(run, history=history, settings=progress["settings"])
    facts = {name: value for name, value in run.facts.items() if name != "interrupted"}
    return replace(run, settings=[*run.settings, call], arms=chosen["arms"] or run.arms, facts=facts), message


def training_images(model: Classifier, part: Cohort) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images and (N,) targets of the training split, checked.

    Raises:
        DataError: no images, a missing label, a class without images.
        SettingError: the network was built for other classes.
    """
    if not len(part):
        raise DataError("There are no training images", where='split "train"', do="split the cohort first")
    if part.classes != model.classes:
        raise SettingError(
            "The network and the cohort have different classes",
            where=f"network: {', '.join(model.classes)}",
            expected=", ".join(part.classes),
            do="build the network with classes=cohort.classes",
        )
    targets = part.targets
    if (targets < 0).any():
        raise DataError(
            f"{int((targets < 0).sum())} training images have no label",
            where='split "train"',
            do="label them, or leave them out with cohort.where(cohort.targets >= 0)",
        )
    empty = [name for index, name in enumerate(part.classes) if not (targets == index).any()]
    if empty:
        raise DataError(
            f"No training image of the class {', '.join(empty)}",
            where='split "train"',
            do="add images, or leave the class out",
        )
    return part.images(model.size, channels=model.channels), targets


def what_to_know(cohort: Cohort, targets: np.ndarray) -> list[str]:
    """Sentences about a cohort that change how its curves must be read."""
    messages = []
    if not len(cohort.validation):
        messages.append(
            "There is no validation split: the curves will show training only, and cannot show overfitting."
        )
    counts = np.bincount(targets, minlength=len(cohort.classes))
    if counts.max() >= _UNEVEN * counts.min():
        most, least = cohort.classes[int(counts.argmax())], cohort.classes[int(counts.argmin())]
        messages.append(
            f"The classes are uneven: {counts.max()} training images of {most}, {counts.min()} of {least}. Always saying "
            f"{most} would be right in {counts.max() / counts.sum():.0%}: compare accuracy with that, and look at each class."
        )
    return messages


def say(text: str) -> None:
    """Tell the user something while work goes on."""
    print(text, file=sys.stderr)


def _unused(folder: Path) -> Path:
    number, free = 1, folder
    while (free / "run.json").exists() or (free / "last.safetensors").exists():
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free


def _stamp(model: Classifier) -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{model.backbone_name}-{secrets.token_hex(2)}"


def _facts() -> dict[str, Any]:
    import platform
    from importlib.metadata import version

    names = ("firstread", "torch", "timm", "accelerate", "numpy")
    return {"python": platform.python_version(), "versions": {name: version(name) for name in names}}
