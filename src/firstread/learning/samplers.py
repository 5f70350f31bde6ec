"""Samplers: which examples an epoch of training shows, and in which order."""

from typing import Protocol

import numpy as np
import torch


class Sampler(Protocol):
    """Draws the order of an epoch; the same state of the generator draws the same order."""

    def __len__(self) -> int:
        """Number of examples of an epoch."""

    def draw(self, generator: torch.Generator) -> np.ndarray:
        """Indices (N,) of the next epoch's examples."""


class RandomSampler:
    """Every example once an epoch, in random order.

    Args:
        count: number of examples.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def draw(self, generator: torch.Generator) -> np.ndarray:
        """Indices (N,) of the next epoch's examples."""
        return torch.randperm(self._count, generator=generator).numpy()


class BalancedSampler:
    """Each class equally often an epoch, in random order; epochs are as long as without it, up to one example a class.

    A small class is shown several times, each of its examples as often as the others or once more. Of a large class
    each epoch shows another random part.

    Args:
        targets: (N,) class index of each example.

    Example:
        >>> sampler = BalancedSampler(np.array([0, 0, 0, 0, 0, 0, 0, 1]))
        >>> sampler.draw(torch.Generator().manual_seed(0)).tolist().count(7), len(sampler)
        (4, 8)
    """

    def __init__(self, targets: np.ndarray) -> None:
        self._classes = [np.flatnonzero(targets == index) for index in np.unique(targets)]
        self._per_class = -(-len(targets) // max(1, len(self._classes)))

    def __len__(self) -> int:
        return self._per_class * len(self._classes)

    def draw(self, generator: torch.Generator) -> np.ndarray:
        """Indices (N,) of the next epoch's examples."""
        parts = [_repeat_shuffled(members, self._per_class, generator) for members in self._classes]
        order = np.concatenate(parts)
        return order[torch.randperm(len(order), generator=generator).numpy()]


def _repeat_shuffled(members: np.ndarray, count: int, generator: torch.Generator) -> np.ndarray:
    """`count` of the members: all of them as often as they fit, then a random part of them."""
    rounds = -(-count // len(members))
    orders = [torch.randperm(len(members), generator=generator).numpy() for _ in range(rounds)]
    return members[np.concatenate(orders)[:count]]
