"""The training loop itself: plain PyTorch, short enough to be read in a lesson."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from firstread.core.errors import DataError


def run_one_epoch(
    model: torch.nn.Module, batches: Iterable, *, optimiser: Any, schedule: Any, accelerator: Any
) -> dict[str, float]:
    """Show the network every training image once, and let it learn from each batch.

    `batches` yields pixels (N, C, S, S) between 0 and 1, and targets (N,), the index of the true class.
    """
    model.train()
    total_loss, correct, seen = 0.0, 0, 0
    for pixels, targets in batches:
        logits = model(pixels)  # the network answers: (N, 1) or (N, K)
        loss = loss_of(logits, targets)  # how wrong was it?
        accelerator.backward(loss)  # which weights are to blame?
        optimiser.step()  # move each weight a little
        optimiser.zero_grad()  # forget the blame
        schedule.step()  # the next learning rate
        total_loss += loss.item() * len(targets)
        correct += int((answers_of(logits) == targets).sum())
        seen += len(targets)
    return {"train_loss": total_loss / seen, "train_accuracy": correct / seen}


def loss_of(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, in nats: logits (N, 1) or (N, K), targets (N,) -> one number, 0 is best."""
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


def answers_of(logits: torch.Tensor) -> torch.Tensor:
    """Index of the class the network says: logits (N, 1) or (N, K) -> (N,)."""
    return (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(dim=1)


@torch.inference_mode()
def measure(model: torch.nn.Module, batches: Iterable[torch.Tensor], targets: np.ndarray) -> dict[str, float]:
    """Loss and accuracy without learning and without augmentation: all cases in order, in batches, and targets (N,)."""
    if not len(targets):
        return {"validation_loss": float("nan"), "validation_accuracy": float("nan")}
    model.eval()
    logits = torch.cat([model(batch).float().cpu() for batch in batches])
    truth = torch.from_numpy(targets)
    accuracy = float((answers_of(logits) == truth).float().mean())
    return {"validation_loss": float(loss_of(logits, truth)), "validation_accuracy": accuracy}


def plain_batches(model: Any, pixels: np.ndarray, *, batch_size: int) -> Iterator[torch.Tensor]:
    """uint8 images in their order, as (N, C, S, S) tensors between 0 and 1."""
    for start in range(0, len(pixels), batch_size):
        yield model.prepare(pixels[start : start + batch_size])


def images_at_once(size: int) -> int:
    """How many images of so many pixels on each side are read together where nothing is learnt: 64 small ones, 16 of 299 pixels.

    More would not be faster on a processor, and would need memory that a laptop does not have.
    """
    return max(8, min(64, 1_500_000 // size**2))


def as_it_is(batch: torch.Tensor) -> torch.Tensor:
    """What is already prepared."""
    return batch


def shuffled_batches(
    images: np.ndarray | torch.Tensor,
    targets: np.ndarray,
    *,
    prepare: Callable[[Any], torch.Tensor],
    batch_size: int,
    generator: torch.Generator,
    augmentation: Any,
    share: tuple[int, int] = (0, 1),
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Every training image once, in a new order, augmented.

    No image is dropped: a last batch of one joins its neighbour, because BatchNorm cannot learn from a single image.

    Args:
        images: uint8 images, or the features (N, F) that a frozen backbone made of them.
        prepare: what turns chosen images into a batch on the network's device.
        share: (index, count) of this process under `accelerate launch`; each takes its share of every step's images.
    """
    index, count = share
    order = torch.randperm(len(targets), generator=generator).numpy()
    if count > 1:  # the order is common to all, the augmentation is each process's own
        seed = int(torch.randint(2**31, (1,), generator=generator))
        generator = torch.Generator().manual_seed(seed + index)
    for part in batch_slices(len(order), batch_size * count):
        chosen = order[part] if count == 1 else _share_of(order[part], index, count)
        batch = prepare(images[chosen])
        if augmentation is not None:
            batch = augmentation(batch, generator)
        yield batch, torch.from_numpy(targets[chosen]).to(batch.device)


def batch_slices(count: int, batch_size: int) -> list[slice]:
    """Slices of `batch_size` that cover 0..count once; the last is shorter, but not of length one unless count is one."""
    starts = list(range(0, count, batch_size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return [slice(start, stop) for start, stop in zip(starts, [*starts[1:], count], strict=True)]


def _share_of(chosen: np.ndarray, index: int, count: int) -> np.ndarray:
    """One process's images of a step; all get the same number, and at least two, so the last ones may be seen twice."""
    each = max(2, -(-len(chosen) // count))
    return np.resize(chosen, each * count)[index::count]
