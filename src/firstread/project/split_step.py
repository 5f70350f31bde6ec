"""Step `split`: who trains, who validates, who is tested; with the width of interval that each size will give."""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firstread.core.columns import SPLITS as NAMES
from firstread.core.csv_text import csv_text, frame_csv
from firstread.core.errors import SettingError
from firstread.core.files import write_atomically, write_text
from firstread.core.report import Report
from firstread.curation.criterion_parser import parse_column
from firstread.curation.criterion_values import column_kind
from firstread.curation.eligibility import Eligibility, read_eligibility
from firstread.curation.flow_diagram import draw_flow
from firstread.curation.participant_flow import counted, target_classes
from firstread.curation.table_one import TableOne, table_one
from firstread.evaluation.sample_size_formulas import auc_interval_width, wilson_width
from firstread.project.cohort_step import patient_rows
from firstread.project.curated_tables import read_archive_tables
from firstread.project.reasons import check_reason
from firstread.project.sealed_test import check_new_split, digest_test_set, seal_warning, write_seals
from firstread.project.split_plan import SplitPlan, divide

if TYPE_CHECKING:
    import pandas as pd

    from firstread.project.project_folder import ProjectFolder

#: what is planned for: metric, expected value
EXPECTED = (("accuracy", 0.8), ("sensitivity", 0.8), ("specificity", 0.8), ("AUC", 0.85))
_CONFIDENCE = 0.95
_ONLY_DAYS = (
    "Days count from each patient's own first study, because dates do not leave the department: they order the studies "
    "of one patient, and say nothing of which patient came first"
)
_SHIFTED = "Years are shifted patient by patient, so their order is not that of the calendar."


def split_cohort(
    project: "ProjectFolder", plan: SplitPlan, *, reason: str | None = None, dry_run: bool = False
) -> dict[str, Any]:
    """Divide the cohort, and seal its test set.

    Args:
        project: whose cohort is chosen.
        plan: how it is divided.
        reason: why another test set is drawn after the last one was opened.
        dry_run: say what would come out, and write nothing.

    Returns:
        Counts, and `remarks` in sentences.

    Raises:
        DataError: there is no cohort, or it has too few patients.
        SettingError: the plan does not fit; or the test set was opened, and this split has another one.
    """
    project.check_current("cohort")
    included = pq.read_table(project.paths["cohort"] / "included.parquet")
    eligibility = read_eligibility(project.paths["eligibility"])
    patients = patients_of(included, eligibility)
    remarks: list[str] = []
    times = _times(project, plan.by, patients, remarks) if plan.by else None
    splits, nested = divide(patients, plan, times=times)
    sizes = size_rows(splits, included, eligibility)
    remarks += _remarks(splits, plan)
    counts = {**_count(splits), "remarks": remarks, "rule": plan.rule}
    if dry_run:
        return counts
    reason = None if reason is None else check_reason(project, reason)
    seals = check_new_split(project, splits, reason=reason)
    folder = project.paths["split folder"]
    parameters = {"rule": plan.rule, "method": plan.method, "seed": plan.seed}
    with project.step("split", parameters=parameters) as recorded:
        write_atomically(project.paths["splits"], partial(pq.write_table, splits))
        if nested is not None:
            write_atomically(folder / "nested.parquet", partial(pq.write_table, nested))
        else:
            (folder / "nested.parquet").unlink(missing_ok=True)
        write_text(folder / "sizes.csv", _csv(sizes))
        table = _table_one(project, splits, included, eligibility)
        write_text(folder / "table1.csv", frame_csv(table.rows))
        flow = _flow(project, splits, eligibility)
        write_text(folder / "flow.svg", flow)
        write_seals(project, seals)
        recorded.update({name: value for name, value in counts.items() if name not in ("remarks", "rule")})
    _page(project, flow, table, sizes, [*remarks, seal_warning(project)]).write(folder / "report.html")
    return counts


