"""Calibration: known values, calibrated and distorted scores, patients with several cases, and too few of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logit
from scipy.stats import t

from firstread.evaluation.calibration import (
    calibration_error,
    calibration_intercept,
    calibration_slope,
    expected_calibration_error,
    observed_minus_expected,
    reliability_table,
)

ALL = (calibration_slope, calibration_intercept, observed_minus_expected, calibration_error)


def study(n, *, stretch=1.0, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, n)
    return (rng.random(n) < expit(logits)).astype(int), expit(stretch * logits + shift)


def test_scores_that_come_true_are_calibrated():
    rng = np.random.default_rng(0)
    scores = rng.random(4000)
    truth = (rng.random(4000) < scores).astype(int)
    assert expected_calibration_error(truth, scores) < 0.03
    assert expected_calibration_error(truth, np.clip(scores**3, 0, 1)) > 0.1
    assert reliability_table(truth, scores)["cases"].sum() == 4000


def written_out():
    """60 cases of 20 patients, the same numbers everywhere."""
    i = np.arange(60)
    truth = (i * 7 % 10 < 4).astype(int)
    return truth, np.round((i * 37 % 61 + 1 + 14 * truth) / 78, 4), i // 3


def test_intercept_as_in_statsmodels():
    # statsmodels 0.15.0: GLM(truth, ones, Binomial(), offset=logit): -0.3832222160, standard error 0.304168
    truth, scores, _ = written_out()
    found = calibration_intercept(truth, scores)
    assert found.value == pytest.approx(-0.3832222160, abs=1e-8)
    assert [found.low, found.high] == pytest.approx([-0.3832 - 2 * 0.3042, -0.3832 + 2 * 0.3042], abs=0.06)


def test_slope_is_the_maximum_of_firths_likelihood():
    # and near maximum likelihood: statsmodels 0.15.0, GLM(truth, [1, logit], Binomial()): 0.8304
    truth, scores, groups = written_out()
    design = np.stack([np.ones(60), logit(scores)], axis=1)

    def penalized(beta):
        p = expit(design @ beta)
        information = design.T @ (design * (p * (1 - p))[:, None])
        return -(np.log(np.where(truth == 1, p, 1 - p)).sum() + 0.5 * np.linalg.slogdet(information)[1])

    best = minimize(penalized, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    slope = calibration_slope(truth, scores)
    assert slope.value == pytest.approx(best.x[1], abs=1e-5)
    assert slope.value == pytest.approx(0.8304, abs=0.06)
    for bound in (slope.low, slope.high):  # twice the loss is Student's quantile (59 degrees) squared
        beside = minimize_scalar(lambda a, b=bound: penalized(np.array([a, b])), bounds=(-5, 5), method="bounded")
        assert 2 * (beside.fun - best.fun) == pytest.approx(t.ppf(0.975, 59) ** 2, abs=1e-3)
    assert calibration_slope(truth, scores, groups).high > slope.high


def test_a_stretched_score_has_the_slope_of_what_it_was_stretched_by():
    truth, scores = study(20000, stretch=2.0)
    slope = calibration_slope(truth, scores)
    assert slope.value == pytest.approx(0.5, abs=0.02)
    assert slope.high - slope.low < 0.05
    shifted = calibration_intercept(*study(20000, shift=0.7))
    assert shifted.value == pytest.approx(-0.7, abs=0.05)
    assert observed_minus_expected(*study(20000, shift=0.7)).high < 0


def test_several_rows_of_a_patient_are_no_more_than_the_patient():
    truth, scores = study(60)
    once = [measure(truth, scores) for measure in (calibration_slope, calibration_intercept, observed_minus_expected)]
    groups = np.tile(np.arange(60), 5)
    for measure, alone in zip((calibration_slope, calibration_intercept, observed_minus_expected), once, strict=True):
        repeated = measure(np.tile(truth, 5), np.tile(scores, 5), groups)
        assert repeated.value == pytest.approx(alone.value, rel=0.01)
        assert repeated.high - repeated.low > 0.85 * (alone.high - alone.low)
        assert repeated.method == "profile likelihood by patient"
        taken_for_independent = measure(np.tile(truth, 5), np.tile(scores, 5))
        assert taken_for_independent.high - taken_for_independent.low < 0.6 * (alone.high - alone.low)


def test_separated_classes_have_no_slope():
    truth, scores = np.r_[np.zeros(20, int), np.ones(20, int)], np.linspace(0.01, 0.99, 40)
    found = calibration_slope(truth, scores)
    assert np.isnan([found.value, found.low, found.high]).all()
    assert found.method == "not estimable from 40 cases (20 positive)"


@pytest.mark.parametrize("truth", [np.zeros(30, int), np.ones(30, int)])
def test_one_class_has_a_mean_calibration_and_nothing_on_the_logit_scale(truth):
    scores = np.linspace(0.1, 0.6, 30)
    positive = 30 * truth[0]
    for measure in (calibration_slope, calibration_intercept):
        assert measure(truth, scores).method == f"not estimable from 30 cases ({positive} positive)"
    found = observed_minus_expected(truth, scores)
    assert found.low <= found.value <= found.high
    assert found.high - found.low > 0.05  # 30 of 30 are no certainty


def test_few_patients_give_no_interval():
    truth, scores = study(40)
    for measure in (calibration_slope, calibration_intercept, observed_minus_expected):
        found = measure(truth, scores, np.arange(40) % 4)
        assert np.isnan([found.low, found.high]).all()
        assert found.method.startswith("not estimable from 40 cases")


def test_scores_of_0_and_1_are_clipped_and_counted():
    truth, scores = study(50)
    scores[:3], truth[:3] = [0.0, 1.0, 1.0], [0, 1, 0]
    found = calibration_slope(truth, scores)
    assert np.isfinite([found.value, found.low, found.high]).all()
    assert found.remark == "3 scores of 0 or 1 counted as 1e-06 from it"


def test_scores_that_are_all_0_or_1_have_a_mean_calibration_and_no_intercept():
    truth = np.arange(200) % 2
    scores = truth.astype(float)
    scores[:10] = 1 - scores[:10]
    assert calibration_intercept(truth, scores).method == "not estimable from 200 cases (100 positive)"
    found = observed_minus_expected(truth, scores)
    assert found.method == "Student by patient"
    assert 0.05 < found.high - found.low < 0.08  # 10 errors of 200: 2 * 1.97 * sqrt(0.05 / 200)
    assert calibration_slope(truth, scores).high < 0.5


def test_a_constant_score_has_an_intercept_and_no_slope():
    truth = np.array([0, 0, 0, 1] * 10)
    scores = np.full(40, 0.5)
    assert np.isnan(calibration_slope(truth, scores).value)
    assert calibration_intercept(truth, scores).value == pytest.approx(logit(0.25))
    assert observed_minus_expected(truth, scores).value == pytest.approx(-0.25)
    assert expected_calibration_error(truth, scores) == pytest.approx(0.25)


@pytest.mark.parametrize("measure", ALL)
def test_nothing_is_not_defined(measure):
    assert np.isnan(measure(np.zeros(0, int), np.zeros(0)).value)


@pytest.mark.parametrize("measure", ALL)
@pytest.mark.parametrize("rows", [1, 3, 6])
def test_a_handful_of_cases_is_survived(measure, rows):
    found = measure(np.arange(rows) % 2, np.linspace(0.3, 0.8, rows), np.arange(rows))
    assert not found.low > found.value
    assert not found.high < found.value


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1), st.integers(0, 12)), min_size=1, max_size=40))
def test_an_interval_holds_its_estimate_or_there_is_none(rows):
    truth, scores, groups = (np.array(column) for column in zip(*rows, strict=True))
    for measure in ALL[:3]:
        found = measure(truth, scores.astype(float), groups)
        assert np.isnan([found.low, found.high]).all() or found.low <= found.value <= found.high
        assert np.isnan([found.low, found.high]).all() or np.isfinite([found.low, found.high]).all()


def test_the_binned_error_does_not_depend_on_the_order_of_equal_scores():
    truth, scores = np.array([0] * 20 + [1] * 20), np.full(40, 0.5)
    assert expected_calibration_error(truth, scores) == 0.0
    assert len(reliability_table(truth, scores)) == 1


def test_the_binned_error_says_what_a_perfect_network_would_show():
    inside = 0
    for seed in range(40):
        found = calibration_error(*study(40, seed=seed))
        low, high = (float(found.remark.split(" show ")[1].split(" with")[0].split(" to ")[i]) for i in (0, 1))
        inside += low - 0.005 <= found.value <= high + 0.005
        assert np.isnan([found.low, found.high]).all()
        assert found.method == "no interval: biased upwards"
    assert inside >= 35
    assert "go wrong together" in calibration_error(*study(40), np.arange(40) // 2).remark


def test_bins_know_patients():
    truth, scores = study(200)
    alone = reliability_table(truth, scores)
    table = reliability_table(np.tile(truth, 4), np.tile(scores, 4), np.tile(np.arange(200), 4))
    assert (table["high"] - table["low"]).to_numpy() == pytest.approx(
        (alone["high"] - alone["low"]).to_numpy(), rel=0.3
    )
    assert reliability_table(truth, scores, np.zeros(200))["low"].isna().all()
