"""`train` and `continue_training`: from a network and a cohort to a Run."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.run import Run
from firstread.learning.augmentation import Augmentation
from firstread.learning.checkpoints import load_checkpoint
from firstread.learning.fingerprints import cohort_fingerprint
from firstread.learning.models.model_file import load_model
from firstread.learning.models.protocol import Model, check_trainable
from firstread.learning.objective import check_objective
from firstread.learning.runs import create_run, resume_run
from firstread.learning.settings import TrainingSettings, refuse_unknown_settings
from firstread.learning.trainer import Trainer


def train(  # noqa: PLR0913 - settings, not arguments: each has a default, and `help` and an editor show it
    model: Model,
    cohort: Cohort,
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    freeze: bool = False,
    augmentation: Augmentation | None = None,
    resume: Run | None = None,
    schedule: str = "constant",
    learning_rate: float | None = None,
    batch_size: int = 8,
    patience: int | None = None,
    class_weights: str | Mapping[str, float] | None = None,
    sampler: str = "random",
    label_smoothing: float = 0.0,
    weight_decay: float | None = None,
    batch_norm: str = "auto",
    seed: int = 0,
    deterministic: bool = False,
    folder: str | Path | None = None,
    checkpoints: bool = True,
    device: str = "auto",
    precision: str = "auto",
    arms: Mapping[str, str] | None = None,
    quiet: bool = False,
    **unknown: Any,
) -> Run:
    """Train a network on `cohort.train`, watching `cohort.validation`.

    What the network's owner froze (`parameter.requires_grad = False`) stays frozen, in this call and after it. An
    interrupt (Ctrl-C, the stop button) ends the training and keeps its whole epochs, and `train` returns; if none is
    whole yet, the network is as it was before and `train` raises, so that "Run all" does not go on with an untrained
    network. The network stays on the device that it was trained on, and predicts there.

    Args:
        model: from `build_model`; it is changed in place.
        cohort: cases with targets and splits. The validation part is never augmented; the test part is never opened.
        epochs: how often every training example is shown. With `resume`, the number of further epochs.
        minutes: how long to train instead of a number of epochs, validation included; the schedule ends when the time
            does, within an epoch if need be.
        freeze: True trains the head only; the backbone and its BatchNorm statistics stay as they are.
        augmentation: random changes of the training images, and of masks with them; None for none.
        resume: an earlier run of this network, whose history is continued. The new run is its child, in a folder of its
            own. It goes on from the network as it is if that is the run's, else from the run's files: the weights that
            the network had at the run's end, which with `patience` are those of the best epoch.
        schedule: "constant" (Adam, as Lakhani 2018) or "one-cycle" (AdamW, rising then falling, as Smith 2018).
        learning_rate: step size; the highest one under "one-cycle". Default for a classifier 1e-4 constant, 1e-3
            one-cycle.
        batch_size: examples a step.
        patience: stop after this many epochs without a lower validation loss, and keep the best epoch: the network has
            its weights at the end, `run.metadata["kept_epoch"]` is its number, and `resume` goes on from it. Default:
            never.
        class_weights: how much a case of each class counts in the loss, for uneven classes: "balanced" (all classes
            together count alike; from the training split), or class -> weight, such as `{"normal": 1, "nodule": 5}`.
            The validation loss is weighted in the same way. As `torch.nn.CrossEntropyLoss(weight=...)`.
        sampler: "random" shows every example once an epoch; "balanced" shows each class equally often, a rare one's
            examples several times, in an epoch of the same length. The validation split stays as it is.
        label_smoothing: share of the target that is spread evenly over all classes, against scores that are too sure;
            0 to below 1. The validation loss is smoothed in the same way. As `torch.nn.CrossEntropyLoss`.
        weight_decay: pulls all weights towards 0 (AdamW), against learning by heart. Default 0.01 under "one-cycle",
            none under "constant".
        batch_norm: "batch" normalizes with mean and spread of each batch, as a network with random weights must.
            "fixed" keeps those that the network has: a head that was trained on them while the backbone was frozen
            loses its footing when they are suddenly taken from eight images at a time. "auto": "fixed" where the
            history has frozen epochs of weights that had seen images before, else "batch".
        seed: of the order of images, augmentation and dropout.
        deterministic: refuse operations that are not reproducible bit by bit.
        folder: where checkpoints go; default a new folder under the runs folder, or beside that of `resume`.
        checkpoints: False for a throw-away training that writes nothing.
        device: "auto", "cpu", "cuda", "mps".
        precision: "auto", "float32", "bfloat16".
        arms: experiment arms as really run, kept with the result.
        quiet: True shows no progress and prints no remarks; they are kept in `run.metadata`.
        **unknown: a setting with a typo is refused, and the nearest one named.

    Returns:
        The run: its history, settings, and the folder with `last.safetensors` and `best.safetensors`.

    Raises:
        DataError: no training images, a missing label, a class without images.
        SettingError: an impossible setting, one with a typo, or a run that does not fit to the network or the cohort.
        KeyboardInterrupt: interrupted before the first epoch was whole.

    Example:
        >>> cohort = fr.split_by_patient(fr.simulate_patients(10, size=64))
        >>> model = fr.build_model(classes=cohort.classes, size=32)
        >>> run = fr.train(model, cohort, epochs=2, freeze=True, quiet=True)
        >>> run = fr.train(model, cohort, epochs=1, resume=run, quiet=True)
        >>> run.table["phase"].tolist()
        ['frozen', 'frozen', 'unfrozen']
    """
    refuse_unknown_settings(unknown)
    check_trainable(model)
    if not hasattr(cohort, "tables"):
        raise SettingError("train takes a network and a cohort, in this order", do="train(model, cohort, epochs=5)")
    settings = TrainingSettings(
        epochs=epochs,
        minutes=minutes,
        freeze=freeze,
        augmentation=augmentation,
        schedule=schedule,
        learning_rate=learning_rate,
        batch_size=batch_size,
        patience=patience,
        class_weights=class_weights,
        sampler=sampler,
        label_smoothing=label_smoothing,
        weight_decay=weight_decay,
        batch_norm=batch_norm,
        seed=seed,
        deterministic=deterministic,
        folder=folder,
        checkpoints=checkpoints,
        device=device,
        precision=precision,
        arms=arms,
        quiet=quiet,
    )
    if freeze and not hasattr(model, "freeze"):
        raise SettingError("freeze=True needs a network with a backbone and a head", where=type(model).__name__)
    check_objective(model, settings)
    if learning_rate is None:
        settings = replace(settings, learning_rate=model.default_learning_rates[schedule])
    run = create_run(model, cohort, settings) if resume is None else resume_run(model, cohort, settings, parent=resume)
    return Trainer(model, cohort, run, settings).fit()


def continue_training(folder: str | Path, cohort: Cohort) -> tuple[Any, Run]:
    """Resume an interrupted training from its last checkpoint, and finish it with the same result.

    Args:
        folder: the run's folder.
        cohort: the same cohort as before.

    Returns:
        (network, run). If no epoch was left, they are as they were.

    Raises:
        DataError: the folder holds no checkpoint, or another cohort was trained on.
    """
    folder = Path(folder)
    tensors, progress = load_checkpoint(folder / "last.safetensors")
    run = Run.load(folder)
    if run.fingerprints.get("cohort") != cohort_fingerprint(cohort):
        raise DataError(
            "The training was begun with another cohort: its training or validation cases, labels or splits differ",
            where=folder,
            do="open the same cohort, with the same split, as before",
        )
    if progress:  # the checkpoint is written before run.json, so it may be one epoch ahead
        run = replace(run, history=progress["history"], settings=progress["settings"])
    settings = TrainingSettings.from_json(run.settings[-1])
    if not progress or _is_finished(run, settings):
        return load_model(run.weights_file), run
    model = load_model(folder / "last.safetensors")
    metadata = {
        name: value for name, value in run.metadata.items() if name not in ("interrupted", "kept_epoch", "finished")
    }
    run = replace(run, metadata=metadata)
    trainer = Trainer(model, cohort, run, settings, epochs_done=progress["done"], checkpoint=tensors)
    return model, trainer.fit()


def _is_finished(run: Run, settings: TrainingSettings) -> bool:
    own_epochs = len(run.history) - run.epochs_before
    if run.metadata.get("finished"):
        return True
    if settings.patience is not None:
        return False  # it may have been killed before it took the best epoch
    return own_epochs >= (settings.epochs or float("inf"))
