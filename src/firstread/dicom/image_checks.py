"""Checks of a DICOM image before anything is decoded: pixels present, described, of a size that is read, not cut."""

from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.errors import DataError
from firstread.core.images import MAX_IMAGE_PIXELS
from firstread.dicom.pixel_elements import (
    PIXEL_TAGS,
    bytes_per_frame,
    get_int,
    is_compressed,
    number_of_frames,
    photometric_interpretation,
    pixel_keyword,
)

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_FRAMES = 100_000
_SAMPLES = {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1}
#: words in the names of SOP classes that have pixels; all others have none
_IMAGE_WORDS = (
    "Image Storage",
    "RT Dose Storage",
    "Segmentation Storage",
    "Parametric Map Storage",
    "Volume Storage",
    "Thickness Map Storage",
    "Topography Map Storage",
)
_NO_IMAGE_WORDS = ("Surface Segmentation Storage", "Volume Rendering")


class NoImageError(DataError):
    """A valid DICOM object of a kind without pixel data: a structured report, a DICOMDIR, an RT structure set."""


def check_image(dataset: "Dataset", path: Path) -> None:
    """Check that a dataset has pixels of a size that is read, and says how they are to be understood.

    What spells its photometric interpretation in small letters or leaves out what follows from the rest is completed
    in `dataset`. What would have to be guessed is refused by name: whether 0 is black or white, how many bits there
    are, and whether they have a sign.

    Raises:
        NoImageError: an object of a kind that has no pixels.
        DataError: broken, cut short, incomplete or too large.
    """
    keyword = pixel_keyword(dataset)
    if keyword is None:
        raise _no_pixels_error(dataset, path)
    _check_description(dataset, path, keyword)
    frames, samples = number_of_frames(dataset), get_int(dataset, "SamplesPerPixel") or 1
    if dataset.Rows * dataset.Columns * samples > MAX_IMAGE_PIXELS:
        raise DataError(
            f"The image is too large: it has {dataset.Rows} x {dataset.Columns} pixels, more than firstread decodes",
            where=path,
            expected=f"at most {MAX_IMAGE_PIXELS:,} pixels",
        )
    if not 1 <= frames <= MAX_FRAMES:
        raise DataError(f"The file claims to have {frames} frames", where=path, expected=f"from 1 to {MAX_FRAMES:,}")
    _check_pixel_length(dataset, path, keyword=keyword, frames=frames)


def _check_description(dataset: "Dataset", path: Path, keyword: str) -> None:
    missing = [name for name in ("Rows", "Columns") if not get_int(dataset, name)]
    photometric = photometric_interpretation(dataset)
    if photometric is None:
        missing.append("PhotometricInterpretation")
    samples = get_int(dataset, "SamplesPerPixel") or _SAMPLES.get(str(photometric), 3)
    needed = ["BitsAllocated", "BitsStored", *(["PixelRepresentation"] if samples == 1 else [])]
    needed += ["PlanarConfiguration"] if samples == 3 and not is_compressed(dataset) else []
    missing += [name for name in needed if keyword == "PixelData" and get_int(dataset, name) is None]
    if missing:
        raise DataError(
            f"The DICOM file does not state its {' and '.join(missing)}",
            where=path,
            expected="what the standard demands of every image",
            do="export it again from where it came from, or leave it out",
        )
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel = photometric, samples
    for name in ("PixelRepresentation", "PlanarConfiguration"):
        if keyword == "PixelData" and get_int(dataset, name) is None:  # colors are unsigned; compressed ones in order
            setattr(dataset, name, 0)


def _check_pixel_length(dataset: "Dataset", path: Path, *, keyword: str, frames: int) -> None:
    """Check that element and file are as long as the header states (uncompressed) or not empty (compressed)."""
    element = dataset.get_item(PIXEL_TAGS[keyword], keep_deferred=True)
    length = getattr(element, "length", None)
    if length is None:
        length = len(element.value or b"")
    if is_compressed(dataset):
        if length == 0:
            raise truncated_error(path)
        return
    if length == 0xFFFFFFFF:
        return
    start = getattr(element, "value_tell", 0)
    bytes_in_file = path.stat().st_size - start if element.value is None and start else len(element.value or b"")
    if min(length, bytes_in_file) < int(bytes_per_frame(dataset, keyword) * frames):
        raise truncated_error(path)


def _no_pixels_error(dataset: "Dataset", path: Path) -> DataError:
    from pydicom.uid import UID

    meta = getattr(dataset, "file_meta", None) or {}
    sop_class = dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
    if sop_class is None and len(dataset):
        return broken_file_error(path)
    if sop_class is None:
        return DataError(
            "This is not a DICOM file", where=path, expected="a DICOM image", do="remove it or choose another"
        )
    name = UID(str(sop_class)).name
    label = f" ({name})" if not name[:1].isdigit() and len(name) < 100 else ""
    has_pixels = any(word in label for word in _IMAGE_WORDS) and not any(word in label for word in _NO_IMAGE_WORDS)
    if has_pixels or (not label and ("Rows" in dataset or _ends_early(dataset, path))):
        kind = f": it is of a kind that has some{label}" if label else ""
        return DataError(
            f"The DICOM file is cut short, or was written without its pixels{kind}",
            where=path,
            expected="a file with pixel data",
            do="copy it again from where it came from, or leave it out",
        )
    return NoImageError(
        f"This DICOM file holds no image{label}", where=path, expected="a file with pixel data", do="leave it out"
    )


def _ends_early(dataset: "Dataset", path: Path) -> bool:
    """Whether the last element runs beyond the end of the file."""
    last = dataset.get_item(max(dataset.keys()), keep_deferred=True) if len(dataset) else None
    start, length = getattr(last, "value_tell", None), getattr(last, "length", None)
    if start is None or length in (None, 0xFFFFFFFF):
        return False
    return bool(start + length > path.stat().st_size)


def truncated_error(path: Path) -> DataError:
    """The error for fewer pixels than the header promises."""
    return DataError(
        "The DICOM file is cut short: it holds fewer pixels than its header promises",
        where=path,
        do="copy it again from where it came from, or leave it out",
    )


def broken_file_error(path: Path) -> DataError:
    """The error for a file that cannot be parsed."""
    return DataError(
        "The DICOM file is broken, or holds pixels in a form that cannot be decoded",
        where=path,
        expected="a whole DICOM image",
        do="copy or export it again from where it came from, or leave it out",
    )
