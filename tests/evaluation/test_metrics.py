"""Metrics, thresholds and calibration: scikit-learn's figures where it has them, worked examples where it has not."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from firstread.core.errors import DataError
from firstread.evaluation import metrics
from firstread.evaluation.calibration import expected_calibration_error, reliability_table
from firstread.evaluation.thresholds import (
    at_sensitivity,
    clinic_costs,
    operating_points,
    predictive_values,
    youden,
)


@pytest.fixture
def binary():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 120)
    return truth, np.clip(0.5 + 0.2 * (truth - 0.5) + rng.normal(0, 0.2, 120), 0, 1)


def test_against_scikit_learn(binary):
    truth, scores = binary
    called = (scores >= 0.5).astype(int)
    both = np.stack([1 - scores, scores], axis=1)
    assert metrics.auc(truth, scores) == pytest.approx(reference.roc_auc_score(truth, scores))
    assert metrics.f1_score(truth, called) == pytest.approx(reference.f1_score(truth, called))
    assert metrics.brier_score(truth, both) == pytest.approx(reference.brier_score_loss(truth, scores))
    assert metrics.average_precision(truth, scores) == pytest.approx(reference.average_precision_score(truth, scores))
    assert metrics.balanced_accuracy(truth, called, classes=2) == pytest.approx(
        reference.balanced_accuracy_score(truth, called)
    )
    assert (metrics.confusion_counts(truth, called, classes=2) == reference.confusion_matrix(truth, called)).all()
    parts = {k: a / b for k, (a, b) in metrics.binary_proportions(truth, called).items()}
    assert parts["sensitivity"] == pytest.approx(reference.recall_score(truth, called))
    assert parts["specificity"] == pytest.approx(reference.recall_score(truth, called, pos_label=0))
    assert parts["PPV"] == pytest.approx(reference.precision_score(truth, called))
    assert parts["NPV"] == pytest.approx(reference.precision_score(truth, called, pos_label=0))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40), st.sampled_from((0.5, 0.8, 0.9)))
def test_areas_of_few_cases_with_ties_against_scikit_learn(cases, specificity):
    truth, scores = np.array([case[0] for case in cases], int), np.array([case[1] / 8 for case in cases])
    if truth.any():
        assert metrics.average_precision(truth, scores) == pytest.approx(
            reference.average_precision_score(truth, scores)
        )
    if 0 < truth.sum() < len(truth):
        assert metrics.partial_auc(truth, scores, specificity_from=specificity) == pytest.approx(
            reference.roc_auc_score(truth, scores, max_fpr=1 - specificity)
        )


def test_partial_auc_is_half_for_chance_and_one_for_perfect(binary):
    truth, _ = binary
    assert metrics.partial_auc(truth, np.full(len(truth), 0.3)) == pytest.approx(0.5)
    assert metrics.partial_auc(truth, truth.astype(float)) == pytest.approx(1.0)


def test_what_needs_both_classes_is_nan_with_one():
    ones = np.ones(4, int)
    assert np.isnan(metrics.auc(ones, np.arange(4.0)))
    assert np.isnan(metrics.partial_auc(ones, np.arange(4.0)))
    assert np.isnan(metrics.balanced_accuracy(ones, ones, classes=2))


def test_bayes_worked_example():
    # 1 % prevalence, 90 % sensitivity, 91 % specificity: PPV about 9 % (Gigerenzer 2007, mammography)
    ppv, npv = predictive_values(0.90, 0.91, prevalence=0.01)
    assert ppv == pytest.approx(9 / (9 + 89.1), abs=1e-4)
    assert npv == pytest.approx(0.9989, abs=1e-4)
    with pytest.raises(DataError, match="prevalence=2"):
        predictive_values(0.9, 0.9, prevalence=2)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 0.98))
def test_ppv_rises_with_prevalence(sensitivity, specificity, prevalence):
    low, _ = predictive_values(sensitivity, specificity, prevalence=prevalence)
    high, _ = predictive_values(sensitivity, specificity, prevalence=prevalence + 0.01)
    assert np.isnan(low) or high >= low - 1e-12


def test_operating_points_run_from_all_to_nothing(binary):
    points = operating_points(*binary)
    assert (points[0].sensitivity, points[0].specificity) == (1.0, 0.0)
    assert (points[-1].sensitivity, points[-1].specificity) == (0.0, 1.0)
    assert all(a.sensitivity >= b.sensitivity for a, b in pairwise(points))
    with pytest.raises(DataError, match="both classes"):
        operating_points(np.ones(3, int), np.arange(3.0))


def test_youden_against_the_roc_curve(binary):
    truth, scores = binary
    false_rate, true_rate, _ = reference.roc_curve(truth, scores)
    best = youden(truth, scores)
    assert best.sensitivity + best.specificity - 1 == pytest.approx((true_rate - false_rate).max())
    called = scores >= best.threshold
    assert called[truth == 1].mean() == pytest.approx(best.sensitivity)


def test_a_fixed_sensitivity_is_reached_with_the_best_specificity(binary):
    truth, scores = binary
    point = at_sensitivity(truth, scores, at_least=0.95)
    assert point.sensitivity >= 0.95
    assert all(p.specificity <= point.specificity for p in operating_points(truth, scores) if p.sensitivity >= 0.95)


def test_costs_in_a_clinic(binary):
    costs = clinic_costs(*binary, prevalence=0.1).set_index("threshold")
    row = costs.loc[0.5]
    assert row["missed of 1,000"] == round(1000 * 0.1 * (1 - row["sensitivity"]))
    assert row["false alarms of 1,000"] == round(1000 * 0.9 * (1 - row["specificity"]))


def test_scores_that_come_true_are_calibrated():
    rng = np.random.default_rng(0)
    scores = rng.random(4000)
    truth = (rng.random(4000) < scores).astype(int)
    assert expected_calibration_error(truth, scores) < 0.03
    assert expected_calibration_error(truth, np.clip(scores**3, 0, 1)) > 0.1
    assert reliability_table(truth, scores)["cases"].sum() == 4000
