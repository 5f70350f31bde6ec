"""Influences: variances as in the literature, by patient, with seeds; the jackknife beside them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.evaluation import metrics
from firstread.evaluation.influence import (
    MAX_BLOCKS,
    Influence,
    Sample,
    auc_influence,
    jackknife_influence,
    macro_auc_influence,
    mean_influence,
)


def sample_of(count, groups=None, seeds=None):
    return Sample.of(np.arange(count) if groups is None else np.asarray(groups), seeds)


def test_a_mean_has_the_textbook_variance():
    values = np.random.default_rng(0).random(30)
    found = mean_influence(values, sample_of(30))
    assert found.variance == pytest.approx(values.var(ddof=1) / 30)
    assert found.value == pytest.approx(values.mean())


def test_patients_that_are_copied_add_nothing():
    values = np.random.default_rng(1).random(12)
    alone = mean_influence(values, sample_of(12))
    copied = mean_influence(np.repeat(values, 5), sample_of(60, np.repeat(np.arange(12), 5)))
    assert copied.variance == pytest.approx(alone.variance)


def test_the_auc_has_delongs_variance():
    rng = np.random.default_rng(2)
    truth, scores = np.r_[np.ones(15, int), np.zeros(25, int)], rng.normal(size=40)
    kernel = (scores[:15, None] > scores[None, 15:]).astype(float)
    expected = kernel.mean(1).var(ddof=1) / 15 + kernel.mean(0).var(ddof=1) / 25
    assert auc_influence(truth, scores, sample_of(40)).variance == pytest.approx(expected)


def test_the_clustered_auc_has_obuchowskis_variance():
    # Obuchowski 1997, Biometrics 53:567, equations 4 to 7, written out
    rng = np.random.default_rng(3)
    patients, images = 14, 4
    groups, truth = np.repeat(np.arange(patients), images), rng.integers(0, 2, patients * images)
    scores = rng.normal(size=len(truth)) + truth + np.repeat(rng.normal(size=patients), images)
    positive, negative = scores[truth == 1], scores[truth == 0]
    kernel = (positive[:, None] > negative[None]).astype(float)
    area, m, n = kernel.mean(), len(positive), len(negative)
    x, y = kernel.mean(1) - area, kernel.mean(0) - area
    x_sums = np.array([x[groups[truth == 1] == g].sum() for g in range(patients)])
    y_sums = np.array([y[groups[truth == 0] == g].sum() for g in range(patients)])
    with_x, with_y = len(np.unique(groups[truth == 1])), len(np.unique(groups[truth == 0]))
    s10, s01 = with_x / (with_x - 1) * (x_sums**2).sum() / m, with_y / (with_y - 1) * (y_sums**2).sum() / n
    s11 = patients / (patients - 1) * (x_sums * y_sums).sum()
    expected = s10 / m + s01 / n + 2 * s11 / (m * n)
    assert auc_influence(truth, scores, sample_of(0, groups)).variance == pytest.approx(expected, rel=0.02)


def test_the_jackknife_of_a_mean_is_exact_and_of_an_auc_near():
    rng = np.random.default_rng(4)
    values = rng.random(25)
    found = jackknife_influence(lambda i: float(values[i].mean()), sample_of(25))
    assert found.variance == pytest.approx(values.var(ddof=1) / 25)
    truth, scores = np.arange(60) % 2, rng.normal(size=60) + np.arange(60) % 2
    by_leaving_out = jackknife_influence(lambda i: metrics.auc(truth[i], scores[i]), sample_of(60))
    assert by_leaving_out.error == pytest.approx(auc_influence(truth, scores, sample_of(60)).error, rel=0.03)


def test_many_units_are_left_out_in_blocks():
    values, calls = np.random.default_rng(5).random(5000), []
    found = jackknife_influence(lambda i: calls.append(1) or float(values[i].mean()), sample_of(5000))
    assert len(calls) == MAX_BLOCKS + 1
    assert found.error == pytest.approx(values.std(ddof=1) / np.sqrt(5000), rel=0.2)


def test_equal_seeds_change_nothing_and_seeds_that_differ_widen():
    values = np.random.default_rng(6).random(20)
    one = mean_influence(values, sample_of(20))
    equal = mean_influence(np.tile(values, 3), sample_of(0, np.tile(np.arange(20), 3), np.repeat([0, 1, 2], 20)))
    assert equal.variance == pytest.approx(one.variance)
    shifted = np.concatenate([values, values + 0.3, values - 0.3])
    spread = mean_influence(shifted, sample_of(0, np.tile(np.arange(20), 3), np.repeat([0, 1, 2], 20)))
    assert spread.seed_variance == pytest.approx(0.09 / 3)
    assert spread.value == pytest.approx(one.value)
    assert spread.freedom < 5


def test_chance_of_the_cases_is_not_taken_for_a_spread_of_seeds():
    rng, found = np.random.default_rng(7), []
    for _ in range(300):
        hits = (rng.random((3, 40)) < 0.8).astype(float).ravel()
        sample = sample_of(0, np.tile(np.arange(40), 3), np.repeat([0, 1, 2], 40))
        found.append(mean_influence(hits, sample).seed_variance)
    assert np.mean(np.array(found) == 0) > 0.5
    assert np.mean(found) < 0.16 / 120


def test_macro_auc_of_two_classes_is_the_auc():
    rng = np.random.default_rng(8)
    truth, positive = rng.integers(0, 2, 30), rng.random(30)
    scores = np.stack([1 - positive, positive], axis=1)
    one, other = macro_auc_influence(truth, scores, sample_of(30)), auc_influence(truth, positive, sample_of(30))
    assert one.value == other.value
    assert one.variance == pytest.approx(other.variance)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=40))
def test_a_difference_with_itself_is_nothing(values):
    one = mean_influence(np.array(values), sample_of(len(values)))
    assert one.minus(one).value == 0
    assert one.minus(one).variance == 0
    assert 1 <= one.freedom <= len(values)


def test_few_units_with_all_the_variance_leave_few_degrees_of_freedom():
    rare = Influence(0.97, np.r_[1.0, np.full(39, 0.01)])
    even = Influence(0.5, np.where(np.arange(40) % 2, 0.1, -0.1))
    assert rare.freedom < 3
    assert even.freedom == pytest.approx(39)
