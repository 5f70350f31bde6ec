"""Charts for the templates of the results pages: the functions of `svg_charts`, and axes for a class's outcomes."""

from typing import Any

from firstread.classroom.outcomes.participant_runs import Outcome
from firstread.classroom.outcomes.svg_charts import (
    Axis,
    bubble_plot,
    dot_plot,
    dumbbell_plot,
    interval_plot,
    make_axis,
    scale,
    slope_chart,
    stacked_bar,
)

__all__ = [
    "SHARE_AXIS",
    "bubble_plot",
    "differences_axis",
    "dot_plot",
    "dumbbell_plot",
    "interval_plot",
    "means_axis",
    "outcome_axis",
    "scale",
    "slope_chart",
    "stacked_bar",
    "values_axis",
]

#: axis of shares, 0 to 100 %
SHARE_AXIS = Axis(low=0.0, high=1.0, step=0.25, percent=True)


def means_axis(comparison: dict[str, Any]) -> Axis:
    """Axis for the means of an experiment's groups with their intervals."""
    rows = [row for row in comparison["means"] if row["runs"]]
    return outcome_axis([row[key] for row in rows for key in ("mean", "low", "high")], comparison["outcome"])


def differences_axis(comparison: dict[str, Any]) -> Axis:
    """Axis for differences between groups, with zero in the middle."""
    differences = [row.difference for row in comparison["differences"] if row.difference]
    values = [value for one in differences for value in (one.value, one.low, one.high)]
    return make_axis(values, percent=comparison["outcome"].percent, signed=True)


def values_axis(distribution: dict[str, Any]) -> Axis:
    """Axis for the values of all runs."""
    return outcome_axis(distribution["values"], distribution["outcome"])


def outcome_axis(values: list[float], outcome: Outcome) -> Axis:
    """Axis for values of one outcome, within its possible range."""
    return make_axis(values, minimum=0.0, maximum=None if outcome.lower_is_better else 1.0, percent=outcome.percent)
