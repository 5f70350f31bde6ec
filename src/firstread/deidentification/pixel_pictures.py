"""Pictures of frames for a text detector: as displayed, over their whole range, enlarged, equalised, in tiles."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from firstread.deidentification.pixel_boxes import decoded_frames
from firstread.deidentification.text_detector import Box, detector_scale
from firstread.dicom.pixel_elements import get_int
from firstread.readers.dicom_pixels import make_picture

if TYPE_CHECKING:
    from pydicom import Dataset

_CLIP_LIMIT, _TILES = 3.0, (8, 8)
#: pictures that the detector would reduce to less of their size are also looked at in tiles
_MUCH_REDUCED, _TILE_PX, _TILE_OVERLAP_PX = 0.75, 2000, 300


def frame_pictures(dataset: "Dataset", outside: tuple[Box, ...]) -> Iterator[list[np.ndarray]]:
    """Each frame as uint8 (H, W, 3): as it is displayed, and where that may hide some values, over its whole range."""
    for index, raw in enumerate(decoded_frames(dataset)):
        shown = [_as_colour(make_picture(raw, dataset, index=index))]
        if raw.ndim == 2 and dataset.get("PhotometricInterpretation") != "PALETTE COLOR":
            whole = _as_colour(_whole_range(raw))
            if (get_int(dataset, "BitsStored") or 8) > 8 or dataset.get("PixelPaddingValue") is not None:
                shown.append(whole)
        for picture in shown:
            for box in outside:
                picture[box.y0 : box.y1, box.x0 : box.x1] = 0
        yield shown


def _whole_range(raw: np.ndarray) -> np.ndarray:
    """Stored values from the least but a thousandth to the greatest, padding among them, as uint8."""
    low, high = np.percentile(raw, 0.1), float(raw.max())
    scaled: np.ndarray = np.clip((raw.astype(np.float32) - low) / max(high - low, 1) * 255, 0, 255)
    return scaled.astype(np.uint8)


def _as_colour(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture[..., None], 3, axis=-1) if picture.ndim == 2 else np.array(picture)


def resized(picture: np.ndarray, size: int) -> np.ndarray:
    if size == 1:
        return picture
    import cv2

    return np.asarray(cv2.resize(picture, None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC))


def equalised(picture: np.ndarray) -> np.ndarray:
    """Contrast-limited adaptive histogram equalisation, as gray."""
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return _as_colour(np.asarray(cv2.createCLAHE(_CLIP_LIMIT, _TILES).apply(gray)))


def large_picture_tiles(rows: int, columns: int) -> tuple[Box, ...]:
    """Parts of a picture that the detector would look at much reduced, as large as it looks at unreduced."""
    if detector_scale(rows, columns) > _MUCH_REDUCED:
        return ()
    starts = [
        [*range(0, max(length - _TILE_PX, 1), _TILE_PX - _TILE_OVERLAP_PX), max(length - _TILE_PX, 0)]
        for length in (rows, columns)
    ]
    corners = dict.fromkeys((y, x) for y in starts[0] for x in starts[1])
    return tuple(Box(y, x, min(y + _TILE_PX, rows), min(x + _TILE_PX, columns)) for y, x in corners)
