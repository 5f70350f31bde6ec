"""Training state on a device: network, images, optimizer and learning-rate schedule, prepared by Accelerate."""

from typing import Any

import numpy as np
import torch

from firstread.learning.checkpoints import restore_optimizer
from firstread.learning.devices import copy_to_gpu, make_accelerator, unwrap
from firstread.learning.feature_cache import FeatureCache
from firstread.learning.loop import batch_slices
from firstread.learning.models import Classifier
from firstread.learning.optimizers import make_optimizer


class TrainingState:
    """Model, images, optimizer and scheduler on one device; rebuilt after a change of device or batch size.

    Attributes:
        accelerator: device, precision and processes.
        images: uint8 training images, on the GPU if they fit there.
        feature_cache: of the backbone while it is frozen, else None.
        trainable_module: the head while the backbone is frozen, else the whole network.
        prepared_module, optimizer, scheduler: prepared by Accelerate.
        steps_per_epoch: optimizer steps of one epoch.
    """

    def __init__(
        self,
        model: Classifier,
        images: np.ndarray,
        call_settings: dict[str, Any],
        *,
        device: str,
        batch_size: int,
        epochs_done: int,
    ) -> None:
        self.accelerator = make_accelerator(device=device, precision=call_settings["precision"])
        model.freeze(call_settings["freeze"])
        model.to(self.accelerator.device).to(memory_format=torch.channels_last)
        if not model.fitted:
            with self.accelerator.autocast():
                model.fit_normalization(images)
        self.images = copy_to_gpu(images, self.accelerator.device)
        self.feature_cache = FeatureCache(model, self.accelerator) if call_settings["freeze"] else None
        self.trainable_module = model.head if self.feature_cache else model
        step_size = batch_size * self.accelerator.num_processes
        self.steps_per_epoch = len(batch_slices(len(images), step_size))
        self._prepare(call_settings, epochs_done=epochs_done)

    def _prepare(self, call_settings: dict[str, Any], *, epochs_done: int) -> None:
        """Make optimizer and scheduler, advance the schedule to `epochs_done`, and let Accelerate prepare them."""
        scheduler_steps = self.steps_per_epoch * self.accelerator.num_processes  # Accelerate steps once a process
        optimizer, scheduler = make_optimizer(
            [p for p in self.trainable_module.parameters() if p.requires_grad],
            schedule=call_settings["schedule"],
            learning_rate=call_settings["learning_rate"],
            total_steps=call_settings["epochs"] * scheduler_steps + 1,
            fused=self.accelerator.device.type in ("cpu", "cuda"),  # one pass over the weights instead of ten
        )
        for _ in range(epochs_done * scheduler_steps):
            vars(optimizer)["_opt_called"] = True  # torch warns of a schedule that is ahead of its optimizer
            scheduler.step()
        prepared = self.accelerator.prepare(self.trainable_module, optimizer, scheduler)
        self.prepared_module, self.optimizer, self.scheduler = prepared

    def restore_optimizer(self, tensors: dict[str, torch.Tensor]) -> None:
        """Load the optimizer's state from a checkpoint; the learning rate stays that of the schedule."""
        restore_optimizer(self.optimizer, tensors)
        rates = [group["lr"] for group in self.scheduler.scheduler.optimizer.param_groups]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate

    def unwrap(self) -> None:
        """Undo Accelerate's preparation of the network."""
        unwrap(self.accelerator, self.prepared_module)

    def average_over_processes(self, values: dict[str, float]) -> dict[str, float]:
        """Mean of each value over the processes of `accelerate launch`."""
        if self.accelerator.num_processes == 1:
            return values
        numbers = torch.tensor(list(values.values()), device=self.accelerator.device)
        return dict(zip(values, self.accelerator.reduce(numbers, "mean").tolist(), strict=True))
