"""Geometry of a stack of slices: plane, spacing, missing and overlapping slices, gantry tilt, coverage."""

from dataclasses import dataclass

import numpy as np

from firstread.dicom.image_plane import ImagePlane
from firstread.readers.dicom_series import SliceStack

#: positions nearer than this are one, in millimetres
SAME_POSITION_MM = 0.01
#: cosine between the normal and an axis of the body from which a plane has the name of that axis (25 degrees)
_MIN_COSINE = 0.906
#: distances that differ by less are one that was rounded, in mm
_ROUNDED_MM = 0.11
#: share of the usual distance by which a gap may differ from a whole number of distances
_REGULAR = 0.15
#: gaps below this share of the usual distance lie between regular slices
_OVERLAP = 0.75
#: tilts below this are rounding of the header, in degrees
_MIN_TILT_DEG = 0.5
#: slices further apart than this many usual distances are separate scans, rather than missing
_MAX_MISSING = 200
#: share of the gaps that have the usual distance at least
_MIN_USUAL = 0.5


@dataclass(frozen=True)
class StackGeometry:
    """Where the slices of a stack lie.

    Attributes:
        plane: one of PLANES.
        plane_confidence: 0 to 1.
        spacing_mm: usual distance between neighbouring slices; None of a single slice without one.
        missing: slices that lie between the others in the usual distance, and are not there.
        overlapping: slices that lie between regular neighbours.
        repeated: slices at a position that another one has.
        is_irregular: distances that neither missing nor overlapping slices explain.
        tilt_deg: angle between the normal of the slices and the way from one to the next.
        coverage_mm: length that the slices cover.
    """

    plane: str = "none"
    plane_confidence: float = 0.0
    spacing_mm: float | None = None
    missing: int = 0
    overlapping: int = 0
    repeated: int = 0
    is_irregular: bool = False
    tilt_deg: float = 0.0
    coverage_mm: float | None = None


def measure_geometry(stack: SliceStack) -> StackGeometry:
    """Measure the geometry of a stack; of slices without a place, nothing but that they have none."""
    planes = [one.plane for one in stack.slices if one.plane]
    if not planes:
        return StackGeometry()
    name, confidence = name_plane(planes[0])
    distances = np.sort([plane.distance_mm for plane in planes])
    gaps = np.diff(distances)
    repeated = int((gaps <= SAME_POSITION_MM).sum())
    gaps = gaps[gaps > SAME_POSITION_MM]
    thickness = planes[0].slice_mm
    if not len(gaps):
        return StackGeometry(name, confidence, thickness, repeated=repeated, coverage_mm=thickness)
    spacing = usual_gap(gaps, thickness)
    missing, overlapping, is_irregular = explain_gaps(gaps, spacing)
    if (np.abs(gaps - spacing) <= _REGULAR * spacing).mean() < _MIN_USUAL:  # no distance is the usual one
        missing, overlapping, is_irregular = 0, 0, True
    return StackGeometry(
        plane=name,
        plane_confidence=confidence,
        spacing_mm=round(spacing, 4),
        missing=missing,
        overlapping=overlapping,
        repeated=repeated,
        is_irregular=is_irregular,
        tilt_deg=measure_tilt(planes),
        coverage_mm=round(float(distances[-1] - distances[0]) + spacing, 3),
    )


def name_plane(plane: ImagePlane) -> tuple[str, float]:
    """Name of an image plane by the axis of the body that its normal is nearest to, and how sure that is.

    Example:
        >>> name_plane(ImagePlane((0, 0, 0), (1, 0, 0, 0, 0, -1), (1, 1)))
        ('coronal', 0.99)
    """
    cosines = np.abs(plane.normal)
    axis = int(cosines.argmax())
    if cosines[axis] >= _MIN_COSINE:
        # near the limit of 25 degrees a name is a matter of taste
        return ("sagittal", "coronal", "axial")[axis], round(min(0.99, 0.7 + 4 * float(cosines[axis] - _MIN_COSINE)), 2)
    return "oblique", 0.9 if cosines[axis] < _MIN_COSINE - 0.05 else 0.7


def usual_gap(gaps: np.ndarray, thickness: float | None) -> float:
    """The distance that most neighbouring slices have; of two equally frequent ones, that nearer to the thickness."""
    rounded = np.round(gaps, 2)
    values, counts = np.unique(rounded, return_counts=True)
    # distances that the file rounded to 0.1 mm are one distance
    near = np.array([counts[np.abs(values - value) <= max(_ROUNDED_MM, 0.02 * value)].sum() for value in values])
    best = values[near == near.max()]
    chosen = best[np.abs(best - thickness).argmin()] if thickness and len(best) > 1 else best[0]
    return float(np.median(gaps[np.abs(gaps - chosen) <= max(_ROUNDED_MM, 0.02 * chosen)]))


def explain_gaps(gaps: np.ndarray, spacing: float) -> tuple[int, int, bool]:
    """Missing slices, slices between regular ones, and whether other distances are left, of (N,) gaps in millimetres.

    Example:
        >>> explain_gaps(np.array([5.0, 5, 15, 5, 2, 3, 5]), 5.0)
        (2, 1, False)
    """
    missing = overlapping = 0
    is_irregular, index = False, 0
    while index < len(gaps):
        ratio = gaps[index] / spacing
        if abs(ratio - round(ratio)) <= _REGULAR and 1 <= round(ratio) <= _MAX_MISSING:
            missing += round(ratio) - 1
            index += 1
            continue
        run = _length_of_overlap(gaps[index:], spacing) if ratio < _OVERLAP else 0
        if run:
            whole = round(gaps[index : index + run].sum() / spacing)
            overlapping += run - whole
            index += run
        elif ratio < _OVERLAP and index in (0, len(gaps) - 1):
            overlapping += 1
            index += 1
        else:
            is_irregular = True
            index += 1
    return int(missing), int(overlapping), is_irregular


def _length_of_overlap(gaps: np.ndarray, spacing: float) -> int:
    """How many gaps from the first one on are short and add up to whole distances, with slices between; 0 if none."""
    short = np.flatnonzero(gaps / spacing >= 1 - _REGULAR)
    end = int(short[0]) if len(short) else len(gaps)
    sums = np.cumsum(gaps[:end]) / spacing
    whole = np.flatnonzero((np.abs(sums - np.rint(sums)) <= _REGULAR) & (np.rint(sums) >= 1))
    return int(whole[-1]) + 1 if len(whole) else 0


def measure_tilt(planes: list[ImagePlane]) -> float:
    """Degrees between the normal of slices and the way from the first to the last, by geometry, not by a tag."""
    ordered = sorted(planes, key=lambda plane: plane.distance_mm)
    way = np.subtract(ordered[-1].position, ordered[0].position)
    length = float(np.linalg.norm(way))
    if length < 1:
        return 0.0
    angle = float(np.degrees(np.arccos(np.clip(abs(way @ planes[0].normal) / length, 0, 1))))
    return round(angle, 2) if angle >= _MIN_TILT_DEG else 0.0
