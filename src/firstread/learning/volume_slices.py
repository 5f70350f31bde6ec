"""Slices of volumes as examples: resampled to a network's spacing, with their neighbours, cut to patches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.geometry import Geometry
from firstread.core.progress_bar import track
from firstread.core.volume import Volume
from firstread.learning.examples import memory_limit_bytes, open_unnamed_file
from firstread.learning.input_spec import InputSpec

#: relative difference of spacings below which a volume is not resampled
_SPACING_TOLERANCE = 0.01
#: sides of an image that a network takes are multiples of this: it halves them three times
_SIDE_MULTIPLE = 8
_AIR_HU = -1024


def network_grid(geometry: Geometry, inputs: InputSpec) -> Geometry:
    """Grid on which a network sees a volume: axial slices from the feet up, at the network's spacing.

    Args:
        geometry: of the volume, in any orientation.
        inputs: `spacing_mm_zyx` is used.
    """
    spacing = np.array(inputs.spacing_mm_zyx or geometry.spacing_mm_zyx)
    if geometry.orientation_zyx == "SPL" and not geometry.is_sheared:
        if np.allclose(geometry.spacing_mm_zyx, spacing, rtol=_SPACING_TOLERANCE):
            return geometry
        return geometry.resampled(spacing.tolist())
    corners = geometry.corners_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = np.maximum(1, np.rint((high - low)[::-1] / spacing).astype(int) + 1)
    return Geometry.from_spacing(size.tolist(), spacing_mm_zyx=spacing.tolist(), origin_mm_lps=low.tolist())


def read_network_volume(case: Case, inputs: InputSpec) -> tuple[Volume, Geometry]:
    """A case's volume on the network's grid, and the geometry that it has itself.

    Raises:
        DataError: the values are in another unit than the network takes.
    """
    name = inputs.images[0]
    volume = case.volume(name if name in case.images else None)
    if inputs.unit and volume.unit and volume.unit != inputs.unit:
        raise DataError(f"The values are in {volume.unit}", where=case.case, expected=inputs.unit)
    grid = network_grid(volume.geometry, inputs)
    return (volume if grid == volume.geometry else volume.resampled(grid)), volume.geometry


@dataclass(frozen=True, eq=False)
class _StoredVolume:
    """Values (z, y, x) int16 and labels uint8, in memory, or at a place in a file."""

    size_zyx: tuple[int, int, int]
    values: np.ndarray | None
    labels: np.ndarray | None
    offset: int = 0

    def slab(self, file: IO[bytes] | None, rows: np.ndarray, middle: int) -> tuple[np.ndarray, np.ndarray]:
        """Slices `rows` of the values, and slice `middle` of the labels."""
        if self.values is not None and self.labels is not None:
            return self.values[rows], self.labels[middle]
        pixels = self.size_zyx[1] * self.size_zyx[2]
        values = [self._read(file, self.offset + 2 * int(row) * pixels, np.dtype(np.int16)) for row in rows]
        labels_offset = self.offset + 2 * self.size_zyx[0] * pixels
        return np.stack(values), self._read(file, labels_offset + middle * pixels, np.dtype(np.uint8))

    def _read(self, file: IO[bytes] | None, offset: int, kind: np.dtype) -> np.ndarray:
        if file is None:
            raise DataError("The file of the slices is closed", do="train again")
        file.seek(offset)
        count = self.size_zyx[1] * self.size_zyx[2]
        return np.frombuffer(file.read(count * kind.itemsize), kind).reshape(self.size_zyx[1:])


class SliceExamples:
    """Patches of axial slices with their neighbours, and label maps of the middle ones.

    Volumes are read once, and kept in memory as long as they fit; the others lie in one file without a name.

    Args:
        inputs: patch size, number of slices and spacing.
        memory_bytes: that the volumes may take in memory.
    """

    def __init__(self, inputs: InputSpec, *, memory_bytes: float | None = None) -> None:
        self._inputs = inputs
        self._memory_bytes = memory_limit_bytes() if memory_bytes is None else memory_bytes
        self._volumes: list[_StoredVolume] = []
        self._slices: list[tuple[int, int]] = []
        self._file: IO[bytes] | None = None
        self._file_bytes = 0

    @property
    def source(self) -> str:
        """Where the slices are read from."""
        return "slices in memory" if self._file is None else "slices in memory and on disk"

    def add(self, volume: Volume, labels: Volume) -> None:
        """Add all slices of a volume on the network's grid, with its label map on the same grid."""
        values = np.clip(np.rint(volume.values), -32768, 32767).astype(np.int16)
        stored = _StoredVolume(volume.geometry.size_zyx, values, labels.values.astype(np.uint8))
        self._memory_bytes -= 3 * values.size
        if self._memory_bytes < 0:
            stored = self._to_file(values, labels.values.astype(np.uint8))
        self._slices += [(len(self._volumes), z) for z in range(len(values))]
        self._volumes.append(stored)

    def _to_file(self, values: np.ndarray, labels: np.ndarray) -> _StoredVolume:
        self._file = self._file or open_unnamed_file(3 * values.size)
        if self._file is None:
            raise DataError("The volumes fit neither into memory nor on the disk", do="free space, or take fewer cases")
        offset = self._file_bytes
        self._file.seek(offset)
        self._file_bytes += self._file.write(values.tobytes()) + self._file.write(labels.tobytes())
        return _StoredVolume((values.shape[0], values.shape[1], values.shape[2]), None, None, offset)

    def __len__(self) -> int:
        return len(self._slices)

    def batch(self, indices: np.ndarray, generator: torch.Generator | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Patches (N, slices, rows, columns) int16 and label maps (N, rows, columns) int64."""
        height, width = self._inputs.patch_size
        patches = np.full((len(indices), self._inputs.slices, height, width), _AIR_HU, np.int16)
        targets = np.zeros((len(indices), height, width), np.int64)
        for row, index in enumerate(indices.tolist()):
            number, z = self._slices[index]
            stored = self._volumes[number]
            values, labels = stored.slab(self._file, neighbours(z, stored.size_zyx[0], self._inputs.slices), z)
            source, place = _cut(labels.shape, (height, width), generator)
            patches[row][:, *place] = values[:, *source]
            targets[row][place] = labels[source]
        return patches, targets

    def to(self, device: torch.device) -> "SliceExamples":
        """The same: patches go to a GPU batch by batch."""
        return self


def load_slices(
    cohort: Cohort, inputs: InputSpec, structures: Sequence[str], *, reader: str | None = None
) -> SliceExamples:
    """All slices of a cohort's volumes, with label maps of the structures.

    Args:
        cohort: cases with volumes and masks.
        inputs: of the network.
        structures: in the order of their numbers in label maps.
        reader: whose masks; None takes the adjudicated ones, else those of the only reader.
    """
    examples = SliceExamples(inputs)
    for case in track(cohort, "Reading volumes", total=len(cohort), unit="volume"):
        volume, own_grid = read_network_volume(case, inputs)
        labels = case.mask_volume(structures, grid=own_grid, reader=reader)
        if volume.geometry != own_grid:
            labels = labels.resampled(volume.geometry, order=0, outside=0)
        examples.add(volume, labels)
    return examples


def slice_batches(values: np.ndarray, inputs: InputSpec, *, batch_size: int) -> Iterator[np.ndarray]:
    """All slices of a volume (z, y, x) in order: batches (N, slices, rows, columns), padded to what a network takes."""
    height, width = values.shape[1:]
    padding = ((0, 0), (0, -height % _SIDE_MULTIPLE), (0, -width % _SIDE_MULTIPLE))
    padded = np.pad(values, padding, constant_values=_AIR_HU)
    for start in range(0, len(values), batch_size):
        middles = range(start, min(start + batch_size, len(values)))
        yield np.stack([padded[neighbours(z, len(values), inputs.slices)] for z in middles])


def neighbours(z: int, count: int, slices: int) -> np.ndarray:
    """Indices (slices,) of a slice and its neighbours; the outermost slice is repeated."""
    return np.clip(np.arange(z - slices // 2, z - slices // 2 + slices), 0, count - 1)


def _cut(
    size: tuple[int, ...], patch: tuple[int, int], generator: torch.Generator | None
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Part of an image that becomes a patch, and its place in the patch: drawn, or in the middle."""
    sources, places = [], []
    for length, wanted in zip(size, patch, strict=True):
        spare = length - wanted
        start = spare // 2 if generator is None else int(torch.randint(abs(spare) + 1, (1,), generator=generator))
        start = min(max(0, start), max(0, spare))
        sources.append(slice(start, start + min(length, wanted)))
        offset = max(0, -spare) // 2
        places.append(slice(offset, offset + min(length, wanted)))
    return tuple(sources), tuple(places)
