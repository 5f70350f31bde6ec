"""The tables that a cohort is chosen from: what curation wrote, and the clinical table where there is one."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from firstread.core.errors import DataError
from firstread.curation.eligibility_tables import ArchiveTables
from firstread.curation.patient_links import link_patients, patient_pairs

if TYPE_CHECKING:
    from firstread.project.project_folder import ProjectFolder


def read_archive_tables(project: "ProjectFolder") -> ArchiveTables:
    """Series, studies, patients and clinical facts of a project, joined.

    Raises:
        DataError: a table of curation is not there, or damaged.
    """
    folder = project.paths["curated"]
    clinical = project.paths["clinical"]
    return ArchiveTables.join(
        series=_read(folder / "series.parquet"),
        study=_read(folder / "studies.parquet"),
        clinical=_read(clinical) if clinical.is_file() else None,
    )


def read_components(project: "ProjectFolder") -> dict[str, str]:
    """Patient -> component: the first name of all who may be one person.

    Raises:
        DataError: a table of curation is not there, or damaged.
    """
    folder = project.paths["curated"]
    series, study = _read(folder / "series.parquet"), _read(folder / "studies.parquet")
    others: dict[str, pa.Table] = {}
    if project.paths["curated faults"].is_file():
        others["faults"] = _read(project.paths["curated faults"])
    if (folder / "instances").is_dir():
        others["instances"] = ds.dataset(folder / "instances").to_table(columns=["study", "patient"])
    pairs = patient_pairs(series=series, study=study, **others)
    everybody = {patient for table in (series, study) for patient in table["patient"].to_pylist() if patient}
    return link_patients(sorted(everybody), pairs)


def _read(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except FileNotFoundError as error:
        raise DataError("A table is not there any more", where=path, do="run the step that writes it again") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError("A table is damaged", where=path, do="run the step that writes it again") from error
