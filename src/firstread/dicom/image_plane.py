"""Image plane of a DICOM slice or frame: its position, orientation and pixel spacing in the patient."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError
from firstread.core.geometry import Geometry
from firstread.dicom.functional_groups import find_group, frame_groups
from firstread.dicom.pixel_elements import get_numbers

if TYPE_CHECKING:
    from pydicom import Dataset

#: how far directions may be from unit length and from perpendicular
_DIRECTION_TOLERANCE = 1e-2
#: no patient is a kilometre long; larger numbers are damage
_MAX_MM = 1e6


@dataclass(frozen=True)
class ImagePlane:
    """Where the pixels of a slice lie in the patient.

    Attributes:
        position: center of the first pixel in millimetres, LPS (ImagePositionPatient).
        orientation: direction along a row, then down a column (ImageOrientationPatient).
        spacing_mm_yx: between rows and between columns (PixelSpacing).
        slice_mm: distance to the next slice as the file states it (SpacingBetweenSlices, else SliceThickness), or None.

    Source: DICOM PS3.3 C.7.6.2.1.1.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing_mm_yx: tuple[float, ...]
    slice_mm: float | None = None

    @property
    def normal(self) -> np.ndarray:
        """Unit vector along which slices are ordered: direction of rows x direction of columns, (3,)."""
        normal = np.cross(self.orientation[:3], self.orientation[3:])
        unit: np.ndarray = normal / np.linalg.norm(normal)
        return unit

    @property
    def distance_mm(self) -> float:
        """Position along the normal."""
        return float(self.normal @ np.asarray(self.position))

    def geometry(self, size_zyx: tuple[int, int, int], step_mm_lps: np.ndarray) -> Geometry:
        """Geometry of slices of which this is the first, each `step_mm_lps` (3,) from the one before."""
        affine = np.eye(4)
        affine[:3, 0] = step_mm_lps
        affine[:3, 1] = np.asarray(self.orientation[3:]) * self.spacing_mm_yx[0]
        affine[:3, 2] = np.asarray(self.orientation[:3]) * self.spacing_mm_yx[1]
        affine[:3, 3] = self.position
        return Geometry(size_zyx, affine)


def read_image_plane(dataset: "Dataset", frame: int = 0) -> ImagePlane:
    """The plane of a slice, or of a frame of an enhanced multi-frame image.

    Raises:
        DataError: the file states no position, orientation or pixel spacing, or impossible ones.
    """
    sources = (frame_groups(dataset, frame), dataset if int(dataset.get("NumberOfFrames") or 1) == 1 else None)
    position = _read_numbers(sources, "PlanePositionSequence", "ImagePositionPatient")
    orientation = _read_numbers(sources, "PlaneOrientationSequence", "ImageOrientationPatient")
    spacing = _read_numbers(sources, "PixelMeasuresSequence", "PixelSpacing")
    stated = {
        "position (ImagePositionPatient)": len(position) == 3 and max(np.abs(position)) < _MAX_MM,
        "orientation (ImageOrientationPatient)": len(orientation) == 6 and _are_directions(orientation),
        "pixel spacing (PixelSpacing)": len(spacing) == 2 and 0 < min(spacing) <= max(spacing) < _MAX_MM,
    }
    missing = [name for name, is_stated in stated.items() if not is_stated]
    if missing:
        raise DataError(
            f"The image states no usable {' and no usable '.join(missing)}, so its place in the patient is not known",
            where=getattr(dataset, "filename", None) or "a DICOM file",
            expected="slices of CT, MR or PET",
            do="read it as a picture, or leave it out",
        )
    between = _read_numbers(sources, "PixelMeasuresSequence", "SpacingBetweenSlices")
    thickness = _read_numbers(sources, "PixelMeasuresSequence", "SliceThickness")
    lengths = [abs(value) for value in (*between[:1], *thickness[:1]) if 0 < abs(value) < _MAX_MM]
    return ImagePlane(position, orientation, spacing, lengths[0] if lengths else None)


def _read_numbers(
    sources: tuple[tuple["Dataset", ...], "Dataset | None"], group: str, keyword: str
) -> tuple[float, ...]:
    """Finite numbers of an element in the frame's functional group, else in a single-frame file; () if not stated."""
    item = find_group(sources[0], group) or sources[1]
    return get_numbers(item, keyword) if item is not None else ()


def _are_directions(orientation: tuple[float, ...]) -> bool:
    """Whether these are two perpendicular unit vectors."""
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    errors = (np.linalg.norm(row) - 1, np.linalg.norm(column) - 1, row @ column)
    return bool(np.abs(errors).max() < _DIRECTION_TOLERANCE)
