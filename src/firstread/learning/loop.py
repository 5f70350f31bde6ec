"""The training loop itself: plain PyTorch, short enough to be read in a lesson."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch

from firstread.core.errors import DataError
from firstread.learning.examples import Examples, to_tensor
from firstread.learning.objective import Objective
from firstread.learning.samplers import RandomSampler, Sampler


def run_one_epoch(
    network: torch.nn.Module, batches: Iterable, *, objective: Objective, optimizer: Any, scheduler: Any
) -> dict[str, float]:
    """Train for one epoch: show the network every training image once, and update its weights after each batch.

    `batches` yields pixels (N, C, S, S) between 0 and 1, and targets (N,), the index of the true class. `objective`
    says what the network is asked for. While its backbone is frozen, `network` is the head alone.
    """
    network.train()
    means = RunningMeans(objective.metric)
    for pixels, targets in batches:
        outputs = network(pixels)  # the network answers: (N, 1) or (N, K)
        loss = objective.loss(outputs, targets)  # how wrong was it?
        loss.backward()  # which weights are to blame?
        optimizer.step()  # move each weight a little
        optimizer.zero_grad()  # forget the blame
        scheduler.step()  # the next learning rate
        means.add(loss, objective.score(outputs, targets), count=len(targets))
    return means.row("train")


@torch.inference_mode()
def validate(network: torch.nn.Module, batches: Iterable, *, objective: Objective) -> dict[str, float]:
    """Validation loss and metric, without augmentation; NaN without examples.

    Args:
        network: the whole model, or its head while the backbone is frozen.
        batches: all examples in order, with their targets.
        objective: whose loss and metric are measured.
    """
    network.eval()
    means = RunningMeans(objective.metric)
    for inputs, targets in batches:
        outputs = network(inputs)
        loss, score = objective.loss(outputs, targets), objective.score(outputs, targets)
        means.add(loss, score, count=objective.total_weight(targets))
    return means.row("validation")


class RunningMeans:
    """Means of loss and metric over the batches of an epoch.

    Args:
        metric: name of what the scores measure; its mean is the ratio of summed numerators and denominators.
    """

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self._loss = 0.0
        self._count: float = 0
        self._right: np.ndarray | float = 0.0
        self._all: np.ndarray | float = 0.0

    def add(self, loss: torch.Tensor, score: tuple[torch.Tensor, torch.Tensor], *, count: float) -> None:
        """Add a batch of `count` examples, or of examples whose weights add up to `count`.

        Raises:
            DataError: the loss is not a number.
        """
        value = loss.item()
        if not np.isfinite(value):
            raise DataError(
                "The loss is no longer a number: training has run away",
                do="lower the learning rate (a tenth of it, say) and train again: the network is as before this epoch",
            )
        self._loss, self._count = self._loss + value * count, self._count + count
        self._right = self._right + score[0].detach().cpu().double().numpy()
        self._all = self._all + score[1].detach().cpu().double().numpy()

    def row(self, split: str) -> dict[str, float]:
        """The means, as columns of the history: `<split>_loss` and `<split>_<metric>`."""
        if not self._count:
            return {f"{split}_loss": float("nan"), f"{split}_{self.metric}": float("nan")}
        ratios = self._right / np.maximum(self._all, 1e-12)
        return {f"{split}_loss": self._loss / self._count, f"{split}_{self.metric}": float(np.mean(ratios))}


def sequential_batches(
    examples: Examples, *, prepare: Callable[[Any], torch.Tensor], batch_size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield all examples in order, as batches on the network's device, with their targets."""
    for start in range(0, len(examples), batch_size):
        inputs, targets = examples.batch(np.arange(start, min(start + batch_size, len(examples))))
        batch = prepare(inputs)
        yield batch, to_tensor(targets).to(batch.device)


def identity(batch: torch.Tensor) -> torch.Tensor:
    """Return a batch unchanged: for features, which are prepared already."""
    return batch


def shuffled_batches(
    examples: Examples,
    *,
    prepare: Callable[[Any], torch.Tensor],
    batch_size: int,
    generator: torch.Generator,
    augmentation: Any,
    sampler: Sampler | None = None,
    shard: tuple[int, int] = (0, 1),
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the training examples of an epoch in random order, augmented.

    None is dropped: a last batch of one joins its neighbour, because BatchNorm cannot learn from a single image.

    Args:
        examples: pictures, slices, or the features (N, F) that a frozen backbone made of them.
        prepare: turns selected examples into a batch on the network's device.
        augmentation: changes pixels, and masks with them; None for none.
        sampler: draws the examples of the epoch; None shows every one once.
        shard: (rank, world size) of this process under `torchrun`; each process takes its part of every step.
    """
    rank, world_size = shard
    sampler = RandomSampler(len(examples)) if sampler is None else sampler
    order = sampler.draw(generator)
    if world_size > 1:  # all processes share the order, each draws its own augmentation
        seed = int(torch.randint(2**31, (1,), generator=generator))
        generator = torch.Generator().manual_seed(seed + rank)
    for step in batch_slices(len(order), batch_size * world_size):
        indices = order[step] if world_size == 1 else _shard_indices(order[step], rank, world_size)
        inputs, truth = examples.batch(indices, generator)
        batch, targets = prepare(inputs), to_tensor(truth)
        if augmentation is not None and targets.ndim > 1:
            moved = augmentation.apply(batch, generator, masks=targets.to(batch.device))
            batch, targets = moved.images, moved.masks
        elif augmentation is not None:
            batch = augmentation(batch, generator)
        yield batch, targets.to(batch.device)


def batch_slices(count: int, batch_size: int) -> list[slice]:
    """Slices of `batch_size` that cover 0..count once; the last has another length, never one unless count is one."""
    starts = list(range(0, count, batch_size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], count], strict=True)]


def _shard_indices(indices: np.ndarray, rank: int, world_size: int) -> np.ndarray:
    """One process's images of a step: the same number for all, at least two, so some images may repeat."""
    per_process = max(2, -(-len(indices) // world_size))
    return np.resize(indices, per_process * world_size)[rank::world_size]
