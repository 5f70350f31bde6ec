"""EpochSnapshot: what an epoch changes, kept in main memory so that the epoch can be undone or done again."""

from collections.abc import Mapping

import torch

from firstread.learning.optimizers import flat_state, load_flat_state


class EpochSnapshot:
    """Copy of weights, optimizer state and random states at the beginning of an epoch.

    It lies in main memory, because a GPU that fails takes its memory with it, and its memory is used again for the next
    epoch: a copy costs as long as reading the weights three times, 20 ms for ResNet18.

    Args:
        module: the part of the network that learns; on a GPU the whole network.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self.module, self.is_open = module, False
        self._weights: dict[str, torch.Tensor] = {}
        self._optimizer: dict[str, torch.Tensor] = {}
        self._generators: dict[str, torch.Tensor] = {}

    def take(self, optimizer: torch.optim.Optimizer, generators: dict[str, torch.Tensor]) -> None:
        """Copy the present state; the copy before is given up."""
        self._weights = copy_to_main_memory(self.module.state_dict(), reuse=self._weights)
        self._optimizer = copy_to_main_memory(flat_state(optimizer), reuse=self._optimizer)
        self._generators = {name: state.clone() for name, state in generators.items()}
        self.is_open = True

    def close(self) -> None:
        """The epoch is finished, and there is nothing to undo."""
        self.is_open = False

    def restore_weights(self) -> None:
        """Bring the weights back, to wherever the module lies now, unless the epoch is finished."""
        if self.is_open:
            self.module.load_state_dict(self._weights)

    def restore_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Give the state to an optimizer of the same weights; its learning rate stays."""
        load_flat_state(optimizer, {name: value.clone() for name, value in self._optimizer.items()})

    @property
    def generators(self) -> dict[str, torch.Tensor]:
        """Name -> state of a random generator."""
        return {name: state.clone() for name, state in self._generators.items()}


def copy_to_main_memory(
    values: Mapping[str, torch.Tensor], *, reuse: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Copies of tensors in main memory.

    Args:
        values: the tensors, on any device.
        reuse: earlier copies, whose memory is used again where it fits.
    """
    copies = {}
    for name, value in values.items():
        copy = reuse.get(name)
        if copy is None or copy.shape != value.shape or copy.dtype != value.dtype or copy.stride() != value.stride():
            copies[name] = value.detach().to("cpu", copy=True)
        else:
            copies[name] = copy.copy_(value.detach())
    return copies
