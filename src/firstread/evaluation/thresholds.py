"""Decision thresholds: operating points, Youden, predictive values, and outcomes for 1,000 patients."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold with its sensitivity and specificity; scores at or above it are positive. It may be infinite."""

    threshold: float
    sensitivity: float
    specificity: float


def operating_points(truth: np.ndarray, scores: np.ndarray) -> list[OperatingPoint]:
    """All distinct operating points, from every case positive to no case positive.

    Raises:
        DataError: not both classes are present.
    """
    if not (truth == 1).any() or not (truth == 0).any():
        raise DataError("A threshold needs cases of both classes")
    thresholds = np.concatenate([[-np.inf], _midpoints(np.unique(scores)), [np.inf]])
    positive, negative = np.sort(scores[truth == 1]), np.sort(scores[truth == 0])
    sensitivity = 1 - np.searchsorted(positive, thresholds, side="left") / len(positive)
    specificity = np.searchsorted(negative, thresholds, side="left") / len(negative)
    return [OperatingPoint(*map(float, row)) for row in zip(thresholds, sensitivity, specificity, strict=True)]


def youden_point(truth: np.ndarray, scores: np.ndarray) -> OperatingPoint:
    """Operating point with the highest Youden index, sensitivity + specificity - 1. Source: Youden 1950.

    Choose it on validation cases, never on the cases that the result is reported for.
    """
    return max(operating_points(truth, scores), key=lambda p: p.sensitivity + p.specificity)


def best_point_at_sensitivity(truth: np.ndarray, scores: np.ndarray, *, min_sensitivity: float) -> OperatingPoint:
    """Operating point with the highest specificity among those with at least `min_sensitivity`."""
    points = [p for p in operating_points(truth, scores) if p.sensitivity >= min_sensitivity]
    return max(points, key=lambda p: p.specificity)


def predictive_values(sensitivity: float, specificity: float, *, prevalence: float) -> tuple[float, float]:
    """(PPV, NPV) at a prevalence, by Bayes' theorem; NaN where no case is predicted positive (negative)."""
    if not 0 <= prevalence <= 1:
        raise DataError(f"prevalence={prevalence} is not possible", expected="a share from 0 to 1, such as 0.1")
    positive_share = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    negative_share = specificity * (1 - prevalence) + (1 - sensitivity) * prevalence
    ppv = sensitivity * prevalence / positive_share if positive_share else float("nan")
    npv = specificity * (1 - prevalence) / negative_share if negative_share else float("nan")
    return float(ppv), float(npv)


def outcomes_per_1000(
    truth: np.ndarray,
    scores: np.ndarray,
    *,
    prevalence: float,
    thresholds: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9),
) -> "pd.DataFrame":
    """Missed cases, false alarms and predictive values of each threshold for 1,000 patients at a given prevalence.

    Returns:
        Columns `threshold`, `sensitivity`, `specificity`, `missed`, `false alarms` (of 1,000), `PPV`, `NPV`.
    """
    import pandas as pd

    rows = []
    for threshold in thresholds:
        sensitivity = float((scores[truth == 1] >= threshold).mean())
        specificity = float((scores[truth == 0] < threshold).mean())
        ppv, npv = predictive_values(sensitivity, specificity, prevalence=prevalence)
        missed, alarms = 1000 * prevalence * (1 - sensitivity), 1000 * (1 - prevalence) * (1 - specificity)
        rows.append((threshold, sensitivity, specificity, round(missed), round(alarms), ppv, npv))
    names = ["threshold", "sensitivity", "specificity", "missed of 1,000", "false alarms of 1,000", "PPV", "NPV"]
    return pd.DataFrame(rows, columns=names)


def _midpoints(values: np.ndarray) -> np.ndarray:
    """Means of neighbouring values."""
    midpoints: np.ndarray = (values[:-1] + values[1:]) / 2
    return midpoints
