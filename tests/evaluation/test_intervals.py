"""Intervals: values of the literature, and perfect or few data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import t
from sklearn.metrics import roc_auc_score

from firstread.evaluation.influence import Sample, auc_influence
from firstread.evaluation.intervals import auc_interval, bootstrap_interval, wilson_interval

labeled = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=4, max_size=60).filter(
    lambda rows: 1 < sum(t for t, _ in rows) < len(rows) - 1
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_in_newcombe_1998(successes, trials, low, high):
    # Newcombe 1998, Stat Med 17:857, table I, method 3
    found = wilson_interval(successes, trials)
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


def test_nothing_tried_is_not_defined():
    assert np.isnan(wilson_interval(0, 0).value)


def test_delongs_variance_against_the_definition():
    # variance of the Mann-Whitney statistic from all pairs, written out (DeLong 1988, equations 3 to 5)
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(1, 1, 25), rng.normal(0, 1, 40)
    kernel = (positive[:, None] > negative[None]) + 0.5 * (positive[:, None] == negative[None])
    variance = kernel.mean(1).var(ddof=1) / 25 + kernel.mean(0).var(ddof=1) / 40
    truth, scores = np.r_[np.ones(25, int), np.zeros(40, int)], np.r_[positive, negative]
    found = auc_interval(truth, scores)
    area = kernel.mean()
    freedom = auc_influence(truth, scores, Sample.of(np.arange(65))).freedom
    assert 24 < freedom <= 64
    reach = t.ppf(0.975, freedom) * np.sqrt(variance) / (area * (1 - area))
    expected = 1 / (1 + np.exp(-(np.log(area / (1 - area)) + np.array([-reach, reach]))))
    assert found.value == pytest.approx(area)
    assert [found.low, found.high] == pytest.approx(expected, rel=1e-5)


@given(labeled)
def test_auc_is_scikit_learns_and_lies_in_its_interval(rows):
    truth, scores = np.array([t for t, _ in rows]), np.array([s for _, s in rows], float)
    found = auc_interval(truth, scores)
    assert found.value == pytest.approx(roc_auc_score(truth, scores))
    assert 0 <= found.low <= found.value <= found.high <= 1
    stretched = auc_interval(truth, np.exp(scores / 5))
    assert stretched.value == pytest.approx(found.value)
    turned = auc_interval(1 - truth, -scores)
    assert turned.value == pytest.approx(found.value)


def test_perfect_separation_does_not_claim_certainty():
    found = auc_interval(np.r_[np.zeros(10, int), np.ones(10, int)], np.arange(20.0))
    assert found.value == 1.0
    assert found.low == pytest.approx(wilson_interval(10, 10).low)
    assert "no spread" in found.method


def test_one_class_is_not_defined():
    assert np.isnan(auc_interval(np.ones(5, int), np.arange(5.0)).value)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng, hits = np.random.default_rng(2), 0
    truth = np.r_[np.ones(30, int), np.zeros(30, int)]
    from scipy.stats import norm

    true_auc = norm.cdf(1 / np.sqrt(2))
    for _ in range(400):
        found = auc_interval(truth, rng.normal(size=60) + truth)
        hits += found.low <= true_auc <= found.high
    assert 0.91 <= hits / 400 <= 0.98


def test_the_bootstrap_draws_whole_patients():
    values = np.repeat([0.0, 1.0], 50)
    by_case = bootstrap_interval(lambda i: float(values[i].mean()), np.arange(100), seed=1)
    by_patient = bootstrap_interval(lambda i: float(values[i].mean()), np.repeat(np.arange(4), 25), seed=1)
    assert by_patient.high - by_patient.low > 2 * (by_case.high - by_case.low)
    assert by_patient.method == "bootstrap by group"
    assert bootstrap_interval(lambda i: float(values[i].mean()), np.arange(100), seed=1) == by_case
