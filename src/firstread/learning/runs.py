"""Create and resume runs, and check the training examples before the first epoch."""

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
from firstread.core.task_protocol import answer_names, same_answers
from firstread.learning.checkpoints import load_checkpoint, restore_weights
from firstread.learning.devices import choose_placement
from firstread.learning.example_sources import load_examples
from firstread.learning.examples import Examples
from firstread.learning.fingerprints import (
    blueprint_fingerprint,
    cohort_fingerprint,
    patient_digests,
    weights_fingerprint,
)
from firstread.learning.models.protocol import Model
from firstread.learning.process_group import Processes
from firstread.learning.settings import TrainingSettings

#: what a child keeps of its parent's metadata
_INHERITED_METADATA = ("messages", "seconds_queued")
_REPORTED_PACKAGES = ("firstread", "torch", "timm", "monai", "numpy")
_IMBALANCE_RATIO = 3  # largest class / smallest class from which on the user is warned
_IMBALANCE_REMEDY = (
    ' train(..., sampler="balanced") shows each class equally often; class_weights="balanced" lets mistakes on a rare '
    "class count more."
)


def create_run(model: Model, cohort: Cohort, settings: TrainingSettings) -> Run:
    """Create a run in a new folder: an earlier run is never overwritten."""
    name = _make_run_name(model)
    folder = _choose_folder(settings, default=runs_folder() / name)
    run = Run(
        folder,
        model.describe(),
        [settings.to_json()],
        [],
        dict(settings.arms or {}),
        _read_versions(),
        id=name if settings.folder is None else f"{folder.name}-{secrets.token_hex(4)}",
        fingerprints=_fingerprints(model, cohort),
        patients=patient_digests(cohort),
    )
    return _shared(run, device=settings.device)


def resume_run(model: Model, cohort: Cohort, settings: TrainingSettings, *, parent: Run) -> Run:
    """Create the child of a run: its history and arms, a folder of its own, the network as it was at the run's end.

    Raises:
        SettingError: the network, the cohort and the run do not belong together, or the run kept no weights.
    """
    if not isinstance(parent, Run):
        what = f"resume={type(parent).__name__} is not a run"
        raise SettingError(what, expected="what train gave back, or Run.load(folder)")
    _refuse_other_network(model, parent)
    fingerprints = _fingerprints(model, cohort)
    if parent.fingerprints.get("cohort") != fingerprints["cohort"]:
        raise SettingError(
            "The run that is resumed was trained on another cohort: its training or validation cases, labels or splits "
            "differ",
            do="open the same cohort as before, or train without resume: the network goes on with what it has learnt",
        )
    parent, messages = _restore_end_of(parent, model)
    for message in messages if not settings.quiet else ():
        log_message(message)
    kept = {name: parent.metadata[name] for name in _INHERITED_METADATA if name in parent.metadata}
    kept["messages"] = [*kept.get("messages", []), *messages]
    run = replace(
        parent,
        folder=_choose_folder(settings, default=parent.folder),
        model=model.describe(),
        settings=[*parent.settings, settings.to_json()],
        arms=dict(settings.arms or parent.arms),
        metadata={**kept, **_read_versions()},
        id=_make_run_name(model),
        parent=parent.id,
        epochs_before=parent.epochs,
        fingerprints=fingerprints,
    )
    return _shared(run, device=settings.device)


def _refuse_other_network(model: Model, run: Run) -> None:
    """Refuse a network that is built differently from that of a run; the message names what differs."""
    if run.fingerprints.get("model") == blueprint_fingerprint(model.describe()):
        return
    description = model.describe()
    if run.model.get("classes") != description.get("classes"):
        raise SettingError(
            "The run that is resumed had other classes", expected=", ".join(run.model.get("classes") or ())
        )
    differs = [name for name, value in description.items() if run.model.get(name) != value and name != "parameters"]
    raise SettingError(
        "The run that is resumed was made with a different network",
        where="; ".join(f"{name}: {description[name]}, the run's: {run.model.get(name)}" for name in differs),
        do="build the network as before, or train without resume",
    )


def _restore_end_of(run: Run, model: Model) -> tuple[Run, list[str]]:
    """Give the network the weights that it had at a run's end; returns the run as it stands, and what to say.

    Raises:
        SettingError: the network has other weights, and the run has no file of its own.
    """
    epoch = run.metadata.get("kept_epoch", run.epochs)
    if run.fingerprints.get("weights") == weights_fingerprint(model):  # type: ignore[arg-type]
        if epoch == run.epochs:
            return run, []
        return run, [f"Goes on from epoch {epoch}, the best of the run before, not from epoch {run.epochs}, its last."]
    if not (run.folder / "last.safetensors").exists():
        raise SettingError(
            "This is not the network as the run left it, and the run has no checkpoint to go back to",
            where=run.folder,
            do="resume the run that the network was trained by last, or train without resume",
        )
    tensors, progress = load_checkpoint(run.folder / "last.safetensors")
    history = progress.get("history", run.history)
    if len(history) > run.epochs:  # it was killed between two files, or was continued by continue_training
        restore_weights(model, tensors)
        message = f"This run had gone on since: it is continued from epoch {len(history)}, where it stands now."
        return replace(run, history=history, settings=progress["settings"]), [message]
    restore_weights(model, load_checkpoint(run.weights_file)[0])
    return run, [f"The network has the weights again that it had at the end of this run (epoch {epoch})."]


