"""Calibration: reliability table and expected calibration error."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def reliability_table(truth: np.ndarray, scores: np.ndarray, *, bins: int = 5) -> "pd.DataFrame":
    """Reliability table: bins of equal size by score, each with mean score and observed share of positives.

    Args:
        truth: (N,) 0 or 1.
        scores: (N,) probability of 1.
        bins: number of bins; fewer if there are few cases.

    Returns:
        Columns `score`, `observed`, `low`, `high` (Wilson), `cases`.
    """
    import pandas as pd

    from firstread.evaluation.intervals import wilson_interval

    rows = []
    for members in _equal_size_bins(scores, bins):
        observed = wilson_interval(int(truth[members].sum()), len(members))
        rows.append((float(scores[members].mean()), observed.value, observed.low, observed.high, len(members)))
    return pd.DataFrame(rows, columns=["score", "observed", "low", "high", "cases"])


def expected_calibration_error(truth: np.ndarray, scores: np.ndarray, *, bins: int = 5) -> float:
    """Expected calibration error: mean gap between score and observed share over bins of equal size; 0 is best.

    It depends on the number of bins, which must be stated (Naeini 2015; equal-size bins as in Nixon 2019).
    """
    gaps = [
        abs(scores[members].mean() - truth[members].mean()) * len(members) for members in _equal_size_bins(scores, bins)
    ]
    return float(sum(gaps) / max(len(scores), 1))


def _equal_size_bins(scores: np.ndarray, bins: int) -> list[np.ndarray]:
    """Case indices in order of score, in bins of equal size; fewer bins if there are few cases."""
    count = max(1, min(bins, len(scores) // 5))
    return [members for members in np.array_split(np.argsort(scores, kind="stable"), count) if len(members)]
