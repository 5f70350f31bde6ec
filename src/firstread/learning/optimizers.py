"""Fused Adam and AdamW on channels-last parameter views, and the learning-rate schedules of `train`."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR


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
    weights: list[torch.nn.Parameter], *, schedule: str, learning_rate: float, total_steps: int, fused: bool
) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """Optimizer and learning-rate scheduler for a schedule of `TrainingSettings`.

    Args:
        schedule: "one-cycle" (AdamW) or "constant" (Adam).
        learning_rate: the highest one under "one-cycle".
        total_steps: steps of the whole schedule.
        fused: torch's fused implementation, on devices that have one.
    """
    if schedule == "one-cycle":
        one_cycle = AdamW(weights, lr=learning_rate, weight_decay=1e-2, fused=fused)
        return one_cycle, OneCycleLR(one_cycle, learning_rate, total_steps=max(2, total_steps))
    constant = Adam(weights, lr=learning_rate, fused=fused)
    return constant, ConstantLR(constant, factor=1.0)


def _contiguous_view(value: torch.Tensor) -> torch.Tensor:
    """(K, C, h, w) with channels last -> (K, h, w, C), the same memory; anything else as it is."""
    channels_last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
    return value.permute(0, 2, 3, 1) if channels_last else value
