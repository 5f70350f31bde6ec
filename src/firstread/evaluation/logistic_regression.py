"""Logistic regression with offset by Newton's method, jackknife covariance of whole patients, likelihood intervals.

What calibration and recalibration need, for one to three coefficients; it needs numpy and scipy only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: scores nearer to 0 or 1 than this count as this: the logit of 0 is infinite
SCORE_LIMIT = 1e-6
_MAX_STEPS = 60
_MAX_HALVINGS = 40


@dataclass(frozen=True)
class LogisticFit:
    """Maximum likelihood fit of a logistic regression.

    Attributes:
        coefficients: (K,).
        log_likelihood: at the coefficients.
        probabilities: (N,) fitted.
        information: (K, K) observed information, the inverse of the model's covariance.
    """

    coefficients: np.ndarray
    log_likelihood: float
    probabilities: np.ndarray
    information: np.ndarray


def clipped_logit(scores: np.ndarray) -> np.ndarray:
    """Logit of scores that are clipped to `SCORE_LIMIT` from 0 and 1: finite, whatever the scores."""
    from scipy.special import logit

    logits: np.ndarray = logit(np.clip(np.asarray(scores, float), SCORE_LIMIT, 1 - SCORE_LIMIT))
    return logits


def fit_logistic(
    design: np.ndarray, truth: np.ndarray, *, offset: np.ndarray | None = None, start: np.ndarray | None = None
) -> LogisticFit | None:
    """Fit a logistic regression by Newton's method with step halving.

    Args:
        design: (N, K), the column of ones included where an intercept is meant.
        truth: (N,) 0 or 1.
        offset: (N,) part of the linear predictor that is given; None is zero.
        start: (K,) coefficients to begin with; None is zero.

    Returns:
        The fit, or None where it has no finite maximum: the classes are separated, or a column depends on the others.

    Example:
        >>> fit = fit_logistic(np.ones((4, 1)), np.array([0, 0, 0, 1]))
        >>> round(float(fit.coefficients[0]), 3)  # the logit of 1 in 4
        -1.099
    """
    offset = np.zeros(len(truth)) if offset is None else offset
    beta = np.zeros(design.shape[1]) if start is None else start
    value = log_likelihood(offset + design @ beta, truth)
    for _ in range(_MAX_STEPS):
        probabilities = _expit(offset + design @ beta)
        information = design.T @ (design * (probabilities * (1 - probabilities))[:, None])
        step = _solve(information, design.T @ (truth - probabilities))
        if step is None:
            return None
        for _ in range(_MAX_HALVINGS):
            new = log_likelihood(offset + design @ (beta + step), truth)
            if new >= value - 1e-12 * abs(value):
                break
            step = step / 2
        beta, value = beta + step, max(new, value)
        if np.abs(step).max() <= 1e-7 * (1 + np.abs(beta).max()):
            return LogisticFit(beta, value, probabilities, information)
    return None


def fit_bias_reduced(
    design: np.ndarray, truth: np.ndarray, *, start: np.ndarray, scale: float = 1.0, fixed: int | None = None
) -> tuple[np.ndarray, float] | None:
    """Maximum of the logistic likelihood with Firth's penalty (half the log determinant of the information).

    Maximum likelihood finds slopes that are too large in few cases, and intervals that leave out the true one below.

    Args:
        design: (N, K).
        truth: (N,) 0 or 1.
        start: (K,) coefficients to begin with.
        scale: robust over the model's variance, by which the log likelihood is divided: so many rows count as one.
        fixed: index of a coefficient that stays at its start.

    Returns:
        (coefficients (K,), penalized log likelihood), or None where none is found.

    Source: Firth 1993, doi 10.1093/biomet/80.1.27; its profile: Heinze and Schemper 2002, doi 10.1002/sim.1047.

    Example:
        >>> design, truth = np.stack([np.ones(6), np.arange(6.0)], axis=1), np.array([0, 0, 0, 1, 1, 1])
        >>> coefficients, _ = fit_bias_reduced(design, truth, start=np.zeros(2))
        >>> round(float(coefficients[1]), 2)  # finite, although the classes are separated
        1.13
    """
    free = np.arange(design.shape[1]) != (-1 if fixed is None else fixed)
    beta = np.array(start, float)

    def evaluate(beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        linear = design @ beta
        probabilities = _expit(linear)
        weights = probabilities * (1 - probabilities)
        information = design.T @ (design * weights[:, None])
        sign, log_determinant = np.linalg.slogdet(information)
        value = log_likelihood(linear, truth) / scale + 0.5 * log_determinant if sign > 0 else -np.inf
        return value, probabilities, information

    value, probabilities, information = evaluate(beta)
    for _ in range(_MAX_STEPS):
        inverse = _solve(information, np.eye(len(beta)))
        if inverse is None or not np.isfinite(value):
            return None
        leverage = np.einsum("ij,jk,ik->i", design, inverse, design) * probabilities * (1 - probabilities)
        score = design.T @ ((truth - probabilities) / scale + leverage * (0.5 - probabilities))
        part = _solve(information[np.ix_(free, free)] / scale, score[free])
        if part is None:
            return None
        step = np.zeros(len(beta))
        step[free] = part
        for _ in range(_MAX_HALVINGS):
            new = evaluate(beta + step)
            if new[0] >= value - 1e-10 * abs(value):
                break
            step = step / 2
        beta = beta + step
        value, probabilities, information = new
        if np.abs(step).max() <= 1e-6 * (1 + np.abs(beta).max()):
            return beta, value
    return None


def jackknife_covariance(
    design: np.ndarray, truth: np.ndarray, probabilities: np.ndarray, groups: np.ndarray
) -> np.ndarray | None:
    """Cluster-robust covariance of logistic coefficients: one-step jackknife that leaves out whole patients (CR3).

    Of the sandwich estimators the one that stays near its level with few patients.

    Args:
        design: (N, K).
        truth: (N,) 0 or 1.
        probabilities: (N,) fitted.
        groups: (N,) patient of each row.

    Returns:
        (K, K), or None where without one of the patients there is nothing to fit.

    Source: Bell and McCaffrey 2002, Survey Methodology 28:169; MacKinnon, Nielsen and Webb 2023,
    doi 10.1016/j.jeconom.2022.04.001.
    """
    patient = np.unique(groups, return_inverse=True)[1]
    count, size = int(patient.max()) + 1, design.shape[1]
    weights = probabilities * (1 - probabilities)
    products = design[:, :, None] * design[:, None, :] * weights[:, None, None]
    information, score = np.zeros((count, size, size)), np.zeros((count, size))
    np.add.at(information, patient, products)
    np.add.at(score, patient, design * (truth - probabilities)[:, None])
    rest = information.sum(axis=0) - information
    scale = np.abs(rest).max(axis=(1, 2))
    if (scale <= 0).any() or (np.linalg.cond(rest) > 1e10).any():
        return None
    changes = np.linalg.solve(rest, score[:, :, None])[:, :, 0]
    covariance: np.ndarray = (count - 1) / count * changes.T @ changes
    return covariance


def bias_reduced_profile(
    design: np.ndarray, truth: np.ndarray, *, index: int, best: np.ndarray, scale: float = 1.0
) -> Callable[[float], float]:
    """Penalized log likelihood (`fit_bias_reduced`) as a function of coefficient `index`, the others at their best."""
    nearest = [best]  # the last fit, with which the next one begins; from far away it may not find back

    def profile(value: float) -> float:
        for near in (nearest[0], best):
            start = near.copy()
            start[index] = value
            found = fit_bias_reduced(design, truth, start=start, scale=scale, fixed=index)
            if found is not None:
                nearest[0] = found[0]
                return found[1]
        return -np.inf

    return profile


def likelihood_interval(
    likelihood: Callable[[float], float], estimate: float, *, step: float, cutoff: float
) -> tuple[float, float]:
    """Interval of all values whose log likelihood is within half of `cutoff` of the maximum.

    For patients with several cases `cutoff` is scaled by the robust over the model's variance.

    Args:
        likelihood: log likelihood of one parameter (the profile, where there are others).
        estimate: where it has its maximum.
        step: about the standard error, with which the search begins.
        cutoff: quantile, such as 3.84.

    Returns:
        (low, high); infinite where the likelihood does not fall that far.

    Source: Chandler and Bate 2007, doi 10.1093/biomet/asm015.
    """
    from scipy.optimize import brentq

    top = likelihood(estimate)
    if not np.isfinite(top):
        return -np.inf, np.inf

    def beyond(value: float) -> float:
        drop = 2 * (top - likelihood(value)) - cutoff if value != estimate else -cutoff
        return drop if np.isfinite(drop) else 1e6

    bounds = []
    for sign in (-1.0, 1.0):
        reach = step * np.sqrt(cutoff)
        inner = estimate
        for _ in range(40):
            outer = estimate + sign * reach
            if beyond(outer) > 0:
                bounds.append(float(brentq(beyond, inner, outer, xtol=1e-5 * step, rtol=1e-8)))
                break
            inner, reach = outer, 2 * reach
        else:
            bounds.append(sign * np.inf)
    return bounds[0], bounds[1]


def log_likelihood(linear: np.ndarray, truth: np.ndarray) -> float:
    """Log likelihood of truth (N,) under linear predictors (N,)."""
    return float((truth * linear - np.logaddexp(0, linear)).sum())


def _expit(linear: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    values: np.ndarray = expit(linear)
    return values


def _solve(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray | None:
    """Solution of a linear system, or None where it has no single one."""
    try:
        solution = np.linalg.solve(matrix, vector)
    except np.linalg.LinAlgError:
        return None
    return solution if np.isfinite(solution).all() else None


def as_arrays(
    truth: np.ndarray, scores: np.ndarray, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth and scores (N,) as floats, and the patient of each row as a number from 0; without groups, one a row."""
    truth, scores = np.asarray(truth, float), np.asarray(scores, float)
    if groups is None:
        return truth, scores, np.arange(len(truth))
    return truth, scores, np.unique(groups, return_inverse=True)[1]


def has_repeats(patient: np.ndarray) -> bool:
    """Whether some patient has several rows."""
    return len(np.unique(patient)) < len(patient)


def t_quantile(patients: int, confidence: float) -> float:
    """Quantile of Student's distribution with as many degrees of freedom as there are patients, less one."""
    from scipy.stats import t

    return float(t.ppf(0.5 + confidence / 2, patients - 1))
