"""Dividing cases between training, validation and test: pure functions on labels and groups.

`firstread.splits` has the verbs that take a Cohort. They are here, below `datasets`, because opening a data set may
have to divide it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from firstread.core.columns import SPLITS
from firstread.core.errors import DataError, SettingError


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
