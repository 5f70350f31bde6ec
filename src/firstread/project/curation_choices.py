"""What curation left out, listed; and people's decisions about it, kept with who, when and why."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from firstread.core.errors import DataError, SettingError
from firstread.project.curation_decisions import (
    EXCLUDE,
    PUT_BACK,
    CurationDecision,
    CurationDecisions,
    study_identifier,
)
from firstread.project.curation_exclusions import EXCLUDED, UNREADABLE, StackPlace
from firstread.project.locks import file_lock
from firstread.project.project_folder import ProjectFolder, current_user
from firstread.project.reasons import check_reason
from firstread.project.step_states import now

#: may show anybody
_PICTURES = ("outliers.png", "report.html")


def list_excluded(project: ProjectFolder) -> pa.Table:
    """What is left out, and what was put back: one row a stack, series or file, as in `excluded.csv`.

    Raises:
        DataError: the images are not curated yet.
    """
    path = _curated(project, "excluded")
    types = pa_csv.ConvertOptions(column_types=EXCLUDED, strings_can_be_null=True, quoted_strings_can_be_null=False)
    return pa_csv.read_csv(path, convert_options=types)


def decide_curation(project: ProjectFolder, verb: str, identifier: str, *, reason: str) -> int:
    """Keep a decision; `curate` acts on it when it runs again.

    Args:
        project: that was curated.
        verb: "put back" or "exclude".
        identifier: S... (a stack), T... (a study), a patient's pseudonym, or F... (a fault), as `excluded.csv` and
            `curate list` name them; a series by its UID.
        reason: in words that name nobody.

    Returns:
        Number of stacks, or of files, that the decision is about.

    Raises:
        DataError: there is nothing of this name, or the images are not curated yet.
        SettingError: the verb does not fit, or the reason is empty or names somebody.
    """
    project.check_vault()
    if verb not in (PUT_BACK, EXCLUDE):
        raise SettingError(f'There is no decision "{verb}"', expected=f'"{PUT_BACK}" or "{EXCLUDE}"')
    text, name = check_reason(project, reason), identifier.strip()
    with file_lock(project.folder / ".curate.lock", wait=False), file_lock(project.folder / ".lock", wait=False):
        target, count = _find(project, verb, name)
        path = project.paths["curation decisions"]
        decision = CurationDecision(verb, target, text, current_user(), now())
        CurationDecisions.read(path).added(decision).write(path)
        project.log("curate", f"{verb} {target}: {text}", {"count": count})
    return count


def _find(project: ProjectFolder, verb: str, name: str) -> tuple[str, int]:
    """What an identifier stands for, as decisions name it, and how many stacks or files that is."""
    if found := [place for place in read_places(project) if name in place.identifiers]:
        uids = {study_identifier(place.study): place.study for place in found if place.study}
        return next((short for short, study in uids.items() if study == name), name), len(found)
    if name.startswith("F"):
        faults = pq.read_table(_curated(project, "curated") / "faults.parquet", columns=["id", "action", "kind"])
        rows = faults.filter(pc.equal(faults["id"], name)).to_pylist()
        if rows:
            _check_fault(verb, rows[0])
            return name, 1
    if name in list_excluded(project)["id"].to_pylist():
        raise SettingError("A file that is no DICOM file cannot be put back: there is no image in it")
    raise DataError(
        "Nothing that was curated has this name",
        expected="S... (a stack), T... (a study), a patient's pseudonym, or F... (a fault)",
        do="firstread project curate list",
    )


def _check_fault(verb: str, fault: dict[str, str]) -> None:
    if verb == EXCLUDE:
        raise SettingError("A fault cannot be left out", do="name the stack, the study or the patient")
    if fault["action"] != "exclude":
        raise SettingError("Nothing is left out for this fault", do="firstread project curate list")
    if fault["kind"] in UNREADABLE:
        raise SettingError("What cannot be read cannot be put back", do="get the file again, and de-identify it")


def read_places(project: ProjectFolder) -> list[StackPlace]:
    """The place of each stack that was curated.

    Raises:
        DataError: the images are not curated yet.
    """
    from firstread.project.curation_results import PLACE_COLUMNS, list_places

    return list_places(pq.read_table(_curated(project, "curated series"), columns=PLACE_COLUMNS))


def forget_patient(project: ProjectFolder, patient: str) -> None:
    """Remove what curation knows of a patient but for rows of tables: decisions, pictures, pages, rows in the vault."""
    if project.paths["curated series"].is_file():
        places = [place for place in read_places(project) if place.patient == patient]
        path = project.paths["curation decisions"]
        decisions = CurationDecisions.read(path)
        if decisions.all:
            targets = {name for place in places for name in place.identifiers if name}
            faults = pq.read_table(project.paths["curated"] / "faults.parquet", columns=["id", "patient"])
            own = pc.equal(faults["patient"].cast(pa.string()), patient)
            decisions.without(targets | {patient} | set(faults.filter(own)["id"].to_pylist())).write(path)
    for name in _PICTURES:
        (project.paths["curated"] / name).unlink(missing_ok=True)
    shutil.rmtree(project.settings.vault / "curation", ignore_errors=True)


def _curated(project: ProjectFolder, name: str) -> Path:
    path = project.paths[name]
    if not path.exists():
        raise DataError("The images are not curated yet", where=project.folder, do="firstread project curate")
    return path
