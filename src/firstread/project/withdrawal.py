"""Withdrawal of consent: a patient is removed from the project and its vault, and no later run brings them back."""

import csv
import io
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from firstread.core.errors import DataError, FirstreadError
from firstread.core.files import read_json, write_atomically, write_json, write_text
from firstread.core.paths import runs_folder
from firstread.core.patient_identity import patient_digest
from firstread.core.run import Run
from firstread.deidentification.folder_deidentifier import RECORD
from firstread.dicom.headers import convert_dicom_errors, open_dicom_object, pseudonymize
from firstread.project.curation_choices import forget_patient
from firstread.project.deidentification_tables import write_held_back, write_page
from firstread.project.file_outcomes import open_store
from firstread.project.hold_decisions import Decisions
from firstread.project.index import index_folder, write_derived_tables
from firstread.project.locks import file_lock
from firstread.project.outcome_store import OutcomeStore, write_outcome_store
from firstread.project.project_folder import ProjectFolder
from firstread.project.reasons import check_reason
from firstread.project.withdrawal_marks import Withdrawals, file_key

_MAX_CSV_BYTES = 256 * 1024**2


@dataclass(frozen=True)
class WithdrawalResult:
    """What was removed, and what cannot be.

    Attributes:
        pseudonym: of the patient.
        files: outputs, sheets and other files that were removed.
        rows: rows that were removed from tables of the project.
        originals: files of the patient in the archive, which stay where they are.
        runs: ids of trainings that saw the patient.
        unknown_runs: number of trainings that do not say whom they saw.
    """

    pseudonym: str
    files: int
    rows: int
    originals: int
    runs: tuple[str, ...]
    unknown_runs: int


def withdraw(project: ProjectFolder, passphrase: str, pseudonym: str, *, reason: str) -> WithdrawalResult:
    """Remove a patient from the project and its vault. The archive is opened read-only and stays.

    Raises:
        SettingError: the passphrase is wrong, or the reason is empty or names somebody.
        DataError: nobody has this pseudonym, or the outputs are anonymous.
    """
    secret = project.open_key(passphrase)
    text = check_reason(project, reason)
    with file_lock(project.folder / ".deidentify.lock", wait=False), file_lock(project.folder / ".lock", wait=False):
        rows = _rows_of(project, pseudonym)
        runs, unknown = runs_that_saw(_digests(project, pseudonym, rows))
        _mark(project, rows)
        forget_patient(project, pseudonym)
        files, table_rows = _remove_from_project(project, pseudonym)
        _remove_from_vault(project, pseudonym, rows, secret)
        _write_results_again(project)
        project.states.refresh("deidentify", ("decisions",))
        counts = {"files": files, "rows": table_rows, "originals": len(rows), "runs": sorted(runs)}
        project.log("withdraw", f"{pseudonym}: {text}", counts)
    return WithdrawalResult(pseudonym, files, table_rows, len(rows), tuple(sorted(runs)), unknown)


def plan_withdrawal(project: ProjectFolder, pseudonym: str) -> WithdrawalResult:
    """What `withdraw` would remove.

    Raises:
        DataError: nobody has this pseudonym, or the outputs are anonymous.
    """
    project.check_vault()
    rows = _rows_of(project, pseudonym)
    runs, unknown = runs_that_saw(_digests(project, pseudonym, rows))
    named = {path for found in project.folder.rglob(f"*{pseudonym}*") for path in (found, *found.rglob("*"))}
    tables = sum(_count_rows(path, pseudonym) for path in sorted(project.folder.rglob("*.parquet")))
    files = sum(1 for path in named if path.is_file())
    return WithdrawalResult(pseudonym, files, tables, len(rows), tuple(runs), unknown)


def runs_that_saw(digests: Iterable[str]) -> tuple[list[str], int]:
    """Trainings in firstread's folder that saw a patient, and how many do not say whom they saw.

    A run that went on from one that saw the patient has seen them too.
    """
    wanted, seen, unknown = set(digests), set[str](), 0
    runs = []
    for path in sorted(runs_folder().glob("*/run.json")):
        with suppress(FirstreadError):
            runs.append(Run.load(path.parent))
    for run in runs:
        if wanted & set(run.patients):
            seen.add(run.id or run.folder.name)
        elif not run.patients:
            unknown += 1
    while True:
        children = {run.id for run in runs if run.parent in seen} - seen
        if not children:
            return sorted(seen), unknown
        seen |= children


def _rows_of(project: ProjectFolder, pseudonym: str) -> list[dict[str, Any]]:
    with OutcomeStore(project.vault_outcomes) as store:
        rows = list(store.of_patient(pseudonym))
    if not rows:
        raise DataError(
            "Nobody in this project has this pseudonym",
            where=project.folder,
            do="check it; of outputs that were made anonymous nobody can say whose they are",
        )
    return rows


def _digests(project: ProjectFolder, pseudonym: str, rows: list[dict[str, Any]]) -> set[str]:
    """Digests under which a run may have noted the patient: by the pseudonym, and by what a cohort makes of it."""
    names = {pseudonym}
    output = next((project.paths["deidentified"] / row["output"] for row in rows if row["output"]), None)
    if output is not None:
        with suppress(DataError):
            dataset = open_dicom_object(output)
            with convert_dicom_errors(output):
                names.add(pseudonymize(dataset, "PatientID", "P") or pseudonym)
    return {patient_digest(name) for name in names}


