"""Designs of splits beyond chance, on arrays: temporal, by site, nested folds.

What a department can show with them: that a model holds for later patients, and for those of another site (TRIPOD+AI,
doi 10.1136/bmj-2023-078378, calls both external to the development data), and what choosing settings costs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firstread.core.columns import SPLITS
from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.split_assignment import assign_folds, assign_groups, number_groups, validate_fractions


def assign_temporal(times: ArrayLike, groups: Sequence[Any] | np.ndarray, *, fractions: Sequence[float]) -> np.ndarray:
    """Temporal split: training first, then validation, test last; a group stands where its latest case is.

    All cases of one time are in one split, so that every case of the test set is later than all that was trained on;
    shares are as near to `fractions` as that allows.

    Args:
        times: (N,) numbers that can be compared between groups, such as calendar years; NaN is not known.
        groups: (N,) group of each case; a group is not divided.
        fractions: shares of training, validation, test.

    Returns:
        (N,) object array of split names; None where no time of the group is known.

    Raises:
        DataError: there are too few different times.

    Example:
        >>> assign_temporal([2019, 2020, 2021, 2019], ["a", "b", "c", "c"], fractions=(1 / 3, 1 / 3, 1 / 3)).tolist()
        ['train', 'validation', 'test', 'test']
    """
    shares = np.array(validate_fractions(fractions))
    group_of_case, names = number_groups(groups)
    latest = np.full(names, -np.inf)
    values = np.asarray(times, dtype=float)
    np.maximum.at(latest, group_of_case, np.where(np.isnan(values), -np.inf, values))
    time_of_case = latest[group_of_case]
    known = np.isfinite(time_of_case)
    moments, counts = np.unique(time_of_case[known], return_counts=True)
    used = np.flatnonzero(shares > 0)
    if len(moments) < len(used):
        raise DataError(
            f"There are {len(moments)} different times, too few to be divided into {len(used)} parts",
            expected=f"at least {len(used)}",
            do="choose a column with finer times, or fractions with fewer parts",
        )
    cuts = _cuts(np.cumsum(counts) / counts.sum(), np.cumsum(shares[used])[:-1])
    result = np.full(len(values), None, dtype=object)
    part = np.searchsorted(moments[cuts], time_of_case[known], side="left")
    result[known] = np.array(SPLITS, dtype=object)[used[part]]
    return result


def _cuts(reached: np.ndarray, wanted: np.ndarray) -> list[int]:
    """Position of the last time of each part but the last: nearest to the wanted share, and none left empty."""
    cuts: list[int] = []
    for number, share in enumerate(wanted):
        first = cuts[-1] + 1 if cuts else 0
        last = len(reached) - (len(wanted) - number)
        cuts.append(first + int(np.abs(reached[first:last] - share).argmin()))
    return cuts


def assign_sites(
    sites: Sequence[Any] | np.ndarray, groups: Sequence[Any] | np.ndarray, *, test: Sequence[str]
) -> np.ndarray:
    """Split by site: groups that were seen at a site of `test` only are the test set, as an external validation.

    Returns:
        (N,) object array: "test", "train", or None for a group that is of both or whose site is not known.

    Raises:
        SettingError: nobody was seen at one of the sites, or everybody at them.

    Example:
        >>> assign_sites(["A", "B", "B", "A"], ["1", "2", "3", "3"], test=["B"]).tolist()
        ['train', 'test', None, None]
    """
    group_of_case, names = number_groups(groups)
    of_case = np.array([None if site is None else str(site) for site in sites], dtype=object)
    known = sorted({site for site in of_case if site is not None})
    for site in test:
        if site not in known:
            raise SettingError(f'No case is of the site "{site}".{suggest(site, known)}')
    is_test, is_known = np.isin(of_case.astype(str), list(test)), of_case != None  # noqa: E711 - elementwise
    inside, outside, unknown = (np.zeros(names, bool) for _ in range(3))
    np.logical_or.at(inside, group_of_case, is_test)
    np.logical_or.at(outside, group_of_case, is_known & ~is_test)
    np.logical_or.at(unknown, group_of_case, ~is_known)
    of_group = np.full(names, None, dtype=object)
    of_group[inside & ~outside & ~unknown] = "test"
    of_group[outside & ~inside & ~unknown] = "train"
    if not (of_group == "train").any() or not (of_group == "test").any():
        raise SettingError("Nobody is left for one side of the split", expected="sites of which some are not left out")
    result: np.ndarray = of_group[group_of_case]
    return result


def assign_external(
    sites: Sequence[Any] | np.ndarray,
    groups: Sequence[Any] | np.ndarray,
    *,
    labels: ArrayLike,
    test: Sequence[str],
    fractions: Sequence[float],
    seed: int,
) -> np.ndarray:
    """The test set at some sites (`assign_sites`); training and validation by chance among the others.

    Returns:
        (N,) object array of split names; None for groups of both sides or of an unknown site.
    """
    split = assign_sites(sites, groups, test=test)
    train, validation, _ = validate_fractions(fractions)
    rest = split == "train"
    if validation:
        shares = (train / (train + validation), validation / (train + validation), 0.0)
        members = np.asarray(groups, dtype=object)[rest].tolist()
        split[rest] = assign_groups(np.asarray(labels)[rest], members, fractions=shares, seed=seed)
    return split


def assign_nested_folds(
    labels: ArrayLike, groups: Sequence[Any] | np.ndarray, *, folds: int, inner: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Nested cross-validation: folds that test, and for each of them inner folds of the others that choose settings.

    Returns:
        (N,) outer fold in which a case is tested; (folds, N) inner fold of each case, -1 where it is tested.

    Raises:
        SettingError: fewer than two folds, or more folds than groups.

    Example:
        >>> outer, within = assign_nested_folds([0] * 6, list("abcdef"), folds=3, inner=2, seed=0)
        >>> sorted(outer.tolist()), [(row >= 0).sum() for row in within] == [4, 4, 4]
        ([0, 0, 1, 1, 2, 2], True)
    """
    targets, names = np.asarray(labels), np.asarray(groups, dtype=object)
    outer = assign_folds(targets, names, folds=folds, seed=seed)
    within = np.full((folds, len(targets)), -1)
    for fold in range(folds):
        rest = outer != fold
        within[fold, rest] = assign_folds(targets[rest], names[rest], folds=inner, seed=seed + 1 + fold)
    return outer, within
