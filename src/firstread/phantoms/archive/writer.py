"""A phantom archive: whole invented patients as DICOM files, with a truth of what a de-identifier must do to them."""

import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from firstread.core.errors import SettingError
from firstread.core.files import atomic_folder, read_json, write_atomically, write_json, write_text
from firstread.core.progress_bar import ProgressBar
from firstread.phantoms.archive.archive_settings import ArchiveSettings, count_faults
from firstread.phantoms.archive.clinical import CLINICAL_SCHEMA, clinical_row, write_reports
from firstread.phantoms.archive.patient_folder import name_folder, write_patient
from firstread.phantoms.archive.plan import make_patient
from firstread.phantoms.archive.truth_rows import TruthRows
from firstread.phantoms.archive.truth_schemas import (
    ACTION_SCHEMA,
    FAULT_SCHEMA,
    FILE_SCHEMA,
    IDENTITY_SCHEMA,
    STACK_SCHEMA,
)

#: tables of the truth, in its folder
TABLES = {
    "actions": ACTION_SCHEMA,
    "files": FILE_SCHEMA,
    "identities": IDENTITY_SCHEMA,
    "faults": FAULT_SCHEMA,
    "studies": STACK_SCHEMA,
    "clinical": CLINICAL_SCHEMA,
}
_SETTINGS = "archive.json"


def write_archive(
    folder: str | Path,
    *,
    patients: int = 200,
    seed: int = 0,
    processes: int | None = None,
    matrix: int = 128,
    slices: int = 64,
    faults: Mapping[str, float] | None = None,
) -> Path:
    """Write a department's archive of invented patients as DICOM, and the truth about it.

    The archive has what a de-identifier and an index must cope with: identities in every place where archives hold
    them, faults of real archives, and a row of truth for each. The same settings give the same bytes. A run that was
    stopped is continued: patients that are complete are kept.

    Args:
        folder: gets `dicom/` (the archive) and `truth/` (tables, reports in words).
        patients: number of invented patients.
        seed: another seed gives other patients.
        processes: that share the work; None is one a core. They are started anew, so a script that calls this needs
            `if __name__ == "__main__":`.
        matrix, slices: of each phase of the CT; 128 and 64 are about 8 MB a patient.
        faults: kind of `FAULT_RATES` -> share of patients (below 1) or number of patients (from 1) that have it.

    Returns:
        The folder.

    Raises:
        SettingError: a setting is not possible, or the folder holds an archive of other settings.

    Example:
        >>> archive = write_archive("archive", patients=1, processes=1, matrix=32, slices=8)
        >>> sorted(path.name for path in archive.iterdir())
        ['archive.json', 'dicom', 'truth']
    """
    settings = ArchiveSettings(patients, seed, matrix, slices, count_faults(faults, patients))
    folder = Path(folder)
    _claim(folder, settings)
    if (folder / "truth" / "actions.parquet").exists():  # written last
        return folder
    wanted = [number for number in range(patients) if not _part(folder, number).exists()]
    with ProgressBar("Writing the archive", patients, unit="patient") as bar:
        bar.update(patients - len(wanted))
        for _ in _run(partial(_write_one, folder, settings), wanted, processes or os.cpu_count() or 1):
            bar.update()
    _merge(folder, patients)
    return folder


def _claim(folder: Path, settings: ArchiveSettings) -> None:
    """Note the settings in the folder, or check that they are the same."""
    stated = settings.as_json()
    path = folder / _SETTINGS
    if path.exists():
        if read_json(path, max_bytes=10_000) != stated:
            raise SettingError(
                "The folder holds an archive of other settings", where=folder, do="choose another folder, or delete it"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise SettingError("The folder is not empty", where=folder, do="choose another folder")
    else:
        write_json(path, stated)


def _run(write: partial[int], numbers: list[int], processes: int) -> Iterator[int]:
    if processes == 1 or len(numbers) < 2:
        yield from map(write, numbers)
        return
    with ProcessPoolExecutor(min(processes, len(numbers)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(write, numbers)


def _write_one(folder: Path, settings: ArchiveSettings, number: int) -> int:
    """Write one patient; the patient's part of the truth is renamed into place when all files are there."""
    dicom = folder / "dicom"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")  # of the planted faults
        patient = make_patient(settings, number)
        shutil.rmtree(dicom / name_folder(patient.home), ignore_errors=True)  # of a run that was stopped
        rows = TruthRows.of(patient, write_patient(patient, dicom))
    with atomic_folder(_part(folder, number)) as work:
        for name, table in rows.tables().items():
            pq.write_table(table, work / f"{name}.parquet")
        pq.write_table(pa.Table.from_pylist([clinical_row(patient)], CLINICAL_SCHEMA), work / "clinical.parquet")
        write_reports(patient, work / "reports")
    return number


def _part(folder: Path, number: int) -> Path:
    return folder / "truth" / "parts" / f"A{number:04d}"


def _merge(folder: Path, patients: int) -> None:
    """Join the parts into one table each, actions last, and delete them."""
    truth = folder / "truth"
    parts = [_part(folder, number) for number in range(patients)]
    for part in parts:
        for report in sorted((part / "reports").glob("*.txt")):
            write_text(truth / "reports" / report.name, report.read_text(encoding="utf-8"))
    for name in reversed(TABLES):
        files = [part / f"{name}.parquet" for part in parts]
        if name == "clinical":
            table = pa.concat_tables(pq.read_table(file) for file in files)
            write_text(truth / "clinical.csv", table.to_pandas().to_csv(index=False))
        else:
            write_atomically(truth / f"{name}.parquet", partial(_join, files, TABLES[name]))
    shutil.rmtree(truth / "parts")


def _join(files: Iterable[Path], schema: pa.Schema, target: Path) -> None:
    with pq.ParquetWriter(target, schema) as writer:
        for file in files:
            writer.write_table(pq.read_table(file).cast(schema))
