"""Assignment of cases to splits and folds, on arrays: stratified by group, contiguous, cross-validation folds.

The functions of `firstread.core.splits` take a cohort and call these.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firstread.core.columns import SPLITS
from firstread.core.errors import DataError, SettingError

#: random orders of which the first is taken that leaves no split without a class
_ATTEMPTS = 20


def validate_fractions(fractions: Sequence[float]) -> tuple[float, float, float]:
    """Validate the shares of training, validation and test; two are taken as training and validation.

    Raises:
        SettingError: not two or three numbers between 0 and 1 that sum to 1.
    """
    try:
        values = [float(value) for value in fractions]
    except (TypeError, ValueError):
        values = []
    if len(values) == 2:
        values.append(0.0)
    if len(values) != 3 or not min(values) >= 0 or not abs(sum(values) - 1) <= 1e-6 or values[0] == 0:
        raise SettingError(
            f"fractions={fractions!r} cannot be used",
            expected="shares of training, validation and test that sum to 1, such as (0.7, 0.15, 0.15)",
        )
    return values[0], values[1], values[2]


def assign_groups(labels: ArrayLike, groups: Sequence[Any], *, fractions: Sequence[float], seed: int) -> np.ndarray:
    """Stratified group split: assign each group (a patient, or a single case) to one split.

    The stratum of a group is the rarest class that it has any case of. Strata are assigned from the rarest on; within
    one, groups come in a random order, largest first, each to the split furthest below its share of the stratum's
    cases. Of several random orders the first is taken that leaves no split without a class, where there is one.

    Args:
        labels: (N,) class index of each case, -1 for none.
        groups: (N,) group of each case; a group is not divided.
        fractions: shares of training, validation, test.
        seed: of the random order.

    Returns:
        (N,) object array of "train", "validation" and "test".
    """
    shares = np.array(validate_fractions(fractions))
    group_of_case, counts = _count_groups(np.asarray(labels), groups)
    stratum = _rarest_class(counts)
    rng = np.random.default_rng(seed)
    best, fewest = np.zeros(len(counts), int), np.inf
    for _ in range(_ATTEMPTS):
        split_of_group = _assign_strata(stratum, counts.sum(axis=1), shares, rng)
        lacking = _lacking_classes(counts, split_of_group, shares)
        if lacking < fewest:
            best, fewest = split_of_group, lacking
        if not lacking:
            break
    split_of_case: np.ndarray = np.array(SPLITS, dtype=object)[best[group_of_case]]
    return split_of_case


def _rarest_class(counts: np.ndarray) -> np.ndarray:
    """(G,) column of the class that fewest groups have, of those that a group has any case of; counts (G, K)."""
    has_any = counts > 0
    groups_of_class = has_any.sum(axis=0)
    rarest: np.ndarray = np.where(has_any, groups_of_class, groups_of_class.max(initial=0) + 1).argmin(axis=1)
    return rarest


def _assign_strata(stratum: np.ndarray, sizes: np.ndarray, shares: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(G,) number of the split of each group."""
    split_of_group = np.zeros(len(sizes), dtype=int)
    for index in np.unique(stratum):
        members = rng.permutation(np.flatnonzero(stratum == index))
        members = members[np.argsort(-sizes[members], kind="stable")]
        split_of_group[members] = _assign_to_largest_deficit(sizes[members], shares)
    return split_of_group


def _lacking_classes(counts: np.ndarray, split_of_group: np.ndarray, shares: np.ndarray) -> int:
    """Number of classes that a split has no case of; counts (G, K)."""
    return sum(int((counts[split_of_group == split].sum(axis=0) == 0).sum()) for split in np.flatnonzero(shares > 0))


def assign_contiguous(labels: ArrayLike, *, fractions: Sequence[float], gap: int = 0) -> np.ndarray:
    """Contiguous split: cut each class, in file order, into training, validation and test.

    For series of slices without patient names: neighbouring files are nearly the same image, so a random split puts
    copies into two splits. A cut in file order leaves only the slices at the cut as neighbours.

    Args:
        labels: (N,) class index of each case.
        fractions: shares of training, validation, test.
        gap: cases left out (split None) on each cut, so that the neighbours at the cut are not in two splits.

    Returns:
        (N,) object array of split names, None in the gaps.
    """
    shares = np.array(validate_fractions(fractions))
    if gap < 0:
        raise SettingError(f"gap={gap} is not possible", expected="0 or more cases")
    targets = np.asarray(labels)
    result = np.full(len(targets), None, dtype=object)
    used = [index for index in range(3) if shares[index] > 0]
    for label in np.unique(targets):
        members = np.flatnonzero(targets == label)
        available = len(members) - gap * (len(used) - 1)
        if available < len(used):
            raise DataError(
                f"A class has {len(members)} cases, too few to be cut into {len(used)} parts with a gap of {gap}",
                expected=f"at least {len(used) + gap * (len(used) - 1)} cases in each class",
                do="add images, or choose a smaller gap or fewer parts",
            )
        start = 0
        for index, count in zip(used, _largest_remainder_counts(available, shares[used]), strict=True):
            result[members[start : start + count]] = SPLITS[index]
            start += count + gap
    return result


