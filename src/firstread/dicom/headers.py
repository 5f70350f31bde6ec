"""DICOM headers: opening files that may be broken, size limits, and header values without patient identity."""

import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import DataError, FirstreadError, StorageError
from firstread.core.patient_identity import is_placeholder
from firstread.dicom.image_checks import NoImageError, broken_file_error, check_image
from firstread.dicom.pixel_elements import (
    DEFLATED_SYNTAXES,
    get_int,
    get_str,
    number_of_frames,
    pixel_keyword,
    transfer_syntax,
)
from firstread.dicom.pseudonyms import component_pseudonym, make_pseudonym

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = [
    "NoImageError",
    "convert_dicom_errors",
    "describe_header",
    "open_dicom",
    "open_dicom_object",
    "pseudonymize",
    "read_header",
]

#: larger files are refused before they are read
MAX_FILE_BYTES = 4 * 1024**3
#: deflated files that inflate to more are refused
MAX_INFLATED_BYTES = 1024**3
_silent: ContextVar[bool] = ContextVar("silent", default=False)
_DEFER_SIZE_BYTES = 64 * 1024
#: file meta information that is longer is left to pydicom
_MAX_META_BYTES = 4096
#: value representations with a length of four bytes
_LONG_META = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
#: what `check_image` completes: samples, photometric interpretation, planar configuration, pixel representation
_COMPLETED_TAGS = (0x00280002, 0x00280004, 0x00280006, 0x00280103)


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
        check_image(dataset, path)
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
        stated = {tag: dataset.get_item(tag) for tag in _COMPLETED_TAGS if tag in dataset}
        if pixel_keyword(dataset) is not None or "SOPClassUID" not in dataset:
            check_image(dataset, path)
        for tag in _COMPLETED_TAGS:  # the object stays as its file has it
            if tag in stated:
                dataset[tag] = stated[tag]
            elif tag in dataset:
                del dataset[tag]
        return dataset


@contextmanager
def convert_dicom_errors(path: Path) -> Iterator[None]:
    """Convert any exception that a broken file makes pydicom raise to a DataError without values from the file."""
    try:
        with _silence():
            yield
    except FirstreadError:
        raise
    except OSError as error:
        if error.errno is None:
            raise broken_file_error(path) from None
        raise DataError("The file cannot be read", where=path, do="check that it exists and is yours") from None
    except MemoryError:
        raise StorageError("The image is too large for this computer's memory", where=path) from None
    except Exception:  # a broken file can make a parser raise anything, with values of the file in it
        raise broken_file_error(path) from None


@contextmanager
def _silence() -> Iterator[None]:
    """Silence pydicom's log and warnings, which quote values; once, however often it is entered."""
    if _silent.get():
        yield
        return
    logger = logging.getLogger("pydicom")
    level, token = logger.level, _silent.set(True)
    _silence_gdcm()
    try:
        logger.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        _silent.reset(token)


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
        "modality": get_str(dataset, "Modality"),
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "frames": number_of_frames(dataset),
        "bits": int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0),
        "photometric": get_str(dataset, "PhotometricInterpretation"),
        "transfer_syntax": getattr(transfer_syntax(dataset), "name", None),
        "instance": get_int(dataset, "InstanceNumber"),
        "patient": pseudonymize(dataset, "PatientID", "P"),
        "component": component_pseudonym(_stated(dataset, "PatientID")),
        "study": pseudonymize(dataset, "StudyInstanceUID", "T"),
        "series": pseudonymize(dataset, "SeriesInstanceUID", "S"),
    }


def _read_dataset(path: Path, *, defer: bool) -> "Dataset":
    from pydicom import dcmread

    if _may_be_deflated(path) and str(_read_transfer_syntax(path)) in DEFLATED_SYNTAXES:
        _check_inflated_size(path)
        defer = False
    return dcmread(path, force=True, defer_size=_DEFER_SIZE_BYTES if defer else None)


def _may_be_deflated(path: Path) -> bool:
    """Whether file meta information is not plainly that of a file without deflate.

    Plain is: its elements, each within its length, fill the length that (0002,0000) states, what follows is of another
    group, and none of them is the UID of a deflated transfer syntax. Whatever else pydicom has to look at.
    """
    with open(path, "rb") as file:
        head = file.read(_MAX_META_BYTES)
    if head[128:140] != b"DICM\2\0\0\0UL\4\0":
        return True
    position, end = 144, 144 + int.from_bytes(head[140:144], "little")
    if end + 2 > len(head) or any(syntax.encode() in head[:end] for syntax in DEFLATED_SYNTAXES):
        return True
    while position < end:
        if head[position : position + 2] != b"\2\0" or not head[position + 4 : position + 6].isalpha():
            return True
        is_long = head[position + 4 : position + 6] in _LONG_META
        start, size = (position + 12, 4) if is_long else (position + 8, 2)
        position = start + int.from_bytes(head[start - size : start], "little")
    return position != end or head[end : end + 2] == b"\2\0"


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


def _stated(dataset: "Dataset", keyword: str) -> str | None:
    """Text of an identifier; None where it is empty, or a word such as "ANONYMOUS" stands in its place."""
    value = get_str(dataset, keyword)
    return None if value is None or is_placeholder(value) else value


def pseudonymize(dataset: "Dataset", keyword: str, prefix: str) -> str | None:
    """Pseudonym of the patient, study or series that an element names; None where it names none."""
    value = _stated(dataset, keyword)
    if value is None:
        return None
    issuer = get_str(dataset, "IssuerOfPatientID") if keyword == "PatientID" else None
    return make_pseudonym(f"{keyword}:{issuer or ''}:{value.strip()}", prefix=prefix)


def _silence_gdcm() -> None:
    try:
        import gdcm
    except ImportError:
        return
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    gdcm.Trace.DebugOff()
