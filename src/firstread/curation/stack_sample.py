"""A sample of the slices of a stack, each read alone: averaged to about 3 mm for organs, measured in full for noise.

At most a slice of full size is in memory at a time, so that a stack of any length takes the same memory.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from firstread.core.errors import FirstreadError
from firstread.dicom.headers import convert_dicom_errors, open_dicom
from firstread.readers.dicom_series import SliceStack
from firstread.readers.dicom_slices import Slice
from firstread.readers.dicom_values import read_frame_values

#: slices that are read of a stack, its first and last among them
MAX_SLICES = 24
#: pixels of the sample are about this large
_PIXEL_MM = 3.0
_MAX_SIDE = 192
#: what is part of a body, on CT in HU; padding outside of the reconstruction circle is below
_BODY_HU, _PADDING_HU = -250.0, -1500.0
#: lung, smoothed, in HU
_LUNG_HU = (-920.0, -550.0)
#: soft tissue in which noise is measured, in HU
_NOISE_HU = (-20.0, 180.0)
_MIN_NOISE_PIXELS = 200
#: standard deviation of normal values per median absolute deviation
_SD_PER_MAD = 1.4826


@dataclass(frozen=True, eq=False)
class StackSample:
    """Some slices of a stack in real units.

    Attributes:
        values: (N, H, W) float32, averaged to `pixel_mm`; axial slices lie with the patient's right at the left, the
            front at the top, from the feet up.
        pixel_mm: side of a pixel of `values`.
        step_mm: mean distance between the sampled slices.
        unit: of the values, "HU" for CT.
        body: (N, H, W) bool, what belongs to the body; None where it cannot be told.
        noise: standard deviation of noise in each slice, in full size.
        cut_mm: length of the edge of the field of view that the body reaches, in each slice.
        unread: slices that could not be decoded, with the reason.
    """

    values: np.ndarray
    pixel_mm: float
    step_mm: float
    unit: str
    body: np.ndarray | None = None
    noise: tuple[float, ...] = ()
    cut_mm: tuple[float, ...] = ()
    unread: tuple[tuple[Slice, str], ...] = field(default=())

    @property
    def inside(self) -> np.ndarray:
        """(N, H, W) bool: the body, or everything where it cannot be told."""
        return np.ones(self.values.shape, bool) if self.body is None else self.body

    @property
    def voxel_ml(self) -> float:
        """Volume that one pixel of the sample stands for."""
        return self.pixel_mm**2 * self.step_mm / 1000

    def volume_ml(self, mask: np.ndarray) -> float:
        """Volume of a mask (N, H, W)."""
        return float(mask.sum()) * self.voxel_ml


def sample_stack(stack: SliceStack) -> StackSample | None:
    """Read a sample of the slices of a stack; None where none of them can be decoded or all are in colour.

    Slices that cannot be decoded are listed, and the others are used.
    """
    ordered = sorted(stack.slices, key=lambda one: one.plane.distance_mm if one.plane else 0.0)
    members = [ordered[index] for index in choose_slices(len(ordered))]
    read: dict[int, np.ndarray] = {}
    unread: list[tuple[Slice, str]] = []
    noise: dict[int, float] = {}
    cut: dict[int, float] = {}
    by_file = sorted(range(len(members)), key=lambda index: str(members[index].path))
    for path, group in itertools.groupby(by_file, key=lambda index: members[index].path):
        places = list(group)
        try:
            dataset = open_dicom(path)
            for index in places:
                with convert_dicom_errors(path):
                    full = read_frame_values(dataset, members[index].frame)
                if full.ndim == 2:
                    read[index], noise[index], cut[index] = _measure_slice(full, members[index], stack.unit)
        except FirstreadError as error:
            unread += [(members[index], error.what) for index in places]
    if not read:
        return None
    return _assemble(members, read, (noise, cut), (stack.unit, tuple(unread)))


def choose_slices(count: int) -> list[int]:
    """Indices of the slices that are read of a stack: evenly spread, the first and last among them.

    Example:
        >>> choose_slices(3), len(choose_slices(500)), choose_slices(500)[-1]
        ([0, 1, 2], 24, 499)
    """
    return sorted(set(np.rint(np.linspace(0, count - 1, min(count, MAX_SLICES))).astype(int).tolist()))


def _measure_slice(full: np.ndarray, one: Slice, unit: str) -> tuple[np.ndarray, float, float]:
    """A slice averaged to about 3 mm, its noise, and the length of the edge that the body reaches."""
    spacing = one.plane.spacing_mm_yx if one.plane else (1.0, 1.0)
    values = full.astype(np.float32)
    if unit != "HU":
        return _reduce(values, spacing), float("nan"), 0.0
    body = body_mask(values)
    return _reduce(values, spacing), measure_noise(values, body), measure_cut(values, body, spacing)


def _reduce(values: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Mean of blocks, so that pixels are about 3 mm, then square pixels by interpolation."""
    pixel = max(_PIXEL_MM, max(spacing[0] * values.shape[0], spacing[1] * values.shape[1]) / _MAX_SIDE)
    blocks = [max(1, int(pixel // side)) for side in spacing]
    rows, columns = (size // block * block for size, block in zip(values.shape, blocks, strict=True))
    if min(rows, columns) == 0:
        return values
    cut = values[:rows, :columns].reshape(rows // blocks[0], blocks[0], columns // blocks[1], blocks[1])
    mean = cut.mean(axis=(1, 3))
    factors = [block * side / pixel for block, side in zip(blocks, spacing, strict=True)]
    if max(abs(factor - 1) for factor in factors) > 0.02:
        mean = ndimage.zoom(mean, factors, order=1)
    return np.ascontiguousarray(mean, np.float32)


def body_mask(values: np.ndarray) -> np.ndarray:
    """(H, W) bool: the largest thing that is no air, holes filled; the table is cut off by an opening."""
    solid = ndimage.binary_opening(values > _BODY_HU, iterations=1)
    labels, count = ndimage.label(solid)
    if not count:
        return solid
    largest = labels == int(np.bincount(labels.ravel())[1:].argmax()) + 1
    filled: np.ndarray = ndimage.binary_fill_holes(largest)
    return filled


def measure_noise(values: np.ndarray, body: np.ndarray) -> float:
    """Standard deviation of noise in soft tissue of a slice, in HU; NaN where there is too little of it.

    The difference of each pixel from the mean of its four neighbours, in pixels whose whole neighbourhood is soft
    tissue by its local mean; by the median absolute deviation, so that edges of organs do not count.
    """
    mean = ndimage.uniform_filter(values, 5)
    is_soft = (mean > _NOISE_HU[0]) & (mean < _NOISE_HU[1]) & body
    is_soft = ndimage.binary_erosion(is_soft, iterations=2)
    if is_soft.sum() < _MIN_NOISE_PIXELS:
        return float("nan")
    rest = values - ndimage.convolve(values, np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4)
    inside = rest[is_soft]
    deviation = float(np.median(np.abs(inside - np.median(inside))))
    return deviation * _SD_PER_MAD / np.sqrt(1.25)


def measure_cut(values: np.ndarray, body: np.ndarray, spacing: tuple[float, ...]) -> float:
    """Millimetres of the edge of the field of view, a circle too, that the body reaches at front and sides."""
    inside = values > _PADDING_HU
    edge = inside & ~ndimage.binary_erosion(inside, iterations=2, border_value=0)
    rows = np.nonzero(body.any(axis=1))[0]
    if not len(rows):
        return 0.0
    smooth = ndimage.uniform_filter(np.maximum(values, _PADDING_HU), 5)
    # where the field of view ends within a lung, that is no hole of the body that could be filled
    touched = edge & ((body & (values > -200)) | ((smooth > _LUNG_HU[0]) & (smooth < _LUNG_HU[1])))
    touched[int(rows[0] + 0.8 * (rows[-1] - rows[0])) :] = False  # the table, and a patient lying on the edge
    return float(touched.sum()) / 2 * float(np.sqrt(spacing[0] * spacing[1]))


def _assemble(
    members: list[Slice],
    read: dict[int, np.ndarray],
    measured: tuple[dict[int, float], dict[int, float]],
    stated: tuple[str, tuple[tuple[Slice, str], ...]],
) -> StackSample:
    order = sorted(read)
    shape = read[order[0]].shape
    order = [index for index in order if read[index].shape == shape]
    values = np.stack([read[index] for index in order])
    planes = [members[index].plane for index in order]
    noise, cut = ([one[index] for index in order] for one in measured)
    step = 1.0
    first = planes[0]
    if first is not None:
        distances = [plane.distance_mm for plane in planes if plane]
        step = (distances[-1] - distances[0]) / max(1, len(distances) - 1) or first.slice_mm or 1.0
        if abs(first.normal[2]) > 0.8:
            values, noise, cut = _turn(values, noise, cut, first.orientation)
    size = (
        max(first.spacing_mm_yx[i] * (members[0].kind.rows, members[0].kind.columns)[i] for i in (0, 1)) if first else 1
    )
    body = np.stack([body_mask(plane) for plane in values]) if stated[0] == "HU" else None
    return StackSample(values, size / max(shape), abs(step), stated[0], body, tuple(noise), tuple(cut), stated[1])


def _turn(
    values: np.ndarray, noise: list[float], cut: list[float], orientation: tuple[float, ...]
) -> tuple[np.ndarray, list[float], list[float]]:
    """Axial slices as a radiologist sees them, from the feet up, whatever way they are stored."""
    from_head = np.cross(orientation[:3], orientation[3:])[2] < 0
    if abs(orientation[0]) < abs(orientation[1]):  # rows run from front to back
        values = values.transpose(0, 2, 1)
        orientation = (*orientation[3:], *orientation[:3])
    if orientation[0] < 0:
        values = values[:, :, ::-1]
    if orientation[4] < 0:
        values = values[:, ::-1]
    if from_head:
        return np.ascontiguousarray(values[::-1]), noise[::-1], cut[::-1]
    return np.ascontiguousarray(values), noise, cut
