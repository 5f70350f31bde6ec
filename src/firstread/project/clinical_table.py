"""Step `clinical`: a department's table of clinical facts, joined to pseudonyms; optional.

The table names people, so it stays where it is, and where that is stands in the vault alone. What is written is keyed
by pseudonym, holds no date and no column that identifies anybody.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from firstread.core.csv_text import csv_text
from firstread.core.errors import DataError, SettingError
from firstread.core.files import write_atomically, write_json, write_text
from firstread.core.patient_identity import normalize_patient
from firstread.curation.clinical_columns import ClinicalColumn, check_columns, convert_values, decide_columns
from firstread.datasets.table_text import read_table
from firstread.deidentification.value_search import clean_text
from firstread.dicom.archive_index import INSTANCES
from firstread.dicom.headers import convert_dicom_errors, open_dicom_object
from firstread.project.archive_names import locate
from firstread.project.identity_store import IdentityStore
from firstread.project.index import index_folder
from firstread.project.outcome_store import OutcomeStore
from firstread.project.profile_file import ProjectProfile
from firstread.project.project_verification import word_kinds

if TYPE_CHECKING:
    import pandas as pd

    from firstread.project.project_folder import ProjectFolder

_TYPES = {"number": pa.float64(), "age": pa.float64(), "truth": pa.bool_(), "category": pa.string(), "date": pa.int32()}
SOURCE_FILE = "clinical-source.json"


@dataclass(frozen=True)
class _People:
    """Whom the archive knows.

    Attributes:
        of_identifier: normalized identifier -> pseudonyms.
        birth_dates: pseudonym -> birth dates, YYYYMMDD.
        first_days: pseudonym -> day of the first study; read when dates are to be converted.
    """

    of_identifier: Mapping[str, frozenset[str]] = field(repr=False)
    birth_dates: Mapping[str, frozenset[str]] = field(repr=False)
    first_days: Callable[[], Mapping[str, date]] = field(repr=False)


def join_clinical(
    project: "ProjectFolder",
    source: Path,
    *,
    id_column: str,
    passphrase: str | None = None,
    keep: tuple[str, ...] = (),
    dry_run: bool = False,
) -> dict[str, Any]:
    """Join a table to the project's pseudonyms; writes `25-clinical/clinical.parquet` and `columns.csv`.

    Args:
        project: whose archive is de-identified; or was when it came, and is curated.
        source: CSV with one row a patient.
        id_column: of the patients' identifiers: the original ones, or those of an archive that came de-identified.
        passphrase: that opens the key; not needed for an archive that came de-identified.
        keep: columns that stay although they look identifying, if no value in them names anybody.
        dry_run: say what would come out, and write nothing.

    Returns:
        Counts of rows, columns that stay, and the reason of each that is dropped; nobody is named.

    Raises:
        DataError: the table cannot be read, no row is of a patient of the archive, or a patient has several rows.
        SettingError: there is no such column, or the passphrase is wrong.
    """
    source = Path(source).expanduser().resolve()
    if not source.is_file():
        raise DataError("There is no such table", where=source, do="check the path")
    people = _known_people(project, passphrase)
    table = read_table(source)
    check_columns(table, key=id_column, keep=keep)
    patients, matched = _match(table[id_column].tolist(), people)
    rows = _one_row_each(table.drop(columns=id_column), patients, source)
    names_somebody = _value_search(project)
    known = [people.birth_dates.get(patient, frozenset()) for patient in rows]
    part = table.loc[list(rows.values())]
    columns = decide_columns(part, key=id_column, keep=keep, names_somebody=names_somebody, birth_dates=known)
    result = _convert(part, list(rows), columns, people)
    counts: dict[str, Any] = {
        **matched,
        "patients": len(rows),
        "columns": [column.name for column in columns if column.kind != "dropped"],
        "dropped": {column.source: column.reason for column in columns if column.kind == "dropped"},
    }
    if dry_run:
        return counts
    write_json(project.vault.folder / SOURCE_FILE, {"path": str(source)})
    (project.vault.folder / SOURCE_FILE).chmod(0o600)
    project.reread_paths()
    with project.step("clinical", parameters={"keep": sorted(keep)}) as recorded:
        folder = project.paths["clinical"].parent
        write_text(folder / "columns.csv", _columns_csv(columns))
        write_atomically(project.paths["clinical"], partial(pq.write_table, result))
        recorded.update(counts)
    return counts


def _known_people(project: "ProjectFolder", passphrase: str | None) -> _People:
    if project.settings.deidentified:
        project.check_current("curate")
        series = pq.read_table(project.paths["curated series"], columns=["patient", "study", "first_file"])
        found: dict[str, set[str]] = {}
        for patient in pc.unique(series["patient"]).to_pylist():
            if patient is not None:
                found.setdefault(normalize_patient(patient), set()).add(patient)
        return _People(_frozen(found), {}, partial(_first_days_of_files, project, series))
    project.check_vault()
    project.check_current("deidentify")
    if ProjectProfile.read(project.paths["profile"]).anonymous:
        raise SettingError(
            "The outputs are anonymous: nobody can say which patient of a table is which of theirs",
            do="de-identify with a key: firstread project deidentify --no-anonymous --replace",
        )
    secret = project.open_key(passphrase)
    identifiers: dict[str, set[str]] = {}
    births: dict[str, frozenset[str]] = {}
    for pseudonym, values in project.records(secret).records():
        for identifier in filter(None, values.get("PatientID", "").split("; ")):
            identifiers.setdefault(normalize_patient(identifier), set()).add(pseudonym)
        births[pseudonym] = frozenset(values.get("PatientBirthDate", "").split("; ")) - {""}
    return _People(_frozen(identifiers), births, partial(_first_days_of_outputs, project))


def _frozen(found: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(values) for name, values in found.items()}


def _first_days_of_outputs(project: "ProjectFolder") -> dict[str, date]:
    """Pseudonym -> original date of the first study that has an output."""
    with OutcomeStore(project.vault_outcomes) as store:
        pairs = [(row["file"], row["patient"]) for row in store.all() if row["status"] == "written"]
    files, patients = (pa.array(column, pa.string()) for column in zip(*pairs, strict=True)) if pairs else ([], [])
    first: dict[str, date] = {}
    index = ds.dataset(index_folder(project) / "instances", schema=INSTANCES)
    for batch in index.to_batches(columns=["file", "study_date"]):
        places = pc.index_in(batch["file"], value_set=files)
        for place, text in zip(places.to_pylist(), batch["study_date"].to_pylist(), strict=True):
            day = _dicom_date(text)
            if place is not None and day is not None:
                patient = patients[place].as_py()
                first[patient] = min(day, first.get(patient, day))
    return first


def _first_days_of_files(project: "ProjectFolder", series: pa.Table) -> dict[str, date]:
    """Patient -> date of the first study, from a header of each study of an archive that came de-identified."""
    first: dict[str, date] = {}
    seen: set[str] = set()
    for row in series.to_pylist():
        if row["study"] in seen or row["first_file"] is None or row["patient"] is None:
            continue
        seen.add(row["study"])
        path = locate(project.image_folder, row["first_file"])
        dataset = open_dicom_object(path)
        with convert_dicom_errors(path):
            day = _dicom_date(str(dataset.get("StudyDate") or ""))
        if day is not None:
            first[row["patient"]] = min(day, first.get(row["patient"], day))
    return first


def _dicom_date(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "").replace(".", "").replace("-", "")[:8])
    except ValueError:
        return None


def _match(identifiers: list[Any], people: _People) -> tuple[list[str | None], dict[str, int]]:
    """Pseudonym of each row, None where it is of nobody or of several; and counts."""
    counts = {"rows": len(identifiers), "matched": 0, "unmatched": 0, "ambiguous": 0, "without_identifier": 0}
    patients: list[str | None] = []
    for identifier in identifiers:
        if not isinstance(identifier, str):
            counts["without_identifier"] += 1
            patients.append(None)
            continue
        found = people.of_identifier.get(normalize_patient(identifier), frozenset())
        counts["matched" if len(found) == 1 else "ambiguous" if found else "unmatched"] += 1
        patients.append(next(iter(found)) if len(found) == 1 else None)
    everybody = frozenset().union(*people.of_identifier.values())
    counts["archive_patients_without_row"] = len(everybody - set(patients))
    return patients, counts


def _one_row_each(table: "pd.DataFrame", patients: list[str | None], source: Path) -> dict[str, Any]:
    """Pseudonym -> line of its row, sorted.

    Raises:
        DataError: no row is of the archive, or rows of a patient say different things.
    """
    rows: dict[str, Any] = {}
    several: set[str] = set()
    for line, patient in zip(table.index, patients, strict=True):
        if patient is None:
            continue
        if patient in rows and not table.loc[line].equals(table.loc[rows[patient]]):
            several.add(patient)
        rows.setdefault(patient, line)
    if not rows:
        raise DataError(
            "No row is of a patient of the archive",
            where=source,
            expected="identifiers as in the archive's headers",
            do="check --id-column",
        )
    if several:
        raise DataError(
            f"{len(several)} patients have several rows that say different things",
            where=source,
            expected="one row a patient",
            do="choose one row of each, or put later facts into columns of their own",
        )
    return dict(sorted(rows.items()))


def _value_search(project: "ProjectFolder") -> Callable[[str], bool]:
    """Whether a text holds an identity value of anybody in the archive, or looks like one."""
    try:
        store = None if project.settings.deidentified else IdentityStore(index_folder(project))
    except DataError:
        store = None

    def names_somebody(text: str) -> bool:
        if store is not None and word_kinds(store, text):
            return True
        return clean_text(text, frozenset(), descriptions=True) != clean_text(text, frozenset(), descriptions=False)

    return names_somebody


def _convert(part: "pd.DataFrame", patients: list[str], columns: list[ClinicalColumn], people: _People) -> pa.Table:
    has_dates = any(column.kind == "date" for column in columns)
    first = people.first_days() if has_dates else {}
    days = [first.get(patient) for patient in patients]
    result = {"patient": pa.array(patients, pa.string())}
    for column in columns:
        if column.kind != "dropped":
            texts = [value if isinstance(value, str) else None for value in part.iloc[:, column.place]]
            result[column.name] = _array(convert_values(texts, column.kind, days), column.kind)
    return pa.table(result)


def _array(values: list[Any], kind: str) -> pa.Array:
    """Values of one type; numbers that are all whole are integers."""
    if kind in ("number", "age") and all(value is None or float(value).is_integer() for value in values):
        return pa.array([None if value is None else int(value) for value in values], pa.int64())
    return pa.array(values, _TYPES[kind])


def _columns_csv(columns: list[ClinicalColumn]) -> str:
    rows = ((one.source, one.name if one.kind != "dropped" else "", one.kind, one.reason) for one in columns)
    return csv_text(("column", "name", "kind", "reason"), rows)
