"""Adam and AdamW that go through weights as they lie in memory."""

from collections.abc import Iterable
from typing import Any

import torch


class _AsTheyLie(torch.optim.Optimizer):
    """Sees each weight through a view that is contiguous, and shares its memory.

    Convolution weights lie with their channels last. torch's fused step on a processor copies the gradient of such a weight into another
    order first, and does not use the copy: a twentieth of a training's time. What is remembered of a weight (`state`) lies as the weight does.
    """

    def __init__(self, weights: Iterable[torch.nn.Parameter], **settings: Any) -> None:
        self.weights = list(weights)
        super().__init__([_as_it_lies(weight.detach()) for weight in self.weights], **settings)

    def step(self, closure: None = None) -> None:
        """Move each weight that has a gradient a little."""
        views = (view for group in self.param_groups for view in group["params"])
        for weight, view in zip(self.weights, views, strict=True):
            view.grad = None if weight.grad is None else _as_it_lies(weight.grad)
        super().step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients."""
        super().zero_grad(set_to_none=True)
        for weight in self.weights:
            weight.grad = None


class Adam(_AsTheyLie, torch.optim.Adam):
    """torch.optim.Adam."""


class AdamW(_AsTheyLie, torch.optim.AdamW):
    """torch.optim.AdamW."""


def _as_it_lies(value: torch.Tensor) -> torch.Tensor:
    """(K, C, h, w) with channels last -> (K, h, w, C), the same memory; anything else as it is."""
    last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
    return value.permute(0, 2, 3, 1) if last else value
