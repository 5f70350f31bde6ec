"""Index of an archive: one row a DICOM file, read lazily, with its identifiers as they stand in the header.

The rows name patients. They belong into a vault, and never into a project's folder, a log or a message.

Source: PS3.3 for the attributes; the columns are those of docs/reference/tables.md, "Index".
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from firstread.core.errors import DataError
from firstread.core.images import sniff_format
from firstread.dicom.headers import NoImageError, convert_dicom_errors, open_dicom, transfer_syntax

if TYPE_CHECKING:
    from pydicom import Dataset

#: what a file is: an image, a DICOM object without pixels, broken, or no DICOM
STATUSES = ("ok", "no_image", "broken", "not_dicom")

#: columns of the index, key first; text is as in the header
INSTANCES = pa.schema(
    {
        "file": pa.string(),
        "bytes": pa.int64(),
        "sha256": pa.string(),
        "status": pa.string(),
        "reason": pa.string(),
        "instance": pa.string(),
        "series": pa.string(),
        "study": pa.string(),
        "patient": pa.string(),
        "issuer": pa.string(),
        "birth_date": pa.string(),
        "sex": pa.string(),
        "age": pa.string(),
        "study_date": pa.string(),
        "study_time": pa.string(),
        "accession": pa.string(),
        "sop_class": pa.string(),
        "modality": pa.string(),
        "transfer_syntax": pa.string(),
        "instance_number": pa.int64(),
        "image_type": pa.string(),
        "body_part": pa.string(),
        "study_description": pa.string(),
        "series_description": pa.string(),
        "manufacturer": pa.string(),
        "scanner": pa.string(),
        "institution": pa.string(),
        "rows": pa.int64(),
        "columns": pa.int64(),
        "frames": pa.int64(),
        "bits_stored": pa.int64(),
        "photometric": pa.string(),
        "burned_in": pa.string(),
        "slice_thickness_mm": pa.float64(),
        "tube_voltage_kvp": pa.float64(),
        "exposure_mas": pa.float64(),
        "kernel": pa.string(),
        "contrast_agent": pa.string(),
    }
)
_TEXT = {
    "instance": "SOPInstanceUID",
    "series": "SeriesInstanceUID",
    "study": "StudyInstanceUID",
    "patient": "PatientID",
    "issuer": "IssuerOfPatientID",
    "birth_date": "PatientBirthDate",
    "sex": "PatientSex",
    "age": "PatientAge",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "accession": "AccessionNumber",
    "sop_class": "SOPClassUID",
    "modality": "Modality",
    "image_type": "ImageType",
    "body_part": "BodyPartExamined",
    "study_description": "StudyDescription",
    "series_description": "SeriesDescription",
    "manufacturer": "Manufacturer",
    "scanner": "ManufacturerModelName",
    "institution": "InstitutionName",
    "photometric": "PhotometricInterpretation",
    "burned_in": "BurnedInAnnotation",
    "kernel": "ConvolutionKernel",
    "contrast_agent": "ContrastBolusAgent",
}
_WHOLE = {"instance_number": "InstanceNumber", "rows": "Rows", "columns": "Columns", "bits_stored": "BitsStored"}
_NUMBERS = {"slice_thickness_mm": "SliceThickness", "tube_voltage_kvp": "KVP", "exposure_mas": "Exposure"}
_MAX_TEXT = 1_024


def index_file(path: str | Path, *, name: str, digest: bool = True) -> dict[str, Any]:
    """The row of one file, whatever it is: nothing is raised for a file that is broken or no DICOM.

    Args:
        path: of the file.
        name: relative to the archive, as it stands in the index.
        digest: read the whole file for its SHA-256; without, the header alone is read.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> row = index_file(get_testdata_file("CT_small.dcm"), name="CT_small.dcm")
        >>> row["status"], row["modality"], row["rows"]
        ('ok', 'CT', 128)
    """
    path = Path(path)
    row: dict[str, Any] = dict.fromkeys(INSTANCES.names)
    row |= {"file": name, "status": "ok"}
    try:
        row |= {"bytes": path.stat().st_size, "sha256": _sha256(path) if digest else None}
    except OSError:
        return row | {"status": "broken", "reason": "The file cannot be read"}
    kind = sniff_format(path)
    if kind != "dicom":
        return row | {"status": "not_dicom", "reason": f"The file is no DICOM file ({kind})"}
    try:
        dataset = open_dicom(path, load_pixels=False)
        with convert_dicom_errors(path):
            return row | read_columns(dataset)
    except NoImageError as error:
        return row | {"status": "no_image", "reason": error.what} | _columns_of_other_object(path)
    except DataError as error:
        return row | {"status": "broken", "reason": error.what}


def read_columns(dataset: "Dataset") -> dict[str, Any]:
    """The columns of the index that a header states."""
    row: dict[str, Any] = {column: _text(dataset.get(keyword)) for column, keyword in _TEXT.items()}
    row |= {column: _number(dataset.get(keyword), int) for column, keyword in _WHOLE.items()}
    row |= {column: _number(dataset.get(keyword), float) for column, keyword in _NUMBERS.items()}
    row["frames"] = _number(dataset.get("NumberOfFrames"), int) or (1 if row["rows"] else None)
    row["transfer_syntax"] = _text(transfer_syntax(dataset))
    return row


def _columns_of_other_object(path: Path) -> dict[str, Any]:
    """Identifiers of a report, a structure set or another object without pixels."""
    from pydicom import dcmread

    try:
        with convert_dicom_errors(path):
            return read_columns(dcmread(path, force=True, stop_before_pixels=True, defer_size=64 * 1024))
    except DataError:
        return {}


def _text(value: Any) -> str | None:
    from pydicom.multival import MultiValue

    if isinstance(value, MultiValue | list | tuple):
        value = "\\".join(map(str, value))
    text = "" if value is None else str(value).strip(" \0")
    return text[:_MAX_TEXT] or None


def _number(value: Any, kind: type) -> Any:
    try:
        number = float(value)
        return kind(number) if abs(number) < 2**53 else None
    except (TypeError, ValueError, OverflowError):
        return None


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
