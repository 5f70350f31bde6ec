"""Random states of torch's global generators that trainings in several threads do not share."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

#: dropout and the initialization of layers draw from generators of the whole process; those who use them take turns
_GLOBAL_GENERATORS = threading.RLock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block, torch's global generators start from `seed`; at its end they are as they were."""
    with _GLOBAL_GENERATORS, torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


class RandomStream:
    """A training's own course of torch's global generators: dropout draws the same whatever other threads do.

    Args:
        seed: where it starts.
        device: whose generator is used beside the processor's.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device_module: Any = None if device.type == "cpu" else getattr(torch, device.type)
        with seeded(seed):
            self._states = self._read()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within the block, the global generators go on with this course; threads take turns."""
        with _GLOBAL_GENERATORS:
            outside = self._read()
            self._write(self._states)
            try:
                yield
            finally:
                self._states = self._read()
                self._write(outside)

    @property
    def state(self) -> torch.Tensor:
        """State of the processor's generator, for checkpoints: uint8."""
        return self._states[0]

    @state.setter
    def state(self, state: torch.Tensor) -> None:
        self._states = [state.clone(), *self._states[1:]]

    def _read(self) -> list[torch.Tensor]:
        states = [torch.get_rng_state()]
        return states if self._device_module is None else [*states, self._device_module.get_rng_state()]

    def _write(self, states: list[torch.Tensor]) -> None:
        torch.set_rng_state(states[0])
        if self._device_module is not None:
            self._device_module.set_rng_state(states[1])
