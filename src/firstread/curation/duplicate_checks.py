"""Checks for identical images, near duplicates, slices of one scan, and leaks of them between splits."""

import numpy as np

from firstread.core.cohort import Cohort
from firstread.curation.checks import Finding
from firstread.curation.duplicates import NEAR_DUPLICATE_RMS, assign_series, find_similar_pairs

#: most groups of duplicates that a finding lists
MAX_LISTED_GROUPS = 8


def find_duplicates(cohort: Cohort, groups: list[list[int]], examples: dict[str, list[int]]) -> list[Finding]:
    """Identical images, also on two sides of a split and under two labels.

    Args:
        cohort: the images.
        groups: indices of identical images.
        examples: title -> indices of the images to show; this check adds its own.
    """
    if not groups:
        return []
    examples["identical images"] = [index for group in groups for index in group]
    names = cohort.table["case"]
    listed = "; ".join(" = ".join(names[i] for i in group) for group in groups[:MAX_LISTED_GROUPS])
    text = (
        f"{len(groups)} {'group' if len(groups) == 1 else 'groups'} of identical images: {listed}. A case that counts "
        "twice makes intervals too narrow; keep one of each."
    )
    return [
        Finding("warning", "duplicates", text, tuple(names[i] for group in groups for i in group)),
        *_find_leaks(cohort, [(group[0], j) for group in groups for j in group[1:]], "identical"),
        *_find_label_conflicts(cohort, groups),
    ]


def find_near_duplicates(
    cohort: Cohort, thumbnails: np.ndarray, groups: list[list[int]], examples: dict[str, list[int]]
) -> list[Finding]:
    """Near duplicates, also on two sides of a split; `groups` of identical images are left out."""
    group_numbers = {index: number for number, group in enumerate(groups) for index in group}
    pairs = [
        (int(i), int(j))
        for i, j in find_similar_pairs(thumbnails, max_rms=NEAR_DUPLICATE_RMS)
        if i not in group_numbers or group_numbers[i] != group_numbers.get(j)
    ]
    if not pairs:
        return []
    examples["nearly the same"] = [i for pair in pairs[:4] for i in pair]
    indices = sorted({i for pair in pairs for i in pair})
    text = (
        f"{len(indices)} images have another that is nearly the same (thumbnails differ by less than "
        f"{NEAR_DUPLICATE_RMS:g} gray levels): neighbouring slices or repeats."
    )
    return [
        Finding("warning", "near duplicates", text, tuple(cohort.table["case"][i] for i in indices)),
        *_find_leaks(cohort, pairs, "nearly the same"),
    ]


def _find_leaks(cohort: Cohort, pairs: list[tuple[int, int]], relation: str) -> list[Finding]:
    split, names = cohort.table["split"], cohort.table["case"]
    leaks = [(i, j) for i, j in pairs if split[i] is not None and split[j] is not None and split[i] != split[j]]
    if not leaks:
        return []
    examples = "; ".join(f"{names[i]} ({split[i]}) and {names[j]} ({split[j]})" for i, j in leaks[:3])
    text = (
        f"{len(leaks)} pairs of images that are {relation} lie on two sides of a split, such as {examples}. The "
        'network has already seen the answer: split by patient, or split="contiguous".'
    )
    return [Finding("problem", "leak", text, tuple(dict.fromkeys(names[i] for pair in leaks for i in pair)))]


def _find_label_conflicts(cohort: Cohort, groups: list[list[int]]) -> list[Finding]:
    label, names = cohort.table["label"], cohort.table["case"]
    conflicts = [group for group in groups if len({label[i] for i in group}) > 1]
    if not conflicts:
        return []
    cases = tuple(names[i] for group in conflicts for i in group)
    text = f"{len(conflicts)} identical images carry different labels: {', '.join(cases[:6])}."
    return [Finding("problem", "labels", text, cases)]


def find_series(cohort: Cohort, thumbnails: np.ndarray) -> list[Finding]:
    """Classes of which many images are slices of one scan."""
    findings, targets, names = [], cohort.targets, cohort.table["case"]
    components = cohort.components
    for index, label in enumerate(cohort.classes):
        members = np.flatnonzero(targets == index)
        if len(members) < 10:
            continue
        series = assign_series(thumbnails[members])
        largest = members[series == np.bincount(series).argmax()]
        if components[largest[0]] is not None and len(set(components[largest])) == 1:
            continue
        if len(largest) >= max(10, 0.2 * len(members)):
            text = (
                f"{len(largest)} of {len(members)} images of {label} look like slices of one scan: each has a "
                f"neighbour that hardly differs. They are not {len(largest)} independent cases; keep them on one side "
                "of a split."
            )
            findings.append(Finding("warning", "series", text, tuple(names[i] for i in largest)))
    return findings
