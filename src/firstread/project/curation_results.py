"""Tables of `30-curated`: series, studies, faults, instances and what is left out, from the rows of both passes."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from firstread.core.csv_text import csv_text
from firstread.core.errors import StorageError
from firstread.core.files import translate_os_errors, write_atomically, write_text
from firstread.curation.curation_schemas import FAULTS_FOUND, INSTANCES, SERIES, STUDIES
from firstread.curation.study_relations import describe_studies, relate
from firstread.project.curation_decisions import CurationDecisions, file_identifier
from firstread.project.curation_exclusions import (
    EXCLUDED,
    Exclusions,
    StackPlace,
    decided_faults,
    excluded_rows,
)
from firstread.project.curation_files import FileStore
from firstread.project.curation_pages import write_page
from firstread.project.datasheet import write_datasheet
from firstread.project.outlier_pictures import write_outlier_pictures
from firstread.project.project_folder import ProjectFolder

#: headers state these; the project's tables hold the day of the study instead
_DATED = ("study_date", "study_time_s")
#: HIPAA's Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): ages over 89 are one category
OLDEST_AGE = 90
_KEY = ("patient", "study", "series", "stack")
#: what `list_places` reads
PLACE_COLUMNS = ["series", "stack", "study", "patient", "kind"]


def write_results(project: ProjectFolder, parts: Path) -> dict[str, Any]:
    """Write all tables, the pages and the pictures; returns counts.

    Args:
        project: whose decisions are followed.
        parts: folder of the rows of both passes.

    Raises:
        StorageError: the disk is full, or the folder is a link.
    """
    folder = project.paths["curated"]
    with translate_os_errors(folder):
        if folder.is_symlink():
            raise StorageError("The folder of curated tables is a link", where=folder, do="remove the link")
        folder.mkdir(exist_ok=True)
        for leftover in folder.glob(".*.*"):  # what a run that was killed had begun
            leftover.unlink()
    stacks = sort_table(read_parts(parts, "stacks", SERIES), _KEY)
    with FileStore(parts) as store:
        left_out = list(store.left_out())
    unread = pa.Table.from_pylist(list(_unread_files(left_out)), schema=INSTANCES)
    instances = pa.concat_tables([read_parts(parts, "instances", INSTANCES), unread])
    described = pa.Table.from_pylist(describe_studies(instances, stacks), schema=STUDIES)
    studies = sort_table(cap_ages(described), ("patient", "study"))
    found = read_parts(parts, "faults", FAULTS_FOUND).to_pylist() + relate(stacks, studies, instances)
    del instances
    decisions = CurationDecisions.read(project.paths["curation decisions"])
    exclusions = Exclusions(decisions, sorted(found, key=lambda fault: (fault["kind"], fault["id"])))
    series = decide_stacks(stacks, exclusions)
    faults = pa.Table.from_pylist(list(decided_faults(exclusions)), schema=FAULTS_FOUND)
    rows = [*excluded_rows(list_places(series), exclusions), *_other_files(left_out)]
    excluded = pa.Table.from_pylist(sorted(rows, key=lambda row: (row["what"], row["id"])), schema=EXCLUDED)
    for name, table in (("series", series), ("studies", studies), ("faults", faults)):
        write_atomically(folder / f"{name}.parquet", partial(pq.write_table, table))
    write_text(folder / "excluded.csv", csv_text(EXCLUDED.names, (row.values() for row in excluded.to_pylist())))
    _write_instances(parts, unread, folder / "instances", studies)
    pictures = write_outlier_pictures(project, series)
    write_page(project, series=series, faults=faults, excluded=excluded, pictures=pictures)
    write_datasheet(project, series=series, studies=studies, faults=faults, excluded=excluded)
    return count_results(series, studies, faults, excluded)


def read_parts(parts: Path, table: str, schema: pa.Schema) -> pa.Table:
    """All rows of a table of a pass; none where no part was written."""
    folder = parts / table
    return ds.dataset(folder, schema=schema).to_table() if folder.is_dir() else schema.empty_table()


def sort_table(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """A table in the order of some columns, text as text and not as dictionaries store it."""
    keys = [table[name] if pa.types.is_integer(table[name].type) else table[name].cast(pa.string()) for name in names]
    order = pa.Table.from_arrays(keys, names=list(names))
    return table.take(pc.sort_indices(order, sort_keys=[(name, "ascending") for name in names]))


def cap_ages(table: pa.Table) -> pa.Table:
    """A table whose ages over 89 are 90."""
    place = table.schema.get_field_index("age_years")
    ages = table["age_years"]
    capped = pc.if_else(pc.greater(ages, OLDEST_AGE - 1), pa.scalar(OLDEST_AGE, ages.type), ages)
    return table.set_column(place, table.schema.field(place), capped)


def list_places(series: pa.Table) -> list[StackPlace]:
    """The place of each stack."""
    columns = (series[name].to_pylist() for name in PLACE_COLUMNS)
    return [StackPlace(*values) for values in zip(*columns, strict=True)]


def decide_stacks(stacks: pa.Table, exclusions: Exclusions) -> pa.Table:
    """The table of stacks with `selected` and `reason`."""
    reasons = [exclusions.decide(place)[0] or None for place in list_places(stacks)]
    selected = pa.array([reason is None for reason in reasons], pa.bool_())
    names = {"selected": selected, "reason": pa.array(reasons, pa.string())}
    for name, values in names.items():
        stacks = stacks.set_column(stacks.schema.get_field_index(name), name, values)
    return stacks


def _unread_files(left_out: Iterable[tuple[str, str, str]]) -> Iterator[dict[str, Any]]:
    """Rows of INSTANCES of files whose header cannot be read."""
    empty: dict[str, Any] = dict.fromkeys(INSTANCES.names)
    for file, status, reason in left_out:
        if status == "broken":
            yield empty | {"file": file, "status": status, "reason": reason}


def _other_files(left_out: Iterable[tuple[str, str, str]]) -> Iterator[dict[str, Any]]:
    """Rows of EXCLUDED of files that are no DICOM; broken ones have a fault."""
    empty: dict[str, Any] = dict.fromkeys(EXCLUDED.names)
    for file, status, reason in left_out:
        if status != "broken":
            row = {"id": file_identifier(file), "what": "file", "file": file, "kind": status, "reason": reason}
            yield empty | row


def _write_instances(parts: Path, unread: pa.Table, folder: Path, studies: pa.Table) -> None:
    """Write one Parquet file a shard, with the day of the study in place of dates, and one of unread files."""
    days = dict(zip(studies["study"].to_pylist(), studies["day"].to_pylist(), strict=True))
    with translate_os_errors(folder):
        folder.mkdir(exist_ok=True)
    written = set()
    sources = sorted((parts / "instances").glob("part-*.parquet"))
    for source in [*sources, None] if len(unread) else sources:
        table = cap_ages(pq.read_table(source, schema=INSTANCES) if source else unread)
        of_study = pa.array([days.get(study) for study in table["study"].to_pylist()], pa.int32())
        dated = table.drop_columns(list(_DATED)).append_column("day", of_study)
        path = folder / (source.name if source else "unread.parquet")
        written.add(write_atomically(path, partial(pq.write_table, dated)).name)
    for old in {path.name for path in folder.iterdir()} - written:
        path = folder / old
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def count_results(series: pa.Table, studies: pa.Table, faults: pa.Table, excluded: pa.Table) -> dict[str, Any]:
    """Counts of what was found and what is left out."""
    selected = pc.sum(series["selected"]).as_py() or 0
    return {
        "patients": len(pc.unique(studies["patient"].drop_null())),
        "studies": len(studies),
        "stacks": len(series),
        "selected": selected,
        "excluded": len(series) - selected,
        "put_back": len(faults["put_back_by"].drop_null()),
        "left_out_files": pc.sum(pc.equal(excluded["what"], "file")).as_py() or 0,
        "faults": dict(sorted(Counter(faults["kind"].to_pylist()).items())),
        "kinds": dict(sorted(Counter(map(str, series["kind"].to_pylist())).items())),
        "planes": dict(sorted(Counter(map(str, series["plane"].to_pylist())).items())),
        "phases": dict(sorted(Counter(map(str, series["phase"].to_pylist())).items())),
    }
