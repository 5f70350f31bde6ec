"""Picture of a stack of slices for people: a section along the stack, and three slices; what is missing is black."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from firstread.core.windows import WindowLike

#: pixels of a panel; a picture is four of them, or one of twice the size
PANEL = 150
_FEWEST_SLICES = 5
_MOST_SLICES_READ = 48
#: of a section, whatever positions damaged files state
_MOST_ROWS = 2048
#: a gap larger than this many usual distances is black
_GAP = 1.6
_CT_WINDOW = "abdomen"
#: of a lone CT image, most often a localizer, which is a projection
_WIDE_WINDOW = (-250.0, 1300.0)


def draw_stack(files: "Sequence[Path]", *, heights_mm: Sequence[float], modality: str) -> np.ndarray:
    """A square picture: section and three slices (upper, middle, lower) where there is a stack, else its middle image.

    Args:
        files: of the slices, from the feet up.
        heights_mm: their positions, ascending; empty if they are not known.
        modality: "CT" is shown in a window of the abdomen, all else as its files say.

    Returns:
        (2 * PANEL + 2,) * 2 uint8, gray.
    """
    window: WindowLike = _CT_WINDOW if modality == "CT" else "file"
    if len(set(heights_mm)) < _FEWEST_SLICES:
        wide = _WIDE_WINDOW if modality == "CT" else window
        return _fit(_read(files[len(files) // 2], wide), 2 * PANEL + 2)
    picked = np.unique(np.linspace(0, len(heights_mm) - 1, min(len(heights_mm), _MOST_SLICES_READ)).astype(int))
    pictures = [_read(files[index], window) for index in picked]
    shape = pictures[len(pictures) // 2].shape
    pictures = [one if one.shape == shape else np.zeros(shape, np.uint8) for one in pictures]
    heights, rows_shown = np.asarray(heights_mm), np.stack(pictures)[:, shape[0] // 2]
    section = _section(rows_shown, heights, heights[picked], pixel_mm=_pixel_mm(files[0]))
    upper, middle, lower = (pictures[int(share * (len(pictures) - 1))] for share in (0.78, 0.5, 0.22))
    panels = [[_fit(section, PANEL), _fit(upper, PANEL)], [_fit(middle, PANEL), _fit(lower, PANEL)]]
    bar = np.full((PANEL, 2), 90, np.uint8)
    rows = [np.hstack([left, bar, right]) for left, right in panels]
    return np.vstack([rows[0], np.full((2, rows[0].shape[1]), 90, np.uint8), rows[1]])


def _section(rows: np.ndarray, heights: np.ndarray, read: np.ndarray, *, pixel_mm: float) -> np.ndarray:
    """The middle rows (N, W) of slices at the heights `read`, drawn to scale from the top down."""
    step = float(np.median(np.diff(np.unique(heights))))
    extent = float(np.ptp(heights)) + step
    count = int(np.clip(extent / pixel_mm, 1, _MOST_ROWS))
    shown = heights.max() + step / 2 - (np.arange(count) + 0.5) * extent / count
    nearest = np.abs(shown[:, None] - read[None, :]).argmin(axis=1)
    missing = np.abs(shown[:, None] - heights[None, :]).min(axis=1) > _GAP / 2 * step
    picture = rows[nearest]
    picture[missing] = 0
    return picture


def _pixel_mm(file: "Path") -> float:
    from firstread.dicom.headers import open_dicom_object
    from firstread.dicom.image_plane import read_image_plane

    return float(read_image_plane(open_dicom_object(file)).spacing_mm_yx[1])


def _read(file: "Path", window: "WindowLike") -> np.ndarray:
    """A gray 8-bit picture of a file; a gray tile where it cannot be decoded."""
    from firstread.readers.dicom_pixels import count_frames, read_dicom

    try:
        frames = count_frames(file)
        pixels = read_dicom(file, window=window, frame=frames // 2 if frames > 1 else None)
    except DataError:
        return np.full((64, 64), 150, np.uint8)
    return pixels if pixels.ndim == 2 else pixels.mean(axis=2).astype(np.uint8)


def _fit(picture: np.ndarray, size: int) -> np.ndarray:
    """A picture scaled into a square, on black."""
    from PIL import Image

    image = Image.fromarray(picture)
    scale = size / max(image.size)
    scaled = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BILINEAR)
    square = Image.new("L", (size, size))
    square.paste(scaled, ((size - scaled.width) // 2, (size - scaled.height) // 2))
    return np.asarray(square)
