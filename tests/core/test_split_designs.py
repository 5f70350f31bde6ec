"""Temporal, site and nested splits: no group on two sides, later is later, everybody tested once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import DataError, SettingError
from firstread.core.split_designs import assign_nested_folds, assign_sites, assign_temporal

CASES = st.lists(st.tuples(st.integers(2000, 2012) | st.none(), st.integers(0, 9)), min_size=3, max_size=40)


@given(CASES)
def test_every_test_case_of_a_temporal_split_is_of_a_later_group(cases):
    times = [np.nan if time is None else time for time, _ in cases]
    groups = [group for _, group in cases]
    latest = {}
    for time, group in cases:
        if time is not None:
            latest[group] = max(time, latest.get(group, time))
    if len(set(latest.values())) < 3:
        with pytest.raises(DataError, match="different times"):
            assign_temporal(times, groups, fractions=(0.6, 0.2, 0.2))
        return
    split = assign_temporal(times, groups, fractions=(0.6, 0.2, 0.2))
    of_group = dict(zip(groups, split, strict=True))
    assert all(of_group[group] == part for group, part in zip(groups, split, strict=True))
    assert {group for group, part in of_group.items() if part is None} == set(groups) - set(latest)
    order = [
        sorted(latest[g] for g, part in of_group.items() if part == name) for name in ("train", "validation", "test")
    ]
    assert all(order)
    assert order[0][-1] < order[1][0] <= order[1][-1] < order[2][0]


def test_shares_of_a_temporal_split_are_near_what_was_asked_for():
    split = assign_temporal(np.arange(100), np.arange(100), fractions=(0.7, 0.1, 0.2)).tolist()
    assert [split.count(name) for name in ("train", "validation", "test")] == [70, 10, 20]
    assert (
        assign_temporal(np.arange(10), np.arange(10), fractions=(0.5, 0, 0.5)).tolist() == ["train"] * 5 + ["test"] * 5
    )


@given(st.lists(st.tuples(st.sampled_from(["A", "B", "C", None]), st.integers(0, 6)), min_size=2, max_size=30))
def test_nobody_seen_at_a_site_left_out_trains(cases):
    sites, groups = [site for site, _ in cases], [group for _, group in cases]
    try:
        split = assign_sites(sites, groups, test=["A"])
    except SettingError:
        return
    for part in ("train", "test"):
        members = {group for group, one in zip(groups, split, strict=True) if one == part}
        seen = {site for site, group in cases if group in members}
        assert seen == {"A"} if part == "test" else "A" not in seen and None not in seen


def test_a_site_that_is_not_there_is_named():
    with pytest.raises(SettingError, match='Did you mean "North"'):
        assign_sites(["North", "South"], [1, 2], test=["Norht"])
    with pytest.raises(SettingError, match="Nobody is left"):
        assign_sites(["North"], [1], test=["North"])


@given(st.lists(st.integers(0, 1), min_size=12, max_size=30), st.integers(0, 5))
def test_nested_folds_share_no_group(labels, seed):
    groups = [number // 2 for number in range(len(labels))]
    outer, within = assign_nested_folds(labels, groups, folds=3, inner=2, seed=seed)
    for fold in range(3):
        tested = {group for group, one in zip(groups, outer, strict=True) if one == fold}
        inner = [{group for group, one in zip(groups, within[fold], strict=True) if one == k} for k in (0, 1)]
        assert not tested & inner[0]
        assert not tested & inner[1]
        assert not inner[0] & inner[1]
        assert tested | inner[0] | inner[1] == set(groups)
