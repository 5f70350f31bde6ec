"""`train`: from a network and a cohort to a Run, epoch by epoch, losing nothing on the way."""

import gc
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from firstread.core.cohort import Cohort
from firstread.core.errors import SettingError
from firstread.core.progress import Progress
from firstread.core.run import Run
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
from firstread.learning.starting import begin, say, take_up, training_images, what_to_know


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
    if not isinstance(model, Classifier) or not isinstance(cohort, Cohort):
        raise SettingError("train takes a network and a cohort, in this order", do="train(model, cohort, epochs=5)")
    chosen = complete(dict(settings), epochs=epochs)
    augmentation = None if augmentation is None or augmentation.is_identity else augmentation
    call = {
        "epochs": epochs,
        "freeze": freeze,
        "augmentation": asdict(augmentation) if augmentation else None,
        **chosen,
    }
    call.pop("folder")
    if resume is None:
        return _Training(model, cohort, begin(model, chosen=chosen, call=call), call).go()
    run, message = take_up(model, resume, chosen=chosen, call=call)
    if message and not chosen["quiet"]:
        say(message)
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
        self.batch_size, self.device, self.patience = call["batch_size"], call["device"], call["patience"]
        self.pixels, self.targets = training_images(model, cohort.train)
        part = cohort.validation
        part = part.where(part.targets >= 0)
        self.validation = part.images(model.size, channels=model.channels), part.targets
        if not model.fitted:
            model.measure_normalisation(self.pixels)
        if not run.history:
            for message in what_to_know(cohort, self.targets):
                self._tell(message)
        if self.patience and not len(part):
            self._tell("patience has no meaning without a validation split, and is not used.")
            self.patience = None

    def go(self) -> Run:
        """Train, whatever the machine does on the way."""
        self.generator = torch.Generator().manual_seed(self.call["seed"] + 1_000_003 * len(self.run.history))
        deterministic = torch.are_deterministic_algorithms_enabled()
        if self.call["deterministic"]:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
        with torch.random.fork_rng():
            torch.manual_seed(self.call["seed"] + 7_919 * len(self.run.history))
            torch.use_deterministic_algorithms(self.call["deterministic"] or deterministic)
            try:
                self._set_up()
                if self.tensors is not None:
                    self._take_up(self.tensors)
                self._epochs()
            except KeyboardInterrupt:
                self._interrupted()
            finally:
                torch.use_deterministic_algorithms(deterministic)
                self._hand_back()
        return self.run

    def _interrupted(self) -> None:
        """Keep the whole epochs; what half an epoch changed is undone, so that the network is the one of the history."""
        self.run.facts["interrupted"] = True
        last = self.run.folder / "last.safetensors"
        if self.call["checkpoints"] and self.run.epochs and last.exists():
            restore(self.model, load_checkpoint(last)[0])
        self._tell(
            f"Interrupted. {self.run.epochs} epochs are kept; train(..., resume=run) goes on from there"
            + (", and so does continue_training(folder)." if self.call["checkpoints"] else ".")
        )

    def _hand_back(self) -> None:
        """The network as the caller gave it: on the processor, nothing frozen, without Accelerate's wrapping."""
        if hasattr(self, "network"):
            self.accelerator.unwrap_model(self.network, keep_fp32_wrapper=False)
        self.model.freeze(False)
        self.model.to("cpu").eval()

    def _tell(self, message: str) -> None:
        self.run.facts.setdefault("messages", []).append(message)
        if not self.call["quiet"]:
            say(message)

    def _set_up(self) -> None:
        self.accelerator = make_accelerator(device=self.device, precision=self.call["precision"])
        shares = self.accelerator.num_processes
        self.model.freeze(self.call["freeze"])
        self.model.to(self.accelerator.device, memory_format=torch.channels_last)
        learns = [p for p in self.model.parameters() if p.requires_grad]
        self.steps = len(batch_slices(len(self.targets), self.batch_size * shares))
        rate, left = self.call["learning_rate"], self.call["epochs"]
        if self.call["schedule"] == "one-cycle":
            optimiser = torch.optim.AdamW(learns, lr=rate, weight_decay=1e-2)
            total_steps = max(2, left * self.steps * shares + 1)  # Accelerate steps the schedule once a process
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=total_steps)
        else:
            optimiser = torch.optim.Adam(learns, lr=rate)
            schedule = torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
        for _ in range(self.done * self.steps * shares):
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
        best, waited = self._best_so_far()
        with _Quiet() if self.call["quiet"] else Progress(words, (epochs - self.done) * self.steps, unit="step") as bar:
            while self.done < epochs and not (self.patience and waited >= self.patience):
                row = self._one_epoch(bar)
                self.done += 1
                improved = row["validation_loss"] is not None and row["validation_loss"] < best
                self._keep(row, best=improved)
                best, waited = (row["validation_loss"], 0) if improved else (best, waited + 1)
        if not self.patience:
            return
        if waited >= self.patience:
            self._tell(f"Stopped after {self.run.epochs} epochs: {waited} without a lower validation loss.")
        file = self.run.folder / "best.safetensors"
        if self.call["checkpoints"] and file.exists():
            restore(self.model, load_checkpoint(file)[0])

    def _best_so_far(self) -> tuple[float, int]:
        """Lowest validation loss of the run, and for how many epochs of this call it has not been bettered."""
        best, waited, before = np.inf, 0, self.run.epochs - self.done
        for index, row in enumerate(self.run.history):
            loss = row.get("validation_loss")
            improved = loss is not None and loss < best
            best, waited = (loss, 0) if improved else (best, waited + 1 if index >= before else 0)
        return best, waited

    def _one_epoch(self, bar: Any) -> dict[str, Any]:
        start = time.perf_counter()
        learnt = self._whatever_happens(lambda: self._learn(bar))
        seen = self._whatever_happens(
            lambda: measure(self.model, *self.validation, batch_size=max(self.batch_size, 32))
        )
        return {
            "epoch": self.run.epochs + 1,
            "phase": "frozen" if self.call["freeze"] else "unfrozen",
            **self._over_processes(learnt),
            **{name: None if np.isnan(value) else value for name, value in self._over_processes(seen).items()},
            "learning_rate": float(self.optimiser.param_groups[0]["lr"]),
            "seconds": time.perf_counter() - start,
        }

    def _learn(self, bar: Any) -> dict[str, float]:
        batches = shuffled_batches(
            self.model, self.pixels, self.targets,
            batch_size=self.batch_size, generator=self.generator, augmentation=self.augmentation,
            share=(self.accelerator.process_index, self.accelerator.num_processes),
        )  # fmt: skip
        return run_one_epoch(
            self.network, _counted(batches, bar),
            optimiser=self.optimiser, schedule=self.schedule, accelerator=self.accelerator,
        )  # fmt: skip

    def _over_processes(self, values: dict[str, float]) -> dict[str, float]:
        if self.accelerator.num_processes == 1:
            return values
        numbers = torch.tensor(list(values.values()), device=self.accelerator.device)
        return dict(zip(values, self.accelerator.reduce(numbers, "mean").tolist(), strict=True))

    def _whatever_happens(self, work: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Do it; if memory runs out or a GPU fails, do it again with smaller batches or on the processor."""
        before = self._copy_of_weights()
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                change = way_out(error, batch_size=self.batch_size, on_cpu=not self._on_gpu)
                if change is None:
                    raise
            # outside the handler, so that the error no longer holds on to the memory of the failed step
            self._tell(change["message"])
            self._recover(change, before)

    @property
    def _on_gpu(self) -> bool:
        return self.accelerator.device.type != "cpu"

    def _copy_of_weights(self) -> dict[str, torch.Tensor] | None:
        """On a GPU, the weights before this epoch: a GPU that fails takes its memory with it."""
        if not self._on_gpu:
            return None
        return {name: value.detach().to("cpu", copy=True) for name, value in self.model.state_dict().items()}

    def _recover(self, change: dict[str, Any], weights: dict[str, torch.Tensor] | None) -> None:
        self.accelerator.unwrap_model(self.network, keep_fp32_wrapper=False)
        self.optimiser.zero_grad()
        self.network = self.optimiser = self.schedule = None
        gc.collect()
        self.batch_size = change.get("batch_size", self.batch_size)
        if "device" in change:
            self.device = change["device"]
            self.model.to_empty(device=self.device)
            restore(self.model, weights)
        elif self._on_gpu:
            torch.cuda.empty_cache()
        self._set_up()

    def _keep(self, row: dict[str, Any], *, best: bool) -> None:
        self.run = replace(self.run, history=[*self.run.history, row])
        if self.call["checkpoints"] and self.accelerator.is_main_process:
            self._write(best=best)
        self.accelerator.wait_for_everyone()

    def _write(self, *, best: bool) -> None:
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


class _Quiet:
    """A progress bar that is not there."""

    def __enter__(self) -> "_Quiet":
        return self

    def __exit__(self, *_: object) -> None: ...

    def step(self, count: int = 1) -> None:
        """Nothing to show."""


def _counted(batches: Any, bar: Any) -> Any:
    for batch in batches:
        yield batch
        bar.step()
