"""Read image files of any supported format as 8-bit pixels, for display and for networks.

Each format has a reader, registered under the entry point group `firstread.readers`: PNG, JPEG, TIFF, BMP, DICOM and
NIfTI come with firstread (`firstread.readers`), other packages can add readers. A reader is a function
`read_image(path, frame, window) -> array`.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np

from firstread.core.errors import DataError, MissingDependencyError
from firstread.core.windows import WindowLike

#: names of files that operating systems create in folders; they are never images
STRAY_FILES = (".ds_store", "thumbs.db", "desktop.ini", ".directory")

#: larger images are not decoded: a "decompression bomb" of 30,000 x 30,000 pixels must not exhaust memory
MAX_IMAGE_PIXELS = 120_000_000

_MAGIC_BYTES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"II*\x00": "tiff", b"MM\x00*": "tiff", b"BM": "bmp"}


def sniff_format(path: str | Path) -> str:
    """Detect the format of a file by its first bytes, not by its name.

    DICOM without the 128-byte preamble is recognised by its first group number.

    Returns:
        "png", "jpeg", "tiff", "bmp", "dicom", "nifti", "zip", "empty" or "unknown".
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            head = file.read(352)
    except OSError as error:
        raise DataError("The file cannot be opened", where=path, do="check that it exists and is yours") from error
    if not head:
        return "empty"
    if head[128:132] == b"DICM":  # first: the 128-byte preamble may be a valid TIFF header (PS3.10 7.1)
        return "dicom"
    for magic, name in _MAGIC_BYTES.items():
        if head.startswith(magic):
            return name
    if head[344:348] in (b"n+1\x00", b"ni1\x00") or (head[:2] == b"\x1f\x8b" and path.name.lower().endswith(".nii.gz")):
        return "nifti"
    return "zip" if head[:4] == b"PK\x03\x04" else "dicom" if _is_bare_dicom(head) else "unknown"


def _is_bare_dicom(head: bytes) -> bool:
    """Whether this is DICOM without preamble: an element of group 2 or 8, then a two-letter VR or a short length."""
    if len(head) < 16:
        return False
    for order in ("little", "big"):
        group, element = (int.from_bytes(head[start : start + 2], order) for start in (0, 2))
        length = int.from_bytes(head[4:8], order)
        if group in (0x0002, 0x0008) and element <= 0x0100:
            return (head[4:6].isalpha() and head[4:6].isupper()) or length <= 256
    return False


def read_image(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read one image as 8-bit pixels.

    Args:
        path: any image file that firstread knows.
        frame: which frame of a multi-frame file, or slice of a volume; None is the first frame, or a volume's middle
            slice.
        window: for DICOM and NIfTI, see `firstread.core.windows`. PNG and TIFF of 16 bits are stretched from their
            darkest to their brightest pixel.

    Returns:
        uint8 array, (height, width) for grayscale or (height, width, 3) for color.

    Raises:
        DataError: the file is not an image, is broken, or has no registered reader.
    """
    kind = sniff_format(path)
    if kind in ("empty", "unknown", "zip"):
        messages = {"empty": "The file is empty", "zip": "This is a ZIP archive, not an image"}
        raise DataError(
            messages.get(kind, "This file is not an image that firstread can read"),
            where=path,
            expected="PNG, JPEG, TIFF, BMP, DICOM or NIfTI",
            do="remove the file from the folder, or convert it",
        )
    reader = _reader_entry_points().get(kind)
    if reader is None:
        what = f"No reader for {kind} files is installed"
        raise MissingDependencyError(what, where=path, do="install firstread again")
    pixels: np.ndarray = reader.load()(path, frame=frame, window=window)
    return pixels


def to_grayscale(image: np.ndarray) -> np.ndarray:
    """Convert (H, W) or (H, W, 3) to grayscale (H, W) uint8, with the luma weights of ITU-R BT.601."""
    if image.ndim == 2:
        return image
    luma = image[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    gray: np.ndarray = np.rint(luma).astype(np.uint8)
    return gray


def resize_square(image: np.ndarray, size: int) -> np.ndarray:
    """Resize an image to `size` x `size` pixels, antialiased.

    The aspect ratio is not kept, as in the published lesson, so that neither image size nor shape can reveal the class.
    """
    from PIL import Image

    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))


@cache
def _reader_entry_points() -> dict[str, EntryPoint]:
    """Registered readers by format name."""
    return {point.name: point for point in entry_points(group="firstread.readers")}
