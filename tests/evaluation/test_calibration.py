"""Calibration: low error for scores that are true probabilities, high for distorted ones."""

import numpy as np

from firstread.evaluation.calibration import expected_calibration_error, reliability_table


def test_scores_that_come_true_are_calibrated():
    rng = np.random.default_rng(0)
    scores = rng.random(4000)
    truth = (rng.random(4000) < scores).astype(int)
    assert expected_calibration_error(truth, scores) < 0.03
    assert expected_calibration_error(truth, np.clip(scores**3, 0, 1)) > 0.1
    assert reliability_table(truth, scores)["cases"].sum() == 4000
