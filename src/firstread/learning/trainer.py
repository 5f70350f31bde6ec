"""Trainer of one `train` call: queueing, epochs, validation, checkpoints, early stopping, recovery from failures."""

import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from firstread.core.cohort import Cohort
from firstread.core.memory import release_memory, retain_freed_memory
from firstread.core.progress_bar import ProgressBar
from firstread.core.run import Run
from firstread.learning.checkpoints import generator_state, restore_optimizer, restore_weights
from firstread.learning.cpu_kernels import matmul_weight_gradients
from firstread.learning.devices import (
    acquire_queue_slot,
    choose_placement,
    limit_cpu_threads,
    recovery_for,
    reproducible,
)
from firstread.learning.early_stopping import EarlyStopping
from firstread.learning.epoch_snapshot import EpochSnapshot
from firstread.learning.loop import run_one_epoch, validate
from firstread.learning.models.protocol import Model
from firstread.learning.objective import make_objective
from firstread.learning.process_group import Processes
from firstread.learning.random_state import RandomStream
from firstread.learning.run_record import RunRecord
from firstread.learning.runs import list_cohort_warnings, load_training_examples, load_validation_examples
from firstread.learning.samplers import BalancedSampler, RandomSampler, Sampler
from firstread.learning.settings import TrainingSettings
from firstread.learning.time_budget import TimeBudget
from firstread.learning.training_state import TrainingState, frozen_backbone, keeps_batch_norm


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
        self.model, self.settings = model, settings
        self.epochs_done, self.checkpoint = epochs_done, checkpoint
        self.batch_size, self.device, self.patience = settings.batch_size, settings.device, settings.patience
        self.processes = Processes.from_environment()
        self.record = RunRecord(run, settings, writes=self.processes.is_main)
        self.examples = load_training_examples(model, cohort.train)
        self.validation = load_validation_examples(model, cohort.validation)
        self.objective = make_objective(model, cohort, settings)
        balanced = settings.sampler == "balanced"
        self.sampler: Sampler = BalancedSampler(cohort.train.targets) if balanced else RandomSampler(len(self.examples))
        self.run.metadata["examples"] = self.examples.source
        if not run.history:
            for message in list_cohort_warnings(cohort, settings):
                self.record.log(message)
        if self.patience and not len(self.validation):
            self.record.log("patience has no meaning without a validation split, and is not used.")
            self.patience = None
        self.budget: TimeBudget | None = None
        self.snapshot: EpochSnapshot | None = None

    @property
    def run(self) -> Run:
        """The run as it stands."""
        return self.record.run

    def fit(self) -> Run:
        """Train for the epochs that are left, or until the time is over.

        Raises:
            KeyboardInterrupt: interrupted before the first epoch of this call was whole; the network is as it was.
        """
        slot = acquire_queue_slot(self.device, quiet=self.settings.quiet)
        try:
            with reproducible(self.settings.deterministic), limit_cpu_threads(), retain_freed_memory(), slot as queue:
                self.queue_slot = queue
                with frozen_backbone(self.model, wanted=self.settings.freeze):
                    self._start()
                    self._run_epochs()
        except BaseException as error:
            if self.snapshot is not None:
                self.snapshot.restore_weights()  # as at the beginning of the epoch that was not finished
            if not isinstance(error, KeyboardInterrupt):
                raise
            self.record.interrupt()
        finally:
            self._teardown()
        return self.record.finish(self.model)

    def _start(self) -> None:
        """Place network and examples on the device, and go on from the checkpoint if there is one."""
        if self.checkpoint is not None:
            restore_weights(self.model, self.checkpoint)
        first_epoch, seed = len(self.run.history), self.settings.seed
        self.generator = torch.Generator().manual_seed(seed + 1_000_003 * first_epoch)
        self._setup(random_seed=seed + 7_919 * first_epoch)
        if self.settings.minutes is not None:
            used = sum(row["seconds"] for row in self.record.own_history)
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
            batch_norm_is_fixed=keeps_batch_norm(self.model, self.settings, self.run),
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

    def _teardown(self) -> None:
        """Return the network to the caller: on the device that it was trained on, ready to predict."""
        for name in ("state", "snapshot"):
            vars(self).pop(name, None)
        self.model.eval()
        for parameter in self.model.parameters():
            parameter.grad = None  # gradients are as large as the weights, and of no more use
        release_memory()

    def _is_finished(self) -> bool:
        if self.settings.epochs is not None:
            return self.epochs_done >= self.settings.epochs
        return self.epochs_done > 0 and self._time_is_over()

    def _time_is_over(self) -> bool:
        """Whether the time of a training by minutes is over, in one of the processes."""
        return self.budget is not None and self.processes.any(self.budget.is_over, self.state.placement.device)

    def _run_epochs(self) -> None:
        description = "Training the head" if self.settings.freeze else "Training"
        early_stopping = EarlyStopping(self.patience, self.record.own_history)
        steps = ((self.settings.epochs or 1) - self.epochs_done) * self.state.steps_per_epoch
        with ProgressBar(description, steps, unit="step", quiet=self.settings.quiet) as bar:
            while not self._is_finished() and not early_stopping.should_stop:
                row = self._run_epoch(bar)
                self.epochs_done += 1
                self._finish_epoch(row, best=early_stopping.update(row["validation_loss"]))
                if not self._is_finished():
                    self._let_others_train()
        if self.queue_slot.seconds_waited > 1:
            seconds = self.run.metadata.get("seconds_queued", 0) + self.queue_slot.seconds_waited
            self.run.metadata["seconds_queued"] = round(seconds, 1)
        if self.patience and early_stopping.should_stop:
            waited = early_stopping.epochs_since_best
            self.record.log(f"Stopped after {self.run.epochs} epochs: {waited} without a lower validation loss.")
        if self.patience:
            self.record.restore_best_epoch(self.model)

    def _let_others_train(self) -> None:
        """Go to the end of the queue if it is time; the wait is no training time."""
        with self.budget.paused() if self.budget else nullcontext():
            self.queue_slot.yield_slot()

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
            self.record.log(recovery["message"])
            self.batch_size = recovery.get("batch_size", self.batch_size)
            self.device = recovery.get("device", self.device)
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
        state = self.state
        batches = state.training_batches(batch_size=self.batch_size, generator=self.generator, sampler=self.sampler)
        batches = self._track(batches, bar)
        bfloat16_on_cpu = not self._on_gpu and state.placement.precision == "bfloat16"
        is_whole = bfloat16_on_cpu and not state.feature_cache
        with matmul_weight_gradients(self.model) if is_whole else nullcontext():  # type: ignore[arg-type]
            return run_one_epoch(
                state.network, batches, objective=self.objective, optimizer=state.optimizer, scheduler=state.scheduler
            )

    def _validate(self) -> dict[str, float]:
        batches = self.state.validation_batches(self.validation, batch_size=self.batch_size)
        return validate(self.state.evaluated_network, batches, objective=self.objective)

    def _track(self, batches: Iterable, bar: ProgressBar) -> Iterator:
        """Yield the batches until the time is over; update the progress bar, and the time that waiting trainings see.

        With a budget of minutes, the last epoch ends where the time does.
        """
        start, steps_before = time.perf_counter(), self.epochs_done * self.state.steps_per_epoch
        total_steps = (self.settings.epochs or 1) * self.state.steps_per_epoch
        for number, batch in enumerate(batches, 1):
            if number > 1 and self._time_is_over():
                return
            yield batch
            bar.update()
            if self.budget is not None:
                seconds_left = max(0.0, 1 - self.budget.elapsed_fraction()) * self.budget.seconds
            else:
                seconds_left = (time.perf_counter() - start) / number * (total_steps - steps_before - number)
            self.queue_slot.update_seconds_left(seconds_left)

    def _finish_epoch(self, row: dict[str, Any], *, best: bool) -> None:
        """Record an epoch; from now on it is not undone."""
        if self.snapshot is not None:
            self.snapshot.close()
        self.record.add_epoch(
            row,
            self.model,
            optimizer=self.state.optimizer,
            generators=self._generators,
            epochs_done=self.epochs_done,
            best=best,
        )
        self.processes.wait()
