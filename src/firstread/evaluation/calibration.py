"""Does a score of 0.8 come true in 8 of 10 cases?"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def reliability_table(truth: np.ndarray, scores: np.ndarray, *, bins: int = 5) -> "pd.DataFrame":
    """Groups of equal size by score, each with its mean score and the share that was positive.

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) probability of 1.
        bins: number of groups; fewer if there are few cases.

    Returns:
        Columns `score`, `observed`, `low`, `high` (Wilson), `cases`.
    """
    import pandas as pd

    from firstread.evaluation.intervals import wilson

    rows = []
    for group in _groups(scores, bins):
        observed = wilson(int(truth[group].sum()), len(group))
        rows.append((float(scores[group].mean()), observed.value, observed.low, observed.high, len(group)))
    return pd.DataFrame(rows, columns=["score", "observed", "low", "high", "cases"])


def expected_calibration_error(truth: np.ndarray, scores: np.ndarray, *, bins: int = 5) -> float:
    """Mean gap between score and observed share over groups of equal size; 0 is best, lower is better.

    Depends on the number of groups, which is why it is stated (Naeini 2015; equal-size groups as in Nixon 2019).
    """
    gaps = [abs(scores[group].mean() - truth[group].mean()) * len(group) for group in _groups(scores, bins)]
    return float(sum(gaps) / max(len(scores), 1))


def _groups(scores: np.ndarray, bins: int) -> list[np.ndarray]:
    """Indices by score, in groups of equal size; fewer if there are few cases."""
    number = max(1, min(bins, len(scores) // 5))
    return [group for group in np.array_split(np.argsort(scores, kind="stable"), number) if len(group)]
