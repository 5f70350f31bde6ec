"""Calibration: whether scores are probabilities. Slope, intercept, mean, binned error, reliability table.

`groups` is the independent unit (patient) of each row: several cases of a patient, or a case that several seeds
predicted, are several rows of one patient, and intervals count patients.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from firstread.evaluation.intervals import MIN_UNITS, UNDEFINED, Estimate
from firstread.evaluation.logistic_regression import (
    SCORE_LIMIT,
    as_arrays,
    bias_reduced_profile,
    clipped_logit,
    fit_bias_reduced,
    fit_logistic,
    has_repeats,
    jackknife_covariance,
    likelihood_interval,
    log_likelihood,
    t_quantile,
)
from firstread.evaluation.patient_intervals import mean_by_patient, proportion_by_patient

if TYPE_CHECKING:
    import pandas as pd

#: fewer patients with (or without) a positive case than this give no slope
MIN_UNITS_OF_CLASS = 5
_SIMULATIONS = 1000
#: bounds of an intercept beyond this, from one end of the clipped logits to the other, say nothing
_WIDEST = 2 * float(np.log(1 / SCORE_LIMIT - 1))
#: squared residuals over their expected sum, above which the likelihood is none for these scores
_HIGHEST_MISFIT = 4.0


def calibration_slope(
    truth: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None, *, confidence: float = 0.95
) -> Estimate:
    """Calibration slope: 1 where scores are probabilities, below 1 where they are too extreme (overconfident).

    The coefficient of the logit of the score in a logistic regression of the truth.

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) probability of 1; clipped to `SCORE_LIMIT` from 0 and 1, and the remark counts these.
        groups: (N,) patient of each row; None takes every row for independent.
        confidence: of the interval.

    Returns:
        The slope with its profile-likelihood interval, both with Firth's penalty, without which few cases give slopes
        that are too large. Where patients have several rows the likelihood is divided by the robust over the model's
        variance. Undefined where the classes are separated, or one is in fewer than 5 patients.

    Source: Cox 1958, doi 10.1093/biomet/45.3-4.562; Van Calster 2019, doi 10.1186/s12916-019-1466-7; Heinze and
    Schemper 2002, doi 10.1002/sim.1047.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> scores = rng.random(500)
        >>> truth = (rng.random(500) < scores).astype(int)
        >>> print(calibration_slope(truth, scores))
        1.009 [0.826, 1.211]
    """
    truth, scores, patient = as_arrays(truth, scores, groups)
    if not len(truth):
        return UNDEFINED
    remark = _clipped(scores)
    found = _slope(truth, scores, patient, confidence)
    if found is None or not np.isfinite(found).all():
        return _not_estimable(float("nan"), truth, remark)
    return Estimate(*found, _method(patient), len(truth), remark)


def calibration_intercept(
    truth: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None, *, confidence: float = 0.95
) -> Estimate:
    """Calibration intercept at slope 1 (calibration-in-the-large): 0 is best, above 0 scores are too low on the whole.

    On the logit scale; `observed_minus_expected` says the same as a probability.

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) probability of 1.
        groups: (N,) patient of each row; None takes every row for independent.
        confidence: of the interval.

    Source: Cox 1958, doi 10.1093/biomet/45.3-4.562; Van Calster 2019, doi 10.1186/s12916-019-1466-7.

    Example:
        >>> truth, scores = np.array([0, 0, 1, 0, 1, 0] * 10), np.array([0.2, 0.4, 0.9, 0.5, 0.7, 0.3] * 10)
        >>> print(calibration_intercept(truth, scores))
        -0.915 [-1.568, -0.296]
    """
    truth, scores, patient = as_arrays(truth, scores, groups)
    if not len(truth):
        return UNDEFINED
    value, low, high, _ = _in_the_large(truth, scores, patient, confidence)
    if not max(abs(low), abs(high)) < _WIDEST:  # NaN included
        return _not_estimable(float("nan"), truth, _clipped(scores))
    return Estimate(value, low, high, _method(patient), len(truth), _clipped(scores))


def observed_minus_expected(
    truth: np.ndarray, scores: np.ndarray, groups: np.ndarray | None = None, *, confidence: float = 0.95
) -> Estimate:
    """Mean calibration: share of positives minus mean score, -1 to 1; 0 is best, above 0 scores are too low.

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) probability of 1.
        groups: (N,) patient of each row; None takes every row for independent.
        confidence: of the interval.

    Returns:
        The difference with the interval of `calibration_intercept`, moved from the logit to the probability. Where all
        cases are of one class, or scores are so extreme that they say nothing of their variance, there is another one,
        and `method` says which.

    Source: Van Calster 2019, doi 10.1186/s12916-019-1466-7.

    Example:
        >>> truth, scores = np.array([0, 0, 1, 0, 1, 0] * 10), np.array([0.2, 0.4, 0.9, 0.5, 0.7, 0.3] * 10)
        >>> print(observed_minus_expected(truth, scores))
        -0.167 [-0.266, -0.057]
    """
    from scipy.special import expit

    truth, scores, patient = as_arrays(truth, scores, groups)
    if not len(truth):
        return UNDEFINED
    value = float((truth - scores).mean())
    if truth.min() == truth.max() and len(np.unique(patient)) >= MIN_UNITS:
        share = proportion_by_patient(truth == 1, patient, confidence=confidence)
        mean = float(scores.mean())
        low, high = min(share.low - mean, value), max(share.high - mean, value)  # the last digit of a mean
        return Estimate(value, low, high, "Wilson bound (one class)", len(truth))
    _, low, high, misfit = _in_the_large(truth, scores, patient, confidence)
    if np.isnan(low):
        return _not_estimable(value, truth, "")
    if misfit > _HIGHEST_MISFIT:
        return mean_by_patient(truth - scores, patient, limits=None, confidence=confidence)
    logits, mean = clipped_logit(scores), float(scores.mean())
    bounds = [float(expit(logits + shift).mean()) - mean for shift in (low, high)]
    return Estimate(value, min(bounds[0], value), max(bounds[1], value), _method(patient), len(truth))


def calibration_error(
    truth: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    bins: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Expected calibration error with what a perfectly calibrated network of the same scores would show.

    With few cases the error is above 0 for every network: a share of 10 cases is seldom the score. So it has no
    interval, and the remark has the range of a network whose scores are probabilities (drawn from the scores).

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) probability of 1.
        groups: (N,) patient of each row; None takes every row for independent.
        bins: of about equal size.
        confidence: of the range of a perfectly calibrated network.
        seed: of the simulated networks.

    Source: Naeini 2015; bias and consistency resampling: Broecker and Smith 2007, doi 10.1175/WAF993.1.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> scores = rng.random(40)
        >>> found = calibration_error((rng.random(40) < scores).astype(int), scores)
        >>> found.remark
        'a perfectly calibrated network would show 0.05 to 0.18 with these cases'
    """
    truth, scores, patient = as_arrays(truth, scores, groups)
    if not len(truth):
        return UNDEFINED
    members = _equal_size_bins(scores, bins)
    order, starts = np.concatenate(members), np.cumsum([0] + [len(one) for one in members[:-1]])
    sorted_scores = scores[order]
    expected = np.add.reduceat(sorted_scores, starts)
    rng, shown = np.random.default_rng(seed), []
    for _ in range(_SIMULATIONS):
        drawn = np.add.reduceat((rng.random(len(order)) < sorted_scores).astype(float), starts)
        shown.append(np.abs(drawn - expected).sum() / len(order))
    low, high = np.quantile(shown, [0.5 - confidence / 2, 0.5 + confidence / 2])
    digits = 2 if high >= 0.095 else 3
    remark = f"a perfectly calibrated network would show {low:.{digits}f} to {high:.{digits}f} with these cases"
    if has_repeats(patient):
        remark += ", and more where cases of a patient go wrong together"
    value = expected_calibration_error(truth, scores, bins=bins)
    return Estimate(value, float("nan"), float("nan"), "no interval: biased upwards", len(truth), remark)


