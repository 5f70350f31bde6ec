"""PNG, JPEG, TIFF, BMP, GIF and WebP reader, by Pillow (entry point of the group `firstread.readers`)."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.errors import DataError, StorageError
from firstread.core.geometry import Geometry
from firstread.core.images import MAX_IMAGE_PIXELS, MAX_VOXELS, ImageInfo, sniff_format
from firstread.core.volume import Volume
from firstread.core.windows import WindowLike, apply_range, apply_window, check_window, is_named_ct_window
from firstread.readers import picture_values

_STACKS = ("TIFF", "GIF", "WEBP")
_INT16 = np.iinfo(np.int16)


def read_image(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read a PNG, JPEG, TIFF, BMP, GIF or WebP file as 8-bit pixels, turned upright as its EXIF orientation says.

    Args:
        path: the file.
        frame: page of a TIFF file or frame of an animation, from 0; None is the first.
        window: of more than 8 bits: "full" stretches the darkest to the brightest pixel, (center, width) is in the
            file's own values, and everything else the 0.5th to the 99.5th percentile, because a picture states no
            Hounsfield units. Pixels of 8 bits are left as they are.

    Returns:
        uint8 array, (height, width) for grayscale or (height, width, 3) for colour.

    Raises:
        DataError: the file is broken, too large to decode, of a kind that is not read, or has no such page.
        StorageError: the image does not fit into memory.
    """
    with _open(path, frame or 0) as image:
        return _to_8_bit(_decode(image, path, frame or 0), window, is_inverted=picture_values.is_inverted(image))


def read_info(path: str | Path) -> ImageInfo:
    """Decode every page to the end, and count them; the size is that of the first, upright.

    Raises:
        DataError: as `read_image`.
    """
    with _open(path, 0) as image:
        pages = _count_pages(image)
        rows, columns = 0, 0
        total = 0
        for page in range(pages):
            picture_values.seek(image, page)
            total += _check_size(image, path)
            if total > MAX_VOXELS:
                raise DataError(
                    f"The {pages} pages hold more pixels than firstread decodes",
                    where=path,
                    expected=f"at most {MAX_VOXELS:,} in all",
                )
            values = _decode(image, path, page)
            rows, columns = values.shape[:2] if page == 0 else (rows, columns)
    return ImageInfo(format=sniff_format(path), frames=pages, rows=rows, columns=columns)


def read_volume(paths: Sequence[str | Path], *, frame: int | None = None) -> Volume:
    """Read a picture as a volume of one slice whose pixels count as 1 mm, because the file states no millimetres.

    Args:
        paths: one file.
        frame: page of a TIFF file, from 0; None is the only one.

    Returns:
        Volume: the values of the file as they are: uint8, int16 where that is exact, else float32; colour is uint8, of
        16 bits stretched as `read_image` does.

    Raises:
        DataError: as `read_image`; or several files or pages, which state no distance from one another.
    """
    pages = len(paths)
    if pages == 1:
        with _open(paths[0], frame or 0) as image:
            pages = _count_pages(image) if frame is None else 1
            values = _decode(image, paths[0], frame or 0) if pages == 1 else None
    if pages != 1 or values is None:
        raise DataError(
            f"These are {pages} pictures, and they state no distance from one another, so they make no volume",
            where=paths[0],
            expected="DICOM or NIfTI for a volume",
            do="choose one picture, by frame= for a page of a TIFF file",
        )
    if values.ndim == 3:
        values = _to_8_bit(values, None)
    elif values.dtype != np.uint8:
        is_exact = values.dtype.kind in "iu" and values.min() >= _INT16.min and values.max() <= _INT16.max
        values = values.astype(np.int16 if is_exact else np.float32)
    rows, columns = values.shape[:2]
    return Volume(values[None], Geometry.from_spacing((1, rows, columns), spacing_mm_zyx=(1, 1, 1)))


def pixel_aspect(path: str | Path, *, frame: int | None = None) -> float:
    """Height of a pixel divided by its width as the file states it (resolution, density), else 1.0.

    Raises:
        DataError: as `read_image`; nothing is decoded.
    """
    with _open(path, frame or 0) as image:
        return picture_values.pixel_aspect(image)


@contextmanager
def _open(path: str | Path, frame: int) -> Iterator[Any]:
    """Open a picture at a frame that it has, and convert whatever a broken file makes Pillow raise."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with picture_values.open_frame(path) as image:
                _seek(image, frame, path)
                _check_size(image, path)
                yield image
    except DataError as error:
        if error.where is not None:
            raise
        raise DataError(error.what, where=path, expected=error.expected, do=error.do) from None
    except Image.DecompressionBombError:
        raise _too_large("more pixels", path) from None
    except MemoryError as error:
        raise StorageError("The image is too large for this computer's memory", where=path) from error
    except Exception as error:  # a broken file can make a decoder raise anything
        raise _unreadable(path) from error


def _seek(image: Any, frame: int, path: str | Path) -> None:
    """Go to a frame; the frames of a file are counted only where it has no such one, because that takes long."""
    try:
        if frame < 0:
            raise EOFError
        picture_values.seek(image, frame)
    except EOFError:
        with picture_values.open_frame(path) as fresh:
            frames = _count_pages(fresh)
        if 0 <= frame < frames:  # the file is cut short
            raise
        raise DataError(
            f"There is no frame {frame}: the file has {frames}", where=path, expected=f"0 to {frames - 1}"
        ) from None


def _decode(image: Any, path: str | Path, page: int) -> np.ndarray:
    return picture_values.decode_values(
        image, lambda raw_mode: picture_values.decode_with_raw_mode(path, page, raw_mode)
    )


def _check_size(image: Any, path: str | Path) -> int:
    """Number of pixels, which must not be too many to decode."""
    pixels = int(image.width * image.height)
    if pixels > MAX_IMAGE_PIXELS:
        raise _too_large(f"{image.width} x {image.height} pixels, more", path)
    return pixels


def _too_large(size: str, path: str | Path) -> DataError:
    return DataError(
        f"The image is too large: it has {size} than firstread decodes",
        where=path,
        expected=f"at most {MAX_IMAGE_PIXELS:,} pixels",
        do="resize it first",
    )


def _unreadable(path: str | Path) -> DataError:
    samples = picture_values.unreadable_samples(path)
    if samples:
        return DataError(
            f"The TIFF file states {samples}, which firstread does not read",
            where=path,
            expected="1 to 16 bits, 32-bit integers or 32-bit floating-point samples",
            do="save it again in one of these forms",
        )
    return DataError(
        "The image is broken or cut short",
        where=path,
        expected="a whole PNG, JPEG, TIFF, BMP, GIF or WebP file",
        do="copy it again from where it came from, or leave it out",
    )


def _count_pages(image: Any) -> int:
    """Pages of a TIFF, frames of an animation; the second picture that hides in a JPEG or PNG is none."""
    return int(getattr(image, "n_frames", 1)) if image.format in _STACKS else 1


def _to_8_bit(values: np.ndarray, window: WindowLike, *, is_inverted: bool = False) -> np.ndarray:
    checked = check_window(window)
    if values.dtype == np.uint8:
        return values
    if isinstance(checked, tuple) and not is_named_ct_window(window):
        shown = apply_window(values, center=checked[0], width=checked[1])
    else:
        shown = apply_range(values, percentiles=checked != "full")
    return 255 - shown if is_inverted else shown
