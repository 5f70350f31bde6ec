"""Dividing a cohort: by patient, at random, by file order, or in folds.

Images of one patient look alike. A network that saw some of them in training knows the others, and its accuracy on them
says nothing about the next patient (Yagis 2021, Sci Rep 11:22544, doi 10.1038/s41598-021-01681-w). So
`split_by_patient` is the one to use, and the others are for showing what happens without it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from firstread.core.cohort import Cohort, Step
from firstread.core.columns import SPLITS
from firstread.core.errors import DataError, SettingError
from firstread.core.paths import version

_SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def split_name(text: str | None) -> str | None:
    """ "train", "validation" or "test" for the names that people give them; None for anything else."""
    return _SPLIT_NAMES.get(str(text).strip().lower()) if text is not None else None


def split_by_patient(cohort: Cohort, *, fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0) -> Cohort:
    """Divide so that no patient is on two sides, and each class has its share of every split.

    Args:
        cohort: with the column `patient` filled.
        fractions: shares of training, validation and test; they sum to 1.
        seed: another seed is another division.

    Returns:
        A new cohort with the column `split`. Cases without a label get no split.

    Raises:
        DataError: patients are not known, or a class has fewer patients than there are parts.
    """
    patients = _known_patients(cohort)
    return split_by_groups(cohort, patients, fractions=fractions, seed=seed, name="split by patient")


def split_random(cohort: Cohort, *, fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0) -> Cohort:
    """Divide image by image, whoever they belong to: the split of many published results, and too kind to them."""
    return split_by_groups(cohort, np.arange(len(cohort)), fractions=fractions, seed=seed, name="split at random")


def split_contiguous(cohort: Cohort, *, fractions: Sequence[float] = (0.7, 0.15, 0.15), gap: int = 0) -> Cohort:
    """Divide each class in the order of its files, for series of slices whose patients are not known.

    Args:
        gap: cases left out at each cut, so that neighbouring slices are not on two sides; they get no split.

    Raises:
        DataError: a class is too small.
    """
    fractions = check_fractions(fractions)
    targets = cohort.targets
    known = targets >= 0
    split = np.full(len(cohort), None, dtype=object)
    split[known] = assign_contiguous(targets[known], fractions=fractions, gap=gap)
    step = Step("split by file order", {"fractions": fractions, "gap": gap}, version=version())
    return cohort.with_column("split", split, step=step)


def folds_by_patient(cohort: Cohort, *, folds: int = 5, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cross-validation: every case is tested once, by a model that never saw its patient.

    Where no patient is known at all, every image counts as a patient of its own.

    Returns:
        `folds` pairs of boolean masks (N,): training cases, test cases. Cases without a label are in neither.
    """
    targets = cohort.targets
    known = targets >= 0
    patients = cohort.table["patient"]
    groups = cohort.table["case"] if patients.isna().all() else _known_patients(cohort)
    number = np.full(len(cohort), -1)
    number[known] = assign_folds(targets[known], list(np.asarray(groups, object)[known]), folds=folds, seed=seed)
    return [(known & (number != fold), number == fold) for fold in range(folds)]


def _known_patients(cohort: Cohort) -> np.ndarray:
    missing = int(cohort.table["patient"].isna().sum())
    if missing:
        raise DataError(
            f"{missing} of {len(cohort)} cases have no patient, so they cannot be kept apart by patient",
            where="column 'patient'",
            expected="a pseudonym for every case",
            do='add a column "patient", or use split="contiguous" for series of slices',
        )
    return cohort.table["patient"].to_numpy(dtype=object)


def split_by_groups(
    cohort: Cohort,
    groups: np.ndarray,
    *,
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    name: str = "split by group",
) -> Cohort:
    """Divide so that cases with the same value in `groups` (N,) stay together; `name` is that of the step."""
    fractions = check_fractions(fractions)
    targets = cohort.targets
    known = targets >= 0
    parts = sum(share > 0 for share in fractions)
    for index, label in enumerate(cohort.classes):
        there = len(set(groups[targets == index]))
        if there < parts:
            what = "patients" if "patient" in name else "images"
            raise DataError(
                f'The class "{label}" has {there} {what}, too few to be divided into {parts} parts',
                expected=f"at least {parts} in each class",
                do="add images, or give fractions with fewer parts, such as (0.8, 0.2, 0)",
            )
    split = np.full(len(cohort), None, dtype=object)
    split[known] = assign_groups(targets[known], groups[known].tolist(), fractions=fractions, seed=seed)
    return cohort.with_column("split", split, step=Step(name, {"fractions": fractions}, seed, version()))


def check_fractions(fractions: Sequence[float]) -> tuple[float, float, float]:
    """Three shares that sum to 1; two are taken as training and validation.

    Raises:
        SettingError: not two or three numbers between 0 and 1 that sum to 1.
    """
    try:
        values = tuple(float(value) for value in fractions)
    except (TypeError, ValueError):
        values = ()
    if len(values) == 2:
        values = (*values, 0.0)
    if len(values) != 3 or min(values) < 0 or abs(sum(values) - 1) > 1e-6 or values[0] == 0:
        raise SettingError(
            f"fractions={fractions!r} cannot be used",
            expected="shares of training, validation and test that sum to 1, such as (0.7, 0.15, 0.15)",
        )
    return values


