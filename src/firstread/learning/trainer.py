"""Trainer of one `train` call: queueing, epochs, validation, checkpoints, early stopping, recovery from failures."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from firstread.core.cohort import Cohort
from firstread.core.memory import release_memory, retain_freed_memory
from firstread.core.progress_bar import ProgressBar
from firstread.core.run import Run
from firstread.learning.checkpoints import (
    generator_state,
    load_checkpoint,
    restore_optimizer,
    restore_weights,
    save_checkpoint,
)
from firstread.learning.cpu_kernels import matmul_weight_gradients
from firstread.learning.devices import (
    acquire_queue_slot,
    choose_placement,
    limit_cpu_threads,
    recovery_for,
    reproducible,
)
from firstread.learning.early_stopping import EarlyStopping
from firstread.learning.epoch_snapshot import EpochSnapshot, copy_to_main_memory
from firstread.learning.examples import Examples
from firstread.learning.fingerprints import weights_fingerprint
from firstread.learning.loop import identity, run_one_epoch, sequential_batches, shuffled_batches, validate
from firstread.learning.models.protocol import Model
from firstread.learning.objective import make_objective
from firstread.learning.process_group import Processes
from firstread.learning.random_state import RandomStream
from firstread.learning.runs import list_cohort_warnings, load_training_examples, load_validation_examples, log_message
from firstread.learning.samplers import BalancedSampler, RandomSampler, Sampler
from firstread.learning.settings import TrainingSettings
from firstread.learning.time_budget import TimeBudget
from firstread.learning.training_state import TrainingState

#: pixels of one inference batch on the default batch size; larger batches would not be faster on a CPU
_INFERENCE_PIXELS = 300_000


class Trainer:
    """Trains a network for one call of `train`.

    Args:
        model: the network; it is changed in place.
        cohort: training and validation examples.
        run: its history is continued.
        settings: of this call.
        epochs_done: epochs of this call that an interrupted training has finished.
        checkpoint: tensors of the checkpoint of that training.
    """

    def __init__(
        self,
        model: Model,
        cohort: Cohort,
        run: Run,
        settings: TrainingSettings,
        *,
        epochs_done: int = 0,
        checkpoint: dict[str, torch.Tensor] | None = None,
    ) -> None:
        self.model, self.run, self.settings = model, run, settings
        self.epochs_done, self.checkpoint = epochs_done, checkpoint
        self.batch_size, self.device, self.patience = settings.batch_size, settings.device, settings.patience
        self.processes = Processes.from_environment()
        self.examples = load_training_examples(model, cohort.train)
        self.validation = load_validation_examples(model, cohort.validation)
        self.objective = make_objective(model, cohort, settings)
        balanced = settings.sampler == "balanced"
        self.sampler: Sampler = BalancedSampler(cohort.train.targets) if balanced else RandomSampler(len(self.examples))
        self.run.metadata["examples"] = self.examples.source
        if not run.history:
            for message in list_cohort_warnings(cohort, settings):
                self._log(message)
        if self.patience and not len(self.validation):
            self._log("patience has no meaning without a validation split, and is not used.")
            self.patience = None
        self.budget: TimeBudget | None = None
        self.snapshot: EpochSnapshot | None = None
        self.best_weights: dict[str, torch.Tensor] = {}

    def fit(self) -> Run:
        """Train for the epochs that are left, or until the time is over.

        Raises:
            KeyboardInterrupt: interrupted before the first epoch of this call was whole; the network is as it was.
        """
        slot = acquire_queue_slot(self.device, quiet=self.settings.quiet)
        try:
            with reproducible(self.settings.deterministic), limit_cpu_threads(), retain_freed_memory(), slot as queue:
                self.queue_slot = queue
                with self._frozen_as_asked():
                    self._start()
                    self._run_epochs()
        except KeyboardInterrupt:
            self._undo_epoch()
            self._handle_interrupt()
        except BaseException:
            self._undo_epoch()
            raise
        finally:
            self._teardown()
        if not self.run.metadata.get("interrupted"):
            self.run.metadata["finished"] = True
        self.run.fingerprints["weights"] = weights_fingerprint(self.model)  # type: ignore[arg-type]
        self._save_run()
        return self.run

    def _start(self) -> None:
        """Place network and examples on the device, and go on from the checkpoint if there is one."""
        if self.checkpoint is not None:
            restore_weights(self.model, self.checkpoint)
        first_epoch, seed = len(self.run.history), self.settings.seed
        self.generator = torch.Generator().manual_seed(seed + 1_000_003 * first_epoch)
        self._setup(random_seed=seed + 7_919 * first_epoch)
        if self.settings.minutes is not None:
            used = sum(row["seconds"] for row in self.run.history[self.run.epochs_before :])
            self.budget = TimeBudget(self.settings.minutes, seconds_used=used)
        if self.checkpoint is not None:
            restore_optimizer(self.state.optimizer, self.checkpoint)
            self._set_generators({name: generator_state(self.checkpoint, name) for name in ("order", "torch")})
        self._schedule()

    def _setup(self, *, random_seed: int) -> None:
        """Place network and examples on the device, with a new optimizer."""
        placement = choose_placement(
            device=self.device,
            precision=self.settings.precision,
            local_rank=self.processes.local_rank if self.processes.count > 1 else None,
        )
        self.processes.connect(placement.device)
        self.random = RandomStream(random_seed, placement.device)
        self.state = TrainingState(
            self.model,
            self.examples,
            self.settings,
            placement=placement,
            processes=self.processes,
            random=self.random,
        )
        self.run.metadata["precision"], self.run.metadata["device"] = placement.precision, placement.device.type
        self.snapshot = EpochSnapshot(self.model if self._on_gpu else self.state.trainable_module)  # type: ignore[arg-type]

    def _schedule(self) -> None:
        self.state.schedule(
            examples_per_epoch=len(self.sampler),
            batch_size=self.batch_size,
            epochs_done=self.epochs_done,
            budget=self.budget,
        )

    @property
    def _generators(self) -> dict[str, torch.Tensor]:
        return {"order": self.generator.get_state(), "torch": self.random.state}

    def _set_generators(self, states: dict[str, torch.Tensor]) -> None:
        self.generator.set_state(states["order"])
        self.random.state = states["torch"]

    @property
    def _on_gpu(self) -> bool:
        return self.state.placement.device.type != "cpu"

    @contextmanager
    def _frozen_as_asked(self) -> Iterator[None]:
        """Freeze the backbone if `freeze` asks for it; at the end each parameter learns or not as it was found."""
        before = [(parameter, parameter.requires_grad) for parameter in self.model.parameters()]
        if self.settings.freeze:
            self.model.freeze(True)  # type: ignore[attr-defined]
        try:
            yield
        finally:
            for parameter, requires_grad in before:
                parameter.requires_grad_(requires_grad)

    def _undo_epoch(self) -> None:
        """Bring the network back to the beginning of the epoch that was not finished."""
        if self.snapshot is not None:
            self.snapshot.restore_weights()

    def _handle_interrupt(self) -> None:
        """Keep the whole epochs; without one, say so and stop what would have gone on."""
        self.run.metadata["interrupted"] = True
        own_epochs = self.run.epochs - self.run.epochs_before
        if not own_epochs:
            self._save_run()
            raise KeyboardInterrupt(
                "Interrupted before the first epoch was whole: the network is as it was before. Run the cell again to "
                "train it."
            ) from None
        self._log(
            f"Interrupted. {self.run.epochs} epochs are kept; train(..., resume=run) goes on from there"
            + (", and so does continue_training(folder)." if self.settings.checkpoints else ".")
        )

    def _teardown(self) -> None:
        """Return the network to the caller: on the device that it was trained on, ready to predict."""
        for name in ("state", "snapshot", "best_weights"):
            vars(self).pop(name, None)
        self.model.eval()
        for parameter in self.model.parameters():
            parameter.grad = None  # gradients are as large as the weights, and of no more use
        release_memory()

    def _log(self, message: str) -> None:
        self.run.metadata.setdefault("messages", []).append(message)
        if not self.settings.quiet:
            log_message(message)

    def _is_finished(self) -> bool:
        if self.settings.epochs is not None:
            return self.epochs_done >= self.settings.epochs
        over = self.budget is not None and self.budget.is_over
        return self.epochs_done > 0 and self.processes.any(over, self.state.placement.device)

    def _run_epochs(self) -> None:
        description = "Training the head" if self.settings.freeze else "Training"
        early_stopping = EarlyStopping(self.patience, self.run.history[self.run.epochs_before :])
        steps = ((self.settings.epochs or 1) - self.epochs_done) * self.state.steps_per_epoch
        with ProgressBar(description, steps, unit="step", quiet=self.settings.quiet) as bar:
            while not self._is_finished() and not early_stopping.should_stop:
                row = self._run_epoch(bar)
                self.epochs_done += 1
                self._record_epoch(row, best=early_stopping.update(row["validation_loss"]))
                if not self._is_finished():
                    self._let_others_train()
        if self.queue_slot.seconds_waited > 1:
            seconds = self.run.metadata.get("seconds_queued", 0) + self.queue_slot.seconds_waited
            self.run.metadata["seconds_queued"] = round(seconds, 1)
        if self.patience and early_stopping.should_stop:
            waited = early_stopping.epochs_since_best
            self._log(f"Stopped after {self.run.epochs} epochs: {waited} without a lower validation loss.")
        if self.patience:
            self._take_best_epoch()

    def _let_others_train(self) -> None:
        """Go to the end of the queue if it is time; the wait is no training time."""
        with self.budget.paused() if self.budget else nullcontext():
            self.queue_slot.yield_slot()

    def _take_best_epoch(self) -> None:
        """Give the network the weights of the epoch with the lowest validation loss of this call."""
        losses = [row["validation_loss"] for row in self.run.history[self.run.epochs_before :]]
        file = self.run.folder / "best.safetensors"
        if not losses or (self.settings.checkpoints and not file.exists()):
            return
        restore_weights(self.model, load_checkpoint(file)[0] if self.settings.checkpoints else self.best_weights)
        epoch = self.run.epochs_before + 1 + int(np.argmin(losses))
        self.run.metadata["kept_epoch"] = epoch
        if epoch != self.run.epochs:
            self._log(
                f"The network is that of epoch {epoch} of {self.run.epochs}, whose validation loss was lowest; "
                "train(..., resume=run) goes on from it."
            )

    def _run_epoch(self, bar: ProgressBar) -> dict[str, Any]:
        """Train and validate once; returns the row for the run's history.

        If memory runs out or a GPU fails, the epoch is done again from its beginning, with smaller batches or on the
        CPU.
        """
        start, completed = time.perf_counter(), bar.completed
        while True:
            if self.snapshot is not None:
                self.snapshot.take(self.state.optimizer, self._generators)
            try:
                train_metrics = self._train_epoch(bar)
                with self.budget.validation() if self.budget else nullcontext():
                    validation_metrics = self._validate()
                break
            except (RuntimeError, MemoryError) as error:
                recovery = recovery_for(error, batch_size=self.batch_size, on_cpu=not self._on_gpu)
                if recovery is None:
                    raise
            # outside the handler, so that the error no longer holds on to the memory of the failed step
            self._log(recovery["message"])
            self.batch_size, self.device = (
                recovery.get("batch_size", self.batch_size),
                recovery.get("device", self.device),
            )
            self._begin_epoch_again()
            bar.update(completed - bar.completed)
        device = self.state.placement.device
        return {
            "epoch": self.run.epochs + 1,
            "phase": "frozen" if self.state.feature_cache else "unfrozen",
            **self.processes.average(train_metrics, device),
            **{
                name: None if np.isnan(value) else value
                for name, value in self.processes.average(validation_metrics, device).items()
            },
            "learning_rate": float(self.state.optimizer.param_groups[0]["lr"]),
            "seconds": time.perf_counter() - start,
        }

    def _begin_epoch_again(self) -> None:
        """Rebuild the training state, with weights, optimizer and random states as at the epoch's beginning."""
        kept, on_gpu = self.snapshot, self._on_gpu
        self.state.optimizer.zero_grad()
        del self.state
        release_memory()
        if on_gpu and self.device == "cpu":
            self.model.to_empty(device="cpu")  # type: ignore[attr-defined]
        elif on_gpu:
            torch.cuda.empty_cache()
        if kept is None:
            return
        kept.restore_weights()
        self._setup(random_seed=0)
        self._set_generators(kept.generators)
        kept.restore_optimizer(self.state.optimizer)
        self._schedule()

    def _train_epoch(self, bar: ProgressBar) -> dict[str, float]:
        state, cache, augmentation = self.state, self.state.feature_cache, self.settings.augmentation
        examples: Examples = state.examples
        prepare: Callable[[Any], torch.Tensor] = self.model.prepare
        if cache and not augmentation:
            examples, prepare = cache.extract(self.examples, batch_size=self._inference_batch_size), identity
        batches: Iterable = shuffled_batches(
            examples,
            prepare=prepare,
            batch_size=self.batch_size,
            generator=self.generator,
            augmentation=augmentation,
            sampler=self.sampler,
            shard=(self.processes.rank, self.processes.count),
        )
        if cache and augmentation:
            batches = cache.extract_batches(batches, batch_size=self._inference_batch_size)
        batches = self._until_time_is_over(self._track_progress(batches, bar))
        bfloat16_on_cpu = not self._on_gpu and state.placement.precision == "bfloat16"
        with matmul_weight_gradients(self.model) if bfloat16_on_cpu and not cache else nullcontext():  # type: ignore[arg-type]
            return run_one_epoch(
                state.network, batches, objective=self.objective, optimizer=state.optimizer, scheduler=state.scheduler
            )

    def _validate(self) -> dict[str, float]:
        cache, batch_size = self.state.feature_cache, self._inference_batch_size
        if cache and len(self.validation):
            features = cache.extract(self.validation, batch_size=batch_size)
            batches = sequential_batches(features, prepare=identity, batch_size=len(features))
        else:
            batches = sequential_batches(self.validation, prepare=self.model.prepare, batch_size=batch_size)
        return validate(self.state.evaluated_network, batches, objective=self.objective)

    @property
    def _inference_batch_size(self) -> int:
        """Inference batch size: a multiple of the training batch size, larger for small images, halved with it."""
        batches_at_once = max(1, _INFERENCE_PIXELS // (self.settings.batch_size * self.model.inputs.pixels))
        return batches_at_once * self.batch_size

    def _track_progress(self, batches: Iterable, bar: ProgressBar) -> Iterator:
        """Yield the batches; update the progress bar, and the remaining time that waiting trainings see."""
        start, steps_before = time.perf_counter(), self.epochs_done * self.state.steps_per_epoch
        total_steps = (self.settings.epochs or 1) * self.state.steps_per_epoch
        for number, batch in enumerate(batches, 1):
            yield batch
            bar.update()
            if self.budget is not None:
                seconds_left = max(0.0, 1 - self.budget.elapsed_fraction()) * self.budget.seconds
            else:
                seconds_left = (time.perf_counter() - start) / number * (total_steps - steps_before - number)
            self.queue_slot.update_seconds_left(seconds_left)

    def _until_time_is_over(self, batches: Iterable) -> Iterator:
        """Yield the batches; with a budget of minutes, the last epoch ends where the time does."""
        for number, batch in enumerate(batches):
            over = self.budget is not None and self.budget.is_over
            if number and self.budget is not None and self.processes.any(over, self.state.placement.device):
                return
            yield batch

    def _record_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Append an epoch to the history, and write the checkpoint."""
        self.run = replace(self.run, history=[*self.run.history, row])
        if self.snapshot is not None:
            self.snapshot.close()
        if best and self.patience and not self.settings.checkpoints:
            self.best_weights = copy_to_main_memory(self.model.state_dict(), reuse=self.best_weights)
        if self.settings.checkpoints and self.processes.is_main:
            save_checkpoint(
                self.run.folder / "last.safetensors",
                self.model,
                optimizer=self.state.optimizer,
                generators=self._generators,
                progress={"done": self.epochs_done, "history": self.run.history, "settings": self.run.settings},
            )
            if best:
                self.model.save(self.run.folder / "best.safetensors")
        self._save_run()
        self.processes.wait()

    def _save_run(self) -> None:
        if self.settings.checkpoints and self.processes.is_main:
            self.run.save()
