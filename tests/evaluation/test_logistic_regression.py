"""Logistic regression: reference values, clusters, separation, and intervals of a likelihood."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.evaluation.logistic_regression import (
    bias_reduced_profile,
    clipped_logit,
    fit_bias_reduced,
    fit_logistic,
    jackknife_covariance,
    likelihood_interval,
)


def example():
    i = np.arange(60)
    truth = (i * 7 % 10 < 4).astype(int)
    scores = np.round((i * 37 % 61 + 1 + 14 * truth) / 78, 4)
    return np.stack([np.ones(60), clipped_logit(scores)], axis=1), truth, i // 3


def test_fit_and_robust_errors_as_in_statsmodels():
    # statsmodels 0.15.0: Logit(truth, design).fit(), log likelihood, and cov_type="cluster" with 20 groups (CR1), of
    # which the jackknife (CR3) differs by a few percent
    design, truth, groups = example()
    fit = fit_logistic(design, truth)
    assert fit.coefficients[1] == pytest.approx(0.8304234782, abs=1e-8)
    assert fit.log_likelihood == pytest.approx(-34.1717845984, abs=1e-8)
    errors = np.sqrt(np.diag(jackknife_covariance(design, truth, fit.probabilities, groups)))
    assert errors == pytest.approx([0.17879305, 0.25130031], rel=0.03)


def test_the_jackknife_is_that_of_fits_without_a_patient():
    design, truth, groups = example()
    fit = fit_logistic(design, truth)
    left_out = [fit_logistic(design[groups != g], truth[groups != g]).coefficients for g in range(20)]
    exact = 19 / 20 * sum(np.outer(one - fit.coefficients, one - fit.coefficients) for one in left_out)
    assert jackknife_covariance(design, truth, fit.probabilities, groups) == pytest.approx(exact, rel=0.1, abs=0.003)


def test_separated_classes_and_dependent_columns_have_no_fit():
    x = np.linspace(-2, 2, 20)
    assert fit_logistic(np.stack([np.ones(20), x], axis=1), (x > 0).astype(int)) is None
    assert fit_logistic(np.stack([x, 2 * x], axis=1), np.arange(20) % 2) is None
    assert fit_logistic(np.ones((20, 1)), np.zeros(20)) is None


def test_firths_fit_of_an_intercept_is_the_share_with_half_a_case_more_of_each():
    found, _ = fit_bias_reduced(np.ones((10, 1)), np.r_[np.zeros(10)], start=np.zeros(1))
    assert found[0] == pytest.approx(np.log(0.5 / 10.5), abs=1e-6)


def test_rows_that_are_repeated_change_nothing_if_the_likelihood_is_divided():
    design, truth, _ = example()
    once, value = fit_bias_reduced(design, truth, start=np.zeros(2))
    found, _ = fit_bias_reduced(np.tile(design, (4, 1)), np.tile(truth, 4), start=np.zeros(2), scale=4.0)
    assert found == pytest.approx(once, abs=1e-6)
    fixed = fit_bias_reduced(design, truth, start=np.array([0.0, 2.0]), fixed=1)
    assert fixed[0][1] == 2.0
    assert fixed[1] < value


def test_a_patient_without_whom_nothing_is_left_gives_no_covariance():
    design = np.stack([np.ones(20), np.r_[np.zeros(18), 1.0, 2.0]], axis=1)
    truth, groups = np.r_[np.arange(18) % 2, 0, 1], np.r_[np.arange(18), 18, 18]
    assert jackknife_covariance(design, truth, np.full(20, 0.5), groups) is None


@given(st.floats(-3, 3), st.floats(0.1, 5))
def test_the_interval_of_a_normal_likelihood(middle, error):
    low, high = likelihood_interval(lambda x: -0.5 * ((x - middle) / error) ** 2, middle, step=error, cutoff=4.0)
    assert [low, high] == pytest.approx([middle - 2 * error, middle + 2 * error], abs=1e-3 * error)


def test_a_likelihood_that_stays_has_no_bound():
    low, high = likelihood_interval(lambda x: -np.logaddexp(0, -x), 40.0, step=1.0, cutoff=4.0)
    assert np.isfinite(low)
    assert high == np.inf


def test_a_profile_finds_its_way_back_from_far_away():
    design, truth, _ = example()
    profile = bias_reduced_profile(design, truth, index=1, best=fit_logistic(design, truth).coefficients)
    before = profile(0.83)
    profile(5000.0)
    assert profile(0.83) == pytest.approx(before)
