"""Calibration curve: on the diagonal for calibrated scores, off it for others, and none of too few cases."""

import numpy as np
import pytest
from scipy.special import expit

from firstread.evaluation.calibration_curve import calibration_curve


def study(n, *, stretch=1.0):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, n)
    return (rng.random(n) < expit(logits)).astype(int), expit(stretch * logits)


def test_a_curve_holds_the_diagonal_of_calibrated_scores_and_leaves_it_otherwise():
    curve = calibration_curve(*study(2000))
    assert list(curve.columns) == ["score", "observed", "low", "high"]
    assert ((curve["low"] <= curve["score"]) & (curve["score"] <= curve["high"])).mean() > 0.8
    bent = calibration_curve(*study(2000, stretch=3.0))
    assert ((bent["low"] <= bent["score"]) & (bent["score"] <= bent["high"])).mean() < 0.3


@pytest.mark.parametrize(
    ("truth", "scores", "groups"),
    [
        (*study(49), None),
        (np.zeros(100, int), np.linspace(0, 1, 100), None),
        (np.arange(100) % 2, np.full(100, 0.5), None),
        (np.arange(100) // 50, np.linspace(0, 1, 100), None),
        (*study(100), np.arange(100) % 9),
    ],
    ids=["few", "one class", "constant", "separated", "few patients"],
)
def test_too_little_for_a_curve_is_no_curve(truth, scores, groups):
    assert calibration_curve(truth, scores, groups) is None
