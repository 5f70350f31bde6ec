"""Writers of pictures that Pillow reads and does not write: PNG of 16-bit colors, TIFF of any samples."""

import struct
import zlib
from pathlib import Path

import numpy as np

_SAMPLE_FORMAT = {"u": 1, "i": 2, "f": 3}


def save_png(path: Path, pixels: np.ndarray, *, orientation: int = 1) -> Path:
    """uint16 (H, W, channels) as a PNG of 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 channels, unfiltered."""
    rows, columns, channels = pixels.shape
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    exif = b"II*\0\x08\0\0\0" + struct.pack("<HHHLLL", 1, 274, 3, 1, orientation, 0)
    chunks = [(b"IHDR", struct.pack(">LLBBBBB", columns, rows, 16, color_type, 0, 0, 0))]
    chunks += [(b"eXIf", exif)] if orientation != 1 else []
    chunks += [(b"IDAT", zlib.compress(lines)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in chunks:
        data += struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))
    path.write_bytes(data)
    return path


def save_tiff(
    path: Path,
    pixels: np.ndarray,
    *,
    order: str = "<",
    packed: bool = False,
    planes: bool = False,
    photometric: int | None = None,
    orientation: int = 1,
) -> Path:
    """(H, W) or (H, W, channels) of any type as a TIFF (TIFF 6.0) of one strip, or one for each plane.

    Args:
        order: of the bytes, "<" or ">".
        packed: with deflate.
    """
    rows, columns = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    ordered = pixels.astype(pixels.dtype.newbyteorder(order))
    parts = [ordered[..., channel].tobytes() for channel in range(channels)] if planes else [ordered.tobytes()]
    parts = [zlib.compress(part) if packed else part for part in parts]
    data, offsets = bytearray(8), []
    for part in parts:
        offsets.append(len(data))
        data += part + bytes(len(part) % 2)
    default = 2 if channels > 2 else 1
    tags: dict[int, tuple[str, list[int]]] = {
        256: ("L", [columns]),
        257: ("L", [rows]),
        258: ("H", [pixels.dtype.itemsize * 8] * channels),
        259: ("H", [8 if packed else 1]),
        262: ("H", [default if photometric is None else photometric]),
        273: ("L", offsets),
        274: ("H", [orientation]),
        277: ("H", [channels]),
        278: ("L", [rows]),
        279: ("L", [len(part) for part in parts]),
        284: ("H", [2 if planes else 1]),
        **({338: ("H", [2])} if channels in (2, 4) else {}),
        339: ("H", [_SAMPLE_FORMAT[pixels.dtype.kind]] * channels),
    }
    entries = b""
    for tag in sorted(tags):
        letter, values = tags[tag]
        content = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(content) > 4:
            place = struct.pack(f"{order}L", len(data))
            data += content + bytes(len(content) % 2)
            content = place
        entries += struct.pack(f"{order}HHL", tag, {"H": 3, "L": 4}[letter], len(values)) + content.ljust(4, b"\0")
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    data[:8] = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HL", 42, len(data))
    path.write_bytes(bytes(data) + directory)
    return path