def _mark(project: ProjectFolder, rows: list[dict[str, Any]]) -> None:
    store = open_store(index_folder(project))
    keys = {row["person"] if row["person"].startswith(row["key"] + "|") else row["key"] for row in rows}
    stated = {row["file"]: store.file(row["file"]) for row in rows}
    assigned = [file_key(digest) for digest, key, _ in stated.values() if not key]
    Withdrawals.read(project.vault.folder).marked([*keys, *assigned]).write(project.vault.folder)


def _remove_from_project(project: ProjectFolder, pseudonym: str) -> tuple[int, int]:
    """Remove what carries the pseudonym in its name, and the rows that hold it; returns files and rows."""
    files, rows = 0, 0
    for path in sorted(project.folder.rglob(f"*{pseudonym}*"), key=lambda found: len(found.parts)):
        if path.is_dir() and not path.is_symlink():
            files += sum(1 for inner in path.rglob("*") if inner.is_file())
            shutil.rmtree(path)
        elif path.exists() or path.is_symlink():
            files += 1
            path.unlink()
    for name in ("verification.json", "verification.html"):
        (project.paths["deidentified"] / name).unlink(missing_ok=True)
    for path in sorted(project.folder.rglob("*")):
        if path.suffix == ".parquet":
            rows += _filter_table(path, lambda row: not _holds(row, pseudonym))
        elif path.suffix == ".csv" and path.stat().st_size <= _MAX_CSV_BYTES:
            rows += _filter_csv(path, pseudonym)
    return files, rows


def _remove_from_vault(project: ProjectFolder, pseudonym: str, rows: list[dict[str, Any]], secret: bytes) -> None:
    """Remove the patient's rows, records, decisions and all sheets; the outcomes last, so that it can be done again."""
    gone = {row["file"] for row in rows}
    index = index_folder(project)
    open_store.cache_clear()
    for table in ("instances", "slices", "identities"):
        for path in sorted((index / table).glob("part-*.parquet")):
            _filter_table(path, lambda row: row["file"] not in gone)
    write_derived_tables(index)
    project.records(secret).remove(pseudonym)
    decisions = Decisions.read(project.vault.folder)
    if decisions.all:
        decisions.without(gone | {row["key"] for row in rows}).write(project.vault.folder)
    shutil.rmtree(project.settings.vault / "sheets", ignore_errors=True)
    shutil.rmtree(project.settings.vault / "verification", ignore_errors=True)
    with OutcomeStore(project.vault_outcomes) as store:
        write_outcome_store(project.vault_outcomes, (row for row in store.all() if row["file"] not in gone))


def _write_results_again(project: ProjectFolder) -> None:
    folder = project.paths["deidentified"]
    totals: Counter[str] = Counter()
    with pq.ParquetFile(folder / "actions.parquet") as table:
        for batch in table.iter_batches(columns=["rule", "count"]):
            for row in batch.to_pylist():
                totals[row["rule"]] += row["count"]
    record = read_json(folder / RECORD, max_bytes=10_000_000)
    actions = dict(sorted(totals.items(), key=lambda pair: (-pair[1], pair[0])))
    write_json(folder / RECORD, record | {"actions": actions})
    write_held_back(project)
    write_page(project)


def _holds(row: dict[str, Any], pseudonym: str) -> bool:
    return any(pseudonym in value for value in row.values() if isinstance(value, str))


def _count_rows(path: Path, pseudonym: str) -> int:
    return sum(_holds(row, pseudonym) for row in _table_rows(path))


def _filter_table(path: Path, keep: Callable[[dict[str, Any]], bool]) -> int:
    """Write a table again without some rows, a row group at a time; returns how many went."""
    gone = 0

    def write(temporary: Path) -> None:
        nonlocal gone
        with pq.ParquetFile(path) as table, pq.ParquetWriter(temporary, table.schema_arrow) as writer:
            for batch in table.iter_batches():
                kept = [keep(row) for row in batch.to_pylist()]
                gone += kept.count(False)
                writer.write_batch(_without_unused_words(batch.filter(pa.array(kept, pa.bool_()))))

    if any(not keep(row) for row in _table_rows(path)):
        write_atomically(path, write)
    return gone


def _without_unused_words(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Rows whose dictionary columns hold the words of these rows alone: a word of a row that went must go too."""
    columns = [
        column.dictionary_decode().dictionary_encode().cast(column.type)
        if pa.types.is_dictionary(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _table_rows(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as table:
        for batch in table.iter_batches():
            yield from batch.to_pylist()


def _filter_csv(path: Path, pseudonym: str) -> int:
    text = path.read_text(encoding="utf-8", errors="replace")
    if pseudonym not in text:
        return 0
    rows = list(csv.reader(io.StringIO(text)))
    kept = [row for row in rows if not any(pseudonym in cell for cell in row)]
    output = io.StringIO()
    csv.writer(output, lineterminator="\n").writerows(kept)
    write_text(path, output.getvalue())
    return len(rows) - len(kept)
