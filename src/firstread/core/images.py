"""Read image files of any supported format: 8-bit pixels for display, volumes in real units, and their headers.

Each format has a reader, registered under the entry point group `firstread.readers` by the name that `sniff_format`
gives: PNG, JPEG, TIFF, BMP, GIF, WebP, DICOM and NIfTI come with firstread (`firstread.readers`), other packages can
add readers, see docs/how-to/add-a-reader.md. A reader is a module or an object with the three functions of `Reader`.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np

from firstread.core.errors import DataError, MissingDependencyError
from firstread.core.geometry import Geometry
from firstread.core.registry import find_registered, registered
from firstread.core.volume import Volume
from firstread.core.windows import WindowLike

#: names of files that operating systems create in folders; they are never images
STRAY_FILES = (".ds_store", "thumbs.db", "desktop.ini", ".directory")

#: larger images are not decoded: a "decompression bomb" of 30,000 x 30,000 pixels must not exhaust memory
MAX_IMAGE_PIXELS = 120_000_000
#: larger volumes are refused before they are read
MAX_VOXELS = 1_500_000_000

_ANALYZE_HEADER_SIZE = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c")  # 348; its reader says why it is not read
_MAGIC_BYTES = {
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\x00": "tiff",
    b"MM\x00*": "tiff",
    b"II+\x00": "tiff",  # BigTIFF
    b"MM\x00+": "tiff",
    b"GIF8": "gif",
    b"BM": "bmp",
    b"WEBP": "webp",  # in a RIFF file, behind its length
    b'{"firstread": "phantom"': "phantom",
}
#: formats that `sniff_format` tells without asking a reader
_KNOWN_FORMATS = (*_MAGIC_BYTES.values(), "dicom", "nifti")


@dataclass(frozen=True)
class ImageInfo:
    """What the header of an image file states; nothing in it names a person.

    Attributes:
        format: as `sniff_format` says, such as "dicom".
        frames: number of pictures that `read_image` counts: frames, pages, or the axial slices of a volume.
        rows: height of a picture in pixels.
        columns: width of a picture in pixels.
        geometry: place in the patient of all frames together, in the order in which `read_volume` returns them; None
            where the file states none, or where its frames are no single volume.
        modality: as in DICOM, such as "CT"; None where it is not stated.
        unit: of the values that `read_volume` returns: "HU", "BQML", ..., or "".
        patient: pseudonym, or None where the file names no patient.
        component: pseudonym that spellings of one patient share (`firstread.core.patient_identity`), or None.
        study: pseudonym, or None.
        series: pseudonym, or None.
        instance: number of the image in its series (InstanceNumber), or None.
        positions_mm: of each frame along the normal of the slices, in the order of `read_image`, which need not be that
            of the positions; None where one is not known. Only slices of one orientation can be compared.
    """

    format: str
    frames: int
    rows: int
    columns: int
    geometry: Geometry | None = None
    modality: str | None = None
    unit: str = ""
    patient: str | None = None
    component: str | None = None
    study: str | None = None
    series: str | None = None
    instance: int | None = None
    positions_mm: tuple[float, ...] | None = None


class Reader(Protocol):
    """What reads one format: a module with these functions, as an entry point of the group `firstread.readers`.

    Each raises DataError for a file that is broken, cut short, too large or no image; no message holds a value of a
    patient's record.

    A reader of a format that firstread does not know has a fourth function, `recognizes(head: bytes, path: Path) ->
    bool`: whether a file is of its format, by its first bytes (352, or all of a shorter file) and, where they do not
    say it, by its name. It is asked about files that no built-in format claims, and its answer stands for the name
    under which the reader is registered. It opens nothing and raises nothing. A reader of a format whose pixels need
    not be square has `pixel_aspect(path, *, frame=None) -> float`: the height of a pixel divided by its width.
    """

    def read_image(self, path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
        """One picture, uint8 (height, width) or (height, width, 3); see `firstread.core.images.read_image`."""

    def read_info(self, path: str | Path) -> ImageInfo:
        """The header, checked against the length of the file."""

    def read_volume(self, paths: Sequence[str | Path], *, frame: int | None = None) -> Volume:
        """Values in real units with their place in the patient; see `firstread.core.images.read_volume`."""


def sniff_format(path: str | Path) -> str:
    """Detect the format of a file by its first bytes, not by its name.

    DICOM without the 128-byte preamble is recognised by its first group number. What none of the built-in formats
    claims is offered to the readers of other packages (`Reader`, `recognizes`), which are imported only then.

    Returns:
        "png", "jpeg", "tiff", "bmp", "gif", "webp", "dicom", "nifti", "phantom", the name of another registered reader,
        "zip", "empty" or "unknown".
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            head = file.read(352)
    except OSError as error:
        raise DataError("The file cannot be opened", where=path, do="check that it exists and is yours") from error
    kind = _built_in_format(head, path)
    is_claimed = kind not in ("zip", "unknown")
    return kind if is_claimed else _ask_readers(head, path) or kind


