"""Smooth calibration curve with a pointwise band, for the plot."""

from typing import TYPE_CHECKING

import numpy as np

from firstread.evaluation.intervals import MIN_UNITS
from firstread.evaluation.logistic_regression import (
    as_arrays,
    clipped_logit,
    fit_logistic,
    jackknife_covariance,
    t_quantile,
)

if TYPE_CHECKING:
    import pandas as pd

#: fewer cases than this give no smooth curve, and fewer than this of a class
MIN_CASES_OF_CURVE, _MIN_CASES_OF_CLASS = 50, 10


def calibration_curve(
    truth: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None, *, confidence: float = 0.95
) -> "pd.DataFrame | None":
    """Smooth calibration curve with a pointwise band: a natural cubic spline of the logit with three knots.

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) probability of 1.
        groups: (N,) patient of each row; None takes every row for independent.
        confidence: of the band, at each point by itself.

    Returns:
        Columns `score`, `observed`, `low`, `high`, 101 rows; None where there is too little for a curve (fewer than 50
        cases or 10 of a class, few different scores): show the bins of `reliability_table` alone.

    Source: Austin and Steyerberg 2014, doi 10.1002/sim.5941; splines as in Harrell 2015, section 2.4.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> scores = rng.random(400)
        >>> curve = calibration_curve((rng.random(400) < scores).astype(int), scores)
        >>> bool((curve["low"] < curve["observed"]).all())
        True
        >>> calibration_curve(np.array([0, 1] * 5), np.linspace(0.1, 0.9, 10)) is None
        True
    """
    import pandas as pd
    from scipy.special import expit

    truth, scores, patient = as_arrays(truth, scores, groups)
    positives, patients = int(truth.sum()), len(np.unique(patient))
    if (
        len(truth) < MIN_CASES_OF_CURVE
        or min(positives, len(truth) - positives) < _MIN_CASES_OF_CLASS
        or patients < 2 * MIN_UNITS
    ):
        return None
    logits = clipped_logit(scores)
    knots = np.quantile(logits, [0.1, 0.5, 0.9])
    if np.diff(knots).min() <= 1e-6:
        return None
    design = _natural_spline(logits, knots)
    fit = fit_logistic(design, truth)
    covariance = None if fit is None else jackknife_covariance(design, truth, fit.probabilities, patient)
    if fit is None or covariance is None:
        return None
    low, high = np.quantile(logits, [0.01, 0.99])
    grid = np.linspace(float(low), float(high), 101)
    points = _natural_spline(grid, knots)
    middle = points @ fit.coefficients
    reach = t_quantile(patients, confidence) * np.sqrt(np.einsum("ij,jk,ik->i", points, covariance, points))
    curve = {"score": expit(grid), "observed": expit(middle)}
    return pd.DataFrame(curve | {"low": expit(middle - reach), "high": expit(middle + reach)})


def _natural_spline(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Basis of a natural cubic spline: ones, the values, and a curve for each knot but two; (N, K)."""
    cubes = np.clip(values[:, None] - knots, 0, None) ** 3
    last = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([np.ones(len(values)), values, last[:, :-1] - last[:, -1:]])
