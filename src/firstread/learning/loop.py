"""The training loop itself: plain PyTorch, short enough to be read in a lesson."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from firstread.core.errors import DataError


def run_one_epoch(
    model: torch.nn.Module, batches: Iterable, *, optimizer: Any, scheduler: Any, accelerator: Any
) -> dict[str, float]:
    """Train for one epoch: show the network every training image once, and update its weights after each batch.

    `batches` yields pixels (N, C, S, S) between 0 and 1, and targets (N,), the index of the true class.
    """
    model.train()
    total_loss, correct, image_count = 0.0, 0, 0
    for pixels, targets in batches:
        logits = model(pixels)  # the network answers: (N, 1) or (N, K)
        loss = compute_loss(logits, targets)  # how wrong was it?
        accelerator.backward(loss)  # which weights are to blame?
        optimizer.step()  # move each weight a little
        optimizer.zero_grad()  # forget the blame
        scheduler.step()  # the next learning rate
        total_loss += loss.item() * len(targets)
        correct += int((predict_classes(logits) == targets).sum())
        image_count += len(targets)
    return {"train_loss": total_loss / image_count, "train_accuracy": correct / image_count}


def compute_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats: logits (N, 1) or (N, K), targets (N,) -> scalar, 0 is best."""
    if logits.shape[1] == 1:
        loss = binary_cross_entropy_with_logits(logits[:, 0].float(), targets.float())
    else:
        loss = cross_entropy(logits.float(), targets)
    if not torch.isfinite(loss):
        raise DataError(
            "The loss is no longer a number: training has run away",
            do="lower the learning rate (a tenth of it, say) and train again from the last checkpoint",
        )
    return loss


def predict_classes(logits: torch.Tensor) -> torch.Tensor:
    """Index of the predicted class: logits (N, 1) or (N, K) -> (N,)."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)


@torch.inference_mode()
def validate(model: torch.nn.Module, batches: Iterable[torch.Tensor], targets: np.ndarray) -> dict[str, float]:
    """Validation loss and accuracy, without augmentation.

    Args:
        batches: all cases in order, as the model takes them.
        targets: (N,) index of the true class.
    """
    if not len(targets):
        return {"validation_loss": float("nan"), "validation_accuracy": float("nan")}
    model.eval()
    logits = torch.cat([model(batch).float().cpu() for batch in batches])
    truth = torch.from_numpy(targets)
    accuracy = float((predict_classes(logits) == truth).float().mean())
    return {"validation_loss": float(compute_loss(logits, truth)), "validation_accuracy": accuracy}


def sequential_batches(model: Any, pixels: np.ndarray, *, batch_size: int) -> Iterator[torch.Tensor]:
    """Yield uint8 images in order, as batches (N, C, S, S) between 0 and 1."""
    for start in range(0, len(pixels), batch_size):
        yield model.prepare(pixels[start : start + batch_size])


def inference_batch_size(size: int) -> int:
    """Inference batch size for a given image size in pixels: 64 for small images, 16 for 299 pixels.

    Larger batches would not be faster on a CPU, and would need memory that a laptop does not have.
    """
    return max(8, min(64, 1_500_000 // size**2))


def identity(batch: torch.Tensor) -> torch.Tensor:
    """Return a batch unchanged: for features, which are prepared already."""
    return batch


def shuffled_batches(
    images: np.ndarray | torch.Tensor,
    targets: np.ndarray,
    *,
    prepare: Callable[[Any], torch.Tensor],
    batch_size: int,
    generator: torch.Generator,
    augmentation: Any,
    shard: tuple[int, int] = (0, 1),
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield every training image once, in random order, augmented.

    No image is dropped: a last batch of one joins its neighbour, because BatchNorm cannot learn from a single image.

    Args:
        images: uint8 images, or the features (N, F) that a frozen backbone made of them.
        prepare: turns selected images into a batch on the network's device.
        shard: (rank, world size) of this process under `accelerate launch`; each process takes its part of every step.
    """
    rank, world_size = shard
    order = torch.randperm(len(targets), generator=generator).numpy()
    if world_size > 1:  # all processes share the order, each draws its own augmentation
        seed = int(torch.randint(2**31, (1,), generator=generator))
        generator = torch.Generator().manual_seed(seed + rank)
    for step in batch_slices(len(order), batch_size * world_size):
        indices = order[step] if world_size == 1 else _shard_indices(order[step], rank, world_size)
        batch = prepare(images[indices])
        if augmentation is not None:
            batch = augmentation(batch, generator)
        yield batch, torch.from_numpy(targets[indices]).to(batch.device)


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