def is_readable(path: str | Path) -> bool:
    """Whether a reader is registered for the format of a file, by its first bytes; the file may still be broken."""
    return sniff_format(path) in registered("readers")


def _ask_readers(head: bytes, path: Path) -> str | None:
    """Name of the first reader of another package that recognizes a file."""
    for name in _other_formats():
        try:
            recognizes = getattr(find_registered("readers", name), "recognizes", None)
        except (ImportError, AttributeError) as error:
            text = f'The reader "{name}" cannot be loaded, so its files are not recognized: {error}'
            warnings.warn(text, UserWarning, stacklevel=4)
            continue
        if recognizes is not None and recognizes(head, path):
            return name
    return None


def _built_in_format(head: bytes, path: Path) -> str:
    """Format by the first 352 bytes, of those that firstread reads itself."""
    if not head:
        return "empty"
    if head[128:132] == b"DICM":  # first: the 128-byte preamble may be a valid TIFF header (PS3.10 7.1)
        return "dicom"
    plain = head[8:12] if head[:4] == b"RIFF" else head
    for magic, name in _MAGIC_BYTES.items():
        if plain.startswith(magic):
            return name
    if (
        head[344:348] in (b"n+1\x00", b"ni1\x00")
        or head[4:8] in (b"n+2\x00", b"ni2\x00")
        or (head[:4] in _ANALYZE_HEADER_SIZE and path.suffix.lower() == ".hdr")
        or (head[:2] == b"\x1f\x8b" and path.name.lower().endswith(".nii.gz"))
    ):
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