def assign_groups(labels: Sequence[int], groups: Sequence[Any], *, fractions: Sequence[float], seed: int) -> np.ndarray:
    """Give each group (a patient, or a single case) to one split, so that each class gets its share of every split.

    Groups are dealt out in a random order, largest first within a class, each to the split that lacks most of what the
    group brings. A group is of the class that most of its cases have.

    Args:
        labels: (N,) class index of each case, -1 for none.
        groups: (N,) what must stay together.
        fractions: shares of training, validation, test.
        seed: of the random order.

    Returns:
        (N,) object array of "train", "validation" and "test".
    """
    shares = np.array(check_fractions(fractions))
    labels = np.asarray(labels)
    group_of_case, sizes, class_of_group = _summarise(labels, groups)
    rng = np.random.default_rng(seed)
    split_of_group = np.zeros(len(sizes), dtype=int)
    for label in np.unique(class_of_group):
        members = rng.permutation(np.flatnonzero(class_of_group == label))
        members = members[np.argsort(-sizes[members], kind="stable")]
        split_of_group[members] = _deal(sizes[members], shares)
    return np.array(SPLITS, dtype=object)[split_of_group[group_of_case]]


def assign_contiguous(labels: Sequence[int], *, fractions: Sequence[float], gap: int = 0) -> np.ndarray:
    """Cut each class, in the order of its files, into a first, a middle and a last part.

    For series of slices without patient names: neighbouring files are nearly the same image, so a random split puts
    copies on both sides. A cut through the order leaves only the slices at the cut as neighbours.

    Args:
        labels: (N,) class index of each case.
        fractions: shares of training, validation, test.
        gap: cases left out (split None) on each cut, so that not even the neighbours at the cut are on two sides.

    Returns:
        (N,) object array of split names, None in the gaps.
    """
    shares = np.array(check_fractions(fractions))
    if gap < 0:
        raise SettingError(f"gap={gap} is not possible", expected="0 or more cases")
    labels = np.asarray(labels)
    result = np.full(len(labels), None, dtype=object)
    used = [index for index in range(3) if shares[index] > 0]
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        room = len(members) - gap * (len(used) - 1)
        if room < len(used):
            raise DataError(
                f"A class has {len(members)} cases, too few to be cut into {len(used)} parts with a gap of {gap}",
                expected=f"at least {len(used) + gap * (len(used) - 1)} cases in each class",
                do="add images, or choose a smaller gap or fewer parts",
            )
        start = 0
        for index, count in zip(used, _whole_counts(room, shares[used]), strict=True):
            result[members[start : start + count]] = SPLITS[index]
            start += count + gap
    return result


def assign_folds(labels: Sequence[int], groups: Sequence[Any], *, folds: int, seed: int) -> np.ndarray:
    """(N,) number of the fold in which each case is tested; groups stay whole and classes are spread evenly."""
    labels = np.asarray(labels)
    group_of_case, sizes, class_of_group = _summarise(labels, groups)
    if folds < 2 or folds > len(sizes):
        raise SettingError(
            f"folds={folds} is not possible with {len(sizes)} patients",
            expected=f"from 2 to {len(sizes)}",
        )
    rng = np.random.default_rng(seed)
    fold_of_group = np.zeros(len(sizes), dtype=int)
    whole = np.zeros(folds)
    for label in np.unique(class_of_group):
        members = rng.permutation(np.flatnonzero(class_of_group == label))
        members = members[np.argsort(-sizes[members], kind="stable")]
        held = np.zeros(folds)
        for member in members:
            fold = min(range(folds), key=lambda k: (held[k], whole[k], k))
            fold_of_group[member] = fold
            held[fold] += sizes[member]
            whole[fold] += sizes[member]
    return fold_of_group[group_of_case]


def _summarise(labels: np.ndarray, groups: Sequence[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group number of each case (numbered by first appearance), and cases and commonest class of each group."""
    numbers: dict[Any, int] = {}
    group_of_case = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=int)
    classes, class_of_case = np.unique(labels, return_inverse=True)
    table = np.zeros((len(numbers), max(1, len(classes))), dtype=int)
    np.add.at(table, (group_of_case, class_of_case), 1)
    commonest = classes[table.argmax(axis=1)] if len(classes) else np.zeros(0, int)
    return group_of_case, table.sum(axis=1), commonest


def _deal(sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Split number for each group of one class, largest first: to the split furthest below its share."""
    wanted = np.array(_whole_counts(int(sizes.sum()), shares), dtype=float)
    held = np.zeros(3)
    chosen = np.zeros(len(sizes), dtype=int)
    for position, size in enumerate(sizes):
        lack = np.where(shares > 0, wanted - held, -np.inf)
        empty = np.flatnonzero((shares > 0) & (held == 0))
        left = len(sizes) - position
        split = int(empty[0]) if len(empty) and left <= len(empty) else int(np.argmax(lack))
        chosen[position] = split
        held[split] += size
    return chosen


def _whole_counts(total: int, shares: np.ndarray) -> list[int]:
    """Whole numbers in the proportion of `shares` that sum to `total`; no wanted one is 0 if it can be helped."""
    exact = total * shares / shares.sum()
    counts = np.floor(exact + 1e-9).astype(int)
    for index in np.argsort(-(exact - counts), kind="stable")[: total - counts.sum()]:
        counts[index] += 1
    wanted = np.flatnonzero(shares > 0)
    if total >= len(wanted):
        for index in wanted:
            if counts[index] == 0:
                counts[int(np.argmax(counts))] -= 1
                counts[index] += 1
    return counts.tolist()
