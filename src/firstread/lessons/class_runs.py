"""Results of a class inside a participant's notebook, as a figure and a table.

The participant's server downloads them to a file next to the event spool.
"""

import math
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from firstread.core.errors import FirstreadError
from firstread.core.files import read_json
from firstread.lessons.events import get_spool_folder

#: before the first download
_NO_RUNS: dict[str, Any] = {"arms": [], "outcomes": [], "fewest": 3, "runs": []}


def class_runs_file(spool_folder: Path) -> Path:
    """Path of the downloaded class results."""
    return spool_folder.parent / "class_runs.json"


def read_class_runs(lesson: str) -> "ClassRuns | None":
    """Read the runs of the other participants.

    Returns:
        None outside a class, for an unreadable file, and for results of another lesson.
    """
    folder = get_spool_folder()
    if folder is None:
        return None
    file = class_runs_file(folder)
    try:
        values = read_json(file) if file.exists() else {"lesson": lesson, **_NO_RUNS}
        arms, outcomes, runs = (list(values[name]) for name in ("arms", "outcomes", "runs"))
        class_runs = ClassRuns(arms=arms, outcomes=outcomes, min_runs=int(values["fewest"]), runs=runs)
        return class_runs if values["lesson"] == lesson else None
    except (FirstreadError, OSError, KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True)
class ClassRuns:
    """Anonymous runs of a class; a notebook displays them as a figure and a table.

    Attributes:
        arms: names of the experiments.
        outcomes: names of the results; the first is the primary outcome.
        min_runs: results of others that must exist before any is shown.
        runs: runs of the others: "ran X" for each experiment X, and the outcomes.
        own_run: the participant's own run, in the same form; empty before there is one.
    """

    arms: list[str]
    outcomes: list[str]
    min_runs: int
    runs: list[dict[str, Any]]
    own_run: dict[str, Any] = field(default_factory=dict)

    def with_own_run(self, evaluation: dict[str, Any] | None, ran: dict[str, str]) -> "ClassRuns":
        """Return a copy that includes the participant's own run, from the lesson's recorded results."""
        value = ((evaluation or {}).get("metrics", {}).get(self.outcomes[0]) or {}).get("value")
        own: dict[str, Any] = {}
        if value is not None:
            own = {self.outcomes[0]: value, **{f"ran {arm}": ran.get(arm) for arm in self.arms}}
        return ClassRuns(self.arms, self.outcomes, self.min_runs, self.runs, own)

    @property
    def table(self) -> Any:
        """One row per group: group, runs, mean, low, high (Student's t interval), and "yours" for the own group."""
        import pandas as pd

        rows = []
        for group in self._group_runs():
            mean, low, high = _mean_with_interval(group.values + ([] if group.own_value is None else [group.own_value]))
            runs = len(group.values) + (group.own_value is not None)
            rows.append((group.name, runs, mean, low, high, "yours" if group.own_value is not None else ""))
        return pd.DataFrame(rows, columns=["group", "runs", "mean", "low", "high", ""])

    def figure(self) -> Any:
        """Strip plot of all results by group, with means, 95 % intervals, and the participant's own result."""
        import numpy as np

        from firstread.core.figures import PALETTE, new_figure

        groups, table = self._group_runs(), self.table
        figure, axes = new_figure(panel_width_inches=7.5, panel_height_inches=0.9 + 0.62 * max(1, len(table)))
        axis, rng = axes[0, 0], np.random.default_rng(0)
        diamond = {"color": PALETTE[1], "markersize": 8, "markerfacecolor": "white", "markeredgewidth": 2}
        for y, (group, row) in enumerate(zip(groups, table.itertuples(), strict=True)):
            jittered = y + rng.uniform(-0.16, 0.16, len(group.values))
            axis.scatter(group.values, jittered, s=16, color=PALETTE[6], alpha=0.55, linewidths=0)
            if not math.isnan(row.low):
                axis.plot([row.low, row.high], [y, y], color=PALETTE[0], linewidth=2.5)
            axis.plot(row.mean, y, "o", color=PALETTE[0], markersize=8)
            if group.own_value is not None:
                axis.plot(group.own_value, y, "D", **diamond)
        axis.set_yticks(range(len(table)), [f"{row.group} ({row.runs})" for row in table.itertuples()])
        axis.set_ylim(len(table) - 0.5, -0.5)
        axis.set_xlabel(f"{self.outcomes[0]}: grey, the others; blue, mean and 95% interval; diamond, yours")
        return figure

    def _group_runs(self) -> "list[_Group]":
        """Group the primary outcome by experiment group; one group of all runs in a lesson without experiments."""
        outcome = self.outcomes[0]
        own_value = self.own_run.get(outcome)
        if not self.arms:
            return [_Group("everyone", [run[outcome] for run in self.runs], own_value)]
        groups = []
        for arm in self.arms:
            column = f"ran {arm}"
            own_group = self.own_run.get(column)
            for name in sorted({run[column] for run in [*self.runs, self.own_run] if run.get(column)}, reverse=True):
                values = [run[outcome] for run in self.runs if run.get(column) == name]
                groups.append(_Group(f"{arm} {name}", values, own_value if own_group == name else None))
        return groups

    def __repr__(self) -> str:
        return f"{self.table.to_string(index=False, float_format='{:.3f}'.format)}\n\n{self._caption}"

    def _repr_html_(self) -> str:
        from firstread.core.figures import figure_html

        image = figure_html(self.figure())
        table = self.table.to_html(index=False, float_format="{:.3f}".format, na_rep="", border=0)
        return f"{image}{table}<p>{escape(self._caption)}</p>"

    @property
    def _caption(self) -> str:
        return (
            f"{len(self.runs)} others{' and you' if self.own_run else ''}, by the groups that were really run. "
            "Run this cell again later to see more. "
            "Where intervals overlap widely, these runs cannot tell the groups apart."
        )


@dataclass(frozen=True)
class _Group:
    name: str
    values: list[float]
    own_value: float | None


def _mean_with_interval(values: list[float]) -> tuple[float, float, float]:
    import numpy as np
    from scipy import stats

    mean = float(np.mean(values))
    if len(values) < 2 or np.ptp(values) == 0:  # without variance no interval can be estimated
        return mean, math.nan, math.nan
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return mean, max(0.0, mean - half), min(1.0, mean + half)  # outcomes are shares