def middle_file(files: Sequence[str]) -> str:
    """The file to look at of an image: of a series of slices the middle one."""
    return files[len(files) // 2]


def read_image(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read one image as 8-bit pixels.

    Args:
        path: any image file that firstread knows.
        frame: which frame of a multi-frame file, or slice of a volume; None is the first frame, or a volume's middle
            slice.
        window: for more than 8 bits, see `firstread.core.windows`. Pictures state no Hounsfield units, so a window with
            a name stretches the 0.5th to the 99.5th percentile of PNG and TIFF.

    Returns:
        uint8 array, (height, width) for grayscale or (height, width, 3) for color, on the grid of the file, to which
        boxes and masks refer. Its pixels need not be square: `firstread.core.square_pixels` is for what is shown.

    Raises:
        DataError: the file is not an image, is broken, or has no registered reader.
    """
    return find_reader(path).read_image(path, frame=frame, window=window)


def read_info(path: str | Path) -> ImageInfo:
    """Read the header of an image file, checked as deeply as it can be without decoding a volume.

    Pictures (PNG, JPEG, TIFF, BMP, GIF, WebP) are decoded to the end, every page of them, and the compressed frames of
    DICOM, so that what is broken is found now and not in the middle of training. NIfTI, and DICOM that is not
    compressed, are checked against the length of the file.

    Raises:
        DataError: as `read_image`.
    """
    return find_reader(path).read_info(path)


def read_volume(files: str | Path | Sequence[str | Path], *, frame: int | None = None) -> Volume:
    """Read a volume in the units that its files state, with its place in the patient, in the scan's own grid.

    Args:
        files: a NIfTI file, a multi-frame DICOM file, or the DICOM files of a series in any order.
        frame: one frame or slice, as `read_image` counts them, as a volume of one slice; only it is decoded.

    Returns:
        Volume: int16 where that loses nothing, the file's own integers for a NIfTI label map, else float32; Hounsfield
        units for CT. A PNG, JPEG, TIFF or BMP states no place in the patient: its pixels count as 1 mm.

    Raises:
        DataError: as `read_image`; or the files are no single volume: slices are missing, lie unevenly, occur twice, or
            belong to several stacks. The message says which.

    Example:
        >>> import numpy as np, tempfile
        >>> from firstread.readers.nifti import write_nifti
        >>> grid = Geometry.from_spacing((4, 8, 8), spacing_mm_zyx=(5, 0.8, 0.8))
        >>> file = Path(tempfile.mkdtemp()) / "scan.nii.gz"
        >>> _ = write_nifti(file, Volume(np.zeros((4, 8, 8), np.int16), grid, unit="HU"))
        >>> read_volume(file).geometry.spacing_mm_zyx
        (5.0, 0.8, 0.8)
    """
    paths = [Path(files)] if isinstance(files, str | Path) else [Path(file) for file in files]
    if not paths:
        raise DataError("There is no file to read a volume from", expected="at least one file")
    formats = {path: sniff_format(path) for path in paths}
    other = next((path for path in paths if formats[path] != formats[paths[0]]), None)
    if other is not None:
        raise DataError(
            f"The files have several formats: {formats[paths[0]]} and {formats[other]}",
            where=other,
            expected="the files of one volume",
        )
    return find_reader(paths[0]).read_volume(paths, frame=frame)


def find_reader(path: str | Path) -> Reader:
    """The reader for a file, by its first bytes.

    Raises:
        DataError: no image of any known format.
        MissingDependencyError: the format has no registered reader.
    """
    kind = sniff_format(path)
    if kind in ("empty", "unknown", "zip"):
        messages = {"empty": "The file is empty", "zip": "This is a ZIP archive, not an image"}
        if kind == "unknown" and Path(path).suffix.lower() == ".img" and Path(path).with_suffix(".hdr").is_file():
            messages["unknown"] = "This is the second half of a pair of files: the .hdr beside it is to be read"
        raise DataError(
            messages.get(kind, "This file is not an image that firstread can read"),
            where=path,
            expected=", ".join(["PNG, JPEG, TIFF, BMP, GIF, WebP, DICOM or NIfTI", *_other_formats()]),
            do="remove the file from the folder, or convert it",
        )
    try:
        return cast(Reader, find_registered("readers", kind))
    except MissingDependencyError:
        what = f"No reader for {kind} files is installed"
        raise MissingDependencyError(what, where=path, do="install firstread again") from None


def _other_formats() -> list[str]:
    """Names of the formats whose readers other packages have registered."""
    return [name for name in registered("readers") if name not in _KNOWN_FORMATS]


def to_grayscale(image: np.ndarray) -> np.ndarray:
    """Convert (H, W) or (H, W, 3) to grayscale (H, W) uint8, with the luma weights of ITU-R BT.601."""
    if image.ndim == 2:
        return image
    luma = image[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    gray: np.ndarray = np.rint(luma).astype(np.uint8)
    return gray


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """A picture in grayscale (`channels` 1: (H, W)) or in color (3: (H, W, 3)), whatever it was."""
    if channels == 1:
        return to_grayscale(image)
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def resize_square(image: np.ndarray, size: int) -> np.ndarray:
    """Resize an image to `size` x `size` pixels, antialiased.

    The aspect ratio is not kept, as in the published lesson, so that neither image size nor shape can reveal the class.
    """
    from PIL import Image

    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
