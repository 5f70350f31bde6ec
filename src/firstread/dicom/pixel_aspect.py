"""Aspect of the pixels of a DICOM image: their height divided by their width."""

from typing import TYPE_CHECKING

from firstread.dicom.functional_groups import functional_group
from firstread.dicom.pixel_elements import get_numbers

if TYPE_CHECKING:
    from pydicom import Dataset

#: elements that state row spacing and column spacing, or vertical and horizontal size, in the order in which they count
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
#: aspects further from square are taken as damage
_MAX_ASPECT = 100.0


def read_pixel_aspect(dataset: "Dataset", frame: int = 0) -> float:
    """Height of a pixel divided by its width; 1.0 where the file states none, or an impossible one.

    Source: DICOM PS3.3 C.7.6.3.1.7 (Pixel Aspect Ratio), 10.7.1.3 (Pixel Spacing, row spacing first).
    """
    measures = functional_group(dataset, frame, "PixelMeasuresSequence")
    for source, keyword in ((measures, "PixelSpacing"), *((dataset, keyword) for keyword in _SPACINGS)):
        sizes = get_numbers(source, keyword) if source is not None else ()
        if len(sizes) == 2 and min(sizes) > 0 and 1 / _MAX_ASPECT <= sizes[0] / sizes[1] <= _MAX_ASPECT:
            return sizes[0] / sizes[1]
    return 1.0
