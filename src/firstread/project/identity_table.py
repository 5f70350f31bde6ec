"""Table `identities` of the index: whose each file is, and every value in it that names somebody; in the vault only."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from firstread.core.errors import DataError
from firstread.deidentification.identity import Identity, nested_identity_values
from firstread.dicom.headers import convert_dicom_errors, open_dicom_object

#: one row a DICOM file; `values` and `nested` are JSON lists of [kind, text], which repeat from file to file
IDENTITIES = pa.schema(
    {
        "file": pa.string(),
        "sha256": pa.string(),
        "key": pa.string(),
        "instance": pa.string(),
        "study": pa.string(),
        "patient_id": pa.string(),
        "patient_name": pa.string(),
        "birth_date": pa.string(),
        "sex": pa.string(),
        "over_89": pa.bool_(),
        "values": pa.string(),
        "nested": pa.string(),
        "uids": pa.list_(pa.string()),
    }
)
_UIDS = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


def identity_rows(path: Path, *, name: str, sha256: str | None) -> list[dict[str, Any]]:
    """The row of a file; none where it is no DICOM or cannot be decoded, and is held back for it.

    Args:
        path: of the file.
        name: relative to the archive.
        sha256: of its bytes.
    """
    with suppress(DataError):
        dataset = open_dicom_object(path)
        with convert_dicom_errors(path):
            identity = Identity.of(dataset)
            nested = nested_identity_values(dataset) - identity.values
            name_text = str(dataset.get("PatientName") or "") or None
            uids = [str(dataset.get(keyword) or "") for keyword in _UIDS]
        return [
            {
                "file": name,
                "sha256": sha256,
                "key": identity.key,
                "instance": uids[0] or None,
                "study": uids[1] or None,
                "patient_id": next(iter(identity.patient_ids), None),
                "patient_name": name_text,
                "birth_date": next(iter(identity.birth_dates), None),
                "sex": next(iter(identity.sexes), None),
                "over_89": identity.over_89,
                "values": json.dumps(sorted(identity.values)),
                "nested": json.dumps(sorted(nested)),
                "uids": [uid for uid in dict.fromkeys(uids) if uid],
            }
        ]
    return []


def row_identity(row: dict[str, Any]) -> Identity:
    """The identity that a row was made of."""
    return Identity(
        key=row["key"],
        patient_ids=_set(row["patient_id"]),
        birth_dates=_set(row["birth_date"]),
        sexes=_set(row["sex"]),
        over_89=row["over_89"],
        values=decode_values(row["values"]),
    )


def decode_values(text: str) -> frozenset[tuple[str, str]]:
    """(kind, text) of a JSON list."""
    return frozenset((kind, value) for kind, value in json.loads(text))


def _set(value: str | None) -> frozenset[str]:
    return frozenset({value} if value else ())
