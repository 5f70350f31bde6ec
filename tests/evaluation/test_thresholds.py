"""Thresholds: operating points, Youden, predictive values by a worked example, outcomes for 1,000 patients."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from firstread.core.errors import DataError
from firstread.evaluation.thresholds import (
    best_point_at_sensitivity,
    operating_points,
    outcomes_per_1000,
    predictive_values,
    youden_point,
)


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
    best = youden_point(truth, scores)
    assert best.sensitivity + best.specificity - 1 == pytest.approx((true_rate - false_rate).max())
    called = scores >= best.threshold
    assert called[truth == 1].mean() == pytest.approx(best.sensitivity)


def test_a_fixed_sensitivity_is_reached_with_the_best_specificity(binary):
    truth, scores = binary
    point = best_point_at_sensitivity(truth, scores, min_sensitivity=0.95)
    assert point.sensitivity >= 0.95
    assert all(p.specificity <= point.specificity for p in operating_points(truth, scores) if p.sensitivity >= 0.95)


def test_costs_in_a_clinic(binary):
    costs = outcomes_per_1000(*binary, prevalence=0.1).set_index("threshold")
    row = costs.loc[0.5]
    assert row["missed of 1,000"] == round(1000 * 0.1 * (1 - row["sensitivity"]))
    assert row["false alarms of 1,000"] == round(1000 * 0.9 * (1 - row["specificity"]))
