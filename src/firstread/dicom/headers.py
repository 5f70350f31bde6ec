"""DICOM headers: opening files that may be broken, size limits, and header values without patient identity."""

import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import DataError, FirstreadError, StorageError
from firstread.core.images import MAX_IMAGE_PIXELS
from firstread.core.patient_identity import is_placeholder
from firstread.dicom.pseudonyms import component_pseudonym, make_pseudonym

if TYPE_CHECKING:
    from pydicom import Dataset

#: larger files are refused before they are read
MAX_FILE_BYTES = 4 * 1024**3
#: deflated files that inflate to more are refused
MAX_INFLATED_BYTES = 1024**3
MAX_FRAMES = 100_000
_PIXEL_TAGS = {"PixelData": 0x7FE00010, "FloatPixelData": 0x7FE00008, "DoubleFloatPixelData": 0x7FE00009}
_DEFLATED_SYNTAXES = ("1.2.840.10008.1.2.1.99",)
_DEFER_SIZE_BYTES = 64 * 1024


class NoImageError(DataError):
    """A valid DICOM object without pixel data: a structured report, a DICOMDIR, an RT structure set."""


def open_dicom(path: str | Path, *, load_pixels: bool = True) -> "Dataset":
    """Open a DICOM image as a pydicom Dataset, checked for pixel data, size and length.

    Args:
        load_pixels: False defers reading of large elements (pydicom's `defer_size`).

    Raises:
        DataError: not DICOM, not an image, broken, cut short or larger than firstread reads.
    """
    path = Path(path)
    with convert_dicom_errors(path):
        _check_file_size(path)
        dataset = _read_dataset(path, defer=not load_pixels)
        _check_image(dataset, path)
        return dataset


def open_dicom_object(path: str | Path) -> "Dataset":
    """Open any DICOM object, with or without pixels; large elements stay on disk until they are asked for.

    Raises:
        DataError: not DICOM, broken, cut short or larger than firstread reads.
    """
    path = Path(path)
    with convert_dicom_errors(path):
        _check_file_size(path)
        dataset = _read_dataset(path, defer=True)
        if pixel_keyword(dataset) is not None:
            _check_image(dataset, path)
        elif "SOPClassUID" not in dataset:
            raise _no_image_error(dataset, path)
        return dataset


@contextmanager
def convert_dicom_errors(path: Path) -> Iterator[None]:
    """Convert any exception that a broken file makes pydicom raise to a DataError without values from the file."""
    logger = logging.getLogger("pydicom")
    level = logger.level
    _silence_gdcm()
    try:
        logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except FirstreadError:
        raise
    except OSError as error:
        if error.errno is None:
            raise _broken_file_error(path) from None
        raise DataError("The file cannot be read", where=path, do="check that it exists and is yours") from None
    except MemoryError:
        raise StorageError("The image is too large for this computer's memory", where=path) from None
    except Exception:  # a broken file can make a parser raise anything, with values of the file in it
        raise _broken_file_error(path) from None
    finally:
        logger.setLevel(level)


def read_header(path: str | Path) -> dict[str, Any]:
    """Read the header of a DICOM image without patient identity: only values that name no person, and pseudonyms.

    Returns:
        A dictionary: `modality`, `rows`, `columns`, `frames`, `bits`, `photometric`, `transfer_syntax`, `instance`
        (InstanceNumber or None), and the pseudonyms `patient`, `study`, `series` (None where not stated).

    Raises:
        DataError: as `read_dicom`.
    """
    path = Path(path)
    dataset = open_dicom(path, load_pixels=False)
    with convert_dicom_errors(path):
        return describe_header(dataset)


