"""Checks of single images: files that cannot be read, empty ones, marks, sizes; each returns findings in sentences."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firstread.core.cohort import Cohort
from firstread.curation.artefacts import ANNOTATIONS
from firstread.curation.image_features import ImageFeatures
from firstread.curation.measurements import CohortMeasurements

#: most cases or files that a sentence names
MAX_NAMES = 5


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
        severity: "problem" (results will be wrong), "warning" (results may mislead) or "note".
        kind: such as "duplicates", "copies", "leak", "shortcut", "series", "patients", "unreadable", "noise", "marks".
        text: what was found, how often, why it matters, and what to do.
        cases: names of the cases concerned.
    """

    severity: str
    kind: str
    text: str
    cases: tuple[str, ...] = ()


def count_of(number: int, noun: str) -> str:
    """A number with its noun, such as "1 image" or "2,000 images"."""
    plural = noun + ("es" if noun.endswith(("s", "x")) else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def list_names(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def find_unreadable(unreadable: dict[str, str], total: int) -> list[Finding]:
    """Cases whose image is gone or broken."""
    if not unreadable:
        return []
    by_reason: dict[str, list[str]] = {}
    for name, reason in unreadable.items():
        by_reason.setdefault(reason, []).append(name)
    reasons = [f"{list_names(names)} ({reason})" for reason, names in list(by_reason.items())[:MAX_NAMES]]
    more = len(by_reason) - MAX_NAMES
    text = (
        f"{len(unreadable):,} of {count_of(total, 'image')} cannot be read: {'; '.join(reasons)}"
        f"{f'; and {more:,} other reasons' if more > 0 else ''}. Training will stop at the first of them. Bring the "
        "files back, or leave these cases out; everything below is about the others."
    )
    return [Finding("problem", "unreadable", text, tuple(unreadable))]


def find_artefacts(measured: CohortMeasurements, examples: dict[str, list[str]]) -> list[Finding]:
    """Blank images, images of noise, and images with burned-in annotations.

    Args:
        measured: the images.
        examples: title -> names of the cases to show; this check adds its own.
    """
    cohort, findings = measured.cohort, []
    names = cohort.table["case"]
    for defect in ("empty", "noise"):
        indices = [index for index, one in enumerate(measured.images) if one.defect == defect]
        if indices:
            examples[f"{defect} images"] = [names[index] for index in indices]
            findings.append(_defect_finding(cohort, defect, indices))
    for kind, title in ANNOTATIONS.items():
        indices = [index for index, one in enumerate(measured.images) if kind in one.annotations]
        if indices:
            examples[title] = [names[index] for index in indices]
            findings.append(_annotation_finding(cohort, kind, indices))
    return findings


def _defect_finding(cohort: Cohort, defect: str, indices: list[int]) -> Finding:
    cases = tuple(cohort.table["case"][i] for i in indices)
    one = len(indices) == 1
    shows = ("shows" if one else "show") + (" nothing" if defect == "empty" else " noise only")
    text = (
        f"{count_of(len(indices), 'image')} {shows}{_by_class(cohort, indices)}, such as {list_names(cases)}. No label "
        f"is right for {'it; leave it' if one else 'them; leave them'} out."
    )
    return Finding("warning", defect, text, cases)


def _annotation_finding(cohort: Cohort, kind: str, indices: list[int]) -> Finding:
    names, labels = cohort.table["case"], {cohort.table["label"][i] for i in indices}
    certainty = "" if kind == "color" else " (a guess from sharp, uniform patches; look at them)"
    where = ""
    if len(cohort.classes) > 1 and len(labels) == 1 and None not in labels:
        where = f" They occur only on {labels.pop()}: a network can learn the mark instead of the anatomy."
    elif by_class := _by_class(cohort, indices):
        where = f" By class: {by_class.strip(' ()')}."
    seem = "seems" if len(indices) == 1 else "seem"
    text = f"{count_of(len(indices), 'image')} {seem} to carry {ANNOTATIONS[kind]}{certainty}.{where}"
    return Finding("warning", "marks", text, tuple(names[i] for i in indices))


def _by_class(cohort: Cohort, indices: Sequence[int]) -> str:
    """ " (3 chest, 1 no label)", or nothing where there are no classes."""
    if not cohort.classes:
        return ""
    labels = [cohort.table["label"][i] or "no label" for i in indices]
    return " (" + ", ".join(f"{labels.count(name)} {name}" for name in dict.fromkeys(labels)) + ")"


def find_image_sizes(features: Sequence[ImageFeatures]) -> list[Finding]:
    """Image sizes, and whether images are in color."""
    if not features:
        return []
    sizes = {(one.width, one.height) for one in features}
    smallest, largest = min(sizes), max(sizes)
    colored = sum(one.colored_fraction > 0 for one in features)
    if len(features) == 1:
        text = f"The image has {smallest[0]} x {smallest[1]} pixels. It is {'in colour' if colored else 'gray'}."
    elif len(sizes) == 1:
        text = f"All images have {smallest[0]} x {smallest[1]} pixels."
    else:
        text = (
            f"Image sizes: {len(sizes)} different, from {smallest[0]} x {smallest[1]} to "
            f"{largest[0]} x {largest[1]} pixels."
        )
    if len(features) > 1:
        how = "All are in colour." if colored == len(features) else f"{colored:,} of them are in colour."
        text += f" {how if colored else 'All are gray.'}"
    return [Finding("note", "sizes", text)]
