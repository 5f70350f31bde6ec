"""PNG, JPEG, TIFF and BMP reader, by Pillow (entry point of the group `firstread.readers`)."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from firstread.core.errors import DataError, StorageError
from firstread.core.geometry import Geometry
from firstread.core.images import MAX_IMAGE_PIXELS, ImageInfo, sniff_format
from firstread.core.volume import Volume
from firstread.core.windows import WindowLike, scale_to_8_bit

_Result = TypeVar("_Result")


def read_image(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read a PNG, JPEG, TIFF or BMP file as 8-bit pixels.

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
    return _decode(path, frame or 0, _to_8_bit)


def read_info(path: str | Path) -> ImageInfo:
    """Decode the first picture to the end, and count the pages of a TIFF file.

    Raises:
        DataError: as `read_image`.
    """
    (rows, columns), pages = _decode(path, 0, lambda image: (_to_8_bit(image).shape[:2], _count_pages(image)))
    return ImageInfo(format=sniff_format(path), frames=pages, rows=rows, columns=columns)


def read_volume(paths: Sequence[str | Path], *, frame: int | None = None) -> Volume:
    """Read a picture as a volume of one slice whose pixels count as 1 mm, because the file states no millimetres.

    Args:
        paths: one file.
        frame: page of a TIFF file, from 0; None is the only one.

    Returns:
        Volume: the values of the file as they are: uint8, int16 where that is exact, else float32; colour is uint8.

    Raises:
        DataError: as `read_image`; or several files or pages, which state no distance from one another.
    """
    pages = len(paths) if len(paths) != 1 else read_info(paths[0]).frames if frame is None else 1
    if pages != 1:
        raise DataError(
            f"These are {pages} pictures, and they state no distance from one another, so they make no volume",
            where=paths[0],
            expected="DICOM or NIfTI for a volume",
            do="choose one picture, by frame= for a page of a TIFF file",
        )
    values = _decode(paths[0], frame or 0, _stored_values)[None]
    rows, columns = values.shape[1:3]
    return Volume(values, Geometry.from_spacing((1, rows, columns), spacing_mm_zyx=(1, 1, 1)))


def _decode(path: str | Path, frame: int, convert: Callable[[Any], _Result]) -> _Result:
    from PIL import Image

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
                return convert(image)
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


def _count_pages(image: Any) -> int:
    """Pages of a TIFF; the second picture that a phone or an animation hides in a JPEG or PNG is none."""
    return int(image.n_frames) if image.format == "TIFF" else 1


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


def _stored_values(image: Any) -> np.ndarray:
    """Values of more than 8 bits as the file holds them, else as `_to_8_bit`."""
    if not image.mode.startswith(("I", "F")):
        return _to_8_bit(image)
    pixels = np.asarray(image)
    is_exact = pixels.dtype.kind in "iu" and pixels.min() >= -32768 and pixels.max() <= 32767
    return pixels.astype(np.int16 if is_exact else np.float32)
