"""`train`: from a network and a cohort to a Run, epoch by epoch, losing nothing on the way."""

import sys
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.progress import Progress
from firstread.core.run import Run
from firstread.core.settings import runs_folder
from firstread.learning.augmentation import Augmentation
from firstread.learning.checkpoints import (
    generator_state,
    load_checkpoint,
    restore,
    restore_optimiser,
    save_checkpoint,
)
from firstread.learning.devices import make_accelerator, way_out
from firstread.learning.loop import batch_slices, measure, run_one_epoch, shuffled_batches
from firstread.learning.models import Classifier, load_model
from firstread.learning.settings import TrainingSettings, complete


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
        epochs: how often every training image is shown. With `resume`, so many more.
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
    chosen = complete(dict(settings), epochs=epochs)
    augmentation = None if augmentation is None or augmentation.is_identity else augmentation
    call = {
        "epochs": epochs,
        "freeze": freeze,
        "augmentation": asdict(augmentation) if augmentation else None,
        **chosen,
    }
    call.pop("folder")
    run = _start(model, resume, chosen, call)
    return _Training(model, cohort, run, call).go()


def continue_training(folder: str | Path, cohort: Cohort) -> tuple[Classifier, Run]:
    """Finish a training that was interrupted, from its last whole epoch, as if nothing had happened.

    Args:
        folder: the run's folder.
        cohort: the same cohort as before.

    Returns:
        (network, run). If nothing was left to do, they are as they were.
    """
    folder = Path(folder)
    tensors, progress = load_checkpoint(folder / "last.safetensors")
    model = load_model(folder / "last.safetensors")
    run = Run.load(folder)
    if progress:  # the checkpoint is written before run.json, so it may be one epoch ahead
        run = replace(run, history=progress["history"], settings=progress["settings"])
    if not progress or progress["done"] >= progress["settings"][-1]["epochs"]:
        return model, run
    return model, _Training(model, cohort, run, run.settings[-1], done=progress["done"], tensors=tensors).go()


