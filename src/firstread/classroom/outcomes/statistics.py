"""What a class found out: groups compared, what was learnt, which questions were hard. Tables in, tables out; every figure with its interval."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from firstread.core.errors import DataError


@dataclass(frozen=True)
class Difference:
    """A difference of means, or of paired values.

    Attributes:
        value, low, high: the difference and its interval.
        p_value: of no difference.
        first, second: how many values on each side.
    """

    value: float
    low: float
    high: float
    p_value: float
    first: int
    second: int

    @property
    def tells(self) -> bool:
        """True if the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def compare_groups(runs: pd.DataFrame, *, by: str, value: str, confidence: float = 0.95) -> pd.DataFrame:
    """Mean of each group with Student's interval.

    Args:
        runs: one row a run.
        by: the column with the group, as assigned or as run.
        value: the column with the result, such as accuracy.

    Returns:
        A row a group: group, runs, mean, low, high. With fewer than two runs, or where all are the same, there is no interval, only NaN.
    """
    _has(runs, by, value)
    rows = []
    for group, part in runs.dropna(subset=[by, value]).groupby(by, sort=True):
        values = part[value].to_numpy(float)
        low, high = _interval_of_mean(values, confidence)
        rows.append({"group": group, "runs": len(values), "mean": values.mean(), "low": low, "high": high})
    return pd.DataFrame(rows, columns=["group", "runs", "mean", "low", "high"])


def difference(
    runs: pd.DataFrame, *, by: str, value: str, first: str, second: str, confidence: float = 0.95
) -> Difference | None:
    """Mean of group `first` minus that of `second`, Welch's interval; None with fewer than two runs on a side."""
    _has(runs, by, value)
    sides = [runs.loc[runs[by] == group, value].dropna().to_numpy(float) for group in (first, second)]
    if min(map(len, sides)) < 2:
        return None
    gap = float(sides[0].mean() - sides[1].mean())
    if not any(_vary(side) for side in sides):  # nothing varies: no interval can be estimated from it
        return Difference(gap, float("nan"), float("nan"), float("nan"), len(sides[0]), len(sides[1]))
    # by hand, because SciPy warns where one side does not vary; Welch 1947
    parts = [side.var(ddof=1) / len(side) if _vary(side) else 0.0 for side in sides]
    error = float(np.sqrt(sum(parts)))
    freedom = sum(parts) ** 2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, sides, strict=True))
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    p_value = 2 * float(stats.t.sf(abs(gap) / error, freedom))
    return Difference(gap, gap - half, gap + half, p_value, len(sides[0]), len(sides[1]))


def verdict(
    found: Difference | None, *, first: str, second: str, lower_is_better: bool = False, percent: bool = False
) -> str:
    """In one sentence what the difference allows to say, and what not.

    Args:
        found: of group `first` minus group `second`.
        percent: say the difference in percentage points.
    """
    if found is None:
        return (
            f"Too few runs to compare {first} with {second}: two of each are needed, and many more to learn something."
        )
    runs = found.first + found.second
    if np.isnan(found.low):
        return f"All {runs} runs gave the same within their group, so nothing can be said of chance."
    told = _told(found, percent=percent)
    if not found.tells:
        return f"{runs} runs cannot tell {first} from {second}: {told}."
    better = first if (found.value > 0) != lower_is_better else second
    return f"{better} was better in {runs} runs: {told}. One class, one task: worth repeating."


def _told(found: Difference, *, percent: bool) -> str:
    """A difference in words; with another digit where an end of its interval would read as zero and is not."""
    numbers = [100 * one if percent else one for one in (found.value, found.low, found.high)]
    digits = 1 if percent else 3
    digits += any(one and not round(one, digits) for one in numbers)
    value, low, high = (f"{one:+.{digits}f}" for one in numbers)
    return f"difference {value}{' percentage points' if percent else ''}, 95 % interval {low} to {high}"


def gain(before: pd.Series, after: pd.Series, *, confidence: float = 0.95) -> Difference | None:
    """What was learnt: share of right answers after minus before, paired by participant, Student's interval.

    Args:
        before, after: shares of right answers, indexed by participant; who is missing in one is left out of both.

    Returns:
        None with fewer than two participants in both.
    """
    both = pd.concat([before.rename("before"), after.rename("after")], axis=1, join="inner").dropna()
    if len(both) < 2:
        return None
    change = (both["after"] - both["before"]).to_numpy(float)
    low, high = _interval_of_mean(change, confidence)
    p_value = float(stats.ttest_1samp(change, 0).pvalue) if _vary(change) else float("nan")
    return Difference(float(change.mean()), low, high, p_value, len(both), len(both))


def difficulty(answers: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """How hard each question was, and whether it tells those who know more from those who know less.

    Args:
        answers: a row an answer: participant, question, right.

    Returns:
        A row a question, the hardest first: question, answers, right (share), low, high (Wilson 1927), discrimination (correlation of
        the answer with the share of right answers to all other questions; NaN where it cannot be had).
    """
    _has(answers, "participant", "question", "right")
    wide = answers.pivot_table(index="participant", columns="question", values="right", aggfunc="last").astype(float)
    rows = []
    for question in wide.columns:
        own, rest = wide[question].dropna(), wide.drop(columns=question).mean(axis=1)
        interval = stats.binomtest(int(own.sum()), len(own)).proportion_ci(confidence, method="wilson")
        rest = rest.reindex(own.index)
        varied = len(own) > 2 and own.nunique() > 1 and rest.nunique() > 1
        rows.append(
            {
                "question": question, "answers": len(own), "right": own.mean(), "low": interval.low, "high": interval.high,
                "discrimination": own.corr(rest) if varied else float("nan"),
            }
        )  # fmt: skip
    columns = ["question", "answers", "right", "low", "high", "discrimination"]
    return pd.DataFrame(rows, columns=columns).sort_values("right", kind="stable", ignore_index=True)


def _interval_of_mean(values: np.ndarray, confidence: float) -> tuple[float, float]:
    if len(values) < 2 or not _vary(values):  # nothing varies: no interval can be estimated from it
        return float("nan"), float("nan")
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _vary(values: np.ndarray) -> bool:
    """True if they differ by more than a computer's rounding."""
    return float(np.ptp(values)) > 1e-12


def _has(table: pd.DataFrame, *columns: str) -> None:
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"The table lacks {', '.join(missing)}", expected=", ".join(columns))
