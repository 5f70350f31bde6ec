"""Exact pixel values of PNG, JPEG, TIFF, BMP, GIF and WebP pictures, turned upright, as Pillow decodes them.

Pillow keeps 8 bits of each color of 16. The tile of a picture names how samples are unpacked; unpacked in the opposite
byte order, the same decoder gives the lower bytes. So colors of 16 bits are decoded twice, and nothing is lost.
"""

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from firstread.core.errors import DataError

#: Pillow's names of the formats that are opened, and no other
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")
_ORIENTATION = 274  # EXIF and TIFF tag
_BITS, _COMPRESSION, _INVERTED, _PLANES, _SAMPLE_FORMAT = 258, 259, 262, 284, 339  # TIFF tags
_SIGNED, _FLOAT = 2, 3
_TURNED_SIDEWAYS = (5, 6, 7, 8)
_OPPOSITE = {";16B": ";16L", ";16L": ";16B"}
#: libtiff gives samples in the machine's byte order, Pillow unpacks these in the file's
_NATIVE = {
    "F;32BF": "F;32NF",
    "F;32F": "F;32NF",
    "I;16BS": "I;16NS",
    "I;16S": "I;16NS",
    "I;32BS": "I;32NS",
    "I;32S": "I;32NS",
}
#: aspects further from square are taken as damage
_MAX_ASPECT = 10.0


@contextmanager
def open_frame(path: str | Path, frame: int = 0) -> Iterator[Any]:
    """Open a picture at a frame, not decoded yet.

    The file is handed to Pillow open, not by name: Pillow maps a named file into memory, and then mixes up the pixels
    of a TIFF that lies on its side.
    """
    from PIL import Image

    with open(path, "rb") as file, Image.open(file, formats=FORMATS) as image:
        seek(image, frame)
        yield image


def seek(image: Any, frame: int) -> None:
    """Go to a frame of an open picture, and set right how its samples are unpacked."""
    image.seek(frame)
    raw_mode = _raw_mode(image)
    if image.tile and image.tile[0][0] == "libtiff" and raw_mode in _NATIVE:
        image.tile = [_with_raw_mode(tile, _NATIVE[raw_mode]) for tile in image.tile]


def decode_values(image: Any, decode_again: Callable[[str], np.ndarray]) -> np.ndarray:
    """Decode an open picture to the values that the file holds, turned as its EXIF orientation says.

    Args:
        image: a Pillow image that is not loaded yet.
        decode_again: decodes the same picture with another raw mode, see `decode_with_raw_mode`.

    Returns:
        (H, W) or (H, W, 3), without alpha; colors that are all gray become (H, W). uint8 where the file has at most 8
        bits, else uint16, int16, int32, uint32 or float32.

    Raises:
        DataError: a kind of samples that Pillow would read wrongly.
    """
    tags = getattr(image, "tag_v2", None) or {}
    bits, sample_format = tags.get(_BITS, (8,)), tags.get(_SAMPLE_FORMAT, (1,))[0]
    raw_mode = _raw_mode(image)
    if max(bits) > 8 and len(bits) > 1 and tags.get(_PLANES) == 2:
        raise _unsupported(f"{max(bits)}-bit colors in separate planes")
    if raw_mode == "LA;16B":
        return _join(decode_again("RGBA"))[..., 0]  # the two bytes of gray, then the two of alpha
    if ";16" in raw_mode and image.mode in ("RGB", "RGBA"):
        return without_color(_sixteen_bit_colors(raw_mode, decode_again))
    if ";16" in raw_mode and image.mode not in ("I", "I;16", "I;16B"):
        raise _unsupported("16-bit CMYK colors" if image.mode == "CMYK" else "16-bit samples of an unusual kind")
    values = _upright(image)
    if image.mode == "I" and sample_format == 1 and max(bits) == 32:
        return values.view(np.uint32)
    if image.mode == "L" and sample_format == _SIGNED:
        return values.view(np.int8).astype(np.int16)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def decode_with_raw_mode(path: str | Path, frame: int, raw_mode: str) -> np.ndarray:
    """Decode a picture with its samples unpacked as another raw mode of Pillow says: uint8 (H, W, 3 or 4)."""
    with open_frame(path, frame) as image:
        image.tile = [_with_raw_mode(tile, raw_mode) for tile in image.tile]
        return _upright(image, convert=False)


def is_inverted(image: Any) -> bool:
    """Whether 0 is white, in a TIFF of more than 8 bits; Pillow turns those of up to 8 bits over itself."""
    tags = getattr(image, "tag_v2", None) or {}
    return bool(tags) and tags.get(_INVERTED, 1) == 0 and max(tags.get(_BITS, (1,))) > 8


