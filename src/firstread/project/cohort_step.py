"""Step `cohort`: who is in, from an eligibility file; with flow diagram, Table 1 and the bias that it brings."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firstread.core.csv_text import csv_text, frame_csv
from firstread.core.errors import SettingError
from firstread.core.files import write_atomically, write_text
from firstread.core.report import Report
from firstread.curation.eligibility import Eligibility, parse_eligibility, read_eligibility_text
from firstread.curation.eligibility_draft import draft_eligibility
from firstread.curation.eligibility_tables import ArchiveTables
from firstread.curation.flow_diagram import draw_flow
from firstread.curation.participant_flow import Participants, counted, select_participants
from firstread.curation.selection_bias import bias_of, bias_text
from firstread.curation.table_one import TableOne, table_one
from firstread.project.curated_tables import read_archive_tables, read_components
from firstread.project.reasons import kinds_named

if TYPE_CHECKING:
    import pandas as pd

    from firstread.project.project_folder import ProjectFolder

#: columns of `included.parquet`, key first; see docs/reference/tables.md
INCLUDED = pa.schema(
    {
        "series": pa.string(),
        "stack": pa.int32(),
        "study": pa.string(),
        "patient": pa.string(),
        "component": pa.string(),
        "target": pa.string(),
        "day": pa.int32(),
        "age_years": pa.float64(),
        "sex": pa.string(),
        "site": pa.string(),
        "modality": pa.string(),
        "first_file": pa.string(),
    }
)
#: column of `included.parquet` -> where it comes from
_SOURCES = {
    "series": "series.series",
    "stack": "series.stack",
    "study": "study.study",
    "patient": "patient.patient",
    "day": "study.day",
    "age_years": "study.age_years",
    "sex": "study.sex",
    "site": "study.site",
    "modality": "series.modality",
    "first_file": "series.first_file",
}
_TABLE_CAPTION = (
    "Patients who are in beside those who were assessed and are not: median (quartiles), or number (share). Ages of 90 "
    "and more are shown as >= 90; * marks cells of fewer than five people; differences are standardized."
)
_NOT_A_PRIORI = (
    "The criteria are said to be a priori, but the audit log has it that criteria were drawn from this archive before."
)
_A_POSTERIORI = "The criteria were drawn a posteriori, from what the archive has."


def choose_cohort(
    project: "ProjectFolder", *, source: Path | None = None, draw: bool = False, dry_run: bool = False
) -> dict[str, Any]:
    """Choose who is in, by `40-cohort/eligibility.toml`.

    Args:
        project: that is curated.
        source: an eligibility file that is taken over first.
        draw: write an eligibility file from what the archive has, where there is none.
        dry_run: say what would come out, and write nothing.

    Returns:
        Counts, and `remarks` in sentences.

    Raises:
        DataError: the archive is not curated, or there is no eligibility file.
        SettingError: the file is wrong; the message says where.
    """
    project.check_current("curate")
    tables = read_archive_tables(project)
    text = _eligibility_text(project.paths["eligibility"], tables, source, draw=draw)
    if kinds := kinds_named(project, text):
        raise SettingError(
            f"The eligibility file holds a word that names somebody of the archive ({', '.join(sorted(kinds))})",
            where=source or project.paths["eligibility"],
            do="say it without names, identifiers and dates: the project must name nobody",
        )
    eligibility = parse_eligibility(text)
    found = select_participants(eligibility, tables)
    if eligibility.planned == "a priori" and _was_drawn(project):
        found = replace(found, remarks=(*found.remarks, _NOT_A_PRIORI))
    counts = count_cohort(found)
    if dry_run:
        return counts
    parameters = {"planned": eligibility.planned, "unit": eligibility.unit}
    with project.step("cohort", parameters=parameters) as recorded:
        write_text(project.paths["eligibility"], text)
        write_cohort(project.paths["cohort"], eligibility, found, read_components(project))
        recorded.update({name: value for name, value in counts.items() if name != "remarks"} | {"drawn": draw})
    return counts


def count_cohort(found: Participants) -> dict[str, Any]:
    """Numbers of a cohort, and what a reader must know of it."""
    first, last = found.flow.slice(0, 1).to_pylist()[0], found.flow.slice(len(found.flow) - 1).to_pylist()[0]
    missing = pc.sum(found.flow.filter(pc.equal(found.flow["side"], "missing"))["left"]).as_py() or 0
    return {
        "assessed": first["after"],
        "included": last["after"],
        "unit": last["unit"],
        "patients": last["patients_after"],
        "studies": last["studies_after"],
        "series": last["series_after"],
        "not_answered": missing,
        "classes": _count_classes(found),
        "remarks": list(found.remarks),
    }


def write_cohort(folder: Path, eligibility: Eligibility, found: Participants, components: Mapping[str, str]) -> None:
    """Write `included.parquet`, the flow, Table 1, the bias and the page; the same tables give the same bytes."""
    included = included_rows(found, components)
    write_atomically(folder / "included.parquet", partial(pq.write_table, included))
    write_atomically(folder / "flow.parquet", partial(pq.write_table, found.flow))
    write_text(folder / "flow.csv", csv_text(found.flow.column_names, (row.values() for row in found.flow.to_pylist())))
    note = _A_POSTERIORI if eligibility.planned == "a posteriori" else ""
    flow = draw_flow(found.flow, title=eligibility.title, note=note)
    write_text(folder / "flow.svg", flow)
    table = describe_participants(found)
    write_text(folder / "table1.csv", frame_csv(table.rows))
    is_missing = "missing" in found.flow["side"].to_pylist()
    write_text(folder / "bias.md", bias_text(eligibility, missing=is_missing))
    _page(eligibility, found, flow, table).write(folder / "report.html")


def included_rows(found: Participants, components: Mapping[str, str]) -> pa.Table:
    """One row a series (or stack of one) that is in, with the columns of `INCLUDED`, sorted."""
    kept = found.tables.rows.filter(pa.array(found.included & found.tables.present["series"]))
    columns = {}
    for field in INCLUDED:
        source = _SOURCES.get(field.name)
        known = source in kept.column_names
        columns[field.name] = kept[source].cast(field.type) if known else pa.nulls(len(kept), field.type)
    patients = columns["patient"].to_pylist()
    columns["component"] = pa.array([components.get(patient, patient) for patient in patients], pa.string())
    if found.targets is not None:
        columns["target"] = found.targets.filter(pa.array(found.included & found.tables.present["series"]))
    return pa.table(columns, schema=INCLUDED).sort_by(
        [("patient", "ascending"), ("series", "ascending"), ("stack", "ascending")]
    )


def describe_participants(found: Participants) -> TableOne:
    """Table 1 of who is in, beside who was assessed and is not."""
    is_in = set(pc.unique(found.tables.rows["patient.patient"].filter(pa.array(found.included))).to_pylist())
    patients = patient_rows(found.tables, found.included, found.targets)
    chosen = np.array([patient in is_in for patient in patients["patient"].to_pylist()], bool)
    groups = {"included": chosen, "left out": ~chosen} if not chosen.all() else {"included": chosen}
    return table_one(patients, groups, skip=("patient",))


def patient_rows(tables: ArchiveTables, first: np.ndarray, targets: pa.Array | None) -> pa.Table:
    """One row a patient, of the first row for which `first` is true, else of the first: what Table 1 describes."""
    order = np.argsort(~first, kind="stable")
    rows = tables.rows.take(pa.array(order))
    patients = rows["patient.patient"].combine_chunks()
    known = pc.unique(patients)
    places = pc.index_in(known, value_set=patients)
    columns = {"patient": known}
    for name in rows.column_names:
        table, _, column = name.partition(".")
        described = table == "clinical" or name in ("study.age_years", "study.sex", "study.site", "study.scanner")
        if (described or name in ("patient.studies", "patient.series")) and column not in ("patient", *columns):
            columns[column] = rows[name].combine_chunks().take(places)
    if targets is not None:
        columns["target"] = targets.take(pa.array(order)).take(places)
    return pa.table(columns)


def _eligibility_text(path: Path, tables: ArchiveTables, source: Path | None, *, draw: bool) -> str:
    if draw and source is not None:
        raise SettingError("An eligibility file is either drawn or taken over", do="choose --draw or --from FILE")
    if draw:
        if path.is_file():
            raise SettingError(
                "There is an eligibility file already, which is not drawn over", where=path, do="delete it first"
            )
        return draft_eligibility(tables)
    return read_eligibility_text(source or path)


def _was_drawn(project: "ProjectFolder") -> bool:
    return any(entry["step"] == "cohort" and entry["counts"].get("drawn") for entry in project.audit.read())


def _count_classes(found: Participants) -> dict[str, int]:
    """Class -> number of patients who are in and have a row of it."""
    if found.targets is None:
        return {}
    pairs = zip(
        found.targets.to_pylist(), found.tables.rows["patient.patient"].to_pylist(), found.included, strict=True
    )
    patients: dict[str, set[str]] = {}
    for label, patient, is_in in pairs:
        if is_in:
            patients.setdefault("no class" if label is None else label, set()).add(patient)
    return {label: len(members) for label, members in sorted(patients.items())}


def _page(eligibility: Eligibility, found: Participants, flow: str, table: TableOne) -> Report:
    last = found.flow.to_pylist()[-1]
    report = Report(eligibility.title or "Cohort", f"{counted(last['after'], last['unit'])} included")
    is_planned = eligibility.planned == "a priori"
    report.add_text("The criteria were written a priori, before anybody looked." if is_planned else _A_POSTERIORI)
    for remark in found.remarks:
        report.add_text(remark)
    report.add_heading("Flow of participants").add_drawing(flow, alt="flow diagram; the same numbers are in flow.csv")
    report.add_heading("Criteria").add_table(_criteria_table(eligibility))
    report.add_heading("Table 1").add_table(table.page_rows, caption=_TABLE_CAPTION)
    if table.remark:
        report.add_text(table.remark)
    report.add_heading("Bias of the selection")
    is_missing = "missing" in found.flow["side"].to_pylist()
    for name, words in bias_of(eligibility, missing=is_missing):
        report.add_text(f"{name}. {words}")
    return report


def _criteria_table(eligibility: Eligibility) -> "pd.DataFrame":
    import pandas as pd

    columns = ("side", "name", "where", "needs", "missing", "why")
    rows = [[str(getattr(criterion, name)) for name in columns] for criterion in eligibility.criteria]
    return pd.DataFrame(rows, columns=list(columns))
