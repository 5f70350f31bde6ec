"""Trivial rules that segment without learning: a window of Hounsfield units, and the mean label map of other patients.

Both are pure functions of volumes. If such a rule does as well as a network, the network has learnt a threshold, or
where the organ usually lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from firstread.core.errors import DataError
from firstread.core.geometry import Geometry
from firstread.core.masks import bounding_box_mm, largest_component
from firstread.core.volume import Volume

#: outside air is below it, the body above
_BODY_HU = -300.0
#: percentiles of the values within a structure that its window spans
_WINDOW_PERCENTILES = (5.0, 95.0)
_VALUES_PER_CASE = 20_000
#: voxels along (z, y, x) of the frame in which label maps are averaged
_FRAME_SIZE = (48, 96, 96)
#: a structure of which at least this share of cases is one piece is an organ, of which the largest piece is kept
_ONE_PIECE_SHARE = 0.9


def hu_window_rule(scan: Volume, *, low: float, high: float, opening_mm: float = 6.0, largest: bool = True) -> Volume:
    """Voxels around which most lie between two values, opened, and of that the largest piece: Volume of bool.

    Args:
        scan: in Hounsfield units, or any other unit.
        low, high: of the window, both included.
        opening_mm: what is thinner than twice this is removed, so that an organ comes apart from what it touches; 0
            leaves all.
        largest: keep the largest piece only.

    Example:
        >>> grid = Geometry.from_spacing((4, 8, 8), spacing_mm_zyx=(1, 1, 1))
        >>> water = Volume(np.zeros(grid.size_zyx, np.int16), grid, unit="HU")
        >>> int(hu_window_rule(water, low=-10, high=10, opening_mm=0).values.sum())
        256
    """
    mask = Volume(mostly((scan.values >= low) & (scan.values <= high)), scan.geometry)
    if opening_mm > 0:
        mask = replace(mask, values=opened(mask, radius_mm=opening_mm))
    return largest_component(mask) if largest else mask


def mostly(within: np.ndarray) -> np.ndarray:
    """Majority around each voxel, so that noise riddles no mask with holes and edges stay: (z, y, x) bool."""
    result: np.ndarray = smoothed(within) > 0.5
    return result


def smoothed(values: np.ndarray) -> np.ndarray:
    """Values after a Gaussian of one voxel: (z, y, x) float32."""
    from scipy.ndimage import gaussian_filter

    result: np.ndarray = gaussian_filter(values.astype(np.float32), 1.0)
    return result


def opened(mask: Volume, *, radius_mm: float) -> np.ndarray:
    """Morphological opening with a ball of a radius in millimetres: (z, y, x) bool; tilted axes count as upright."""
    spacing = mask.geometry.spacing_mm_zyx
    inner = _distance_mm(mask.values, spacing) > radius_mm
    return mask.values & ~(_distance_mm(~inner, spacing) > radius_mm) if inner.any() else inner


def closed(mask: Volume, *, radius_mm: float) -> np.ndarray:
    """Morphological closing with a ball of a radius in millimetres, with holes filled: (z, y, x) bool."""
    from scipy.ndimage import binary_fill_holes

    spacing = mask.geometry.spacing_mm_zyx
    outer = _distance_mm(~mask.values, spacing) <= radius_mm
    filled: np.ndarray = binary_fill_holes(_distance_mm(outer, spacing) > radius_mm) | mask.values
    return filled


def body_frame(scan: Volume) -> Geometry:
    """Grid of a fixed number of voxels over the box around the body, along the patient's axes.

    In it the same voxel is about the same place of every patient, whatever the size, the position and the orientation
    of the scan. From the feet to the head the box is what was scanned.
    """
    inside = smoothed(scan.values) > _BODY_HU if scan.unit == "HU" else np.zeros(scan.geometry.size_zyx, bool)
    body = largest_component(Volume(inside if inside.any() else ~inside, scan.geometry))
    low, high = np.asarray(bounding_box_mm(body))
    spacing_lps = (high - low) / np.array(_FRAME_SIZE[::-1])
    origin = (low + spacing_lps / 2).tolist()
    return Geometry.from_spacing(_FRAME_SIZE, spacing_mm_zyx=spacing_lps[::-1].tolist(), origin_mm_lps=origin)


@dataclass
class MeanLabelMap:
    """Mean label map of training patients, in the frame of the body (see `body_frame`).

    Attributes:
        structures: number of structures; their values in label maps are 1, 2, ...
        cases: that were added.
    """

    structures: int
    cases: int = 0
    _sums: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._sums = np.zeros((self.structures, *_FRAME_SIZE), np.float32)

    def add(self, scan: Volume, labels: Volume) -> None:
        """Add a training case: its scan and its label map on the same grid."""
        frame = body_frame(scan)
        for number in range(1, self.structures + 1):
            mask = Volume((labels.values == number).astype(np.float32), labels.geometry)
            self._sums[number - 1] += mask.resampled(frame, outside=0.0).values
        self.cases += 1

    def labels(self, scan: Volume) -> Volume:
        """Label map of a scan: the structure that most training patients have at this place, uint8 (z, y, x)."""
        if not self.cases:
            raise DataError("A mean label map needs at least one training case")
        frame = body_frame(scan)
        shares = [
            Volume(total / self.cases, frame).resampled(scan.geometry, outside=0.0).values for total in self._sums
        ]
        stack = np.stack([1 - np.sum(shares, axis=0), *shares])
        return Volume(stack.argmax(axis=0).astype(np.uint8), scan.geometry)


@dataclass
class WindowRule:
    """A window of values for each structure, fitted on training masks: 5th to 95th percentile within the structure.

    A structure that is one piece in training (an organ) is opened and its largest piece kept. One that is not (lesions)
    keeps all pieces, and is sought within the structure that surrounds it in training, where values are of its window
    and not of the surrounding's.

    Attributes:
        structures: number of structures; their values in label maps are 1, 2, ...
    """

    structures: int
    _values: list[list[np.ndarray]] = field(init=False, repr=False)
    _one_piece: list[list[bool]] = field(init=False, repr=False)
    _neighbours: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._values = [[] for _ in range(self.structures)]
        self._one_piece = [[] for _ in range(self.structures)]
        self._neighbours = np.zeros((self.structures + 1, self.structures + 1), np.int64)

    def add(self, scan: Volume, labels: Volume) -> None:
        """Add a training case: its scan and its label map on the same grid."""
        from scipy.ndimage import binary_dilation, label

        for number in range(1, self.structures + 1):
            mask = labels.values == number
            pieces = int(label(mask)[1])
            self._one_piece[number - 1].append(pieces == 1)
            if pieces:
                values = scan.values[mask]
                self._values[number - 1].append(values[:: -(-len(values) // _VALUES_PER_CASE)])
                around = labels.values[binary_dilation(mask) & ~mask]
                self._neighbours[number] += np.bincount(around, minlength=self.structures + 1)[: self.structures + 1]

    def window(self, number: int) -> tuple[float, float] | None:
        """(low, high) of a structure; None if no training case has it."""
        if not self._values[number - 1]:
            return None
        low, high = np.percentile(np.concatenate(self._values[number - 1]), _WINDOW_PERCENTILES)
        return float(low), float(high)

    def surrounding(self, number: int) -> int:
        """The structure that is around most of another one; 0 if none is."""
        return int(self._neighbours[number].argmax())

    def labels(self, scan: Volume) -> Volume:
        """Label map of a scan, uint8 (z, y, x); what is sought within another structure overrides it."""
        labels = np.zeros(scan.geometry.size_zyx, np.uint8)
        order = sorted(range(1, self.structures + 1), key=lambda number: (self.surrounding(number) > 0, number))
        for number in order:
            window = self.window(number)
            if window is None:
                continue
            around = self.surrounding(number)
            labels[self._within(scan, labels, around, window) if around else self._alone(scan, number, window)] = number
        return Volume(labels, scan.geometry)

    def _alone(self, scan: Volume, number: int, window: tuple[float, float]) -> np.ndarray:
        organ = float(np.mean(self._one_piece[number - 1])) >= _ONE_PIECE_SHARE
        return hu_window_rule(
            scan, low=window[0], high=window[1], opening_mm=6.0 if organ else 0.0, largest=organ
        ).values

    def _within(self, scan: Volume, labels: np.ndarray, around: int, window: tuple[float, float]) -> np.ndarray:
        """Voxels of a window, and not of that of the structure around, in what that one spans."""
        other = self.window(around) or (np.inf, -np.inf)
        own = (scan.values >= window[0]) & (scan.values <= window[1])
        surrounding = (scan.values >= other[0]) & (scan.values <= other[1])
        return mostly(own & ~surrounding) & closed(Volume(labels == around, scan.geometry), radius_mm=6.0)


def _distance_mm(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Distance of each True voxel to the nearest False one: (z, y, x); infinite if there is none."""
    from scipy.ndimage import distance_transform_edt

    if mask.all():
        return np.full(mask.shape, np.inf)
    distances: np.ndarray = distance_transform_edt(mask, sampling=spacing)
    return distances
