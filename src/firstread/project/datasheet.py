"""Datasheet of a curated data set: the seven sections of Gebru 2021, filled with what the project knows.

What no file and no decision states is a question that stays open, for a person to answer.

Source: Gebru et al. 2021, "Datasheets for Datasets", Commun ACM 64(12):86, doi 10.1145/3458723.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from firstread.core.errors import DataError
from firstread.core.files import write_text
from firstread.core.version import package_version
from firstread.project.project_folder import ProjectFolder

_MAX_CHARACTERS = 1_000_000
#: stands where a person is to answer
OPEN = "**Open.** To be answered by the people of the project."


@dataclass(frozen=True)
class Answer:
    """A question of the datasheet, and what the project knows of it; "" stays open."""

    question: str
    text: str = ""


def write_datasheet(
    project: ProjectFolder, *, series: pa.Table, studies: pa.Table, faults: pa.Table, excluded: pa.Table
) -> Path:
    """Write `datasheet.md` from the tables of `30-curated`."""
    sections = {
        "Motivation": _motivation(project),
        "Composition": _composition(project, series, studies, faults),
        "Collection process": _collection(project, studies),
        "Preprocessing, cleaning, labeling": _preprocessing(project, excluded),
        "Uses": _uses(),
        "Distribution": _distribution(project),
        "Maintenance": _maintenance(project),
    }
    lines = [
        f"# Datasheet of {project.settings.title}",
        "",
        f"Drafted by firstread {package_version()} after Gebru et al. 2021, doi 10.1145/3458723. It holds what the "
        "project knows; what is marked open is a question to its people. Write an answer in the place of the mark: it "
        "is kept when `curate` runs again. All else is written anew.",
    ]
    path = project.paths["curated"] / "datasheet.md"
    answered = read_answers(path)
    for title, answers in sections.items():
        lines += ["", f"## {title}"]
        for answer in answers:
            lines += ["", f"*{answer.question}*", "", answer.text or answered.get(answer.question, OPEN)]
    return write_text(path, "\n".join(lines) + "\n")


def read_answers(path: Path) -> dict[str, str]:
    """Question -> text of a datasheet that was written before; none where there is no file.

    Raises:
        DataError: the file is no text.
    """
    if not path.is_file():
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_CHARACTERS)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("The datasheet cannot be read", where=path, do="mend it, or move it away") from error
    found = {}
    for section in re.split(r"^## .*$", text, flags=re.MULTILINE):
        parts = re.split(r"^\*(.+\?)\*$", section, flags=re.MULTILINE)
        found.update({question: answer.strip() for question, answer in zip(parts[1::2], parts[2::2], strict=True)})
    return {question: answer for question, answer in found.items() if answer}


def _motivation(project: ProjectFolder) -> list[Answer]:
    return [
        Answer("For what purpose was the data set created?", project.settings.question),
        Answer("Who created it, and on behalf of which institution?"),
        Answer("Who funded it?"),
    ]


def _composition(project: ProjectFolder, series: pa.Table, studies: pa.Table, faults: pa.Table) -> list[Answer]:
    patients = len(pc.unique(studies["patient"].drop_null()))
    used = series.filter(series["selected"])
    return [
        Answer(
            "What do the instances represent, and how many are there?",
            f"{len(series):,} stacks of slices, of {len(studies):,} radiological studies of {patients:,} "
            f"patients: {len(used):,} are selected, {len(series) - len(used):,} left out.",
        ),
        Answer("Is it a sample of a larger set, and is it representative?"),
        Answer(
            "What does each instance consist of?",
            f"DICOM files with de-identified headers. Selected stacks by modality: {_shown(used['modality'])}; by "
            f"kind: {_shown(used['kind'])}; by plane: {_shown(used['plane'])}; by contrast phase: "
            f"{_shown(used['phase'])}.",
        ),
        Answer("Is there a label or target of each instance?"),
        Answer("Is information missing from instances?", _missing(studies)),
        Answer(
            "Are relationships between instances explicit?",
            "Patient, study, series and stack are keys of all tables; `linked_study` links studies of one session.",
        ),
        Answer("Are there recommended splits?"),
        Answer(
            "Are there errors, noise, or redundancies?",
            f"Found by rules: {_shown(faults['kind'])}. Each is a row of `faults.parquet` with evidence and confidence."
            if len(faults)
            else "The rules found none.",
        ),
        Answer("Does it rely on external resources?", "No: images and tables lie in the project and its archive."),
        Answer("Does it hold data that are confidential, or that identify people?", _identity(project)),
        Answer("Does it identify subpopulations (age, sex)?", _people(studies)),
    ]


def _collection(project: ProjectFolder, studies: pa.Table) -> list[Answer]:
    span = pc.max(studies["day"]).as_py() if len(studies) else None
    return [
        Answer(
            "How were the data acquired?",
            f"Clinical scanners, as DICOM headers state them: {_shown(studies['scanner'])}. Sites: "
            f"{_shown(studies['site'])}.",
        ),
        Answer("How was the sample drawn, and who took part in the collection?"),
        Answer(
            "Over what time were the data collected?",
            f"Dates are not kept. The longest follow-up of a patient is {span:,} days." if span is not None else "",
        ),
        Answer("Was there an ethical review? Were the people informed, and did they consent?"),
        Answer("Can consent be withdrawn?", _withdrawal(project)),
    ]


def _preprocessing(project: ProjectFolder, excluded: pa.Table) -> list[Answer]:
    stacks = excluded.filter(pc.equal(excluded["what"], "stack"))
    people = len(excluded["decided_by"].drop_null())
    return [
        Answer(
            "What was done to the data?",
            "Series were divided into stacks by position; plane, contrast phase, kind and faults were determined by "
            f"rules of firstread {package_version()}. {len(stacks):,} stacks are listed in `excluded.csv` with their "
            f"reasons; {people:,} rows follow a person's decision.",
        ),
        Answer(
            "Are the raw data kept?",
            "Nothing is deleted: what is left out stays where it is, and the originals stay in the archive.",
        ),
        Answer("Is the software available?", "firstread, Apache License 2.0."),
        Answer("Who labeled the data, and how?"),
    ]


def _uses() -> list[Answer]:
    return [
        Answer("Has the data set been used already?"),
        Answer("What should it not be used for?", "Decisions about patients: this is for teaching and research."),
        Answer("Does its composition limit future uses?"),
    ]


def _distribution(project: ProjectFolder) -> list[Answer]:
    note = (
        "The archive was stated to be de-identified already; who says so, and by which rules, is open."
        if project.settings.deidentified
        else "The vault leads back to people, and is never given away."
    )
    return [
        Answer("Will it be given to others, how, and under which license?"),
        Answer("Do restrictions of others, or laws, apply?", note),
    ]


def _maintenance(project: ProjectFolder) -> list[Answer]:
    return [
        Answer("Who maintains it, and how can they be reached?"),
        Answer(
            "Will it be updated, and how are errors corrected?",
            f"Every step and decision is a line of `audit.jsonl`; the project is {project.settings.identifier}.",
        ),
        Answer("How long will it be kept?"),
    ]


def _identity(project: ProjectFolder) -> str:
    if project.settings.deidentified:
        return "The archive was stated to be de-identified before it came here. firstread did not check that."
    verify = next(status for status in project.status() if status.name == "verify")
    findings = verify.record.counts.get("findings") if verify.record else None
    return (
        "Headers are de-identified by DICOM PS3.15 Annex E (`20-deidentified/report.html`); a search for the identity "
        f"values of the originals found {findings}. Whether a picture itself identifies somebody, no rule decides."
    )


def _withdrawal(project: ProjectFolder) -> str:
    if project.settings.deidentified:
        return ""
    return "Yes: `firstread project withdraw` removes a patient from the project and its vault."


def _people(studies: pa.Table) -> str:
    ages = studies["age_years"].drop_null()
    if not len(ages):
        return f"Sex: {_shown(studies['sex'])}. Age is not stated."
    low, middle, high = (int(value) for value in pc.quantile(ages, [0, 0.5, 1], interpolation="nearest").to_pylist())
    oldest = "90 or more" if high >= 90 else str(high)
    return (
        f"By study, sex: {_shown(studies['sex'])}. Age from {low} to {oldest} years, median {middle}, stated in "
        f"{len(ages):,} of {len(studies):,} studies."
    )


def _missing(studies: pa.Table) -> str:
    missing = {name: studies[name].null_count for name in ("age_years", "sex", "site", "scanner", "day")}
    return "Studies that do not state it: " + ", ".join(f"{name} {count:,}" for name, count in missing.items()) + "."


def _shown(column: pa.ChunkedArray) -> str:
    """Values of a column with their numbers, the most frequent first."""
    counted: Sequence[Mapping[str, Any]] = column.cast(pa.string()).value_counts().to_pylist()
    ordered = sorted(counted, key=lambda row: (-row["counts"], str(row["values"])))
    return ", ".join(f"{row['values'] or 'not stated'} {row['counts']:,}" for row in ordered) or "none"