def pixel_aspect(image: Any) -> float:
    """Height of a pixel divided by its width, after turning; 1.0 where the file states none, or an unlikely one.

    Source: pHYs of PNG, the density of JFIF, XResolution and YResolution of TIFF, pixels per metre of BMP.
    """
    stated = image.info.get("jfif_density") or image.info.get("aspect")
    stated = image.info.get("resolution") or image.info.get("dpi") if stated is None else stated
    try:
        across, down = (float(value) for value in stated)
        aspect = across / down
    except (TypeError, ValueError, ZeroDivisionError):
        return 1.0
    if not 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:
        return 1.0
    return 1 / aspect if _orientation(image) in _TURNED_SIDEWAYS else aspect


def unreadable_samples(path: str | Path) -> str | None:
    """What a TIFF states that Pillow cannot decode, in words, such as "64-bit floating-point samples"; else None."""
    from PIL import TiffImagePlugin, TiffTags

    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Pillow, about tags that are damaged
        head = file.read(8)
        if head[:4] in (b"II+\0", b"MM\0+"):  # BigTIFF
            head += file.read(8)
        try:
            tags = TiffImagePlugin.ImageFileDirectory_v2(head)
            file.seek(tags.next)
            tags.load(file)
            bits, sample_format = tags.get(_BITS, (1,)), tags.get(_SAMPLE_FORMAT, (1,))[0]
            compression = tags.get(_COMPRESSION, 1)
            is_mode_known = _is_mode_known(file)
        except Exception:  # no TIFF, or a broken one
            return None
    if compression not in TiffImagePlugin.COMPRESSION_INFO:
        names = {number: name for name, number in TiffTags.lookup(_COMPRESSION).enum.items()}
        return f"samples compressed as {names.get(compression, f'number {compression}')}"
    if is_mode_known:
        return None
    kind = {_SIGNED: "signed ", _FLOAT: "floating-point "}.get(sample_format, "")
    return f"{max(bits)}-bit {kind}samples" + (f", {len(bits)} a pixel" if len(bits) > 1 else "")


def _is_mode_known(file: IO[bytes]) -> bool:
    """Whether Pillow has a mode for what a TIFF states of its samples."""
    from PIL import TiffImagePlugin

    file.seek(0)
    try:
        TiffImagePlugin.TiffImageFile(file)
    except SyntaxError as error:
        return "pixel mode" not in str(error)
    return True


def without_color(values: np.ndarray) -> np.ndarray:
    """(H, W) of (H, W, 3) whose colors are all gray, else as it is."""
    is_gray = values.ndim == 3 and (values == values[..., :1]).all()
    return np.ascontiguousarray(values[..., 0]) if is_gray else values


def _unsupported(what: str) -> DataError:
    return DataError(f"The picture has {what}, which firstread does not read", do="save it with 8 bits, or as gray")


def _raw_mode(image: Any) -> str:
    options = image.tile[0][3] if image.tile else ""
    raw_mode = options[0] if isinstance(options, tuple) and options else options
    return raw_mode if isinstance(raw_mode, str) else ""


def _with_raw_mode(tile: Any, raw_mode: str) -> Any:
    options = (raw_mode, *tile[3][1:]) if isinstance(tile[3], tuple) else raw_mode
    return type(tile)(*tile[:3], options) if hasattr(tile, "_fields") else (*tile[:3], options)


def _sixteen_bit_colors(raw_mode: str, decode_again: Callable[[str], np.ndarray]) -> np.ndarray:
    """uint16 (H, W, 3); of premultiplied colors ("RGBa") as stored."""
    native = ";16L" if sys.byteorder == "little" else ";16B"
    channels, order = raw_mode.replace("RGBa", "RGBA")[:-4], raw_mode[-4:].replace(";16N", native)
    high, low = (decode_again(channels + one)[..., :3] for one in (order, _OPPOSITE[order]))
    colors: np.ndarray = (high.astype(np.uint16) << 8) | low
    return colors


def _join(pairs: np.ndarray) -> np.ndarray:
    """uint16 (H, W, N) of (H, W, 2N) bytes, the higher first."""
    joined: np.ndarray = (pairs[..., 0::2].astype(np.uint16) << 8) | pairs[..., 1::2]
    return joined


def _upright(image: Any, *, convert: bool = True) -> np.ndarray:
    """Decode, and turn as EXIF says; to gray or red, green and blue where `convert`."""
    from PIL import ImageOps

    image.load()  # which turns a TIFF; the others are turned here
    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    if convert and image.mode in ("1", "LA"):
        image = image.convert("L")
    is_kept = not convert or image.mode.startswith(("I", "F")) or image.mode == "L"
    values: np.ndarray = np.asarray(image if is_kept else image.convert("RGB"))
    return values if is_kept else without_color(values)


def _orientation(image: Any) -> int:
    """EXIF orientation, 1 for upright; 1 also where the EXIF data are damaged, as in other programs."""
    try:
        stated = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF data make Pillow raise anything
        return 1
    return stated if stated in range(1, 9) else 1
