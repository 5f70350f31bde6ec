"""Train/validation/test splits and cross-validation folds: by patient, at random, contiguous.

Images of one patient look alike. A network that saw some of them in training recognises the others, and its accuracy on
them says nothing about the next patient (Yagis 2021, Sci Rep 11:22544, doi 10.1038/s41598-021-01681-w). So
`split_by_patient` is the default choice, and the others show what happens without it.

The `split_*` and `folds_*` functions take a Cohort; the `assign_*` functions take arrays.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firstread.core.cohort import Cohort
from firstread.core.columns import SPLITS
from firstread.core.errors import DataError, SettingError
from firstread.core.provenance import Step
from firstread.core.version import package_version


def split_by_patient(cohort: Cohort, *, fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0) -> Cohort:
    """Split by patient: all cases of a patient are in one split, and each class has its share of every split.

    Args:
        cohort: with the column `patient` filled.
        fractions: shares of training, validation and test; they sum to 1.
        seed: of the random order of patients.

    Returns:
        A new cohort with the column `split`. Cases without a label get no split.

    Raises:
        DataError: patients are not known, or a class has fewer patients than there are splits.

    Example:
        >>> cohort = fr.split_by_patient(fr.simulate_patients(10, size=32))
        >>> len(cohort.train), len(cohort.validation), len(cohort.test)
        (14, 4, 2)
    """
    patients = _require_components(cohort)
    return split_by_groups(cohort, patients, fractions=fractions, seed=seed, name="split by patient")


def split_random(cohort: Cohort, *, fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0) -> Cohort:
    """Split image by image, ignoring patients: as in many published results, whose accuracy it overestimates."""
    return split_by_groups(cohort, np.arange(len(cohort)), fractions=fractions, seed=seed, name="split at random")


def split_contiguous(cohort: Cohort, *, fractions: Sequence[float] = (0.7, 0.15, 0.15), gap: int = 0) -> Cohort:
    """Split each class in file order, for series of slices whose patients are not known.

    Args:
        fractions: shares of training, validation and test; they sum to 1.
        gap: cases left out at each cut, so that neighbouring slices are not in two splits; they get no split.

    Raises:
        DataError: a class is too small.
    """
    fractions = validate_fractions(fractions)
    targets = cohort.strata
    labeled = targets >= 0
    split = np.full(len(cohort), None, dtype=object)
    split[labeled] = assign_contiguous(targets[labeled], fractions=fractions, gap=gap)
    step = Step("split by file order", {"fractions": fractions, "gap": gap}, version=package_version())
    return cohort.with_column("split", split, step=step)


def split_by_groups(
    cohort: Cohort,
    groups: np.ndarray,
    *,
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    name: str = "split by group",
) -> Cohort:
    """Split so that cases with the same value in `groups` (N,) stay together; `name` is that of the step."""
    fractions = validate_fractions(fractions)
    targets = cohort.strata
    labeled = targets >= 0
    parts = sum(share > 0 for share in fractions)
    _check_enough_groups(cohort.classes, targets, groups, parts=parts, by_patient="patient" in name)
    split = np.full(len(cohort), None, dtype=object)
    split[labeled] = assign_groups(targets[labeled], groups[labeled].tolist(), fractions=fractions, seed=seed)
    return cohort.with_column("split", split, step=Step(name, {"fractions": fractions}, seed, package_version()))


def _check_enough_groups(
    classes: Sequence[str], strata: np.ndarray, groups: np.ndarray, *, parts: int, by_patient: bool
) -> None:
    """Refuse a cohort, or a class of it, that has fewer groups than there are parts."""
    counts = {f'The class "{label}"': set(groups[strata == i]) for i, label in enumerate(classes)}
    if not classes:
        counts = {"The cohort": set(groups[strata >= 0])}
    for what, members in counts.items():
        if len(members) < parts:
            raise DataError(
                f"{what} has {len(members)} {'patients' if by_patient else 'images'}, too few to be divided into "
                f"{parts} parts",
                expected=f"at least {parts}" + (" in each class" if classes else ""),
                do="add images, or give fractions with fewer parts, such as (0.8, 0.2, 0)",
            )


def folds_by_patient(cohort: Cohort, *, folds: int = 5, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cross-validation folds by patient: each case is tested once, by a model not trained on its patient.

    Where no patient is known at all, every image counts as a patient of its own.

    Returns:
        `folds` pairs of boolean masks (N,): training cases, test cases. Cases without a label are in neither.
    """
    targets = cohort.strata
    labeled = targets >= 0
    groups = _require_components(cohort) if any(cohort.components) else cohort.groups
    fold_of_case = np.full(len(cohort), -1)
    groups = np.asarray(groups, object)[labeled]
    fold_of_case[labeled] = assign_folds(targets[labeled], groups, folds=folds, seed=seed)
    return [(labeled & (fold_of_case != fold), fold_of_case == fold) for fold in range(folds)]


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
    if len(values) != 3 or min(values) < 0 or abs(sum(values) - 1) > 1e-6 or values[0] == 0:
        raise SettingError(
            f"fractions={fractions!r} cannot be used",
            expected="shares of training, validation and test that sum to 1, such as (0.7, 0.15, 0.15)",
        )
    return values[0], values[1], values[2]


