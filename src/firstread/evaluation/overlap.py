"""Overlap of two masks: Dice, Jaccard, and the error of the volume. Arrays of bool of the same shape.

Two empty masks have no overlap to speak of: the value is NaN, and the caller says what that case is. It is neither 0
nor 1: both would move a mean by cases in which there was nothing to find.
"""

import numpy as np


def dice(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Dice coefficient, 0 to 1, higher is better: twice the common voxels of the sum of both; NaN if both are empty.

    Example:
        >>> dice(np.array([True, True, False]), np.array([False, True, True]))
        0.5

    Source: Dice 1945, doi 10.2307/1932409.
    """
    total = int(np.count_nonzero(truth)) + int(np.count_nonzero(predicted))
    return 2 * int(np.count_nonzero(truth & predicted)) / total if total else float("nan")


def jaccard(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Jaccard index (intersection over union), 0 to 1, higher is better; NaN if both are empty.

    It ranks cases as Dice does and is the smaller number: Dice / (2 - Dice).
    """
    union = int(np.count_nonzero(truth | predicted))
    return int(np.count_nonzero(truth & predicted)) / union if union else float("nan")


def volume_error_percent(truth_ml: float, predicted_ml: float) -> float:
    """Error of a volume as a percentage of the true one, 0 is best, below 0 too small; NaN if there is none."""
    return 100 * (predicted_ml - truth_ml) / truth_ml if truth_ml > 0 else float("nan")
