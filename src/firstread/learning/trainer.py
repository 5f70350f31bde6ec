"""Trainer of one `train` call: queueing, epochs, validation, checkpoints, early stopping, recovery from failures."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from firstread.core.cohort import Cohort
from firstread.core.memory import release_memory, retain_freed_memory
from firstread.core.progress_bar import ProgressBar
from firstread.core.run import Run
from firstread.learning.augmentation import Augmentation
from firstread.learning.checkpoints import generator_state, load_checkpoint, restore_weights, save_checkpoint
from firstread.learning.cpu_kernels import matmul_weight_gradients
from firstread.learning.devices import Recovery, acquire_queue_slot, limit_cpu_threads, recovery_for
from firstread.learning.early_stopping import EarlyStopping
from firstread.learning.loop import identity, run_one_epoch, sequential_batches, shuffled_batches, validate
from firstread.learning.models import Classifier
from firstread.learning.runs import list_cohort_warnings, load_training_images, log_message
from firstread.learning.training_state import TrainingState

#: pixels of one inference batch on the default batch size; larger batches would not be faster on a CPU
_INFERENCE_PIXELS = 300_000


class Trainer:
    """Trains a network for one call of `train`.

    Args:
        model: the network; it is changed in place.
        cohort: training and validation images.
        run: the run whose history is continued.
        call_settings: settings of this call, as `Run.settings` stores them.
        epochs_done: epochs of this call that an interrupted training has finished.
        checkpoint: tensors of the checkpoint of that training.
    """

    def __init__(
        self,
        model: Classifier,
        cohort: Cohort,
        run: Run,
        call_settings: dict[str, Any],
        *,
        epochs_done: int = 0,
        checkpoint: dict[str, torch.Tensor] | None = None,
    ) -> None:
        self.model, self.run, self.call_settings = model, run, call_settings
        self.epochs_done, self.checkpoint = epochs_done, checkpoint
        self.augmentation = Augmentation(**call_settings["augmentation"]) if call_settings["augmentation"] else None
        self.batch_size, self.device = call_settings["batch_size"], call_settings["device"]
        self.patience: int | None = call_settings["patience"]
        self.images, self.targets = load_training_images(model, cohort.train)
        labeled = cohort.validation.where(cohort.validation.targets >= 0)
        self.validation = labeled.images(model.size, channels=model.channels), labeled.targets
        if not run.history:
            for message in list_cohort_warnings(cohort, self.targets):
                self._log(message)
        if self.patience and not len(labeled):
            self._log("patience has no meaning without a validation split, and is not used.")
            self.patience = None

    def fit(self) -> Run:
        """Train for the epochs that are left; Ctrl-C ends the training and keeps the whole epochs."""
        settings, first_epoch = self.call_settings, len(self.run.history)
        self.generator = torch.Generator().manual_seed(settings["seed"] + 1_000_003 * first_epoch)
        deterministic = torch.are_deterministic_algorithms_enabled()
        if settings["deterministic"]:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses
        with torch.random.fork_rng():
            torch.manual_seed(settings["seed"] + 7_919 * first_epoch)
            torch.use_deterministic_algorithms(settings["deterministic"] or deterministic)
            queue_slot = acquire_queue_slot(self.device, quiet=settings["quiet"])
            try:
                with limit_cpu_threads(), retain_freed_memory(), queue_slot as self.queue_slot:
                    if self.checkpoint is not None:
                        restore_weights(self.model, self.checkpoint)
                    self._setup()
                    if self.checkpoint is not None:
                        self._restore_training_state(self.checkpoint)
                    self._run_epochs()
            except KeyboardInterrupt:
                self._handle_interrupt()
            finally:
                torch.use_deterministic_algorithms(deterministic)
                self._teardown()
        return self.run

    def _handle_interrupt(self) -> None:
        """Keep the whole epochs and undo half an epoch's changes, so that the network matches the history."""
        self.run.metadata["interrupted"] = True
        last = self.run.folder / "last.safetensors"
        if self.call_settings["checkpoints"] and self.run.epochs and last.exists():
            restore_weights(self.model, load_checkpoint(last)[0])
        self._log(
            f"Interrupted. {self.run.epochs} epochs are kept; train(..., resume=run) goes on from there"
            + (", and so does continue_training(folder)." if self.call_settings["checkpoints"] else ".")
        )

    def _teardown(self) -> None:
        """Return the network to the caller: on the CPU, nothing frozen, without Accelerate's wrapping."""
        if hasattr(self, "state"):
            self.state.unwrap()
            del self.state
        self.model.freeze(False)
        self.model.to("cpu").eval()
        self.model.zero_grad(set_to_none=True)  # gradients are as large as the weights, and of no more use
        release_memory()

    def _log(self, message: str) -> None:
        self.run.metadata.setdefault("messages", []).append(message)
        if not self.call_settings["quiet"]:
            log_message(message)

    def _setup(self) -> None:
        """Move network and images to the device, and prepare optimizer and learning-rate schedule."""
        self.state = TrainingState(
            self.model,
            self.images,
            self.call_settings,
            device=self.device,
            batch_size=self.batch_size,
            epochs_done=self.epochs_done,
        )
        bfloat16 = self.state.accelerator.mixed_precision == "bf16"
        self.run.metadata["precision"] = "bfloat16" if bfloat16 else "float32"

    def _restore_training_state(self, tensors: dict[str, torch.Tensor]) -> None:
        self.state.restore_optimizer(tensors)
        self.generator.set_state(generator_state(tensors, "order"))
        torch.set_rng_state(generator_state(tensors, "torch"))

    def _run_epochs(self) -> None:
        epochs = self.call_settings["epochs"]
        description = "Training the head" if self.call_settings["freeze"] else "Training"
        earlier_epochs = self.run.epochs - self.epochs_done
        early_stopping = EarlyStopping(self.patience, self.run.history, earlier_epochs=earlier_epochs)
        steps = (epochs - self.epochs_done) * self.state.steps_per_epoch
        with ProgressBar(description, steps, unit="step", quiet=self.call_settings["quiet"]) as bar:
            while self.epochs_done < epochs and not early_stopping.should_stop:
                row = self._run_epoch(bar)
                self.epochs_done += 1
                self._record_epoch(row, best=early_stopping.update(row["validation_loss"]))
                if self.epochs_done < epochs:
                    self.queue_slot.yield_slot()
        if self.queue_slot.seconds_waited > 1:
            seconds = self.run.metadata.get("seconds_queued", 0) + self.queue_slot.seconds_waited
            self.run.metadata["seconds_queued"] = round(seconds, 1)
        if not self.patience:
            return
        if early_stopping.should_stop:
            waited = early_stopping.epochs_since_best
            self._log(f"Stopped after {self.run.epochs} epochs: {waited} without a lower validation loss.")
        file = self.run.folder / "best.safetensors"
        if self.call_settings["checkpoints"] and file.exists():
            restore_weights(self.model, load_checkpoint(file)[0])

    def _run_epoch(self, bar: ProgressBar) -> dict[str, Any]:
        """Train and validate once; returns the row for the run's history."""
        start = time.perf_counter()
        train_metrics = self._with_recovery(lambda: self._train_epoch(bar))
        validation_metrics = self.state.average_over_processes(self._with_recovery(self._validate))
        return {
            "epoch": self.run.epochs + 1,
            "phase": "frozen" if self.call_settings["freeze"] else "unfrozen",
            **self.state.average_over_processes(train_metrics),
            **{name: None if np.isnan(value) else value for name, value in validation_metrics.items()},
            "learning_rate": float(self.state.optimizer.param_groups[0]["lr"]),
            "seconds": time.perf_counter() - start,
        }

    def _train_epoch(self, bar: ProgressBar) -> dict[str, float]:
        state, accelerator = self.state, self.state.accelerator
        images = state.images
        prepare: Callable[[Any], torch.Tensor] = self.model.prepare
        if state.feature_cache and not self.augmentation:
            images, prepare = state.feature_cache.extract(self.images, batch_size=self._inference_batch_size), identity
        batches = shuffled_batches(
            images,
            self.targets,
            prepare=prepare,
            batch_size=self.batch_size,
            generator=self.generator,
            augmentation=self.augmentation,
            shard=(accelerator.process_index, accelerator.num_processes),
        )
        if state.feature_cache and self.augmentation:
            batches = state.feature_cache.extract_batches(batches, batch_size=self._inference_batch_size)
        batches = self._track_progress(batches, bar)
        module, optimizer, scheduler = state.prepared_module, state.optimizer, state.scheduler
        bfloat16_on_cpu = not self._on_gpu and accelerator.mixed_precision == "bf16"
        with matmul_weight_gradients(self.model) if bfloat16_on_cpu and not state.feature_cache else nullcontext():
            return run_one_epoch(module, batches, optimizer=optimizer, scheduler=scheduler, accelerator=accelerator)

    def _validate(self) -> dict[str, float]:
        (images, targets), cache = self.validation, self.state.feature_cache
        batches: Iterable[torch.Tensor]
        if cache and len(targets):
            batches = [cache.extract(images, batch_size=self._inference_batch_size)]
        else:
            batches = sequential_batches(self.model, images, batch_size=self._inference_batch_size)
        return validate(self.state.trainable_module, batches, targets)

    @property
    def _inference_batch_size(self) -> int:
        """Inference batch size: a multiple of the training batch size, larger for small images, halved with it."""
        batches_at_once = max(1, _INFERENCE_PIXELS // (self.call_settings["batch_size"] * self.model.size**2))
        return batches_at_once * self.batch_size

    def _track_progress(self, batches: Iterable, bar: ProgressBar) -> Iterator:
        """Yield the batches; update the progress bar, and the remaining time that waiting trainings see."""
        start, steps_before = time.perf_counter(), self.epochs_done * self.state.steps_per_epoch
        total_steps = self.call_settings["epochs"] * self.state.steps_per_epoch
        for number, batch in enumerate(batches, 1):
            yield batch
            bar.update()
            seconds_per_step = (time.perf_counter() - start) / number
            self.queue_slot.update_seconds_left(seconds_per_step * (total_steps - steps_before - number))

    def _with_recovery(self, work: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Call `work`; if memory runs out or a GPU fails, call it again with smaller batches or on the CPU."""
        weights = self._copy_weights()
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                recovery = recovery_for(error, batch_size=self.batch_size, on_cpu=not self._on_gpu)
                if recovery is None:
                    raise
            # outside the handler, so that the error no longer holds on to the memory of the failed step
            self._log(recovery["message"])
            self._apply_recovery(recovery, weights)

    @property
    def _on_gpu(self) -> bool:
        return self.state.accelerator.device.type != "cpu"

    def _copy_weights(self) -> dict[str, torch.Tensor] | None:
        """On a GPU, a copy of the weights in main memory: a GPU that fails takes its memory with it."""
        if not self._on_gpu:
            return None
        return {name: value.detach().to("cpu", copy=True) for name, value in self.model.state_dict().items()}

    def _apply_recovery(self, recovery: Recovery, weights: dict[str, torch.Tensor] | None) -> None:
        on_gpu = self._on_gpu
        self.state.unwrap()
        self.state.optimizer.zero_grad()
        del self.state
        release_memory()
        self.batch_size = recovery.get("batch_size", self.batch_size)
        if "device" in recovery and weights is not None:
            self.device = recovery["device"]
            self.model.to_empty(device=self.device)
            restore_weights(self.model, weights)
        elif on_gpu:
            torch.cuda.empty_cache()
        self._setup()

    def _record_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Append an epoch to the history, and write the checkpoint."""
        self.run = replace(self.run, history=[*self.run.history, row])
        if self.call_settings["checkpoints"] and self.state.accelerator.is_main_process:
            self._save_checkpoint(best=best)
        self.state.accelerator.wait_for_everyone()

    def _save_checkpoint(self, *, best: bool) -> None:
        save_checkpoint(
            self.run.folder / "last.safetensors",
            self.model,
            optimizer=self.state.optimizer,
            generators={"order": self.generator.get_state(), "torch": torch.get_rng_state()},
            progress={"done": self.epochs_done, "history": self.run.history, "settings": self.run.settings},
        )
        if best:
            self.model.save(self.run.folder / "best.safetensors")
        self.run.save()
