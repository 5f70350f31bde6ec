"""Pictures with square pixels, for people: a file may state that its pixels are taller than wide, or wider than tall.

Networks, masks and boxes use the grid of the file as `read_image` gives it. Only what is shown is resampled.
"""

from pathlib import Path

import numpy as np

from firstread.core.images import MAX_IMAGE_PIXELS, find_reader, read_image
from firstread.core.windows import WindowLike

#: a difference that nobody sees: spacings such as 0.7031 and 0.703125 are one
_TOLERANCE = 0.01


def read_pixel_aspect(path: str | Path, *, frame: int | None = None) -> float:
    """Height of a pixel divided by its width as the file states it; 1.0 where it or its reader states none.

    Raises:
        DataError: the file is not an image, or is broken.
    """
    stated = getattr(find_reader(path), "pixel_aspect", None)
    return float(stated(path, frame=frame)) if stated is not None else 1.0


def read_square_pixels(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read a picture for people: as `firstread.core.images.read_image`, resampled so that its pixels are square.

    Raises:
        DataError: as `read_image`.
    """
    return make_square_pixels(read_image(path, frame=frame, window=window), read_pixel_aspect(path, frame=frame))


def make_square_pixels(image: np.ndarray, aspect: float) -> np.ndarray:
    """Stretch a picture in the direction in which its pixels are longer, so that they become square.

    Args:
        image: uint8, (H, W) or (H, W, 3).
        aspect: height of a pixel divided by its width.

    Returns:
        uint8; the picture itself where the pixels are square. A coordinate (row, column) of the stored grid lies at
        (row + 0.5) * rows / H - 0.5, and so on for the column.

    Example:
        >>> import numpy as np
        >>> make_square_pixels(np.zeros((64, 64), np.uint8), 2.0).shape
        (128, 64)
    """
    from PIL import Image

    rows, columns = square_size(image.shape[0], image.shape[1], aspect)
    if (rows, columns) == image.shape[:2]:
        return image
    return np.asarray(Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR))


def square_size(rows: int, columns: int, aspect: float) -> tuple[int, int]:
    """Rows and columns of a picture whose pixels have become square; never more than can be decoded."""
    if abs(aspect - 1) < _TOLERANCE:
        return rows, columns
    height, width = (rows * aspect, columns) if aspect > 1 else (rows, columns / aspect)
    shrink = min(1.0, (MAX_IMAGE_PIXELS / (height * width)) ** 0.5)
    return max(1, round(height * shrink)), max(1, round(width * shrink))
