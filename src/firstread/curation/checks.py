"""Checks of labels, files, sizes and single images; each returns findings in whole sentences."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.images import STRAY_FILES, read_image
from firstread.curation.artefacts import ANNOTATIONS, detect_annotations, detect_blank_or_noise
from firstread.curation.baselines import ImageFeatures


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
        severity: "problem" (results will be wrong), "warning" (results may mislead) or "note".
        kind: such as "duplicates", "leak", "shortcut", "series", "noise", "marks", "stray files".
        text: what was found, how often, why it matters, and what to do.
        cases: names of the cases concerned.
    """

    severity: str
    kind: str
    text: str
    cases: tuple[str, ...] = ()


def find_imbalance(cohort: Cohort) -> list[Finding]:
    """Class imbalance, missing labels, unknown patients."""
    counts = np.bincount(cohort.targets[cohort.targets >= 0], minlength=len(cohort.classes))
    findings = []
    unlabeled = int((cohort.targets < 0).sum())
    if unlabeled:
        findings.append(Finding("note", "labels", f"{unlabeled} images have no label."))
    if counts.min() * 5 < counts.max():
        rare = cohort.classes[int(counts.argmin())]
        text = f"{rare} has {counts.min()} images, the largest class {counts.max()}. Accuracy alone will mislead."
        findings.append(Finding("warning", "balance", text))
    if not any(cohort.components):
        text = "Patients are not known, so nothing keeps images of one patient on one side of a split."
        findings.append(Finding("note", "patients", text))
    return findings


def find_stray_files(cohort: Cohort) -> list[Finding]:
    """Stray files of operating systems among the images."""
    left_out = sum(int(step.parameters.get("stray_files", 0) or 0) for step in cohort.steps)
    folders = {Path(file).parent for file in cohort.table["file"]}
    on_disk = [path for folder in sorted(folders) for path in _list_folder(folder) if _is_stray_file(path.name)]
    count = max(left_out, len(on_disk))
    if not count:
        return []
    text = (
        f"{count} files of operating systems (such as .DS_Store) lie among the images. They were left out; a script "
        "that counts files would count them."
    )
    return [Finding("note", "stray files", text)]


def _list_folder(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_stray_file(name: str) -> bool:
    return name.lower() in STRAY_FILES or name.startswith("._")


def find_artefacts(cohort: Cohort, examples: dict[str, list[int]]) -> list[Finding]:
    """Blank images, images of noise, and images with burned-in annotations."""
    without_content: dict[str, list[int]] = {"empty": [], "noise": []}
    annotated: dict[str, list[int]] = {kind: [] for kind in ANNOTATIONS}
    rows = cohort.tables.first_images()
    for index, (file, frame) in enumerate(rows):
        image = read_image(file, frame=None if frame is None else int(frame), window=cohort.window)
        defect = detect_blank_or_noise(image)
        if defect:
            without_content[defect].append(index)
        for kind in detect_annotations(image):
            annotated[kind].append(index)
    findings = []
    for defect, indices in without_content.items():
        if indices:
            examples[f"{defect} images"] = indices
            findings.append(_defect_finding(cohort, defect, indices))
    for kind, indices in annotated.items():
        if indices:
            examples[ANNOTATIONS[kind]] = indices
            findings.append(_annotation_finding(cohort, kind, indices))
    return findings


def _defect_finding(cohort: Cohort, defect: str, indices: list[int]) -> Finding:
    cases = tuple(cohort.table["case"][i] for i in indices)
    text = (
        f"{len(indices)} images {'show nothing' if defect == 'empty' else 'show noise only'} "
        f"({_count_by_class(cohort, indices)}), such as {', '.join(cases[:4])}. No label is right for them; leave them "
        "out."
    )
    return Finding("warning", defect, text, cases)


def _annotation_finding(cohort: Cohort, kind: str, indices: list[int]) -> Finding:
    names, labels = cohort.table["case"], {cohort.table["label"][i] for i in indices}
    certainty = "" if kind == "color" else " (a guess from sharp, uniform patches; look at them)"
    where = (
        f" They occur only on {labels.pop()}: a network can learn the mark instead of the anatomy."
        if len(labels) == 1 and len(cohort.classes) > 1
        else f" By class: {_count_by_class(cohort, indices)}."
    )
    text = f"{len(indices)} images seem to carry {ANNOTATIONS[kind]}{certainty}.{where}"
    return Finding("warning", "marks", text, tuple(names[i] for i in indices))


def _count_by_class(cohort: Cohort, indices: list[int]) -> str:
    labels = [cohort.table["label"][i] or "no label" for i in indices]
    return ", ".join(f"{labels.count(name)} {name}" for name in dict.fromkeys(labels))


def find_image_sizes(features: list[ImageFeatures]) -> list[Finding]:
    """Image sizes, and whether images are in color."""
    sizes = {(one.width, one.height) for one in features}
    smallest, largest = min(sizes), max(sizes)
    has_color = any(one.colored_fraction > 0 for one in features)
    text = (
        f"Image sizes: {len(sizes)} different, from {smallest[0]} x {smallest[1]} to "
        f"{largest[0]} x {largest[1]} pixels."
        if len(sizes) > 1
        else f"All images have {smallest[0]} x {smallest[1]} pixels."
    )
    return [Finding("note", "sizes", f"{text} {'Some are in colour.' if has_color else 'All are gray.'}")]
