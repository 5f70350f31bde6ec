"""Checks for identical images, copies, neighbouring slices, slices of one scan, and leaks of them between splits."""

from dataclasses import dataclass

import numpy as np

from firstread.core.cohort import Cohort
from firstread.curation.checks import Finding, count_of
from firstread.curation.copies import NEAR_DUPLICATE_RMS, Copy, find_copies, group_series
from firstread.curation.copy_search import compare_neighbors
from firstread.curation.groups import DisjointSets
from firstread.curation.measurements import CohortMeasurements

#: most groups of identical images, and most pairs of copies, that a finding lists
MAX_LISTED_GROUPS, MAX_LISTED_PAIRS = 8, 5
_FEWEST_SLICES, _LARGE_SHARE = 10, 0.2


@dataclass(frozen=True)
class Duplicates:
    """Images of a cohort that show the same, by index.

    Attributes:
        identical: groups of images with equal pixels, largest first; those that show nothing are left out.
        copies: pairs that show one picture otherwise: windowed, cropped, mirrored, ...
        slices: pairs that are nearly the same, as neighbouring slices of one scan are.
        series: (N,) number of the scan to which an image seems to belong.
    """

    identical: list[list[int]]
    copies: list[Copy]
    slices: list[Copy]
    series: np.ndarray


def search_duplicates(measured: CohortMeasurements) -> Duplicates:
    """Find images that show the same; the work grows little faster than the number of images."""
    groups: dict[bytes, list[int]] = {}
    for index, one in enumerate(measured.images):
        if one.defect != "empty":
            groups.setdefault(one.digest, []).append(index)
    identical = sorted((group for group in groups.values() if len(group) > 1), key=len, reverse=True)
    usable = np.zeros(len(measured.images), bool)
    usable[[group[0] for group in groups.values()]] = True
    compared = compare_neighbors(measured.pictures, usable=usable)
    found = find_copies(measured.pictures, compared)
    linked = DisjointSets(len(measured.images))
    for links in (identical, _chains(group_series(measured.pictures, compared))):
        for group in links:
            for index in group[1:]:
                linked.join(group[0], index)
    is_slice = [copy.is_slice or _are_frames_of_one(measured.cohort, copy) for copy in found]
    return Duplicates(
        identical,
        [copy for copy, slices in zip(found, is_slice, strict=True) if not slices],
        [copy for copy, slices in zip(found, is_slice, strict=True) if slices],
        linked.labels(),
    )


def _chains(labels: np.ndarray) -> list[list[int]]:
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    return [part.tolist() for part in np.split(order, cuts) if len(part) > 1]


def _are_frames_of_one(cohort: Cohort, copy: Copy) -> bool:
    """Whether two images are slices of one file or series, as their headers say."""
    if copy.changes and any(word in change for change in copy.changes for word in ("mirrored", "inverted")):
        return False
    table = cohort.table
    if table["file"][copy.first] == table["file"][copy.second]:
        return True
    series = table["series"] if "series" in table.columns else None
    return series is not None and series[copy.first] is not None and series[copy.first] == series[copy.second]


def find_duplicates(cohort: Cohort, duplicates: Duplicates, examples: dict[str, list[str]]) -> list[Finding]:
    """Findings on images that show the same, also on two sides of a split and under two labels.

    Args:
        cohort: the images.
        duplicates: what the search found.
        examples: title -> names of the cases to show; this check adds its own.
    """
    return [
        *_find_identical(cohort, duplicates.identical, examples),
        *_find_copies(cohort, duplicates.copies, examples),
        *_find_slices(cohort, duplicates.slices, examples),
    ]


def _find_identical(cohort: Cohort, groups: list[list[int]], examples: dict[str, list[str]]) -> list[Finding]:
    if not groups:
        return []
    names = cohort.table["case"]
    examples["identical images"] = [names[index] for group in groups for index in group]
    listed = "; ".join(" = ".join(_shortened([names[i] for i in group])) for group in groups[:MAX_LISTED_GROUPS])
    text = (
        f"{count_of(len(groups), 'group')} of identical images: {listed}"
        f"{'; ...' if len(groups) > MAX_LISTED_GROUPS else ''}. A case that counts twice makes intervals too narrow; "
        "keep one of each."
    )
    pairs = [(group[0], other) for group in groups for other in group[1:]]
    pairs += [pair for group in groups for pair in _pairs_across(cohort, group)]
    return [
        Finding("warning", "duplicates", text, tuple(names[i] for group in groups for i in group)),
        *_find_leaks(cohort, pairs, "identical"),
        *_find_label_conflicts(cohort, groups, "identical images"),
    ]


def _shortened(names: list[str]) -> list[str]:
    return names if len(names) <= 4 else [*names[:3], f"{len(names) - 3:,} more"]


def _pairs_across(cohort: Cohort, group: list[int]) -> list[tuple[int, int]]:
    """One image of each split of a group, paired with the first."""
    first_of: dict[str, int] = {}
    for index in group:
        split = cohort.table["split"][index]
        if split is not None:
            first_of.setdefault(split, index)
    members = list(first_of.values())
    return [(members[0], other) for other in members[1:]]