def expected_calibration_error(truth: np.ndarray, scores: np.ndarray, *, bins: int = 5) -> float:
    """Expected calibration error: mean gap between score and observed share over bins of equal size; 0 is best.

    It depends on the number of bins, which must be stated (Naeini 2015; equal-size bins as in Nixon 2019), and is
    biased upwards with few cases: show `calibration_error`, which says by how much.
    """
    gaps = [abs(float((scores[members] - truth[members]).sum())) for members in _equal_size_bins(scores, bins)]
    return float(sum(gaps) / max(len(scores), 1))


def reliability_table(
    truth: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    bins: int = 5,
    confidence: float = 0.95,
) -> "pd.DataFrame":
    """Reliability table: bins of about equal size by score, each with mean score and observed share of positives.

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) probability of 1; equal scores share a bin.
        groups: (N,) patient of each row; None takes every row for independent.
        bins: number of bins; fewer if there are few cases.
        confidence: of the intervals.

    Returns:
        Columns `score`, `observed`, `low`, `high` (Wilson; by patient where a bin has several rows of one), `cases`.

    Example:
        >>> reliability_table(np.array([0, 1] * 5), np.full(10, 0.5))["observed"].tolist()
        [0.5]
    """
    import pandas as pd

    truth, scores, patient = as_arrays(truth, scores, groups)
    rows = []
    for members in _equal_size_bins(scores, bins):
        observed = proportion_by_patient(truth[members] == 1, patient[members], confidence=confidence)
        rows.append((float(scores[members].mean()), observed.value, observed.low, observed.high, len(members)))
    return pd.DataFrame(rows, columns=["score", "observed", "low", "high", "cases"])


