"""Decision curve: net benefit of acting on a score, beside treating all and none, with intervals by patient."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import SettingError
from firstread.evaluation.intervals import Estimate, joined_difference
from firstread.evaluation.patient_intervals import proportion_by_patient

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_DEFAULT_THRESHOLDS = tuple(float(percent) / 100 for percent in range(1, 100))


def decision_curve(
    truth: np.ndarray,
    scores: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    prevalence: float | None = None,
    thresholds: Sequence[float] | None = None,
    confidence: float = 0.95,
) -> "pd.DataFrame":
    """Net benefit over threshold probabilities: true positives minus false positives weighed by the threshold's odds.

    A threshold of 0.2 says that one found case is worth four false alarms. A network is of use at a threshold where its
    net benefit is above 0 (treat none) and above treating all. It means what it says only for calibrated scores.

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) probability of 1; those at or above a threshold are acted on.
        groups: (N,) patient of each row; None takes every row for independent.
        prevalence: share of positives in your clinic, where cases were not collected as they come; None as in the data.
        thresholds: probabilities between 0 and 1; None is 0.01 to 0.99.
        confidence: of the intervals, at each threshold by itself.

    Returns:
        One row a threshold: `threshold`, `net_benefit`, `low`, `high` (per patient, 0.1 is ten true positives more in
        100 without a false alarm more), `treat_all`, `treat_none`, and `over_treat_all` with `over_treat_all_low` and
        `over_treat_all_high`: the difference on the same cases. Undefined without both classes if `prevalence` is
        given, and no bounds with fewer than 5 patients.

    Raises:
        SettingError: a threshold or prevalence that is not between 0 and 1.

    Source: Vickers and Elkin 2006, doi 10.1177/0272989X06295361; intervals of the two shares (Wilson, or by patient)
    joined as in Zou and Donner 2008, doi 10.1002/sim.3095.

    Example:
        >>> truth, scores = np.array([0, 0, 0, 0, 0, 0, 1, 1]), np.array([0.1, 0.1, 0.1, 0.2, 0.2, 0.6, 0.3, 0.8])
        >>> curve = decision_curve(truth, scores, thresholds=[0.25])
        >>> curve[["net_benefit", "treat_all"]].round(3).values.tolist()  # 2 of 8, less a third of 1 of 8
        [[0.208, 0.0]]
    """
    import pandas as pd

    truth, scores = np.asarray(truth).astype(int), np.asarray(scores, float)
    patient = np.arange(len(truth)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if prevalence is not None and not 0 < prevalence < 1:
        raise SettingError(f"prevalence={prevalence} is not possible", expected="a share between 0 and 1, such as 0.1")
    rows = []
    for threshold in _DEFAULT_THRESHOLDS if thresholds is None else thresholds:
        if not 0 < threshold < 1:
            raise SettingError(f"A threshold of {threshold} is not possible", expected="a probability between 0 and 1")
        odds, acted = threshold / (1 - threshold), scores >= threshold
        pair = _shares_of_all if prevalence is None else _shares_of_class
        share = float(truth.mean()) if prevalence is None and len(truth) else prevalence or float("nan")
        weights = (1.0, odds) if prevalence is None else (prevalence, (1 - prevalence) * odds)
        found = _weighted_difference(*pair(truth, acted, patient, confidence), weights)
        # what treating all gains in positives and loses in negatives that the network leaves alone
        saved = _weighted_difference(*pair(1 - truth, ~acted, patient, confidence), _swapped(weights, odds, prevalence))
        rows.append((threshold, *found, share - (1 - share) * odds, 0.0, *saved))
    names = ["threshold", "net_benefit", "low", "high", "treat_all", "treat_none"]
    return pd.DataFrame(rows, columns=[*names, "over_treat_all", "over_treat_all_low", "over_treat_all_high"])


def plot_decision_curve(ax: "Axes", curve: "pd.DataFrame", *, name: str = "network") -> None:
    """Plot a decision curve with its band, beside treating all and none.

    Args:
        ax: matplotlib axes.
        curve: of `decision_curve`.
        name: of the network, for the legend.

    Example:
        >>> from firstread.core.figures import new_figure
        >>> figure, axes = new_figure()
        >>> plot_decision_curve(axes[0, 0], decision_curve(np.array([0, 1] * 10), np.array([0.2, 0.7] * 10)))
        >>> axes[0, 0].get_ylabel()
        'Net benefit'
    """
    from firstread.core.figures import PALETTE

    ax.fill_between(curve["threshold"], curve["low"], curve["high"], color=PALETTE[0], alpha=0.15, linewidth=0)
    ax.plot(curve["threshold"], curve["net_benefit"], color=PALETTE[0], linewidth=2, label=name)
    ax.plot(curve["threshold"], curve["treat_all"], color=PALETTE[1], linestyle="--", label="treat all")
    ax.plot(curve["threshold"], curve["treat_none"], color="#555555", linewidth=1, label="treat none")
    top = float(np.nanmax([curve["net_benefit"].max(), curve["high"].max(), curve["treat_all"].max(), 0.01]))
    ax.set(xlabel="Threshold probability", ylabel="Net benefit", title="Decision curve")
    ax.set(xlim=(0, 1), ylim=(-0.3 * top, 1.1 * top))
    ax.legend(loc="upper right", fontsize=9)


def _swapped(weights: tuple[float, float], odds: float, prevalence: float | None) -> tuple[float, float]:
    """Weights of (true negatives, false negatives) in the net benefit over treating all."""
    return (odds, 1.0) if prevalence is None else (weights[1], prevalence)


def _shares_of_all(
    truth: np.ndarray, acted: np.ndarray, patient: np.ndarray, confidence: float
) -> tuple[Estimate, Estimate, float]:
    """Shares of all cases that are (1 and acted on) and (0 and acted on), and the correlation of the two."""
    pair = [(truth == value) & acted for value in (1, 0)]
    first, second = (proportion_by_patient(one, patient, confidence=confidence) for one in pair)
    sums = [np.bincount(patient, weights=one - one.mean()) for one in pair] if len(truth) else []
    return first, second, _correlation(sums)


def _shares_of_class(
    truth: np.ndarray, acted: np.ndarray, patient: np.ndarray, confidence: float
) -> tuple[Estimate, Estimate, float]:
    """Shares of the 1 and of the 0 that are acted on, and the correlation of the two within patients."""
    estimates, sums = [], []
    for value in (1, 0):
        rows = truth == value
        estimates.append(proportion_by_patient(acted[rows], patient[rows], confidence=confidence))
        if rows.any():
            residuals = np.where(rows, acted - acted[rows].mean(), 0.0)
            sums.append(np.bincount(patient, weights=residuals))
    return estimates[0], estimates[1], _correlation(sums)


def _correlation(sums: list[np.ndarray]) -> float:
    """Correlation of two sums over patients; 0 where one of them does not vary."""
    if len(sums) < 2:
        return 0.0
    size = float(np.sqrt((sums[0] ** 2).sum() * (sums[1] ** 2).sum()))
    return float((sums[0] * sums[1]).sum() / size) if size > 1e-12 else 0.0


def _weighted_difference(
    first: Estimate, second: Estimate, correlation: float, weights: tuple[float, float]
) -> tuple[float, float, float]:
    found = joined_difference(first, second, correlation=correlation, weights=weights)
    return found.value, found.low, found.high
