"""Ultrasound regions: what lies outside of SequenceOfUltrasoundRegions is the machine's frame, where names stand.

Source: DICOM PS3.3 C.8.5.5.
"""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from firstread.deidentification.text_detector import Box
from firstread.dicom.pixel_elements import get_int

if TYPE_CHECKING:
    from pydicom import Dataset

#: a file with more regions than a screen can show is not believed
_MAX_REGIONS = 64
_EDGES = ("RegionLocationMinY0", "RegionLocationMinX0", "RegionLocationMaxY1", "RegionLocationMaxX1")


def ultrasound_regions(dataset: "Dataset") -> tuple[Box, ...]:
    """Regions that lie within the image; () where none is stated or one makes no sense.

    Example:
        >>> from pydicom import Dataset
        >>> image, region = Dataset(), Dataset()
        >>> image.Rows, image.Columns, image.SequenceOfUltrasoundRegions = 100, 200, [region]
        >>> region.RegionLocationMinX0, region.RegionLocationMinY0 = 10, 20
        >>> region.RegionLocationMaxX1, region.RegionLocationMaxY1 = 189, 89
        >>> ultrasound_regions(image)
        (Box(y0=20, x0=10, y1=90, x1=190),)
    """
    items = dataset.get("SequenceOfUltrasoundRegions") or ()
    rows, columns = get_int(dataset, "Rows") or 0, get_int(dataset, "Columns") or 0
    regions = []
    for item in list(items)[: _MAX_REGIONS + 1]:
        y0, x0, y1, x1 = (get_int(item, edge) for edge in _EDGES)
        if y0 is None or x0 is None or y1 is None or x1 is None:
            return ()
        if not (0 <= y0 < y1 < rows and 0 <= x0 < x1 < columns):
            return ()
        regions.append(Box(y0, x0, y1 + 1, x1 + 1))
    return tuple(regions) if len(regions) <= _MAX_REGIONS else ()


def boxes_outside(regions: tuple[Box, ...], rows: int, columns: int) -> tuple[Box, ...]:
    """The rest of an image as boxes that do not overlap; () without regions.

    Example:
        >>> boxes_outside((Box(20, 0, 100, 180),), 100, 200)
        (Box(y0=0, x0=0, y1=20, x1=200), Box(y0=20, x0=180, y1=100, x1=200))
    """
    if not regions:
        return ()
    edges = sorted({0, rows, *(edge for region in regions for edge in (region.y0, region.y1))})
    boxes = []
    for y0, y1 in pairwise(edges):
        inside = np.zeros(columns + 2, bool)
        inside[[0, -1]] = True
        for region in regions:
            if region.y0 <= y0 and y1 <= region.y1:
                inside[region.x0 + 1 : region.x1 + 1] = True
        changes = np.flatnonzero(np.diff(inside.astype(np.int8)))
        boxes += [Box(y0, int(x0), y1, int(x1)) for x0, x1 in zip(changes[::2], changes[1::2], strict=True)]
    return tuple(boxes)
