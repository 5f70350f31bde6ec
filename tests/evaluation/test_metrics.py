"""Metrics: the values of scikit-learn, and NaN where a class is missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from firstread.evaluation import metrics


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
        assert metrics.partial_auc(truth, scores, min_specificity=specificity) == pytest.approx(
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
