"""Fused Adam and AdamW on channels-last parameter views, and the learning-rate schedules of `train`."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

#: of AdamW under "one-cycle", where `train` is given none
_ONE_CYCLE_WEIGHT_DECAY = 1e-2


class _ChannelsLastViews(torch.optim.Optimizer):
    """Optimizer mixin: updates each parameter through a contiguous view that shares its memory.

    Convolution weights are stored channels-last. torch's fused CPU step first copies the gradient of such a weight into
    another memory format and does not use the copy: a twentieth of a training's time. `state` is stored as the view is.
    """

    def __init__(self, weights: Iterable[torch.nn.Parameter], **settings: Any) -> None:
        self.weights = list(weights)
        super().__init__([_contiguous_view(weight.detach()) for weight in self.weights], **settings)

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Update every weight that has a gradient; a closure is not used."""
        views = (view for group in self.param_groups for view in group["params"])
        for weight, view in zip(self.weights, views, strict=True):
            view.grad = None if weight.grad is None else _contiguous_view(weight.grad)
        super().step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Delete all gradients."""
        super().zero_grad(set_to_none=True)
        for weight in self.weights:
            weight.grad = None


class Adam(_ChannelsLastViews, torch.optim.Adam):
    """torch.optim.Adam on channels-last views."""


class AdamW(_ChannelsLastViews, torch.optim.AdamW):
    """torch.optim.AdamW on channels-last views."""


def make_optimizer(
    weights: list[torch.nn.Parameter],
    *,
    schedule: str,
    learning_rate: float,
    weight_decay: float | None = None,
    fused: bool,
) -> torch.optim.Optimizer:
    """Optimizer of a schedule of `TrainingSettings`: AdamW for "one-cycle", Adam for "constant" (AdamW with a decay).

    Args:
        weights: those that learn.
        schedule: "one-cycle" or "constant".
        learning_rate: the highest one under "one-cycle".
        weight_decay: share of each weight that a step takes away, times the learning rate; None is 0.01 for AdamW and
            none for Adam.
        fused: torch's fused implementation, on devices that have one.
    """
    if schedule == "one-cycle" or weight_decay is not None:
        decay = _ONE_CYCLE_WEIGHT_DECAY if weight_decay is None else weight_decay
        return AdamW(weights, lr=learning_rate, weight_decay=decay, fused=fused)
    return Adam(weights, lr=learning_rate, fused=fused)


def flat_state(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """State of an optimizer as "index/name" -> tensor; not its learning rate."""
    state = optimizer.state_dict()["state"]
    return {f"{index}/{name}": torch.as_tensor(value) for index, item in state.items() for name, value in item.items()}


def load_flat_state(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Give an optimizer of the same weights a state that `flat_state` made; its learning rate stays."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def make_scheduler(
    optimizer: torch.optim.Optimizer, *, schedule: str, learning_rate: float, total_steps: int, steps_done: int = 0
) -> LRScheduler:
    """Learning-rate scheduler of a schedule of `TrainingSettings`.

    Args:
        optimizer: whose learning rate it sets.
        schedule: "one-cycle" or "constant".
        learning_rate: the highest one under "one-cycle".
        total_steps: steps of the whole schedule.
        steps_done: steps that an interrupted training has made; the schedule goes on behind them.
    """
    if schedule == "constant":
        return ConstantLR(optimizer, factor=1.0)
    one_cycle = OneCycleLR(optimizer, learning_rate, total_steps=max(2, total_steps))
    if not steps_done:
        return one_cycle
    return OneCycleLR(optimizer, learning_rate, total_steps=max(2, total_steps), last_epoch=steps_done - 1)


class TimedSchedule:
    """Schedule that ends when a given time does: its steps follow the clock and not the number of batches.

    Args:
        scheduler: of `SCHEDULE_STEPS` steps.
        elapsed_fraction: share of the time that is over, from 0.
    """

    SCHEDULE_STEPS = 10_000

    def __init__(self, scheduler: LRScheduler, elapsed_fraction: Callable[[], float]) -> None:
        self.scheduler, self._elapsed_fraction = scheduler, elapsed_fraction

    def step(self) -> None:
        """Go to where the clock is."""
        target = int(min(1.0, self._elapsed_fraction()) * (self.SCHEDULE_STEPS - 1))
        while self.scheduler.last_epoch < target:
            self.scheduler.step()


def _contiguous_view(value: torch.Tensor) -> torch.Tensor:
    """(K, C, h, w) with channels last -> (K, h, w, C), the same memory; anything else as it is."""
    channels_last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
    return value.permute(0, 2, 3, 1) if channels_last else value
