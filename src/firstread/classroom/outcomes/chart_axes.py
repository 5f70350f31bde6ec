"""What the pages of results draw with: the drawings, and axes that fit a class's figures."""

from typing import Any

from firstread.classroom.outcomes.participant_runs import Outcome
from firstread.classroom.outcomes.svg_charts import (
    Axis,
    axis_for,
    change,
    interval,
    over_days,
    scale,
    spread,
    stack,
    strip,
)

__all__ = [
    "axis_of_differences", "axis_of_means", "axis_of_results", "axis_of_values", "change", "interval", "over_days", "scale",
    "shares", "spread", "stack", "strip",
]  # fmt: skip

#: from nobody to everybody
shares = Axis(low=0.0, high=1.0, step=0.25, percent=True)


def axis_of_means(compared: dict[str, Any]) -> Axis:
    """For the means of an experiment's groups and their intervals."""
    rows = [row for row in compared["means"] if row["runs"]]
    return axis_of_results([row[part] for row in rows for part in ("mean", "low", "high")], compared["outcome"])


def axis_of_differences(compared: dict[str, Any]) -> Axis:
    """For differences between groups; zero stands in the middle."""
    found = [row["found"] for row in compared["differences"] if row["found"]]
    values = [value for one in found for value in (one.value, one.low, one.high)]
    return axis_for(values, percent=compared["outcome"].percent, signed=True)


def axis_of_values(one: dict[str, Any]) -> Axis:
    """For all runs."""
    return axis_of_results(one["values"], one["outcome"])


def axis_of_results(values: list[float], outcome: Outcome) -> Axis:
    """For results of one kind, within what is possible for them."""
    return axis_for(values, least=0.0, most=None if outcome.lower_is_better else 1.0, percent=outcome.percent)