def assign_groups(labels: ArrayLike, groups: Sequence[Any], *, fractions: Sequence[float], seed: int) -> np.ndarray:
    """Stratified group split: assign each group (a patient, or a single case) to one split.

    Groups are assigned in a random order, largest first within a class, each to the split furthest below its share of
    the class. The class of a group is that of most of its cases.

    Args:
        labels: (N,) class index of each case, -1 for none.
        groups: (N,) group of each case; a group is not divided.
        fractions: shares of training, validation, test.
        seed: of the random order.

    Returns:
        (N,) object array of "train", "validation" and "test".
    """
    shares = np.array(validate_fractions(fractions))
    targets = np.asarray(labels)
    group_of_case, sizes, class_of_group = _summarize_groups(targets, groups)
    rng = np.random.default_rng(seed)
    split_of_group = np.zeros(len(sizes), dtype=int)
    for label in np.unique(class_of_group):
        members = rng.permutation(np.flatnonzero(class_of_group == label))
        members = members[np.argsort(-sizes[members], kind="stable")]
        split_of_group[members] = _assign_to_largest_deficit(sizes[members], shares)
    split_of_case: np.ndarray = np.array(SPLITS, dtype=object)[split_of_group[group_of_case]]
    return split_of_case


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
    group_of_case, sizes, _ = _summarize_groups(targets, groups)
    if folds < 2 or folds > len(sizes):
        raise SettingError(
            f"folds={folds} is not possible with {len(sizes)} patients",
            expected=f"from 2 to {len(sizes)}",
        )
    # scikit-learn refuses classes with fewer cases than folds; repeating all cases changes no proportion
    repeats = -(-folds // np.unique(targets, return_counts=True)[1].min())
    repeated = np.repeat(np.arange(len(targets)), repeats)
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    fold_of_group = np.zeros(len(sizes), dtype=int)
    for fold, (_, tested) in enumerate(splitter.split(repeated, targets[repeated], group_of_case[repeated])):
        fold_of_group[group_of_case[repeated[tested]]] = fold
    _fill_empty_folds(fold_of_group, folds)
    fold_of_case: np.ndarray = fold_of_group[group_of_case]
    return fold_of_case


def _require_components(cohort: Cohort) -> np.ndarray:
    """The independent unit of each case, (N,) text; raises DataError where one is not known."""
    components = cohort.components
    missing = sum(value is None for value in components)
    if missing:
        raise DataError(
            f"{missing} of {len(cohort)} cases have no patient, so they cannot be kept apart by patient",
            where="column 'patient'",
            expected="a pseudonym for every case",
            do='add a column "patient", or use split="contiguous" for series of slices',
        )
    return components


def _summarize_groups(
    labels: np.ndarray, groups: Sequence[Any] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group number of each case (in order of first appearance), number of cases and majority class of each group."""
    numbers: dict[Any, int] = {}
    group_of_case = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=int)
    classes, class_of_case = np.unique(labels, return_inverse=True)
    table = np.zeros((len(numbers), max(1, len(classes))), dtype=int)
    np.add.at(table, (group_of_case, class_of_case), 1)
    majority_class = classes[table.argmax(axis=1)] if len(classes) else np.zeros(0, int)
    return group_of_case, table.sum(axis=1), majority_class


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
