"""Page of the step `curate`, `report.html`: what there is, what was found, what is left out, what is unlike."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from firstread.core.report import Report
from firstread.core.version import package_version
from firstread.curation.curation_schemas import FAULT_KINDS
from firstread.project.outlier_pictures import OutlierPictures
from firstread.project.project_folder import ProjectFolder

_MAX_SHOWN = 100
#: below this, a plane or phase is to be looked at
_SURE = 0.8


def write_page(
    project: ProjectFolder, *, series: pa.Table, faults: pa.Table, excluded: pa.Table, pictures: OutlierPictures
) -> Path:
    """Write `report.html` from the tables of `30-curated`."""
    selected = pc.sum(series["selected"]).as_py() or 0
    report = Report(
        f"Curation of {project.settings.title}", f"{len(series):,} stacks: {selected:,} selected, of {_source(project)}"
    )
    report.add_text(
        f"Made by firstread {package_version()}. A stack is a set of slices of one series, orientation and size at "
        "different positions. What is left out stays where it is, is listed with its reason, and can be put back: "
        "firstread project curate put-back ID."
    )
    report.add_heading("What there is")
    for name in ("modality", "kind", "plane", "phase"):
        report.add_table(_count(series, name), caption=f"Stacks by {name}")
    report.add_text(_confidence(series))
    report.add_heading("What was found")
    if len(faults):
        report.add_table(_count_faults(faults), caption="Faults by kind")
    else:
        report.add_text("No fault was found.")
    report.add_heading("Images unlike the others")
    for sentence in pictures.sentences:
        report.add_text(sentence)
    if pictures.png is not None:
        report.add_figure(pictures.png, caption="outliers.png", alt="Scatter plots of stacks, the outermost named.")
    _add_excluded(report, excluded)
    return report.write(project.paths["curated"] / "report.html")


def _add_excluded(report: Report, excluded: pa.Table) -> None:
    """Add what is left out: what is no image of a patient in numbers, what is faulty or was decided row by row."""
    report.add_heading("What is left out, or was put back")
    frame = excluded.select(["id", "what", "kind", "reason", "decision", "decided_by"]).to_pandas()
    is_plain = frame["kind"].astype(str).str.startswith("kind: ") & frame["decision"].isna()
    plain = frame[is_plain].groupby("reason").size().rename("number").reset_index()
    if len(plain):
        report.add_table(plain, caption="No original images: reformations, localizers, screens and other objects")
    listed = frame[~is_plain].reset_index(drop=True)
    if len(listed):
        report.add_table(listed.head(_MAX_SHOWN), caption=_caption(len(listed)))
    if frame.empty:
        report.add_text("Nothing.")


def _source(project: ProjectFolder) -> str:
    if project.settings.deidentified:
        return "an archive that was stated to be de-identified already; nobody checked that here"
    return "the de-identified outputs of this project"


def _count(series: pa.Table, name: str) -> pd.DataFrame:
    counted = series.select([name, "selected"]).to_pandas()
    counted[name] = counted[name].astype(object).where(counted[name].notna(), "not stated")
    found = counted.groupby(name)["selected"].agg(["size", "sum"]).reset_index()
    named = found.rename(columns={"size": "stacks", "sum": "selected"})
    return named.sort_values("stacks", ascending=False, ignore_index=True)


def _confidence(series: pa.Table) -> str:
    """How many planes and phases are unknown or unsure."""
    sentences = []
    for name in ("plane", "phase"):
        values, confidence = series[name].cast(pa.string()), series[f"{name}_confidence"]
        applies = pc.and_(pc.is_valid(values), pc.not_equal(values, "none"))
        unsure = pc.or_(pc.equal(values, "unknown"), pc.less(confidence, _SURE))
        count = pc.sum(pc.and_(applies, unsure)).as_py() or 0
        sentences.append(
            f"{count:,} of {pc.sum(applies).as_py() or 0:,} stacks have a {name} that is unknown or said "
            f"with a confidence under {_SURE:g}"
        )
    return "; ".join(sentences) + ". Look at these before you rely on them."


def _count_faults(faults: pa.Table) -> pd.DataFrame:
    frame = faults.select(["kind", "action", "excluded", "put_back_by"]).to_pandas()
    frame["put back"] = frame["put_back_by"].notna()
    found = frame.groupby(frame["kind"].astype(str)).agg(
        found=("kind", "size"), excluded=("excluded", "sum"), put_back=("put back", "sum")
    )
    meanings = [FAULT_KINDS[kind].meaning for kind in found.index]
    return found.reset_index().assign(meaning=meanings).rename(columns={"put_back": "put back"})


def _caption(count: int) -> str:
    some = f"the first {_MAX_SHOWN} of {count:,}" if count > _MAX_SHOWN else f"{count:,}"
    return f"For a fault or by a decision: {some}; excluded.csv lists everything"