def patients_of(included: pa.Table, eligibility: Eligibility) -> pa.Table:
    """One row a patient in the order of their first file: patient, component, stratum, site.

    Somebody with any case of the class that the target asks for counts for that class.
    """
    order = included.sort_by([("first_file", "ascending"), ("patient", "ascending")]).to_pylist()
    rows: dict[str, dict[str, Any]] = {}
    for row in order:
        known = rows.setdefault(row["patient"], {name: row[name] for name in ("patient", "component", "site")})
        known.setdefault("targets", []).append(row["target"])
    positive = eligibility.target.name if eligibility.target and eligibility.target.where else None
    for known in rows.values():
        known["stratum"] = _stratum(known.pop("targets"), positive)
    columns = ("patient", "component", "stratum", "site")
    return pa.table({name: pa.array([row[name] for row in rows.values()], pa.string()) for name in columns})


def size_rows(splits: pa.Table, included: pa.Table, eligibility: Eligibility) -> list[dict[str, Any]]:
    """Size of each split, and the width of the 95 % interval that it will give for what is expected.

    Patients who may be one person count once: the component is what is independent.
    """
    positive = eligibility.target.name if eligibility.target and eligibility.target.where else None
    series = Counter(included["patient"].to_pylist())
    rows = []
    for name in NAMES:
        members = [row for row in splits.to_pylist() if row["split"] == name]
        if not members:
            continue
        of_class = Counter(_strata_of_components(members, positive).values())
        size = {
            "split": name,
            "patients": len(members),
            "components": sum(of_class.values()),
            "series": sum(series[row["patient"]] for row in members),
            "classes": "; ".join(f"{label}: {count}" for label, count in sorted(of_class.items()) if label is not None),
        }
        rows += [size | row for row in _widths(of_class, positive)]
    return rows


def _strata_of_components(members: list[dict[str, Any]], positive: str | None) -> dict[str, str | None]:
    """Component -> its stratum: that of the target where any patient of it has it."""
    strata: dict[str, str | None] = {}
    for row in members:
        if strata.get(row["component"]) in (None, row["stratum"]) or row["stratum"] == positive:
            strata[row["component"]] = row["stratum"]
    return strata


def _widths(of_class: Counter[str | None], positive: str | None) -> list[dict[str, Any]]:
    total = sum(of_class.values())
    positives = of_class[positive] if positive else 0
    rows = []
    for metric, expected in EXPECTED:
        counted = {"accuracy": total, "sensitivity": positives, "specificity": total - positives, "AUC": total}[metric]
        if metric != "accuracy" and (positive is None or not 0 < positives < total):
            continue
        width = (
            auc_interval_width(expected, total, positives / total, confidence=_CONFIDENCE)
            if metric == "AUC"
            else wilson_width(expected, counted, confidence=_CONFIDENCE)
        )
        rows.append({"metric": metric, "counted": counted, "expected": expected, "width": round(width, 3)})
    return rows


def _stratum(targets: list[str | None], positive: str | None) -> str | None:
    stated = [target for target in targets if target is not None]
    if positive in stated:
        return positive
    return Counter(sorted(stated)).most_common(1)[0][0] if stated else None


def _times(project: "ProjectFolder", by: str, patients: pa.Table, remarks: list[str]) -> np.ndarray:
    """(N,) time of each patient: the latest of all rows; NaN where none is stated."""
    column = parse_column(by)
    if column.table == "study" and column.name == "day":
        raise SettingError(_ONLY_DAYS, where=f"--by {by}", do="name a column with the calendar year of each patient")
    tables = read_archive_tables(project)
    values = tables.column(column)
    if column_kind(values.type) != "numbers":
        raise SettingError(f"{by} holds no numbers", expected="a column of numbers, such as calendar years")
    latest: dict[str, float] = {}
    for patient, value in zip(tables.rows["patient.patient"].to_pylist(), values.to_pylist(), strict=True):
        if value is not None:
            latest[patient] = max(value, latest.get(patient, -np.inf))
    if "shifted" in column.name:
        remarks.append(_SHIFTED)
    return np.array([latest.get(patient, np.nan) for patient in patients["patient"].to_pylist()], float)


