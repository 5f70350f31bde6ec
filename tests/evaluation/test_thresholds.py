"""Thresholds: operating points, Youden, predictive values by a worked example, outcomes for 1,000 patients."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from firstread.core.errors import DataError, SettingError
from firstread.evaluation.evaluation import evaluate
from firstread.evaluation.thresholds import (
    best_point_at_sensitivity,
    choose_threshold,
    operating_points,
    predictive_values,
    youden_point,
)

from .scored import binary_predictions


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


def test_a_threshold_is_given_or_chosen_on_validation_cases(binary):
    validation = binary_predictions(*binary)
    assert choose_threshold(0.3, None).value == 0.3
    youden = choose_threshold("validation:youden", validation)
    assert youden.value == youden_point(*binary).threshold
    assert "chosen on 120 validation cases for the highest Youden index" in youden.note
    sensitive = choose_threshold("validation: sensitivity = 0.95", validation)
    assert (binary[1][binary[0] == 1] >= sensitive.value).mean() >= 0.95
    specific = choose_threshold("validation:specificity=1", validation)
    assert (binary[1][binary[0] == 0] < specific.value).all()


@pytest.mark.parametrize("rule", ["youden", "validation:recall=0.9", "validation:sensitivity=2", 1.5, True])
def test_impossible_thresholds_are_refused(binary, rule):
    with pytest.raises(SettingError, match="is not possible"):
        choose_threshold(rule, binary_predictions(*binary))


def test_a_rule_needs_validation_cases_of_other_patients(binary):
    with pytest.raises(SettingError, match="needs predictions of the validation cases"):
        evaluate(binary_predictions(*binary), threshold="validation:youden")
    with pytest.raises(DataError, match="120 cases are both in the validation cases and in those to be measured"):
        evaluate(binary_predictions(*binary), threshold="validation:youden", validation=binary_predictions(*binary))


def test_the_chosen_threshold_is_carried_to_the_test_cases(binary):
    truth, scores = binary
    validation = binary_predictions(truth[:60], scores[:60], case=[f"v{i}" for i in range(60)])
    test = binary_predictions(truth[60:], scores[60:], case=[f"t{i}" for i in range(60)])
    found = evaluate(test, threshold="validation:sensitivity=0.9", validation=validation)
    expected = choose_threshold("validation:sensitivity=0.9", validation).value
    assert found.threshold == expected
    assert found.metric("sensitivity").value == (scores[60:][truth[60:] == 1] >= expected).mean()
    assert any("not on the cases of this table" in note for note in found.notes)