def _find_copies(cohort: Cohort, copies: list[Copy], examples: dict[str, list[str]]) -> list[Finding]:
    if not copies:
        return []
    names, split = cohort.table["case"], cohort.table["split"]
    worst_first = sorted(copies, key=lambda copy: split[copy.first] == split[copy.second])
    examples["copies"] = [names[i] for copy in worst_first for i in (copy.first, copy.second)]
    indices = sorted({i for copy in copies for i in (copy.first, copy.second)})
    listed = "; ".join(
        f"{names[copy.first]} and {names[copy.second]} ({_describe_changes(copy)})"
        for copy in worst_first[:MAX_LISTED_PAIRS]
    )
    text = (
        f"{count_of(len(copies), 'pair')} of images {'seems' if len(copies) == 1 else 'seem'} to show one picture, "
        f"changed: {listed}{'; ...' if len(copies) > MAX_LISTED_PAIRS else ''}. They are one image saved again, or "
        "slices side by side; a case that counts twice makes intervals too narrow. Look at them, and keep one of each."
    )
    sets = DisjointSets(len(cohort))
    for copy in copies:
        sets.join(copy.first, copy.second)
    return [
        Finding("warning", "copies", text, tuple(names[i] for i in indices)),
        *_find_leaks(cohort, [(copy.first, copy.second) for copy in copies], "copies of one picture"),
        *_find_label_conflicts(cohort, sets.groups(), "copies of one picture"),
    ]


def _describe_changes(copy: Copy) -> str:
    return ", ".join(copy.changes) or "hardly changed"


def _find_slices(cohort: Cohort, pairs: list[Copy], examples: dict[str, list[str]]) -> list[Finding]:
    if not pairs:
        return []
    names, components = cohort.table["case"], cohort.components
    leaks = _find_leaks(cohort, [(pair.first, pair.second) for pair in pairs], "nearly the same")
    # that slices of one scan look alike is news only where nobody knows that they are of one scan
    told = [p for p in pairs if components[p.first] is None or components[p.first] != components[p.second]]
    if not told:
        return leaks
    examples["nearly the same"] = [names[i] for pair in told[:4] for i in (pair.first, pair.second)]
    indices = sorted({i for pair in told for i in (pair.first, pair.second)})
    text = (
        f"{len(indices):,} images have another that is nearly the same (such as {names[told[0].first]} and "
        f"{names[told[0].second]}): neighbouring slices of one scan, or repeated images of one patient. They are not "
        "independent; keep them on one side of a split."
    )
    return [Finding("warning", "near duplicates", text, tuple(names[i] for i in indices)), *leaks]


def _find_leaks(cohort: Cohort, pairs: list[tuple[int, int]], relation: str) -> list[Finding]:
    split, names = cohort.table["split"], cohort.table["case"]
    leaks = [(i, j) for i, j in dict.fromkeys(pairs) if None not in (split[i], split[j]) and split[i] != split[j]]
    if not leaks:
        return []
    examples = "; ".join(f"{names[i]} ({split[i]}) and {names[j]} ({split[j]})" for i, j in leaks[:3])
    are = "pair of images that are" if len(leaks) == 1 else "pairs of images that are"
    text = (
        f"{len(leaks):,} {are} {relation} {'lies' if len(leaks) == 1 else 'lie'} on two sides of a split, such as "
        f"{examples}. The network has already seen the answer: keep them on one side (split by patient, or "
        'split="contiguous" for slices in file order).'
    )
    return [Finding("problem", "leak", text, tuple(dict.fromkeys(names[i] for pair in leaks for i in pair)))]


def _find_label_conflicts(cohort: Cohort, groups: list[list[int]], what: str) -> list[Finding]:
    label, names = cohort.table["label"], cohort.table["case"]
    conflicts = [group for group in groups if len({label[i] for i in group} - {None}) > 1]
    if not conflicts:
        return []
    cases = tuple(names[i] for group in conflicts for i in group)
    carry = "carries" if len(conflicts) == 1 else "carry"
    text = (
        f"{count_of(len(conflicts), 'group')} of {what} {carry} different labels: {', '.join(cases[:6])}"
        f"{', ...' if len(cases) > 6 else ''}. At most one of them is right; look at the images."
    )
    return [Finding("problem", "labels", text, cases)]


def find_series(cohort: Cohort, series: np.ndarray) -> list[Finding]:
    """Classes (or, without classes, a cohort) of which many images are slices of one scan.

    Args:
        cohort: the images.
        series: (N,) number of the scan to which an image seems to belong.
    """
    findings, names, components = [], cohort.table["case"], cohort.components
    parts = {label: np.flatnonzero(cohort.targets == index) for index, label in enumerate(cohort.classes)}
    if not parts:
        parts = {"": np.arange(len(cohort))}
    for label, members in parts.items():
        if len(members) < _FEWEST_SLICES:
            continue
        numbers, counts = np.unique(series[members], return_counts=True)
        largest = members[series[members] == numbers[counts.argmax()]]
        if components[largest[0]] is not None and len(set(components[largest])) == 1:
            continue
        if len(largest) >= max(_FEWEST_SLICES, _LARGE_SHARE * len(members)):
            of_class = f" of {label}" if label else ""
            text = (
                f"{len(largest):,} of {count_of(len(members), 'image')}{of_class} look like slices of one scan: each "
                f"has a neighbour that hardly differs (by less than {NEAR_DUPLICATE_RMS * 2:g} gray levels). They are "
                f"not {len(largest):,} independent cases; keep them on one side of a split."
            )
            findings.append(Finding("warning", "series", text, tuple(names[i] for i in largest)))
    return findings