def describe_header(dataset: "Dataset") -> dict[str, Any]:
    """The values of `read_header`, of a dataset that is open."""
    return {
        "modality": _get_str(dataset, "Modality"),
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "frames": number_of_frames(dataset),
        "bits": int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0),
        "photometric": _get_str(dataset, "PhotometricInterpretation"),
        "transfer_syntax": getattr(transfer_syntax(dataset), "name", None),
        "instance": _get_int(dataset, "InstanceNumber"),
        "patient": pseudonymize(dataset, "PatientID", "P"),
        "component": component_pseudonym(_stated(dataset, "PatientID")),
        "study": pseudonymize(dataset, "StudyInstanceUID", "T"),
        "series": pseudonymize(dataset, "SeriesInstanceUID", "S"),
    }


def number_of_frames(dataset: "Dataset") -> int:
    """NumberOfFrames, 1 where it is missing."""
    return _get_int(dataset, "NumberOfFrames") or 1


def transfer_syntax(dataset: "Dataset") -> Any:
    """Transfer syntax UID of a dataset: as stated in the file meta information, else as detected by pydicom."""
    meta = getattr(dataset, "file_meta", None)
    stated = meta.get("TransferSyntaxUID") if meta is not None else None
    if stated:
        return stated
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def is_compressed(dataset: "Dataset") -> bool:
    """Whether each frame is compressed; a deflated file is not, an unknown transfer syntax is taken as compressed."""
    syntax = transfer_syntax(dataset)
    try:
        return bool(syntax.is_compressed) and str(syntax) not in _DEFLATED_SYNTAXES
    except ValueError:  # pydicom does not know this transfer syntax
        return True


def pixel_keyword(dataset: "Dataset") -> str | None:
    """Keyword of the pixel data element: PixelData, FloatPixelData or DoubleFloatPixelData; None without one."""
    return next((keyword for keyword, tag in _PIXEL_TAGS.items() if tag in dataset), None)


def _read_dataset(path: Path, *, defer: bool) -> "Dataset":
    from pydicom import dcmread

    if str(_read_transfer_syntax(path)) in _DEFLATED_SYNTAXES:
        _check_inflated_size(path)
        defer = False
    return dcmread(path, force=True, defer_size=_DEFER_SIZE_BYTES if defer else None)


def _read_transfer_syntax(path: Path) -> Any:
    from pydicom.filereader import read_file_meta_info

    with open(path, "rb") as file:
        file.seek(128)
        if file.read(4) != b"DICM":
            return None
    return read_file_meta_info(path).get("TransferSyntaxUID")


def _check_file_size(path: Path) -> None:
    if not path.is_file():
        raise DataError("There is no such file", where=path, do="check the path")
    size = path.stat().st_size
    if size == 0:
        raise DataError("The file is empty", where=path, do="copy it again from where it came from, or leave it out")
    if size > MAX_FILE_BYTES:
        raise DataError(
            "The file is larger than firstread reads", where=path, expected=f"at most {MAX_FILE_BYTES:,} bytes"
        )


def _check_inflated_size(path: Path) -> None:
    """Refuse deflate bombs: measure the inflated size before pydicom inflates the whole file in memory."""
    from pydicom.filereader import _read_file_meta_info as read_meta  # leaves the file position at the deflated part
    from pydicom.filereader import read_preamble

    with open(path, "rb") as file:
        read_preamble(file, force=True)
        read_meta(file)
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        total, chunk = 0, file.read(1 << 20)
        while chunk and total <= MAX_INFLATED_BYTES:
            total += len(inflate.decompress(chunk, 1 << 24))
            chunk = inflate.unconsumed_tail or file.read(1 << 20)
    if total > MAX_INFLATED_BYTES:
        raise DataError(
            "The file unpacks to more than firstread reads",
            where=path,
            expected=f"at most {MAX_INFLATED_BYTES:,} bytes",
        )