def _slope(
    truth: np.ndarray, scores: np.ndarray, patient: np.ndarray, confidence: float
) -> tuple[float, float, float] | None:
    """(slope, low, high), or None where it cannot be estimated."""
    of_class = [len(np.unique(patient[truth == value])) for value in (0, 1)]
    design = np.stack([np.ones(len(scores)), clipped_logit(scores)], axis=1)
    fit = fit_logistic(design, truth) if min(of_class) >= MIN_UNITS_OF_CLASS else None
    if fit is None:
        return None
    variance, scale, units = float(np.linalg.inv(fit.information)[1, 1]), 1.0, len(truth)
    if has_repeats(patient):
        robust = jackknife_covariance(design, truth, fit.probabilities, patient)
        if robust is None:
            return None
        scale, units = max(1.0, float(robust[1, 1]) / variance), min(of_class)
    best = fit_bias_reduced(design, truth, start=fit.coefficients, scale=scale)
    if best is None:
        return None
    slope = float(best[0][1])
    profile = bias_reduced_profile(design, truth, index=1, best=best[0], scale=scale)
    cutoff = t_quantile(units, confidence) ** 2
    return slope, *likelihood_interval(profile, slope, step=float(np.sqrt(variance * scale)), cutoff=cutoff)


def _in_the_large(
    truth: np.ndarray, scores: np.ndarray, patient: np.ndarray, confidence: float
) -> tuple[float, float, float, float]:
    """(intercept, low, high, misfit) at slope 1; NaN where all cases are of one class, or of fewer than 5 patients."""
    if len(np.unique(patient)) < MIN_UNITS:
        return (float("nan"),) * 4
    logits, ones = clipped_logit(scores), np.ones((len(truth), 1))
    cutoff = t_quantile(len(np.unique(patient)), confidence) ** 2
    fit = fit_logistic(ones, truth, offset=logits)
    if fit is None:
        return (float("nan"),) * 4
    value, variance = float(fit.coefficients[0]), float(1 / fit.information[0, 0])
    robust = jackknife_covariance(ones, truth, fit.probabilities, patient)
    scale = 1.0 if robust is None else max(1.0, float(robust[0, 0]) / variance)
    step = float(np.sqrt(min(variance * scale, 25.0)))
    low, high = likelihood_interval(
        lambda shift: log_likelihood(logits + shift, truth), value, step=step, cutoff=cutoff * scale
    )
    misfit = float(((truth - fit.probabilities) ** 2).sum() / fit.information[0, 0])
    return value, low, high, misfit


def _method(patient: np.ndarray) -> str:
    return "profile likelihood by patient" if has_repeats(patient) else "profile likelihood"


def _not_estimable(value: float, truth: np.ndarray, remark: str) -> Estimate:
    method = f"not estimable from {len(truth)} cases ({int(truth.sum())} positive)"
    return replace(UNDEFINED, value=value, method=method, cases=len(truth), remark=remark)


def _clipped(scores: np.ndarray) -> str:
    """How many scores are clipped, in words; nothing where none is."""
    count = int(((scores < SCORE_LIMIT) | (scores > 1 - SCORE_LIMIT)).sum())
    return f"{count} score{'s' * (count != 1)} of 0 or 1 counted as {SCORE_LIMIT:g} from it" if count else ""


def _equal_size_bins(scores: np.ndarray, bins: int) -> list[np.ndarray]:
    """Case indices in order of score, in bins of about equal size; equal scores share a bin, whatever their order."""
    order = np.argsort(scores, kind="stable")
    count = max(1, min(bins, len(scores) // 5))
    inner = [len(part) for part in np.array_split(order, count)]
    edges = np.searchsorted(scores[order], scores[order][np.cumsum(inner)[:-1]], side="left") if count > 1 else []
    return [members for members in np.split(order, np.unique(edges)) if len(members)]
