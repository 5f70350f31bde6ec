"""Opening a DICOM file that may be broken, and what may be told about it without telling who the patient is."""

import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstread.core.errors import DataError, FirstreadError, StorageError
from firstread.core.images import LARGEST_PIXELS
from firstread.dicom.pseudonyms import pseudonym

if TYPE_CHECKING:
    from pydicom import Dataset

#: a larger file is refused before it is read
LARGEST_FILE_BYTES = 4 * 1024**3
#: a deflated file that unpacks to more is refused
LARGEST_INFLATED_BYTES = 1024**3
LARGEST_FRAMES = 100_000
_PIXELS = {"PixelData": 0x7FE00010, "FloatPixelData": 0x7FE00008, "DoubleFloatPixelData": 0x7FE00009}
_DEFLATED = ("1.2.840.10008.1.2.1.99",)
_DEFER_BYTES = 64 * 1024


class NoImageError(DataError):
    """A DICOM object without pixels: a report, a directory, contours. Nothing is wrong with it; it is no image."""


def open_dicom(path: str | Path, *, pixels: bool = True) -> "Dataset":
    """The pydicom Dataset of an image, checked so far that its pixels can be asked for.

    Args:
        pixels: False leaves large values on the disk.

    Raises:
        DataError: not DICOM, not an image, broken, cut short or larger than firstread reads.
    """
    path = Path(path)
    with dicom_errors(path):
        _check_file(path)
        dataset = _read(path, defer=not pixels)
        _check_image(dataset, path)
        return dataset


@contextmanager
def dicom_errors(path: Path) -> Iterator[None]:
    """Turn whatever a broken file makes pydicom raise into one sentence, without any value from the file."""
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
            raise _broken(path) from None
        raise DataError("The file cannot be read", where=path, do="check that it exists and is yours") from None
    except MemoryError:
        raise StorageError("The image is too large for this computer's memory", where=path) from None
    except Exception:  # a broken file can make a parser raise anything, with values of the file in the message
        raise _broken(path) from None
    finally:
        logger.setLevel(level)


def read_header(path: str | Path) -> dict[str, Any]:
    """What a DICOM image says of itself that names no person.

    Returns:
        A dictionary: `modality`, `rows`, `columns`, `frames`, `bits`, `photometric`, `transfer_syntax`, `instance`
        (InstanceNumber or None), and the pseudonyms `patient`, `study`, `series` (None where the file does not say).

    Raises:
        DataError: as `read_dicom`.
    """
    path = Path(path)
    dataset = open_dicom(path, pixels=False)
    with dicom_errors(path):
        return {
            "modality": _text(dataset, "Modality"),
            "rows": int(dataset.Rows),
            "columns": int(dataset.Columns),
            "frames": frames_of(dataset),
            "bits": int(dataset.get("BitsStored") or dataset.get("BitsAllocated") or 0),
            "photometric": _text(dataset, "PhotometricInterpretation"),
            "transfer_syntax": getattr(transfer_syntax(dataset), "name", None),
            "instance": _whole_number(dataset, "InstanceNumber"),
            "patient": _hidden(dataset, "PatientID", "P"),
            "study": _hidden(dataset, "StudyInstanceUID", "T"),
            "series": _hidden(dataset, "SeriesInstanceUID", "S"),
        }


def frames_of(dataset: "Dataset") -> int:
    """NumberOfFrames, 1 where it is not given."""
    return _whole_number(dataset, "NumberOfFrames") or 1


def transfer_syntax(dataset: "Dataset") -> Any:
    """The transfer syntax of a file's pixels: what it states, or what pydicom found it to be."""
    meta = getattr(dataset, "file_meta", None)
    stated = meta.get("TransferSyntaxUID") if meta is not None else None
    if stated:
        return stated
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def is_compressed(dataset: "Dataset") -> bool:
    """Whether each frame is compressed by itself; a deflated file is not, and a transfer syntax nobody knows is."""
    syntax = transfer_syntax(dataset)
    try:
        return bool(syntax.is_compressed) and str(syntax) not in _DEFLATED
    except ValueError:  # not a transfer syntax that pydicom knows
        return True


def pixel_keyword(dataset: "Dataset") -> str | None:
    """Which of the three pixel elements the dataset has."""
    return next((keyword for keyword, tag in _PIXELS.items() if tag in dataset), None)


def _read(path: Path, *, defer: bool) -> "Dataset":
    from pydicom import dcmread

    meta = _meta(path)
    if str(meta) in _DEFLATED:
        _check_inflated(path)
        defer = False
    return dcmread(path, force=True, defer_size=_DEFER_BYTES if defer else None)


def _meta(path: Path) -> Any:
    from pydicom.filereader import read_file_meta_info

    with open(path, "rb") as file:
        file.seek(128)
        if file.read(4) != b"DICM":
            return None
    return read_file_meta_info(path).get("TransferSyntaxUID")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise DataError("There is no such file", where=path, do="check the path")
    size = path.stat().st_size
    if size == 0:
        raise DataError("The file is empty", where=path, do="copy it again from where it came from, or leave it out")
    if size > LARGEST_FILE_BYTES:
        raise DataError(
            "The file is larger than firstread reads", where=path, expected=f"at most {LARGEST_FILE_BYTES:,} bytes"
        )