def _check_image(dataset: "Dataset", path: Path) -> None:
    keyword = pixel_keyword(dataset)
    if keyword is None:
        raise _no_image_error(dataset, path)
    missing = [name for name in ("Rows", "Columns") if not _get_int(dataset, name)]
    if missing:
        raise DataError(f"The DICOM file does not state its {' and '.join(missing)}", where=path, do="leave it out")
    frames = number_of_frames(dataset)
    samples = _get_int(dataset, "SamplesPerPixel") or 1
    if dataset.Rows * dataset.Columns * samples > MAX_IMAGE_PIXELS:
        raise DataError(
            f"The image has {dataset.Rows} x {dataset.Columns} pixels, more than firstread decodes",
            where=path,
            expected=f"at most {MAX_IMAGE_PIXELS:,} pixels",
        )
    if not 1 <= frames <= MAX_FRAMES:
        raise DataError(f"The file claims to have {frames} frames", where=path, expected=f"from 1 to {MAX_FRAMES:,}")
    _check_pixel_length(dataset, path, keyword=keyword, samples=samples, frames=frames)


def _check_pixel_length(dataset: "Dataset", path: Path, *, keyword: str, samples: int, frames: int) -> None:
    """Check that element and file are as long as the header states (uncompressed) or not empty (compressed)."""
    element = dataset.get_item(_PIXEL_TAGS[keyword])
    length = getattr(element, "length", None)
    if length is None:
        length = len(element.value or b"")
    if is_compressed(dataset):
        if length == 0:
            raise _truncated_error(path)
        return
    if length == 0xFFFFFFFF:
        return
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword) or int(dataset.get("BitsAllocated") or 8)
    subsampled = _get_str(dataset, "PhotometricInterpretation") == "YBR_FULL_422"
    expected_bits = int(dataset.Rows) * int(dataset.Columns) * (2 if subsampled else samples) * bits * frames
    start = getattr(element, "value_tell", 0)
    bytes_in_file = path.stat().st_size - start if element.value is None and start else len(element.value or b"")
    if min(length, bytes_in_file) < expected_bits // 8:
        raise _truncated_error(path)


def _no_image_error(dataset: "Dataset", path: Path) -> DataError:
    from pydicom.uid import UID

    meta = getattr(dataset, "file_meta", None) or {}
    sop_class = dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
    if sop_class is None and len(dataset):
        return _broken_file_error(path)
    if sop_class is None:
        return DataError(
            "This is not a DICOM file", where=path, expected="a DICOM image", do="remove it or choose another"
        )
    name = UID(str(sop_class)).name if sop_class else ""
    label = f" ({name})" if name and not name.startswith("1.") and len(name) < 100 else ""
    return NoImageError(
        f"This DICOM file holds no image{label}, or was cut off before its pixels",
        where=path,
        expected="a file with pixel data",
        do="leave it out, or copy it again from where it came from",
    )


def _truncated_error(path: Path) -> DataError:
    return DataError(
        "The DICOM file is cut short: it holds fewer pixels than its header promises",
        where=path,
        do="copy it again from where it came from, or leave it out",
    )


def _broken_file_error(path: Path) -> DataError:
    return DataError(
        "The DICOM file is broken, or holds pixels in a form that cannot be decoded",
        where=path,
        expected="a whole DICOM image",
        do="copy or export it again from where it came from, or leave it out",
    )


def _get_str(dataset: "Dataset", keyword: str) -> str | None:
    value = dataset.get(keyword)
    return str(value) if value not in (None, "") else None


def _get_int(dataset: "Dataset", keyword: str) -> int | None:
    value = dataset.get(keyword)
    if isinstance(value, (str, bytes)) or value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _stated(dataset: "Dataset", keyword: str) -> str | None:
    """Text of an identifier; None where it is empty, or a word such as "ANONYMOUS" stands in its place."""
    value = _get_str(dataset, keyword)
    return None if value is None or is_placeholder(value) else value


def pseudonymize(dataset: "Dataset", keyword: str, prefix: str) -> str | None:
    """Pseudonym of the patient, study or series that an element names; None where it names none."""
    value = _stated(dataset, keyword)
    if value is None:
        return None
    issuer = _get_str(dataset, "IssuerOfPatientID") if keyword == "PatientID" else None
    return make_pseudonym(f"{keyword}:{issuer or ''}:{value.strip()}", prefix=prefix)


def _silence_gdcm() -> None:
    try:
        import gdcm
    except ImportError:
        return
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    gdcm.Trace.DebugOff()
