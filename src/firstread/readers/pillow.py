"""PNG, JPEG, TIFF and BMP reader, by Pillow (entry point of the group `firstread.readers`)."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.errors import DataError, StorageError
from firstread.core.images import MAX_IMAGE_PIXELS
from firstread.core.windows import WindowLike, scale_to_8_bit


def read_raster_image(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read a PNG, JPEG, TIFF or BMP file as 8-bit pixels (entry point of the group `firstread.readers`).

    Args:
        path: the file.
        frame: page of a TIFF file, from 0; None is the first.
        window: ignored; 16 and 32 bits are stretched from their darkest to their brightest pixel.

    Returns:
        uint8 array, (height, width) for grayscale or (height, width, 3) for colour.

    Raises:
        DataError: the file is broken, too large to decode, or has no such page.
        StorageError: the image does not fit into memory.
    """
    from PIL import Image

    frame = frame or 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                if image.width * image.height > MAX_IMAGE_PIXELS:
                    raise DataError(
                        f"The image has {image.width} x {image.height} pixels, more than firstread decodes",
                        where=path,
                        expected=f"at most {MAX_IMAGE_PIXELS:,} pixels",
                        do="resize it first",
                    )
                frames = getattr(image, "n_frames", 1)
                if frame >= frames:
                    raise DataError(f"There is no frame {frame}: the file has {frames}", where=path)
                image.seek(frame)
                return _to_8_bit(image)
    except DataError:
        raise
    except MemoryError as error:
        raise StorageError("The image is too large for this computer's memory", where=path) from error
    except Exception as error:  # a broken file can make a decoder raise anything
        raise DataError(
            "The image is broken or cut short",
            where=path,
            expected="a whole PNG, JPEG, TIFF or BMP file",
            do="copy it again from where it came from, or leave it out",
        ) from error


def _to_8_bit(image: Any) -> np.ndarray:
    if image.mode.startswith(("I", "F")):  # 16 or 32 bits per pixel
        pixels = np.asarray(image).astype(np.float32)
        finite = pixels[np.isfinite(pixels)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
        return scale_to_8_bit(pixels, low, high)
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    if image.mode == "LA":
        return np.asarray(image.convert("L"))
    pixels = np.asarray(image.convert("RGB"))
    if image.mode in ("RGB", "RGBA", "P", "PA") and (pixels == pixels[..., :1]).all():
        return np.ascontiguousarray(pixels[..., 0])
    return pixels