def _check_inflated(path: Path) -> None:
    """A deflated file can unpack to a thousand times its size; measure before pydicom takes it whole into memory."""
    from pydicom.filereader import _read_file_meta_info as read_meta  # leaves the file at the deflated part
    from pydicom.filereader import read_preamble

    with open(path, "rb") as file:
        read_preamble(file, force=True)
        read_meta(file)
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        total, chunk = 0, file.read(1 << 20)
        while chunk and total <= LARGEST_INFLATED_BYTES:
            total += len(inflate.decompress(chunk, 1 << 24))
            chunk = inflate.unconsumed_tail or file.read(1 << 20)
    if total > LARGEST_INFLATED_BYTES:
        raise DataError(
            "The file unpacks to more than firstread reads",
            where=path,
            expected=f"at most {LARGEST_INFLATED_BYTES:,} bytes",
        )


def _check_image(dataset: "Dataset", path: Path) -> None:
    keyword = pixel_keyword(dataset)
    if keyword is None:
        raise _no_image(dataset, path)
    missing = [name for name in ("Rows", "Columns") if not _whole_number(dataset, name)]
    if missing:
        raise DataError(f"The DICOM file does not state its {' and '.join(missing)}", where=path, do="leave it out")
    frames = frames_of(dataset)
    samples = _whole_number(dataset, "SamplesPerPixel") or 1
    if dataset.Rows * dataset.Columns * samples > LARGEST_PIXELS:
        raise DataError(
            f"The image has {dataset.Rows} x {dataset.Columns} pixels, more than firstread decodes",
            where=path,
            expected=f"at most {LARGEST_PIXELS:,} pixels",
        )
    if not 1 <= frames <= LARGEST_FRAMES:
        raise DataError(
            f"The file claims to have {frames} frames", where=path, expected=f"from 1 to {LARGEST_FRAMES:,}"
        )
    _check_length(dataset, path, keyword=keyword, samples=samples, frames=frames)


def _check_length(dataset: "Dataset", path: Path, *, keyword: str, samples: int, frames: int) -> None:
    """Uncompressed pixels: as many bytes as the header promises must be in the element and in the file."""
    element = dataset.get_item(_PIXELS[keyword])
    length = getattr(element, "length", None)
    if length is None:
        length = len(element.value or b"")
    if is_compressed(dataset):
        if length == 0:
            raise _short(path)
        return
    if length == 0xFFFFFFFF:
        return
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword) or int(dataset.get("BitsAllocated") or 8)
    subsampled = _text(dataset, "PhotometricInterpretation") == "YBR_FULL_422"
    needed_bits = int(dataset.Rows) * int(dataset.Columns) * (2 if subsampled else samples) * bits * frames
    start = getattr(element, "value_tell", 0)
    in_file = path.stat().st_size - start if element.value is None and start else len(element.value or b"")
    if min(length, in_file) < needed_bits // 8:
        raise _short(path)


def _no_image(dataset: "Dataset", path: Path) -> DataError:
    from pydicom.uid import UID

    meta = getattr(dataset, "file_meta", None) or {}
    kind = dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
    if kind is None and not any(tag.group in (0x0008, 0x0010, 0x0020, 0x0028) for tag in dataset):
        return DataError(
            "This is not a DICOM file", where=path, expected="a DICOM image", do="remove it or choose another"
        )
    name = UID(str(kind)).name if kind else ""
    known = f" ({name})" if name and not name.startswith("1.") and len(name) < 100 else ""
    return NoImageError(
        f"This DICOM file holds no image{known}, or was cut off before its pixels",
        where=path,
        expected="a file with pixel data",
        do="leave it out, or copy it again from where it came from",
    )


def _short(path: Path) -> DataError:
    return DataError(
        "The DICOM file is cut short: it holds fewer pixels than its header promises",
        where=path,
        do="copy it again from where it came from, or leave it out",
    )


def _broken(path: Path) -> DataError:
    return DataError(
        "The DICOM file is broken, or holds pixels in a form that cannot be decoded",
        where=path,
        expected="a whole DICOM image",
        do="copy or export it again from where it came from, or leave it out",
    )


def _text(dataset: "Dataset", keyword: str) -> str | None:
    value = dataset.get(keyword)
    return str(value) if value not in (None, "") else None


def _whole_number(dataset: "Dataset", keyword: str) -> int | None:
    value = dataset.get(keyword)
    if isinstance(value, (str, bytes)) or value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _hidden(dataset: "Dataset", keyword: str, prefix: str) -> str | None:
    value = _text(dataset, keyword)
    if value is None:
        return None
    issuer = _text(dataset, "IssuerOfPatientID") if keyword == "PatientID" else None
    return pseudonym(f"{keyword}:{issuer or ''}:{value.strip()}", prefix=prefix)


def _silence_gdcm() -> None:
    try:
        import gdcm
    except ImportError:
        return
    gdcm.Trace.WarningOff()
    gdcm.Trace.ErrorOff()
    gdcm.Trace.DebugOff()