def load_training_examples(model: Model, cohort: Cohort) -> Examples:
    """Examples of the training split, checked.

    Raises:
        DataError: no examples, a missing label, a class without images.
        SettingError: the network was built for another task.
    """
    if not len(cohort):
        raise DataError("There are no training images", where='split "train"', do="split the cohort first")
    check_task(model, cohort)
    cohort.task.check(cohort.tables)
    _check_targets(cohort)
    return load_examples(model, cohort)


def load_validation_examples(model: Model, cohort: Cohort) -> Examples:
    """Examples of the validation split: those with targets."""
    return load_examples(model, cohort.where(cohort.strata >= 0))


def check_task(model: Model, cohort: Cohort) -> None:
    """Refuse a cohort with another task than the network's.

    Raises:
        SettingError: the message names both.
    """
    if same_answers(model.task, cohort.task):
        return
    same_kind = model.task.kind == cohort.task.kind == "classification"
    raise SettingError(
        f"The network and the cohort have different {'classes' if same_kind else 'tasks'}",
        where=f"network: {model.task.kind}, {', '.join(answer_names(model.task))}",
        expected=f"{cohort.task.kind}, {', '.join(answer_names(cohort.task))}",
        do="build the network with task=cohort.task",
    )


def _check_targets(cohort: Cohort) -> None:
    unknown = int((cohort.strata < 0).sum())
    if unknown:
        raise DataError(
            f"{unknown} training images have no label" if cohort.classes else f"{unknown} training cases have no truth",
            where='split "train"',
            do="label them, or leave them out with cohort.where(cohort.strata >= 0)",
        )
    empty = [name for index, name in enumerate(cohort.classes) if not (cohort.targets == index).any()]
    if empty:
        raise DataError(
            f"No training image of the class {', '.join(empty)}",
            where='split "train"',
            do="add images, or leave the class out",
        )


def list_cohort_warnings(cohort: Cohort, settings: TrainingSettings) -> list[str]:
    """Warnings about a cohort that change how its curves must be read: no validation split, class imbalance."""
    messages = []
    if not len(cohort.validation):
        messages.append(
            "There is no validation split: the curves will show training only, and cannot show overfitting."
        )
    if not cohort.classes:
        return messages
    counts = np.bincount(cohort.train.targets, minlength=len(cohort.classes))
    if counts.max() >= _IMBALANCE_RATIO * counts.min():
        largest, smallest = cohort.classes[int(counts.argmax())], cohort.classes[int(counts.argmin())]
        messages.append(
            f"The classes are uneven: {counts.max()} training images of {largest}, {counts.min()} of {smallest}. "
            f"Always saying {largest} would be right in {counts.max() / counts.sum():.0%}: compare accuracy with that, "
            "and look at each class."
            + ("" if settings.class_weights or settings.sampler == "balanced" else _IMBALANCE_REMEDY)
        )
    return messages


def log_message(text: str) -> None:
    """Print a message for the user to standard error."""
    print(text, file=sys.stderr)


def _fingerprints(model: Model, cohort: Cohort) -> dict[str, str]:
    return {"model": blueprint_fingerprint(model.describe()), "cohort": cohort_fingerprint(cohort)}


def _shared(run: Run, *, device: str) -> Run:
    """The run of the first process of a distributed training: all have one id and one folder."""
    processes = Processes.from_environment()
    placement = choose_placement(device=device, precision="float32", local_rank=processes.local_rank)
    processes.connect(placement.device)
    return processes.from_main(run)


def _choose_folder(settings: TrainingSettings, *, default: Path) -> Path:
    folder = Path(settings.folder) if settings.folder else default
    return _unused_folder(folder) if settings.checkpoints else folder


def _unused_folder(folder: Path) -> Path:
    number, unused = 1, folder
    while (unused / "run.json").exists() or (unused / "last.safetensors").exists():
        number += 1
        unused = folder.with_name(f"{folder.name}-{number}")
    return unused


def _make_run_name(model: Model) -> str:
    description = model.describe()
    name = description.get("backbone") or model.task.kind
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name}-{secrets.token_hex(4)}"


def _read_versions() -> dict[str, Any]:
    import platform
    from importlib.metadata import version

    return {"python": platform.python_version(), "versions": {name: version(name) for name in _REPORTED_PACKAGES}}
