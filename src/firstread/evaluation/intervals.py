"""Confidence intervals: Wilson for proportions, DeLong for the AUC, the (cluster) bootstrap for other metrics."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from firstread.core.errors import DataError


@dataclass(frozen=True)
class Estimate:
    """A point estimate with its confidence interval.

    Attributes:
        value: the estimate; NaN where it is not defined.
        low, high: the interval.
        method: of the interval.
        cases: that the value is of, where that is not all of them; else None.
        remark: what must be read with the value, such as "1 of 10 missed".
    """

    value: float
    low: float
    high: float
    method: str
    cases: int | None = None
    remark: str = ""

    def __str__(self) -> str:
        text = f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"
        return f"{text}, {self.remark}" if self.remark else text


UNDEFINED = Estimate(float("nan"), float("nan"), float("nan"), "not defined")


def wilson_interval(successes: int, trials: int, *, confidence: float = 0.95) -> Estimate:
    """Wilson score interval of a proportion; valid for few cases and for 0 or 100 %.

    Source: Wilson 1927, doi 10.1080/01621459.1927.10502953; Newcombe 1998, method 3.
    """
    from scipy.stats import binomtest

    if trials == 0:
        return UNDEFINED
    low, high = binomtest(int(successes), int(trials)).proportion_ci(confidence, method="wilson")
    return Estimate(successes / trials, float(low), float(high), "Wilson")


def auc_placements(truth: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """DeLong's placement values: for each positive the share of negatives below it (ties half), and the reverse."""
    from scipy.stats import rankdata

    positive, negative = scores[truth == 1], scores[truth == 0]
    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    of_positive = (ranks[:m] - rankdata(positive)) / n
    of_negative = 1 - (ranks[m:] - rankdata(negative)) / m
    return of_positive, of_negative


def auc_interval(truth: np.ndarray, scores: np.ndarray, *, confidence: float = 0.95) -> Estimate:
    """Area under the ROC curve with DeLong's interval, on the logit scale so that it stays within 0 and 1.

    Where classes are separated perfectly DeLong's variance is zero, and an interval of [1, 1] would be wrong. Then the
    lower bound is that of Wilson's interval for the smaller class all correct, and `method` says so.

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) higher means more likely 1.

    Source: DeLong 1988, doi 10.2307/2531595; fast form Sun 2014, doi 10.1109/LSP.2014.2337313.
    """
    from scipy.special import expit, logit
    from scipy.stats import norm

    m, n = int((truth == 1).sum()), int((truth == 0).sum())
    if m == 0 or n == 0:
        return UNDEFINED
    if (scores == scores[0]).all():
        return Estimate(0.5, 0.5, 0.5, "constant score: no ranking")
    of_positive, of_negative = auc_placements(truth, scores)
    area = float(of_positive.mean())
    if min(m, n) < 2:
        return Estimate(area, 0.0, 1.0, "a single case of a class: no interval")
    variance = of_positive.var(ddof=1) / m + of_negative.var(ddof=1) / n
    if variance <= 1e-12 or area in (0.0, 1.0):
        bound = wilson_interval(min(m, n), min(m, n), confidence=confidence).low
        low, high = (bound, 1.0) if area >= 0.5 else (0.0, 1 - bound)
        if area not in (0.0, 1.0):
            low, high = 0.0, 1.0
        return Estimate(area, low, high, "Wilson bound (no spread for DeLong)")
    half_width = norm.ppf(0.5 + confidence / 2) * np.sqrt(variance) / (area * (1 - area))
    return Estimate(
        area, float(expit(logit(area) - half_width)), float(expit(logit(area) + half_width)), "DeLong, logit"
    )


def auc_difference(truth: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """DeLong test: (difference of two AUCs on the same cases, two-sided p-value). Source: DeLong 1988."""
    from scipy.stats import norm

    a_pos, a_neg = auc_placements(truth, first)
    b_pos, b_neg = auc_placements(truth, second)
    difference = float(a_pos.mean() - b_pos.mean())
    if min(len(a_pos), len(a_neg)) < 2:
        return difference, float("nan")
    variance = np.var(a_pos - b_pos, ddof=1) / len(a_pos) + np.var(a_neg - b_neg, ddof=1) / len(a_neg)
    if variance <= 1e-15:
        return difference, 1.0 if abs(difference) < 1e-12 else float("nan")  # no spread: the test is not defined
    return difference, float(2 * norm.sf(abs(difference) / np.sqrt(variance)))


def bootstrap_interval(
    statistic: Callable[[np.ndarray], float],
    groups: np.ndarray,
    *,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Percentile interval of the cluster bootstrap: whole groups (patients) are drawn with replacement.

    Args:
        statistic: from indices of cases (M,) to a number; resamples that give NaN are left out, infinite ones count.
        groups: (N,) group of each case; cases of one patient must share one.
        resamples: number of resamples.
        seed: of the resamples.

    Source: Efron and Tibshirani 1993; clusters as in Rutter 2000, doi 10.1016/S1076-6332(00)80381-5.
    """
    if not len(groups):
        return UNDEFINED
    _, group_of_case = np.unique(groups, return_inverse=True)
    order = np.argsort(group_of_case, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(group_of_case[order])) + 1)
    ungrouped = len(members) == len(groups)
    rng = np.random.default_rng(seed)
    results = []
    for _ in range(resamples):
        drawn = rng.integers(len(members), size=len(members))
        results.append(statistic(order[drawn] if ungrouped else np.concatenate([members[i] for i in drawn])))
    values = np.array(results)[~np.isnan(results)]
    value = float(statistic(np.arange(len(groups))))
    if len(values) < resamples / 2:
        return Estimate(value, float("nan"), float("nan"), "bootstrap not possible")
    tail = (1 - confidence) / 2
    if np.isfinite(values).all():
        low, high = np.quantile(values, [tail, 1 - tail])
    else:  # nothing lies between a number and infinity
        low, high = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    method = "bootstrap" if ungrouped else "bootstrap by group"
    return Estimate(value, float(min(low, value)), float(max(high, value)), method)


def validate_confidence(confidence: float) -> float:
    """Validate a confidence level; returns it.

    Raises:
        DataError: not from 0.5 to below 1.
    """
    if not 0.5 <= confidence < 1:
        raise DataError(f"confidence={confidence} is not possible", expected="0.5 to below 1, such as 0.95")
    return confidence
