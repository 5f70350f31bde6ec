"""What one call of `train` does: it waits for its turn, then goes epoch by epoch, losing nothing on the way."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from firstread.core.cohort import Cohort
from firstread.core.memory import memory_reused, release_memory
from firstread.core.progress_bar import Progress
from firstread.core.run import Run
from firstread.learning.augmentation import Augmentation
from firstread.learning.checkpoints import (
    generator_state,
    load_checkpoint,
    restore,
    restore_optimiser,
    save_checkpoint,
)
from firstread.learning.cpu_kernels import small_maps
from firstread.learning.devices import hand_back, make_accelerator, my_turn, processor_threads, way_out
from firstread.learning.feature_cache import FrozenBackbone
from firstread.learning.loop import as_it_is, batch_slices, measure, plain_batches, run_one_epoch, shuffled_batches
from firstread.learning.models import Classifier
from firstread.learning.optimizers import Adam, AdamW
from firstread.learning.runs import say, training_images, what_to_know

#: so many pixels are read at once where nothing is learnt from them; more would not be faster on a processor
_PIXELS_AT_ONCE = 300_000


class Trainer:
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
        self.images, self.targets = training_images(model, cohort.train)
        part = cohort.validation
        part = part.where(part.targets >= 0)
        self.validation = part.images(model.size, channels=model.channels), part.targets
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
                with processor_threads(), memory_reused(), my_turn(self.device, quiet=self.call["quiet"]) as self.turn:
                    if self.tensors is not None:
                        restore(self.model, self.tensors)
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
            hand_back(self.accelerator, self.network)
        self.model.freeze(False)
        self.model.to("cpu").eval()
        self.model.zero_grad(set_to_none=True)  # as large as the weights, and of no more use
        for part in ("network", "optimiser", "schedule", "frozen", "resident", "learner"):
            vars(self).pop(part, None)
        release_memory()

    def _tell(self, message: str) -> None:
        self.run.facts.setdefault("messages", []).append(message)
        if not self.call["quiet"]:
            say(message)

    def _set_up(self) -> None:
        self.accelerator = make_accelerator(device=self.device, precision=self.call["precision"])
        self.run.facts["precision"] = "bfloat16" if self.accelerator.mixed_precision == "bf16" else "float32"
        self.model.freeze(self.call["freeze"])
        self.model.to(self.accelerator.device, memory_format=torch.channels_last)
        if not self.model.fitted:
            with self.accelerator.autocast():
                self.model.measure_normalisation(self.images)
        self.resident = self._on_device(self.images)
        self.frozen = FrozenBackbone(self.model, self.accelerator) if self.call["freeze"] else None
        self.learner = self.model.head if self.frozen else self.model
        learns = [p for p in self.learner.parameters() if p.requires_grad]
        shares = self.accelerator.num_processes
        self.steps = len(batch_slices(len(self.targets), self.batch_size * shares))
        rate, left = self.call["learning_rate"], self.call["epochs"]
        fused = self.accelerator.device.type in ("cpu", "cuda")  # one pass over the weights instead of ten
        if self.call["schedule"] == "one-cycle":
            optimiser = AdamW(learns, lr=rate, weight_decay=1e-2, fused=fused)
            total_steps = max(2, left * self.steps * shares + 1)  # Accelerate steps the schedule once a process
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=total_steps)
        else:
            optimiser = Adam(learns, lr=rate, fused=fused)
            schedule = torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
        for _ in range(self.done * self.steps * shares):
            optimiser._opt_called = True
            schedule.step()
        self.network, self.optimiser, self.schedule = self.accelerator.prepare(self.learner, optimiser, schedule)

    def _on_device(self, images: np.ndarray) -> np.ndarray | torch.Tensor:
        """On a GPU with room for them, the images lie in its memory from the start, as bytes."""
        if not self._on_gpu:
            return images
        try:
            return torch.from_numpy(images).to(self.accelerator.device)
        except torch.OutOfMemoryError:
            return images

    def _take_up(self, tensors: dict[str, torch.Tensor]) -> None:
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
        steps = (epochs - self.done) * self.steps
        with Progress(words, steps, unit="step", quiet=self.call["quiet"]) as bar:
            while self.done < epochs and not (self.patience and waited >= self.patience):
                row = self._one_epoch(bar)
                self.done += 1
                improved = row["validation_loss"] is not None and row["validation_loss"] < best
                self._keep(row, best=improved)
                best, waited = (row["validation_loss"], 0) if improved else (best, waited + 1)
                if self.done < epochs:
                    self.turn.give_way()
        if self.turn.waited > 1:
            self.run.facts["seconds_in_line"] = round(self.run.facts.get("seconds_in_line", 0) + self.turn.waited, 1)
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
        seen = self._whatever_happens(self._validate)
        return {
            "epoch": self.run.epochs + 1,
            "phase": "frozen" if self.call["freeze"] else "unfrozen",
            **self._over_processes(learnt),
            **{name: None if np.isnan(value) else value for name, value in self._over_processes(seen).items()},
            "learning_rate": float(self.optimiser.param_groups[0]["lr"]),
            "seconds": time.perf_counter() - start,
        }

    def _learn(self, bar: Any) -> dict[str, float]:
        images, prepare = self.resident, self.model.prepare
        if self.frozen and not self.augmentation:
            images, prepare = self.frozen.features(self.images, batch_size=self._reading_batch), as_it_is
        batches = shuffled_batches(
            images, self.targets, prepare=prepare,
            batch_size=self.batch_size, generator=self.generator, augmentation=self.augmentation,
            share=(self.accelerator.process_index, self.accelerator.num_processes),
        )  # fmt: skip
        if self.frozen and self.augmentation:
            batches = self.frozen.read(batches, batch_size=self._reading_batch)
        on_processor_in_bfloat16 = not self._on_gpu and self.accelerator.mixed_precision == "bf16"
        with small_maps(self.model) if on_processor_in_bfloat16 and not self.frozen else nullcontext():
            return run_one_epoch(
                self.network, self._counted(batches, bar),
                optimiser=self.optimiser, schedule=self.schedule, accelerator=self.accelerator,
            )  # fmt: skip

    def _validate(self) -> dict[str, float]:
        images, targets = self.validation
        if self.frozen and len(targets):
            batches: Any = [self.frozen.features(images, batch_size=self._reading_batch)]
        else:
            batches = plain_batches(self.model, images, batch_size=self._reading_batch)
        return measure(self.learner, batches, targets)

    @property
    def _reading_batch(self) -> int:
        """Images that are read at once where nothing is learnt from them: more of small ones; fewer once memory ran out."""
        ahead = max(1, _PIXELS_AT_ONCE // (self.call["batch_size"] * self.model.size**2))
        return ahead * self.batch_size

    def _counted(self, batches: Iterable, bar: Any) -> Iterator:
        """The batches as they are; the bar moves on, and those who wait hear how long it will still take."""
        start, before = time.perf_counter(), self.done * self.steps
        for number, batch in enumerate(batches, 1):
            yield batch
            bar.step()
            each = (time.perf_counter() - start) / number
            self.turn.expect(each * (self.call["epochs"] * self.steps - before - number))

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
        hand_back(self.accelerator, self.network)
        self.optimiser.zero_grad()
        self.network = self.optimiser = self.schedule = self.frozen = self.resident = None
        release_memory()
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
