"""The class's own statistics, against SciPy and by hand; and honest about small numbers."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from firstread.classroom.outcomes.statistics import (
    Difference,
    group_means,
    item_difficulty,
    mean_difference,
    paired_gain,
)
from firstread.core.errors import DataError


@pytest.fixture
def runs():
    rng = np.random.default_rng(0)
    groups = np.repeat(["on", "off"], [12, 11])
    return pd.DataFrame({"augmentation": groups, "accuracy": rng.normal(np.where(groups == "on", 0.9, 0.88), 0.05)})


def test_intervals_agree_with_scipy(runs):
    table = group_means(runs, by="augmentation", value="accuracy").set_index("group")
    for group, part in runs.groupby("augmentation"):
        expected = stats.ttest_1samp(part["accuracy"], 0).confidence_interval(0.95)
        assert (table.loc[group, "low"], table.loc[group, "high"]) == pytest.approx(tuple(expected))
    found = mean_difference(runs, by="augmentation", value="accuracy", first="on", second="off")
    on, off = (runs.loc[runs["augmentation"] == group, "accuracy"] for group in ("on", "off"))
    test = stats.ttest_ind(on, off, equal_var=False)
    assert (found.low, found.high) == pytest.approx(tuple(test.confidence_interval()))
    assert found.p_value == pytest.approx(test.pvalue)
    assert np.isnan(group_means(runs.head(1), by="augmentation", value="accuracy")["low"][0])


def test_where_groups_do_not_vary_and_differ_the_permutation_test_is_scipys():
    for counts in ((4, 4), (3, 5), (2, 6)):
        first, second = [1.0] * counts[0], [0.95] * counts[1]
        table = pd.DataFrame({"g": ["a"] * counts[0] + ["b"] * counts[1], "v": [*first, *second]})
        found = mean_difference(table, by="g", value="v", first="a", second="b")
        test = stats.permutation_test((first, second), lambda a, b, axis: a.mean(axis) - b.mean(axis), vectorized=True)
        assert found.p_value == pytest.approx(test.pvalue)
        assert np.isnan(found.low)
        assert not found.excludes_zero


def test_means_end_where_the_outcome_does():
    table = pd.DataFrame({"g": ["a", "a", "b", "b"], "v": [1.0, 0.9, 0.0, 0.1]})
    found = group_means(table, by="g", value="v", highest=1.0).set_index("group")
    assert found.loc["a", "high"] == 1.0
    assert found.loc["b", "low"] == 0.0
    assert group_means(table, by="g", value="v")["high"].max() > 1
    wide = Difference(0.5, -1.5, 2.5, 0.4, 2, 2).clipped(1.0)
    assert (wide.low, wide.high) == (-1.0, 1.0)
    assert np.isnan(Difference(0.5, float("nan"), float("nan"), 0.4, 2, 2).clipped(1.0).low)


def test_intervals_hold_what_they_promise():
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        table = pd.DataFrame({"arm": ["a"] * 8 + ["b"] * 8, "v": np.r_[rng.normal(0.2, 1, 8), rng.normal(0, 2, 8)]})
        found = mean_difference(table, by="arm", value="v", first="a", second="b")
        held += found.low <= 0.2 <= found.high
    assert 0.92 <= held / 400 <= 0.98


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30))
def test_the_paired_gain_is_scipys(pairs):
    before, after = (pd.Series(side, index=[f"p{n}" for n in range(len(pairs))]) for side in zip(*pairs, strict=True))
    found = paired_gain(before, after.sample(frac=1, random_state=0))
    change = after - before
    assert found.value == pytest.approx(change.mean())
    if np.ptp(change.to_numpy()) > 1e-9:
        test = stats.ttest_rel(after, before)
        expected = np.clip(test.confidence_interval(), -1, 1)
        assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-9)
        assert found.p_value == pytest.approx(test.pvalue, abs=1e-9)


def test_the_gain_is_of_those_who_answered_both_times():
    before, after = pd.Series({"a": 0.2, "b": 0.4, "c": 0.0}), pd.Series({"b": 0.6, "c": 0.4, "d": 1.0})
    found = paired_gain(before, after)
    assert (found.first_count, found.value) == (2, pytest.approx(0.3))
    assert paired_gain(before, pd.Series({"d": 1.0})) is None


def test_hard_questions_come_first_and_good_ones_discriminate():
    know = {"a": 0.9, "b": 0.8, "c": 0.3, "d": 0.1}
    right = {"easy": [1, 1, 1, 1], "good": [1, 1, 0, 0], "also good": [1, 1, 0, 0], "hard": [1, 0, 0, 0]}
    rows = [
        {"participant": who, "question": question, "right": bool(values[n])}
        for question, values in right.items()
        for n, who in enumerate(know)
    ]
    table = item_difficulty(pd.DataFrame(rows)).set_index("question")
    assert table.index[0] == "hard"
    assert table.index[-1] == "easy"
    wilson = stats.binomtest(1, 4).proportion_ci(0.95, method="wilson")
    assert (table.loc["hard", "low"], table.loc["hard", "high"]) == pytest.approx((wilson.low, wilson.high))
    assert table.loc["good", "discrimination"] > 0.8
    assert np.isnan(table.loc["easy", "discrimination"])
    with pytest.raises(DataError, match="question"):
        item_difficulty(pd.DataFrame({"participant": ["a"], "right": [True]}))


def test_where_nothing_varies_no_interval_is_claimed():
    found = paired_gain(pd.Series({"a": 0.2, "b": 0.4}), pd.Series({"a": 0.4, "b": 0.6}).round(1))
    assert found.value == pytest.approx(0.2)
    assert np.isnan(found.low), "what a computer rounds is no variation"
    table = group_means(pd.DataFrame({"g": ["a", "a"], "v": [0.9, 0.9]}), by="g", value="v")
    assert np.isnan(table["low"][0])
    same = paired_gain(pd.Series({"a": 0.25, "b": 0.5}), pd.Series({"a": 0.5, "b": 0.75}))
    assert np.isnan(same.low)
    assert not same.excludes_zero


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_the_difference_is_scipys(first, second):
    table = pd.DataFrame({"g": ["a"] * len(first) + ["b"] * len(second), "v": [*first, *second]})
    found = mean_difference(table, by="g", value="v", first="a", second="b")
    if min(np.ptp(first), np.ptp(second)) > 1e-6:
        test = stats.ttest_ind(first, second, equal_var=False)
        assert (found.low, found.high) == pytest.approx(tuple(test.confidence_interval()), abs=1e-9)
        assert found.p_value == pytest.approx(test.pvalue, abs=1e-9)
    elif max(np.ptp(first), np.ptp(second)) < 1e-13:
        assert np.isnan(found.low)
