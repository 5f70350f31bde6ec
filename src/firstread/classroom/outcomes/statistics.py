"""Statistics of a class: mean differences between groups, paired gain, item difficulty; each with its interval."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from firstread.core.errors import DataError

#: differences up to this are floating-point rounding
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Difference:
    """Difference of two means, or mean of paired differences.

    Attributes:
        value, low, high: the difference and its interval; NaN where no interval can be estimated.
        p_value: of the null hypothesis of no difference; NaN if nothing varies at all.
        first_count, second_count: number of values on each side.
    """

    value: float
    low: float
    high: float
    p_value: float
    first_count: int
    second_count: int

    @property
    def excludes_zero(self) -> bool:
        """True if zero lies outside the interval."""
        return self.low > 0 or self.high < 0

    def clipped(self, limit: float) -> "Difference":
        """The same with an interval that ends at the largest possible difference, -`limit` and `limit`."""
        return replace(self, low=max(self.low, -limit), high=min(self.high, limit))


def group_means(
    runs: pd.DataFrame, *, by: str, value: str, highest: float = math.inf, confidence: float = 0.95
) -> pd.DataFrame:
    """Mean of each group with Student's interval.

    Args:
        runs: one row a run.
        by: column with the group, as assigned or as run.
        value: column with the outcome, such as accuracy.
        highest: largest possible value of an outcome that starts at 0: the interval is cut off at both. By default
            nothing is cut off.

    Returns:
        A row a group: group, runs, mean, low, high. The interval is NaN with fewer than two runs, or if all are equal.
    """
    _check_columns(runs, by, value)
    rows = []
    for group, part in runs.dropna(subset=[by, value]).groupby(by, sort=True):
        values = part[value].to_numpy(float)
        low, high = _mean_interval(values, confidence)
        if math.isfinite(highest):
            low, high = max(low, 0.0), min(high, highest)
        rows.append({"group": group, "runs": len(values), "mean": values.mean(), "low": low, "high": high})
    return pd.DataFrame(rows, columns=["group", "runs", "mean", "low", "high"])


def mean_difference(
    runs: pd.DataFrame, *, by: str, value: str, first: str, second: str, confidence: float = 0.95
) -> Difference | None:
    """Mean of group `first` minus that of `second` with Welch's interval and p value.

    Where the runs of each group are all equal, no interval can be estimated; if the groups differ, the p value is that
    of the exact permutation test.

    Returns:
        None with fewer than two runs on a side.
    """
    _check_columns(runs, by, value)
    sides = [runs.loc[runs[by] == group, value].dropna().to_numpy(float) for group in (first, second)]
    if min(map(len, sides)) < 2:
        return None
    difference = float(sides[0].mean() - sides[1].mean())
    if not any(_varies(side) for side in sides):
        p_value = _separation_p_value(*map(len, sides)) if abs(difference) > _ROUNDING else math.nan
        return Difference(difference, math.nan, math.nan, p_value, len(sides[0]), len(sides[1]))
    # Welch 1947; not by SciPy, which warns where one side does not vary
    parts = [side.var(ddof=1) / len(side) if _varies(side) else 0.0 for side in sides]
    standard_error = float(np.sqrt(sum(parts)))
    degrees = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
    half_width = float(stats.t.ppf((1 + confidence) / 2, degrees)) * standard_error
    p_value = 2 * float(stats.t.sf(abs(difference) / standard_error, degrees))
    return Difference(
        difference, difference - half_width, difference + half_width, p_value, len(sides[0]), len(sides[1])
    )


def _separation_p_value(first_count: int, second_count: int) -> float:
    """Two-sided p value of the permutation test where one value fills each group.

    Of all ways to draw the groups, no other separates the values as far in this direction; twice the one-sided share.
    """
    return min(1.0, 2 / math.comb(first_count + second_count, first_count))


def paired_gain(before: pd.Series, after: pd.Series, *, confidence: float = 0.95) -> Difference | None:
    """Mean gain in the share of right answers (after minus before), paired by participant, with Student's interval.

    The interval ends at -1 and 1, beyond which no mean of such differences lies.

    Args:
        before, after: shares of right answers, indexed by participant; participants who lack one of them are left out.

    Returns:
        None with fewer than two participants in both.
    """
    both = pd.concat([before.rename("before"), after.rename("after")], axis=1, join="inner").dropna()
    if len(both) < 2:
        return None
    change = (both["after"] - both["before"]).to_numpy(float)
    low, high = _mean_interval(change, confidence)
    p_value = float(stats.ttest_1samp(change, 0).pvalue) if _varies(change) else float("nan")
    return Difference(float(change.mean()), low, high, p_value, len(both), len(both)).clipped(1.0)


def item_difficulty(answers: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Difficulty and discrimination of each question (item analysis).

    Args:
        answers: one row an answer: participant, question, right.

    Returns:
        A row a question, the hardest first: question, answers, right (share), low, high (Wilson 1927), discrimination
        (correlation of the answer with the share of right answers to all other questions; NaN without variation).
    """
    _check_columns(answers, "participant", "question", "right")
    wide = answers.pivot_table(index="participant", columns="question", values="right", aggfunc="last").astype(float)
    rows = []
    for question in wide.columns:
        own, rest = wide[question].dropna(), wide.drop(columns=question).mean(axis=1)
        interval = stats.binomtest(int(own.sum()), len(own)).proportion_ci(confidence, method="wilson")
        rest = rest.reindex(own.index)
        varied = len(own) > 2 and own.nunique() > 1 and rest.nunique() > 1
        discrimination = own.corr(rest) if varied else float("nan")
        rows.append((question, len(own), own.mean(), interval.low, interval.high, discrimination))
    columns = ["question", "answers", "right", "low", "high", "discrimination"]
    return pd.DataFrame(rows, columns=columns).sort_values("right", kind="stable", ignore_index=True)


def proportion(count: int, total: int) -> dict[str, Any]:
    """A proportion with Wilson's 95 % interval; NaN if the total is 0."""
    if total == 0:
        return {"count": 0, "total": 0, "value": float("nan"), "low": float("nan"), "high": float("nan")}
    interval = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    low, high = float(interval.low), float(interval.high)
    return {"count": count, "total": total, "value": count / total, "low": low, "high": high}


def _mean_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    if len(values) < 2 or not _varies(values):  # without variation, no interval can be estimated
        return float("nan"), float("nan")
    half_width = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half_width), float(values.mean() + half_width)


def _varies(values: np.ndarray) -> bool:
    """True if the values differ by more than floating-point rounding."""
    return float(np.ptp(values)) > _ROUNDING


def _check_columns(table: pd.DataFrame, *columns: str) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"The table lacks {', '.join(missing)}", expected=", ".join(columns))