def assign_folds(labels: ArrayLike, groups: Sequence[Any] | np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """Stratified group folds: (N,) number of the fold in which each case is tested; groups are not divided.

    Raises:
        SettingError: fewer than two folds, or more folds than groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    targets = np.asarray(labels)
    group_of_case, counts = _count_groups(targets, groups)
    if folds < 2 or folds > len(counts):
        raise SettingError(
            f"folds={folds} is not possible with {len(counts)} patients",
            expected=f"from 2 to {len(counts)}",
        )
    # scikit-learn refuses classes with fewer cases than folds; repeating all cases changes no proportion
    repeats = -(-folds // np.unique(targets, return_counts=True)[1].min())
    repeated = np.repeat(np.arange(len(targets)), repeats)
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    fold_of_group = np.zeros(len(counts), dtype=int)
    for fold, (_, tested) in enumerate(splitter.split(repeated, targets[repeated], group_of_case[repeated])):
        fold_of_group[group_of_case[repeated[tested]]] = fold
    _fill_empty_folds(fold_of_group, folds)
    fold_of_case: np.ndarray = fold_of_group[group_of_case]
    return fold_of_case


def number_groups(groups: Sequence[Any] | np.ndarray) -> tuple[np.ndarray, int]:
    """(N,) number of the group of each case, and how many groups there are."""
    numbers: dict[Any, int] = {}
    listed = [numbers.setdefault(group, len(numbers)) for group in groups]
    return np.array(listed, dtype=np.int64), len(numbers)


def _count_groups(labels: np.ndarray, groups: Sequence[Any] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group number of each case (in order of first appearance), and cases of each class in each group (G, K)."""
    group_of_case, number = number_groups(groups)
    classes, class_of_case = np.unique(labels, return_inverse=True)
    counts = np.zeros((number, max(1, len(classes))), dtype=int)
    np.add.at(counts, (group_of_case, class_of_case), 1)
    return group_of_case, counts


def _assign_to_largest_deficit(sizes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Split number for each group of one class, largest first: each to the split furthest below its share."""
    target_counts = np.array(_largest_remainder_counts(int(sizes.sum()), shares), dtype=float)
    counts = np.zeros(3)
    split_of_group = np.zeros(len(sizes), dtype=int)
    for position, size in enumerate(sizes):
        deficit = np.where(shares > 0, target_counts - counts, -np.inf)
        empty = np.flatnonzero((shares > 0) & (counts == 0))
        groups_left = len(sizes) - position
        split = int(empty[0]) if len(empty) and groups_left <= len(empty) else int(np.argmax(deficit))
        split_of_group[position] = split
        counts[split] += size
    return split_of_group


def _largest_remainder_counts(total: int, shares: np.ndarray) -> list[int]:
    """Integer counts in the proportion of `shares` that sum to `total` (largest remainder), at least 1 if possible."""
    exact = total * shares / shares.sum()
    counts = np.floor(exact + 1e-9).astype(int)
    for index in np.argsort(-(exact - counts), kind="stable")[: total - counts.sum()]:
        counts[index] += 1
    nonzero = np.flatnonzero(shares > 0)
    if total >= len(nonzero):
        for index in nonzero:
            if counts[index] == 0:
                counts[int(np.argmax(counts))] -= 1
                counts[index] += 1
    return [int(count) for count in counts]


def _fill_empty_folds(fold_of_group: np.ndarray, folds: int) -> None:
    """Move one group into each empty fold, in place.

    With hardly more groups than folds, rounding errors in scikit-learn's comparison can leave a fold empty.
    """
    for fold in sorted(set(range(folds)) - set(fold_of_group.tolist())):
        fullest = np.bincount(fold_of_group, minlength=folds).argmax()
        fold_of_group[np.flatnonzero(fold_of_group == fullest)[-1]] = fold