def _remarks(splits: pa.Table, plan: SplitPlan) -> list[str]:
    found = []
    without = splits["split"].null_count
    if without:
        why = {
            "temporal": "no time of theirs is known",
            "site": "they were seen on both sides, or their site is not known",
            "contiguous": "they lie in the gap between two parts",
        }.get(plan.method, "their class is not known")
        found.append(f"In no split, because {why}: {counted(without, 'patient')}.")
    if plan.method == "nested":
        found.append("Every patient is tested once, in a fold of their own: there is no test set to seal.")
    elif not digest_test_set(splits):
        found.append("There is no test set: a result on the validation set chooses, and does not measure.")
    shared = len(splits) - len(pc.unique(splits["component"]))
    if shared:
        found.append(
            f"May be one person with another patient, and stay on the same side: {counted(shared, 'patient')}."
        )
    return found


def _count(splits: pa.Table) -> dict[str, Any]:
    sizes = Counter("no split" if name is None else name for name in splits["split"].to_pylist())
    folds = Counter(fold for fold in splits["fold"].to_pylist() if fold is not None)
    counts: dict[str, Any] = {
        "patients": len(splits),
        "splits": {name: sizes[name] for name in (*NAMES, "no split") if sizes[name]},
    }
    return counts | ({"folds": {str(fold): folds[fold] for fold in sorted(folds)}} if folds else {})


def _table_one(project: "ProjectFolder", splits: pa.Table, included: pa.Table, eligibility: Eligibility) -> TableOne:
    """Table 1 by split."""
    tables = read_archive_tables(project)
    keys = set(zip(*(included[name].to_pylist() for name in ("series", "stack")), strict=True))
    rows = zip(tables.rows["series.series"].to_pylist(), _stacks(tables.rows), strict=True)
    first = np.array([key in keys for key in rows], bool)
    targets = target_classes(eligibility.target, tables) if eligibility.target else None
    patients = patient_rows(tables, first, targets)
    split_of = dict(zip(splits["patient"].to_pylist(), splits["split"].to_pylist(), strict=True))
    split = np.array([split_of.get(patient) for patient in patients["patient"].to_pylist()], dtype=object)
    groups = {name: split == name for name in NAMES if (split == name).any()}
    return table_one(patients, groups, skip=("patient",))


def _stacks(rows: pa.Table) -> list[int | None]:
    names = rows.column_names
    return rows["series.stack"].to_pylist() if "series.stack" in names else [None] * len(rows)


def _flow(project: "ProjectFolder", splits: pa.Table, eligibility: Eligibility) -> str:
    flow = pq.read_table(project.paths["cohort"] / "flow.parquet")
    sizes = Counter(splits["split"].to_pylist())
    unit = flow["unit"].to_pylist()[-1]
    partitions = {name: sizes[name] for name in NAMES if sizes[name]} if unit == "patient" else None
    note = "The criteria were drawn a posteriori." if eligibility.planned == "a posteriori" else ""
    return draw_flow(flow, title=eligibility.title, note=note, partitions=partitions)


def _csv(rows: list[dict[str, Any]]) -> str:
    columns = ("split", "patients", "components", "series", "classes", "metric", "counted", "expected", "width")
    return csv_text(columns, ([row.get(name) for name in columns] for row in rows))


def _page(
    project: "ProjectFolder", flow: str, table: TableOne, sizes: list[dict[str, Any]], remarks: list[str]
) -> Report:
    report = Report("Splits", f"{project.settings.title}")
    for remark in filter(None, remarks):
        report.add_text(remark)
    report.add_heading("Flow of participants").add_drawing(flow, alt="flow diagram with the splits")
    report.add_heading("Sizes").add_table(
        _sizes_table(sizes),
        caption="Width of the 95 % interval where accuracy, sensitivity and specificity are 0.8, and the AUC 0.85",
    )
    report.add_heading("Table 1, by split").add_table(table.page_rows)
    if table.remark:
        report.add_text(table.remark)
    return report


def _sizes_table(sizes: list[dict[str, Any]]) -> "pd.DataFrame":
    """One row a split, one column a metric with its expected value."""
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for size in sizes:
        row = rows.setdefault(size["split"], {name: size[name] for name in ("split", "patients", "classes")})
        row[size["metric"]] = size["width"]
    return pd.DataFrame(list(rows.values()))
