"""Table of a phantom's liver lesions: kind, place, size, segment and box in millimetres."""

from typing import NamedTuple

import numpy as np

from firstread.core.geometry import Geometry
from firstread.phantoms.abdomen import AbdomenPatient, lesion_map
from firstread.phantoms.liver import SEGMENTS
from firstread.phantoms.liver_lesions import LiverLesion
from firstread.phantoms.voxel_canvas import MAX_SHIFT_MM

_DIRECTIONS = 36


class LesionRow(NamedTuple):
    """One lesion; positions are millimetres in the patient (LPS).

    Attributes:
        lesion: its number, and its value in `lesion_map`.
        kind: "metastasis", "cyst", "haemangioma" or "focal fat".
        segment: Couinaud segment of its center, a Roman numeral.
        x_mm, y_mm, z_mm: center of mass.
        diameter_mm: longest diameter in an axial plane, as RECIST measures it.
        volume_ml: of the part within the liver.
        x0_mm, y0_mm, z0_mm, x1_mm, y1_mm, z1_mm: box that holds it, at every voxel size.
    """

    lesion: int
    kind: str
    segment: str
    x_mm: float
    y_mm: float
    z_mm: float
    diameter_mm: float
    volume_ml: float
    x0_mm: float
    y0_mm: float
    z0_mm: float
    x1_mm: float
    y1_mm: float
    z1_mm: float


def list_lesions(patient: AbdomenPatient) -> list[LesionRow]:
    """Measure a phantom's liver lesions on a fine grid of their own, in the order of their numbers.

    Example:
        >>> [row.lesion for row in list_lesions(AbdomenPatient.draw(1, lesion_count=2))]
        [1, 2]
    """
    return [_measure(patient, lesion) for lesion in patient.lesions]


def _measure(patient: AbdomenPatient, lesion: LiverLesion) -> LesionRow:
    step = max(0.7, min(lesion.shape.radii) / 12)
    reach = lesion.shape.reach_mm + MAX_SHIFT_MM
    count = int(np.ceil(2 * reach / step)) + 1
    origin = [value - reach for value in lesion.shape.center]
    grid = Geometry.from_spacing((count,) * 3, spacing_mm_zyx=(step,) * 3, origin_mm_lps=origin)
    mask = lesion_map(patient, geometry=grid).values == lesion.number
    points = grid.to_mm(np.argwhere(mask))
    center = points.mean(axis=0)
    low, high = points.min(axis=0) - 1.5 * step, points.max(axis=0) + 1.5 * step
    x, y, z = (np.array([value]) for value in lesion.shape.center)
    segment = SEGMENTS[int(patient.liver.segments(x, y, z)[0]) - 1]
    sizes = _longest_axial_diameter(points, step), float(mask.sum()) * step**3 / 1000
    numbers = (round(float(value), 3) for value in (*center, *sizes, *low, *high))
    return LesionRow._make((lesion.number, lesion.kind, segment, *numbers))


def _longest_axial_diameter(points_mm: np.ndarray, step_mm: float) -> float:
    """Longest extent of the points of one slice in any direction: (N, 3) points of a grid -> millimetres."""
    angles = np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS
    along = points_mm[:, :1] * np.cos(angles) + points_mm[:, 1:2] * np.sin(angles)
    slices = np.unique(points_mm[:, 2], return_inverse=True)[1].ravel()
    longest = max(float(np.ptp(along[slices == index], axis=0).max()) for index in range(slices.max() + 1))
    return longest + step_mm
