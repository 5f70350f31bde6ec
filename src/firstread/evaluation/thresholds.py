"""Choosing a threshold, and what it costs in a clinic."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and what it does: scores at or above it are called positive; infinite where all or nothing is."""

    threshold: float
    sensitivity: float
    specificity: float


def operating_points(truth: np.ndarray, scores: np.ndarray) -> list[OperatingPoint]:
    """Every threshold that makes a difference, from calling everything positive to calling nothing."""
    if not (truth == 1).any() or not (truth == 0).any():
        raise DataError("A threshold needs cases of both classes")
    cuts = np.concatenate([[-np.inf], _between(np.unique(scores)), [np.inf]])
    positive, negative = np.sort(scores[truth == 1]), np.sort(scores[truth == 0])
    sensitivity = 1 - np.searchsorted(positive, cuts, side="left") / len(positive)
    specificity = np.searchsorted(negative, cuts, side="left") / len(negative)
    return [OperatingPoint(*map(float, row)) for row in zip(cuts, sensitivity, specificity, strict=True)]


def youden(truth: np.ndarray, scores: np.ndarray) -> OperatingPoint:
    """The threshold with the highest sensitivity + specificity - 1. Source: Youden 1950.

    Choose it on validation cases, never on the cases that the result is reported for.
    """
    return max(operating_points(truth, scores), key=lambda p: p.sensitivity + p.specificity)


def at_sensitivity(truth: np.ndarray, scores: np.ndarray, *, at_least: float) -> OperatingPoint:
    """The threshold with the best specificity among those that reach a sensitivity."""
    points = [p for p in operating_points(truth, scores) if p.sensitivity >= at_least]
    return max(points, key=lambda p: p.specificity)


def predictive_values(sensitivity: float, specificity: float, *, prevalence: float) -> tuple[float, float]:
    """(PPV, NPV) where a share `prevalence` of patients is positive, by Bayes' theorem; NaN where nobody is called so."""
    if not 0 <= prevalence <= 1:
        raise DataError(f"prevalence={prevalence} is not possible", expected="a share from 0 to 1, such as 0.1")
    called = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    cleared = specificity * (1 - prevalence) + (1 - sensitivity) * prevalence
    ppv = sensitivity * prevalence / called if called else float("nan")
    npv = specificity * (1 - prevalence) / cleared if cleared else float("nan")
    return float(ppv), float(npv)


def clinic_costs(
    truth: np.ndarray,
    scores: np.ndarray,
    *,
    prevalence: float,
    thresholds: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9),
) -> "pd.DataFrame":
    """What each threshold means for 1,000 patients of a clinic with a given prevalence.

    Returns:
        Columns `threshold`, `sensitivity`, `specificity`, `missed`, `false alarms` (of 1,000), `PPV`, `NPV`.
    """
    import pandas as pd

    rows = []
    for cut in thresholds:
        sensitivity = float((scores[truth == 1] >= cut).mean())
        specificity = float((scores[truth == 0] < cut).mean())
        ppv, npv = predictive_values(sensitivity, specificity, prevalence=prevalence)
        missed, alarms = 1000 * prevalence * (1 - sensitivity), 1000 * (1 - prevalence) * (1 - specificity)
        rows.append((cut, sensitivity, specificity, round(missed), round(alarms), ppv, npv))
    names = ["threshold", "sensitivity", "specificity", "missed of 1,000", "false alarms of 1,000", "PPV", "NPV"]
    return pd.DataFrame(rows, columns=names)


def _between(values: np.ndarray) -> np.ndarray:
    return (values[:-1] + values[1:]) / 2
