"""Training state on a device: network, examples, optimizer and learning-rate schedule."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from firstread.core.errors import SettingError
from firstread.core.run import Run
from firstread.learning.devices import Placement
from firstread.learning.examples import Examples
from firstread.learning.feature_cache import FeatureCache
from firstread.learning.loop import batch_slices, identity, sequential_batches, shuffled_batches
from firstread.learning.optimizers import TimedSchedule, make_optimizer, make_scheduler
from firstread.learning.process_group import Processes
from firstread.learning.random_state import RandomStream
from firstread.learning.samplers import Sampler
from firstread.learning.settings import TrainingSettings
from firstread.learning.time_budget import TimeBudget

#: pixels of one inference batch on the default batch size; larger batches would not be faster on a CPU
_INFERENCE_PIXELS = 300_000


class Forward(nn.Module):
    """A module as it is called in training: in its precision, and with the training's own random numbers.

    Args:
        module: answers a batch.
        placement: device and precision.
        random: course of the random numbers of dropout.
        batch_norm_is_fixed: BatchNorm keeps its statistics in training.
    """

    def __init__(
        self, module: nn.Module, placement: Placement, random: RandomStream, *, batch_norm_is_fixed: bool
    ) -> None:
        super().__init__()
        self.module, self.placement, self.random = module, placement, random
        self.batch_norm_is_fixed = batch_norm_is_fixed

    def train(self, mode: bool = True) -> "Forward":
        """Set training mode; BatchNorm whose statistics are fixed stays as it is in prediction."""
        super().train(mode)
        if mode and self.batch_norm_is_fixed:
            for layer in self.module.modules():
                if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                    layer.eval()
        return self

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """A batch -> outputs in float32."""
        if not self.training:
            with self.placement.autocast():
                return self.module(inputs).float()
        with self.random.active(), self.placement.autocast():
            return self.module(inputs).float()


class TrainingState:
    """Network, examples, optimizer and scheduler on one device; rebuilt after a change of device or batch size.

    Args:
        model: the network; it is moved to the device.
        examples: of the training split.
        settings: of the training.
        placement: device and precision.
        processes: of a distributed training.
        random: course of the random numbers of dropout.
        batch_norm_is_fixed: BatchNorm keeps its statistics in training; see `keeps_batch_norm`.

    Attributes:
        examples: on the GPU if they fit there.
        feature_cache: of the backbone while it is frozen, else None.
        trainable_module: the head while the backbone is frozen, else the whole network.
        network: the trainable module as it is called in training.
        evaluated_network: as it is called in validation.
    """

    def __init__(
        self,
        model: Any,
        examples: Examples,
        settings: TrainingSettings,
        *,
        placement: Placement,
        processes: Processes,
        random: RandomStream,
        batch_norm_is_fixed: bool,
    ) -> None:
        self.model, self.placement, self.processes, self._settings = model, placement, processes, settings
        model.to(placement.device).to(memory_format=torch.channels_last)
        if not bool(getattr(model, "fitted", True)):
            with placement.autocast():
                model.fit_normalization(_sample(examples, count=model.inputs.inference_batch_size))
        self.examples = examples.to(placement.device)
        self.feature_cache = FeatureCache(model, placement) if getattr(model, "frozen", False) else None
        self.trainable_module: nn.Module = model.head if self.feature_cache else model
        self.evaluated_network = Forward(
            self.trainable_module, placement, random, batch_norm_is_fixed=batch_norm_is_fixed
        )
        module = self.trainable_module
        if processes.count > 1:
            device_ids = [placement.device] if placement.device.type == "cuda" else None
            module = nn.parallel.DistributedDataParallel(module, device_ids=device_ids)
        self.network = Forward(module, placement, random, batch_norm_is_fixed=batch_norm_is_fixed)
        weights = [parameter for parameter in self.trainable_module.parameters() if parameter.requires_grad]
        if not weights:
            raise SettingError("Nothing can be learnt: every weight of the network is frozen", do="model.freeze(False)")
        self.optimizer = make_optimizer(
            weights,
            schedule=settings.schedule,
            learning_rate=self._learning_rate,
            weight_decay=settings.weight_decay,
            fused=placement.device.type in ("cpu", "cuda"),  # one pass over the weights instead of ten
        )
        self.optimizer.zero_grad()  # gradients that the caller left are not of this training

    @property
    def _learning_rate(self) -> float:
        if self._settings.learning_rate is None:
            raise SettingError("The learning rate is not known", do="give train a learning_rate")
        return self._settings.learning_rate

    def training_batches(self, *, batch_size: int, generator: torch.Generator, sampler: Sampler) -> Iterable:
        """The training examples of an epoch, drawn and augmented: a batch and its targets, as `network` takes them.

        While the backbone is frozen they are its features.
        """
        cache, augmentation = self.feature_cache, self._settings.augmentation
        examples: Examples = self.examples
        prepare: Callable[[Any], torch.Tensor] = self.model.prepare
        if cache and not augmentation:
            examples = cache.extract(examples, batch_size=self._inference_batch_size(batch_size))
            prepare = identity
        batches = shuffled_batches(
            examples,
            prepare=prepare,
            batch_size=batch_size,
            generator=generator,
            augmentation=augmentation,
            sampler=sampler,
            shard=(self.processes.rank, self.processes.count),
        )
        if cache and augmentation:
            return cache.extract_batches(batches, batch_size=self._inference_batch_size(batch_size))
        return batches

    def validation_batches(self, examples: Examples, *, batch_size: int) -> Iterable:
        """All examples in order, as `evaluated_network` takes them; `batch_size` is that of the training."""
        cache, inference_batch_size = self.feature_cache, self._inference_batch_size(batch_size)
        if cache and len(examples):
            features = cache.extract(examples, batch_size=inference_batch_size)
            return sequential_batches(features, prepare=identity, batch_size=len(features))
        return sequential_batches(examples, prepare=self.model.prepare, batch_size=inference_batch_size)

    def _inference_batch_size(self, batch_size: int) -> int:
        """Inference batch size: a multiple of the training batch size, larger for small images, halved with it."""
        batches_at_once = max(1, _INFERENCE_PIXELS // (self._settings.batch_size * self.model.inputs.pixels))
        return batches_at_once * batch_size

    def schedule(
        self, *, examples_per_epoch: int, batch_size: int, epochs_done: int, budget: TimeBudget | None
    ) -> None:
        """Make the scheduler.

        Args:
            examples_per_epoch: over all processes.
            batch_size: examples a step of one process.
            epochs_done: epochs that an interrupted training has made.
            budget: time that the training has, instead of a number of epochs.
        """
        self.steps_per_epoch = len(batch_slices(examples_per_epoch, batch_size * self.processes.count))
        schedule, rate = self._settings.schedule, self._learning_rate
        if budget is not None:
            steps = TimedSchedule.SCHEDULE_STEPS
            scheduler = make_scheduler(
                self.optimizer,
                schedule=schedule,
                learning_rate=rate,
                total_steps=steps,
                steps_done=int(min(1.0, budget.elapsed_fraction()) * (steps - 1)),  # an interrupted training goes on
            )
            self.scheduler: Any = TimedSchedule(scheduler, budget.elapsed_fraction)
            return
        self.scheduler = make_scheduler(
            self.optimizer,
            schedule=schedule,
            learning_rate=rate,
            total_steps=(self._settings.epochs or 1) * self.steps_per_epoch + 1,
            steps_done=epochs_done * self.steps_per_epoch,
        )


def keeps_batch_norm(model: Any, settings: TrainingSettings, run: Run | None) -> bool:
    """Whether BatchNorm keeps its statistics in a training, by `settings.batch_norm`.

    Args:
        model: the network.
        settings: of the training.
        run: that the training goes on from, or its own so far; None for none.
    """
    if settings.batch_norm != "auto":
        return settings.batch_norm == "fixed"
    was_frozen = run is not None and any(row["phase"] == "frozen" for row in run.history)
    return was_frozen and bool(getattr(model, "pretrained", False))


@contextmanager
def frozen_backbone(model: Any, *, wanted: bool) -> Iterator[None]:
    """Freeze the backbone if wanted; at the end each parameter learns or not as it was found."""
    before = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    if wanted:
        model.freeze(True)
    try:
        yield
    finally:
        for parameter, requires_grad in before:
            parameter.requires_grad_(requires_grad)


def _sample(examples: Examples, *, count: int) -> Any:
    """At most `count` inputs, evenly spaced."""
    import numpy as np

    return examples.batch(np.arange(0, len(examples), -(-len(examples) // count)))[0]
