"""The cohort of a project as `fr.train` takes it: series that are in, with patient, split, class and clinical facts."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.core.provenance import Origin, Step
from firstread.core.tasks import Classification
from firstread.core.version import package_version
from firstread.curation.eligibility import Eligibility, read_eligibility
from firstread.datasets.stack_files import StackFiles, open_stacks
from firstread.project.archive_names import locate
from firstread.project.project_folder import ProjectFolder, current_user
from firstread.project.reasons import check_reason
from firstread.project.sealed_test import open_test_set, read_splits

_TEST = "test"


def open_cohort(
    project: ProjectFolder,
    *,
    fold: int | None = None,
    inner_fold: int | None = None,
    slices: int | None = None,
    with_test: bool = False,
) -> Cohort:
    """Open the series that are in; the sealed test set only `with_test`.

    Args:
        project: whose cohort is chosen, and split or not.
        fold: that validates ("folds"), or is tested ("nested").
        inner_fold: that validates within a fold of "nested".
        slices: cases are so many slices of each series, instead of volumes.
        with_test: the test set too; `Project.open_test` records that.

    Raises:
        DataError: there is no cohort, or it is stale.
        SettingError: there is no such fold.
    """
    split = _current_splits(project, fold, inner_fold)
    eligibility = read_eligibility(project.paths["eligibility"])
    included = pq.read_table(project.paths["included"]).to_pylist()
    if split is not None and not with_test:
        included = [row for row in included if split.get(row["patient"]) != _TEST]
    if not included:
        raise DataError("Nobody is in the cohort", where=project.paths["cohort"], do="widen the criteria")
    files, clinical = _files(project, included), _clinical_facts(project)
    several = Counter(row["series"] for row in included)
    stacks = [
        StackFiles(
            f"{row['series']}#{row['stack']}" if several[row["series"]] > 1 else row["series"],
            files[row["series"], row["stack"]],
            row["target"],
            _facts(row, clinical.get(row["patient"], {}), (split or {}).get(row["patient"])),
        )
        for row in included
    ]
    origin = Origin(project.settings.title, eligibility.title or "a cohort of a department's own archive")
    cohort = open_stacks(stacks, task=_task(eligibility, included), origin=origin, slices=slices)
    return replace(cohort, steps=(*cohort.steps, *_steps(project)))


def open_tested_cohort(project: ProjectFolder, *, reason: str, slices: int | None = None) -> Cohort:
    """Open the cohort with its test set; the opening is recorded before anything is read.

    Raises:
        DataError: there is no sealed test set, or it is not the one that was sealed.
        SettingError: the reason is empty, or names somebody.
    """
    text = check_reason(project, reason)
    project.check_current("split")
    warning = open_test_set(project, reason=text, actor=current_user())
    cohort = open_cohort(project, slices=slices, with_test=True)
    step = Step("test set opened", {"reason": text}, version=package_version(), warning=warning)
    return replace(cohort, steps=(*cohort.steps, step))


def _task(eligibility: Eligibility, included: list[dict[str, Any]]) -> Classification:
    target = eligibility.target
    if target is None:
        return Classification(())
    if target.where is not None:
        return Classification((target.otherwise, target.name), target.name)
    return Classification(tuple(sorted({row["target"] for row in included if row["target"] is not None})), target.name)


def _current_splits(project: ProjectFolder, fold: int | None, inner_fold: int | None) -> dict[str, str | None] | None:
    """Split of each patient; None where the cohort is not split."""
    status = {one.name: one for one in project.status()}
    project.check_current("cohort")
    if status["split"].state == "open":
        if fold is not None:
            raise SettingError("The cohort has no folds yet", do="firstread project split --method folds")
        return None
    project.check_current("split")
    splits = read_splits(project)
    names = dict(zip(splits["patient"].to_pylist(), splits["split"].to_pylist(), strict=True))
    if fold is None:
        if inner_fold is not None:
            raise SettingError("An inner fold is one of a fold", do="name fold= too")
        return names
    return names | _fold_splits(project, splits, fold, inner_fold)


def _fold_splits(project: ProjectFolder, splits: pa.Table, fold: int, inner_fold: int | None) -> dict[str, str]:
    of_patient = {row["patient"]: row["fold"] for row in splits.to_pylist() if row["fold"] is not None}
    if fold not in of_patient.values():
        raise SettingError(f"There is no fold {fold}", expected=f"0 to {max(of_patient.values(), default=-1)}")
    nested = project.paths["splits"].with_name("nested.parquet")
    if not nested.is_file():
        if inner_fold is not None:
            raise SettingError("These folds have no inner folds", do="firstread project split --method nested")
        return {patient: "validation" if own == fold else "train" for patient, own in of_patient.items()}
    found = {patient: _TEST if own == fold else "train" for patient, own in of_patient.items()}
    if inner_fold is not None:
        table = pq.read_table(nested)
        inner = table.filter(pc.and_(pc.equal(table["fold"], fold), pc.equal(table["inner_fold"], inner_fold)))
        if not len(inner):
            raise SettingError(f"There is no inner fold {inner_fold}")
        found |= dict.fromkeys(inner["patient"].to_pylist(), "validation")
    return found


def _files(project: ProjectFolder, included: list[dict[str, Any]]) -> dict[tuple[str, int | None], tuple[Path, ...]]:
    """(series, stack) -> its files, as curation lists them."""
    folder = project.paths["curated"] / "instances"
    if not folder.is_dir():
        raise DataError("The table of instances is not there", where=folder, do="firstread project curate")
    wanted = {(row["series"], row["stack"]) for row in included}
    series = pa.array(sorted({name for name, _ in wanted}))
    table = ds.dataset(folder).to_table(
        columns=["series", "stack", "file", "status"], filter=ds.field("series").isin(series)
    )
    found: dict[tuple[str, int | None], list[Path]] = {key: [] for key in wanted}
    for row in table.to_pylist():
        key = (row["series"], row["stack"])
        if key in found and row["status"] == "ok":
            found[key].append(locate(project.image_folder, row["file"]))
    return {key: tuple(sorted(paths)) for key, paths in found.items()}


def _clinical_facts(project: ProjectFolder) -> dict[str, dict[str, Any]]:
    path = project.paths["clinical"]
    if not path.is_file():
        return {}
    return {row.pop("patient"): row for row in pq.read_table(path).to_pylist()}


def _facts(row: dict[str, Any], clinical: dict[str, Any], split: str | None) -> dict[str, Any]:
    """Columns of a case: what the study states, and the clinical facts under names of their own."""
    own = {name: row[name] for name in ("patient", "component", "site", "age_years", "sex")}
    own |= {"days": row["day"], "split": split, "patient_source": "stated", "modality": row["modality"]}
    return own | {f"clinical_{name}": value for name, value in clinical.items()}


def _steps(project: ProjectFolder) -> list[Step]:
    """What was done to the archive, from the project's state."""
    done = [status for status in project.status() if status.state == "done" and status.record is not None]
    return [
        Step(
            f"project {status.name}", dict(status.record.parameters), version=status.record.version or package_version()
        )
        for status in done
        if status.record is not None and status.name in ("curate", "cohort", "split")
    ]