class _Training:
    """One call of `train`: what it needs while it runs."""

    def __init__(
        self,
        model: Classifier,
        cohort: Cohort,
        run: Run,
        call: dict[str, Any],
        *,
        done: int = 0,
        tensors: dict | None = None,
    ) -> None:
        self.model, self.run, self.call, self.done, self.tensors = model, run, call, done, tensors
        self.augmentation = Augmentation(**call["augmentation"]) if call["augmentation"] else None
        self.batch_size = call["batch_size"]
        self.pixels, self.targets = _training_images(model, cohort.train)
        part = cohort.validation
        part = part.where(part.targets >= 0)
        self.validation = part.images(model.size, channels=model.channels), part.targets
        if not model.fitted:
            model.measure_normalisation(self.pixels)
        if not len(part) and not run.history:
            _say("There is no validation split: the curves will show training only, and cannot show overfitting.")

    def go(self) -> Run:
        """Train, whatever the machine does on the way."""
        self.generator = torch.Generator().manual_seed(self.call["seed"] + 1_000_003 * len(self.run.history))
        deterministic = torch.are_deterministic_algorithms_enabled()
        with torch.random.fork_rng():
            torch.manual_seed(self.call["seed"] + 7_919 * len(self.run.history))
            torch.use_deterministic_algorithms(self.call["deterministic"] or deterministic)
            try:
                self._set_up(self.call["device"])
                if self.tensors is not None:
                    self._take_up(self.tensors)
                self._epochs()
            except KeyboardInterrupt:
                _say(
                    f"Interrupted. {self.run.epochs} epochs are kept; train(..., resume=run) goes on from there"
                    + (", and so does continue_training(folder)." if self.call["checkpoints"] else ".")
                )
            finally:
                torch.use_deterministic_algorithms(deterministic)
                self.model.freeze(False)
                self.model.to("cpu").eval()
        return self.run

    def _set_up(self, device: str) -> None:
        self.accelerator = make_accelerator(device=device, precision=self.call["precision"])
        self.model.freeze(self.call["freeze"])
        self.model.to(self.accelerator.device, memory_format=torch.channels_last)
        learns = [p for p in self.model.parameters() if p.requires_grad]
        self.steps = len(batch_slices(len(self.targets), self.batch_size))
        rate, left = self.call["learning_rate"], self.call["epochs"]
        if self.call["schedule"] == "one-cycle":
            optimiser = torch.optim.AdamW(learns, lr=rate, weight_decay=1e-2)
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=max(2, left * self.steps + 1))
        else:
            optimiser = torch.optim.Adam(learns, lr=rate)
            schedule = torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
        for _ in range(self.done * self.steps):
            optimiser._opt_called = True
            schedule.step()
        self.network, self.optimiser, self.schedule = self.accelerator.prepare(self.model, optimiser, schedule)

    def _take_up(self, tensors: dict[str, torch.Tensor]) -> None:
        restore(self.model, tensors)
        restore_optimiser(self.optimiser, tensors)
        rates = [group["lr"] for group in self.schedule.scheduler.optimizer.param_groups]
        for group, rate in zip(self.optimiser.param_groups, rates, strict=True):
            group["lr"] = rate
        self.generator.set_state(generator_state(tensors, "order"))
        torch.set_rng_state(generator_state(tensors, "torch"))

    def _epochs(self) -> None:
        epochs = self.call["epochs"]
        words = "Training the head" if self.call["freeze"] else "Training"
        best = min(
            (e["validation_loss"] for e in self.run.history if e.get("validation_loss") is not None), default=np.inf
        )
        waited = 0
        with Progress(words, (epochs - self.done) * self.steps, unit="step") as bar:
            while self.done < epochs:
                row = self._one_epoch(bar)
                self.done += 1
                improved = row["validation_loss"] is not None and row["validation_loss"] < best
                self._keep(row, best=improved)
                best, waited = (row["validation_loss"], 0) if improved else (best, waited + 1)
                if self.call["patience"] and waited >= self.call["patience"]:
                    _say(f"Stopped after {row['epoch']} epochs: {waited} without a lower validation loss.")
                    break
        if self.call["patience"] and self.call["checkpoints"] and (self.run.folder / "best.safetensors").exists():
            restore(self.model, load_checkpoint(self.run.folder / "best.safetensors")[0])

    def _one_epoch(self, bar: Progress) -> dict[str, Any]:
        while True:
            start = time.perf_counter()
            batches = shuffled_batches(
                self.model, self.pixels, self.targets,
                batch_size=self.batch_size, generator=self.generator, augmentation=self.augmentation,
            )  # fmt: skip
            try:
                learnt = run_one_epoch(
                    self.network, _counted(batches, bar),
                    optimiser=self.optimiser, schedule=self.schedule, accelerator=self.accelerator,
                )  # fmt: skip
                break
            except (RuntimeError, MemoryError) as error:
                self._recover(error)
        seen = measure(self.model, *self.validation, batch_size=max(self.batch_size, 32))
        row = {
            "epoch": self.run.epochs + 1,
            "phase": "frozen" if self.call["freeze"] else "unfrozen",
            **learnt,
            **{name: None if np.isnan(value) else value for name, value in seen.items()},
            "learning_rate": float(self.optimiser.param_groups[0]["lr"]),
            "seconds": time.perf_counter() - start,
        }
        return row

    def _recover(self, error: Exception) -> None:
        change = way_out(error, batch_size=self.batch_size, on_cpu=self.accelerator.device.type == "cpu")
        if change is None:
            raise error
        _say(change["message"])
        self.run.facts.setdefault("messages", []).append(change["message"])
        self.batch_size = change.get("batch_size", self.batch_size)
        self._set_up(change.get("device", self.call["device"]))

    def _keep(self, row: dict[str, Any], *, best: bool) -> None:
        self.run = replace(self.run, history=[*self.run.history, row])
        if not self.call["checkpoints"] or not self.accelerator.is_main_process:
            return
        save_checkpoint(
            self.run.folder / "last.safetensors",
            self.model,
            optimiser=self.optimiser,
            generators={"order": self.generator.get_state(), "torch": torch.get_rng_state()},
            progress={"done": self.done, "history": self.run.history, "settings": self.run.settings},
        )
        if best:
            self.model.save(self.run.folder / "best.safetensors")
        self.run.save()


def _start(model: Classifier, resume: Run | None, chosen: dict[str, Any], call: dict[str, Any]) -> Run:
    if resume is not None:
        if resume.model["classes"] != list(model.classes):
            raise SettingError("The run that is resumed had other classes", expected=", ".join(resume.model["classes"]))
        last = resume.folder / "last.safetensors"
        if last.exists():
            restore(model, load_checkpoint(last)[0])
        arms = chosen["arms"] or resume.arms
        return replace(resume, settings=[*resume.settings, call], arms=arms, facts=dict(resume.facts))
    folder = Path(chosen["folder"]) if chosen["folder"] else runs_folder() / _stamp(model)
    return Run(folder, model.describe(), [call], [], chosen["arms"] or {}, _facts())


def _training_images(model: Classifier, part: Cohort) -> tuple[np.ndarray, np.ndarray]:
    """uint8 images and (N,) targets of the training split, checked."""
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


def _counted(batches: Any, bar: Progress) -> Any:
    for batch in batches:
        yield batch
        bar.step()


def _stamp(model: Classifier) -> str:
    import secrets

    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{model.backbone_name}-{secrets.token_hex(2)}"


def _facts() -> dict[str, Any]:
    import platform
    from importlib.metadata import version

    names = ("firstread", "torch", "timm", "accelerate", "numpy")
    return {"python": platform.python_version(), "versions": {name: version(name) for name in names}}


def _say(text: str) -> None:
    print(text, file=sys.stderr)
