"""Examples for a network, batch by batch: from memory if they fit, else from a file on disk that fills as it goes."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.cohort import Cohort
from firstread.core.images import resize_square, with_channels
from firstread.core.memory import available_memory_bytes
from firstread.core.paths import home_folder
from firstread.learning.input_spec import InputSpec

#: share of the free memory that examples may take, and the most that they take
_MEMORY_SHARE, _MAX_MEMORY_BYTES = 0.25, 2 * 2**30
#: what a disk keeps free
_SPARE_DISK_BYTES = 2**30


class Examples(Protocol):
    """Inputs of a network with their targets; where they come from is its own affair.

    Attributes:
        source: where they are read from, in words.
    """

    @property
    def source(self) -> str:
        """Where the examples are read from, in words."""

    def __len__(self) -> int:
        """Number of examples."""

    def batch(self, indices: np.ndarray, generator: torch.Generator | None = None) -> tuple[Any, np.ndarray]:
        """Inputs and targets of some examples, as `Model.prepare` takes them.

        Args:
            indices: (N,) of the examples.
            generator: draws the place of a patch in training; without one the middle is taken.
        """

    def to(self, device: torch.device) -> "Examples":
        """The examples in the memory of a GPU if they fit there, else as they are."""


@dataclass(frozen=True, eq=False)
class ArrayExamples:
    """Examples in memory.

    Attributes:
        inputs: uint8 pictures (N, S, S) or (N, S, S, 3), or features (N, F).
        targets: (N,) class indices, or what else a task's `targets` says.
        source: where they are read from.
    """

    inputs: np.ndarray | torch.Tensor
    targets: np.ndarray
    source: str = "memory"

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: np.ndarray, generator: torch.Generator | None = None) -> tuple[Any, np.ndarray]:
        """Inputs and targets of some examples."""
        return self.inputs[indices], self.targets[indices]

    def to(self, device: torch.device) -> "ArrayExamples":
        """The examples in the memory of a GPU if they fit there, else as they are."""
        if device.type == "cpu" or not isinstance(self.inputs, np.ndarray):
            return self
        try:
            return ArrayExamples(to_tensor(self.inputs).to(device), self.targets)
        except torch.OutOfMemoryError:
            return self


def to_tensor(values: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Values as a tensor in the same memory; a read-only array is copied, because a tensor can be written to."""
    return values if isinstance(values, torch.Tensor) else torch.from_numpy(np.require(values, requirements="W"))


class DiskExamples:
    """Pictures that do not fit into memory: read from the cohort's files once, then from one file of 8-bit pixels.

    The file has no name and goes with the process, whatever ends it. Where the disk has no room for it, pictures are
    decoded each time.

    Args:
        cohort: whose pictures they are.
        inputs: size and channels of the pictures.
        targets: (N,) class indices.
        cached: False where each picture is read only once, as in prediction.
    """

    def __init__(self, cohort: Cohort, inputs: InputSpec, targets: np.ndarray, *, cached: bool = True) -> None:
        self._cohort, self._inputs, self.targets = cohort, inputs, targets
        self._shape = picture_shape(inputs)
        self._bytes = int(np.prod(self._shape))
        self._is_cached = np.zeros(len(targets), bool)
        self._file = open_unnamed_file(self._bytes * len(targets)) if cached else None
        self.source = "disk, decoded once" if self._file else "disk, decoded each time"

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: np.ndarray, generator: torch.Generator | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Pictures and targets of some examples."""
        pixels = np.empty((len(indices), *self._shape), np.uint8)
        for picture, index in zip(pixels, indices.tolist(), strict=True):
            self._read(index, picture)
        return pixels, self.targets[indices]

    def to(self, device: torch.device) -> "DiskExamples":
        """The same: they go to a GPU batch by batch."""
        return self

    def _read(self, index: int, picture: np.ndarray) -> None:
        """Fill `picture` from the file, or from the cohort and then the file."""
        if self._file is not None and self._is_cached[index]:
            self._file.seek(index * self._bytes)
            self._file.readinto(picture.data)  # type: ignore[attr-defined]
            return
        picture[...] = read_picture(self._cohort[index], self._inputs)
        if self._file is not None:
            try:
                self._file.seek(index * self._bytes)
                self._file.write(picture.data)
                self._is_cached[index] = True
            except OSError:  # the disk is full: the other pictures are decoded each time
                pass


def load_pictures(cohort: Cohort, inputs: InputSpec, targets: np.ndarray, *, once: bool = False) -> Examples:
    """Pictures of a cohort as examples, in memory if they fit.

    Args:
        cohort: whose pictures they are.
        inputs: size and channels.
        targets: (N,) class indices.
        once: whether each is read only once.
    """
    if len(cohort) * int(np.prod(picture_shape(inputs))) <= memory_limit_bytes():
        return ArrayExamples(cohort.images(inputs.patch_size[0], channels=inputs.channels), targets)
    return DiskExamples(cohort, inputs, targets, cached=not once)


def picture_shape(inputs: InputSpec) -> tuple[int, ...]:
    """Shape of a picture: (S, S) in grayscale, (S, S, 3) in color."""
    return inputs.patch_size if inputs.channels == 1 else (*inputs.patch_size, inputs.channels)


def read_picture(case: Case, inputs: InputSpec) -> np.ndarray:
    """A case's picture as a network gets it: uint8 (S, S) or (S, S, 3)."""
    return resize_square(with_channels(case.pixels(), inputs.channels), inputs.patch_size[0])


def memory_limit_bytes() -> float:
    """Memory that examples may take: a quarter of what is free, 2 GB at most."""
    return min(_MAX_MEMORY_BYTES, _MEMORY_SHARE * available_memory_bytes())


def open_unnamed_file(size_bytes: int) -> IO[bytes] | None:
    """A file without a name beside firstread's data; None if the disk has no room for so many bytes."""
    for folder in (home_folder(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free > size_bytes + _SPARE_DISK_BYTES:
                return tempfile.TemporaryFile(dir=folder, buffering=0)
        except OSError:
            continue
    return None
