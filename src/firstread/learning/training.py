"""`train` and `continue_training`: from a network and a cohort to a Run."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Unpack

from firstread.core.cohort import Cohort
from firstread.core.errors import SettingError
from firstread.core.run import Run
from firstread.learning.augmentation import Augmentation
from firstread.learning.checkpoints import load_checkpoint
from firstread.learning.models import Classifier, load_model
from firstread.learning.runs import create_run, log_message, resume_run
from firstread.learning.settings import TrainingSettings, resolve_settings
from firstread.learning.trainer import Trainer


def train(
    model: Classifier,
    cohort: Cohort,
    *,
    epochs: int,
    freeze: bool = False,
    augmentation: Augmentation | None = None,
    resume: Run | None = None,
    **settings: Unpack[TrainingSettings],
) -> Run:
    """Train a network on `cohort.train`, watching `cohort.validation`.

    Args:
        model: from `build_model`; it is changed in place.
        cohort: images with labels and splits. The validation part is never augmented; the test part is never opened.
        epochs: how often every training image is shown. With `resume`, the number of further epochs.
        freeze: True trains the head only; the backbone and its BatchNorm statistics stay as they are.
        augmentation: random changes of the training images, or None.
        resume: an earlier run of this network; its history is continued, its last weights are used.
        **settings: see `TrainingSettings`.

    Returns:
        The run: its history, settings, and the folder with `last.safetensors` and `best.safetensors`.

    Raises:
        DataError: no training images, a missing label, a class without images.
        SettingError: an impossible setting, or one with a typo.

    Example:
        >>> run = fr.train(model, cohort, epochs=5, freeze=True)        # doctest: +SKIP
        >>> run = fr.train(model, cohort, epochs=3, resume=run)         # doctest: +SKIP
    """
    if not isinstance(model, Classifier) or not isinstance(cohort, Cohort):
        raise SettingError("train takes a network and a cohort, in this order", do="train(model, cohort, epochs=5)")
    resolved = resolve_settings(dict(settings), epochs=epochs)
    augmentation = None if augmentation is None or augmentation.is_identity else augmentation
    call_settings = {
        "epochs": epochs,
        "freeze": freeze,
        "augmentation": asdict(augmentation) if augmentation else None,
        **resolved,
    }
    call_settings.pop("folder")
    if resume is None:
        run = create_run(model, settings=resolved, call_settings=call_settings)
        return Trainer(model, cohort, run, call_settings).fit()
    run, message = resume_run(model, resume, settings=resolved, call_settings=call_settings)
    if message and not resolved["quiet"]:
        log_message(message)
    return Trainer(model, cohort, run, call_settings).fit()


def continue_training(folder: str | Path, cohort: Cohort) -> tuple[Classifier, Run]:
    """Resume an interrupted training from its last checkpoint, and finish it with the same result.

    Args:
        folder: the run's folder.
        cohort: the same cohort as before.

    Returns:
        (network, run). If no epoch was left, they are as they were.
    """
    folder = Path(folder)
    tensors, progress = load_checkpoint(folder / "last.safetensors")
    model = load_model(folder / "last.safetensors")
    run = Run.load(folder)
    if progress:  # the checkpoint is written before run.json, so it may be one epoch ahead
        run = replace(run, history=progress["history"], settings=progress["settings"])
    if not progress or progress["done"] >= progress["settings"][-1]["epochs"]:
        return model, run
    trainer = Trainer(model, cohort, run, run.settings[-1], epochs_done=progress["done"], checkpoint=tensors)
    return model, trainer.fit()
