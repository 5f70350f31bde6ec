"""Checks of a cohort's tables: labels, splits, patients, and files that were left out when it was opened."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from firstread.core.class_names import normalize_class
from firstread.core.cohort import Cohort
from firstread.core.columns import SPLITS
from firstread.core.images import STRAY_FILES
from firstread.core.patient_sources import describe_patient_sources
from firstread.core.target_selection import cases_with_target
from firstread.core.tasks import Classification, Segmentation
from firstread.curation.checks import MAX_NAMES, Finding, count_of, list_names
from firstread.datasets.file_scan import is_document

#: a class with fewer than this share of the largest one's cases is called rare
_RARE_SHARE = 0.2


def find_labels(cohort: Cohort) -> list[Finding]:
    """Missing labels, one class only, rare classes, and spellings that may be one class."""
    if not cohort.classes:
        return _find_unlabeled_without_classes(cohort)
    targets = cohort.targets
    counts = np.bincount(targets[targets >= 0], minlength=len(cohort.classes))
    total, unlabeled = len(cohort), int((targets < 0).sum())
    findings = []
    if unlabeled == total:
        text = (
            f"None of the {count_of(total, 'image')} has a label, so there is nothing to learn from, and shortcuts "
            "cannot be measured. Check the column of the labels, or the names of the folders."
        )
        return [Finding("warning", "labels", text), *_find_spellings(cohort)]
    if unlabeled:
        verb = "has" if unlabeled == 1 else "have"
        text = f"{unlabeled:,} of {count_of(total, 'image')} {verb} no label; they are left out of training."
        findings.append(Finding("note", "labels", text))
    present = np.flatnonzero(counts)
    if len(present) == 1:
        text = (
            f"All labelled images are of one class, {cohort.classes[present[0]]}. A network needs at least two, and "
            "shortcuts cannot be measured. Add images of another class."
        )
        findings.append(Finding("warning", "labels", text))
    elif counts.min() < _RARE_SHARE * counts.max():
        rare = cohort.classes[int(counts.argmin())]
        text = (
            f"{rare} has {count_of(int(counts.min()), 'image')}, the largest class {counts.max():,}. Accuracy alone "
            "will mislead: look at sensitivity and specificity, and see class_weights and sampler of train."
        )
        findings.append(Finding("warning", "balance", text))
    return [*findings, *_find_spellings(cohort)]


def _find_unlabeled_without_classes(cohort: Cohort) -> list[Finding]:
    """For tasks without classes: how many cases have what is to be predicted."""
    if isinstance(cohort.task, Classification):
        text = (
            "There are no classes, so labels and shortcuts cannot be checked. Everything else is. Put the images of "
            "each class into a folder of its own, or list them in a table with a column for the label."
        )
        return [Finding("note", "labels", text)]
    missing = int((cohort.strata < 0).sum())
    if not missing:
        return []
    text = f"{missing:,} of {count_of(len(cohort), 'case')} have no target for {cohort.task.kind}; they get no split."
    return [Finding("warning" if missing == len(cohort) else "note", "labels", text)]


def _find_spellings(cohort: Cohort) -> list[Finding]:
    """Labels that differ by case, spaces, the form of an accent, or 1 and 1.0."""
    said = set(cohort.classes)
    for kind, value in zip(*(cohort.tables.targets[name].to_pylist() for name in ("kind", "value")), strict=True):
        if kind == "class" and value is not None:
            said.add(value)
    groups: dict[str, list[str]] = {}
    for label in sorted(said):
        groups.setdefault(normalize_class(label), []).append(label)
    variants = [group for group in groups.values() if len(group) > 1]
    if not variants:
        return []
    named = "; ".join(" and ".join(f'"{label}"' for label in group) for group in variants[:MAX_NAMES])
    text = (
        f"Some classes differ only in how they are written: {named}"
        f"{'; ...' if len(variants) > MAX_NAMES else ''}. They are learnt as different classes. If they are one, write "
        "them alike."
    )
    return [Finding("problem", "spelling", text)]


def find_split_gaps(cohort: Cohort) -> list[Finding]:
    """Splits that lack a class, or every case with a structure such as a lesion."""
    split = np.array(cohort.tables.cases["split"].to_pylist(), dtype=object)
    used = [name for name in SPLITS if (split == name).any()]
    has = _has_target(cohort)
    present = {name: members for name, members in has.items() if members.any()}
    if len(used) < 2 or (cohort.classes and len(present) < 2):
        return []
    findings = []
    for part in used:
        missing = [name for name, members in present.items() if not members[split == part].any()]
        if missing:
            findings.append(_gap_finding(cohort, part, missing))
    return findings


def _has_target(cohort: Cohort) -> dict[str, np.ndarray]:
    """Name of each class, or of each structure of a segmentation -> (N,) bool: the cases that have it."""
    if isinstance(cohort.task, Segmentation):
        reader = cohort.task.reader
        return {
            name: cases_with_target(cohort.tables, kind="mask", name=name, reader=reader)
            for name in cohort.task.structures
        }
    return {name: cohort.targets == index for index, name in enumerate(cohort.classes)}


def _gap_finding(cohort: Cohort, split: str, missing: list[str]) -> Finding:
    what = " or ".join(f'"{name}"' for name in missing[:MAX_NAMES])
    missed = f"no case {'of' if cohort.classes else 'with a mask of'} {what}"
    missed += " and others" if len(missing) > MAX_NAMES else ""
    why = "what is found of it cannot be measured there"
    if split == "train":
        why = "a network cannot learn what it never sees"
    elif cohort.classes:
        why = "sensitivity or specificity cannot be measured there, and accuracy is that of guessing"
    text = f"The {split} split has {missed}: {why}. Split anew, by patient, with more patients or another seed."
    return Finding("problem", "split", text)


def find_patients(cohort: Cohort) -> list[Finding]:
    """How patients are known, and patients on two sides of a split."""
    cases = cohort.tables.cases
    uncertain = len(cohort) - cohort.patient_sources.get("stated", 0)
    severity = "warning" if uncertain and _is_split(cohort) else "note"
    findings = [Finding(severity, "patients", _describe_patients(cohort))]
    splits: dict[str, set[str]] = {}
    components, split = cases["component"].to_pylist(), cases["split"].to_pylist()
    for component, part in zip(components, split, strict=True):
        if component is not None and part is not None:
            splits.setdefault(component, set()).add(part)
    leaking = {component for component, parts in splits.items() if len(parts) > 1}
    if leaking:
        names = cases["case"].to_pylist()
        cases_of = tuple(name for name, component in zip(names, components, strict=True) if component in leaking)
        are = "is" if len(leaking) == 1 else "are"
        text = (
            f"{count_of(len(leaking), 'patient')} ({count_of(len(cases_of), 'case')}) {are} on two sides of the split: "
            "the network is tested on patients it was trained on, and every figure is too good. "
            'split="patient" divides anew.'
        )
        findings.append(Finding("problem", "leak", text, cases_of))
    return findings


def _is_split(cohort: Cohort) -> bool:
    return any(part is not None for part in cohort.tables.cases["split"].to_pylist())


def _describe_patients(cohort: Cohort) -> str:
    """How the patients of a cohort are known, in sentences."""
    text = describe_patient_sources(cohort.patient_sources)
    if text:
        return f"{text} A column for the patient, in a table, says it for certain."
    components = len({component for component in cohort.components if component is not None})
    return f"Every case has a stated patient: {count_of(len(cohort), 'case')} of {count_of(components, 'patient')}."


def find_files_left_out(cohort: Cohort) -> list[Finding]:
    """Files that were not opened: broken ones, DICOM objects without pixels, other formats, those of systems."""
    findings = []
    for key, severity, what, remedy in (
        ("left_out", "warning", "could not be read and {was} left out", "Mend them, or make sure that none is missed"),
        (
            "no_images",
            "note",
            "{is_} DICOM without pixels and {was} left out",
            "Reports and contours are; cut files too",
        ),
        (
            "other_files",
            "note",
            "{is_} no image that firstread reads and {was} left out",
            "Convert those that you need",
        ),
    ):
        names = [name for step in cohort.steps for name in _names(step.parameters.get(key)) if not is_document(name)]
        if names:
            words = {"was": "was", "is_": "is"} if len(names) == 1 else {"was": "were", "is_": "are"}
            text = f"{count_of(len(names), 'file')} {what.format(**words)}: {list_names(names)}. {remedy}."
            findings.append(Finding(severity, "left out", text, tuple(names)))
    return [*findings, *_find_stray_files(cohort)]


def _names(value: object) -> Sequence[str]:
    """Names in a step's parameter, whether a list or a mapping from name to reason."""
    return [str(name) for name in value] if isinstance(value, Iterable) and not isinstance(value, str) else []


def _find_stray_files(cohort: Cohort) -> list[Finding]:
    """Stray files of operating systems among the images."""
    left_out = sum(int(step.parameters.get("stray_files", 0) or 0) for step in cohort.steps)
    files = cohort.tables.images["files"].to_pylist()
    folders = {Path(file).parent for row in files for file in (row or ())}
    on_disk = [path for folder in sorted(folders) for path in _list_folder(folder) if _is_stray_file(path.name)]
    count = max(left_out, len(on_disk))
    if not count:
        return []
    lie, were = ("lies", "was") if count == 1 else ("lie", "were")
    text = (
        f"{count_of(count, 'file')} of operating systems (such as .DS_Store) {lie} among the images and {were} left "
        "out; a script that counts files would count them."
    )
    return [Finding("note", "stray files", text)]


def _list_folder(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _is_stray_file(name: str) -> bool:
    return name.lower() in STRAY_FILES or name.startswith("._")
