"""The class's runs in a notebook: brought to a file beside the spool by the participant's server, shown as a figure and a table."""

import math
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from firstread.core.errors import FirstreadError
from firstread.core.files import read_json
from firstread.lessons.events import spool


def results_file(spool_folder: Path) -> Path:
    """Where the class's results lie."""
    return spool_folder.parent / "class_runs.json"


def read_class_runs(lesson: str) -> "ClassRuns | None":
    """The others' runs; None outside a class, before anything was brought, and where it is of another lesson."""
    folder = spool()
    if folder is None:
        return None
    file = results_file(folder)
    try:
        values = read_json(file) if file.exists() else {"lesson": lesson, "arms": [], "outcomes": [], "fewest": 3, "runs": []}
        found = ClassRuns(arms=list(values["arms"]), outcomes=list(values["outcomes"]), fewest=int(values["fewest"]), runs=list(values["runs"]))
        return found if values["lesson"] == lesson else None
    except (FirstreadError, OSError, KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True)
class ClassRuns:
    """Runs of a class, without names; shown in a notebook as a figure and a table.

    Attributes:
        arms: names of the experiments.
        outcomes: names of the results; the first is what the experiment is about.
        fewest: so many others must have a result before any is shown.
        runs: of the others: "ran X" for each experiment X, and the outcomes.
        mine: one's own run, in the same form; empty before there is one.
    """

    arms: list[str]
    outcomes: list[str]
    fewest: int
    runs: list[dict[str, Any]]
    mine: dict[str, Any] = field(default_factory=dict)

    def beside(self, evaluation: dict[str, Any] | None, ran: dict[str, str]) -> "ClassRuns":
        """The same with one's own run, as the lesson has recorded it."""
        value = ((evaluation or {}).get("metrics", {}).get(self.outcomes[0]) or {}).get("value")
        mine = {} if value is None else {self.outcomes[0]: value, **{f"ran {arm}": ran.get(arm) for arm in self.arms}}
        return ClassRuns(self.arms, self.outcomes, self.fewest, self.runs, mine)

    @property
    def table(self) -> Any:
        """A row a group, with all runs in it: group, runs, mean, low, high (Student's interval), and which is one's own."""
        import pandas as pd

        rows = []
        for group in self._groups():
            mean, low, high = _mean_with_interval(group.values + ([] if group.mine is None else [group.mine]))
            runs = len(group.values) + (group.mine is not None)
            rows.append((group.name, runs, mean, low, high, "yours" if group.mine is not None else ""))
        return pd.DataFrame(rows, columns=["group", "runs", "mean", "low", "high", ""])

    def figure(self) -> Any:
        """Everyone's result by group, with means and 95 % intervals, and one's own."""
        import numpy as np

        from firstread.core.figures import PALETTE, new_figure

        groups, table = self._groups(), self.table
        figure, axes = new_figure(width=7.5, height=0.9 + 0.62 * max(1, len(table)))
        axis, rng = axes[0, 0], np.random.default_rng(0)
        for place, (group, row) in enumerate(zip(groups, table.itertuples(), strict=True)):
            scattered = place + rng.uniform(-0.16, 0.16, len(group.values))
            axis.scatter(group.values, scattered, s=16, color=PALETTE[6], alpha=0.55, linewidths=0)
            if not math.isnan(row.low):
                axis.plot([row.low, row.high], [place, place], color=PALETTE[0], linewidth=2.5)
            axis.plot(row.mean, place, "o", color=PALETTE[0], markersize=8)
            if group.mine is not None:
                axis.plot(group.mine, place, "D", color=PALETTE[1], markersize=8, markerfacecolor="white", markeredgewidth=2)
        axis.set_yticks(range(len(table)), [f"{row.group} ({row.runs})" for row in table.itertuples()])
        axis.set_ylim(len(table) - 0.5, -0.5)
        axis.set_xlabel(f"{self.outcomes[0]}: grey, the others; blue, mean and 95% interval; diamond, yours")
        return figure

    def _groups(self) -> "list[_Group]":
        """Each group with somebody in it; everyone together in a lesson without experiments."""
        outcome = self.outcomes[0]
        mine = self.mine.get(outcome)
        if not self.arms:
            return [_Group("everyone", [run[outcome] for run in self.runs], mine)]
        found = []
        for arm in self.arms:
            column = f"ran {arm}"
            own = self.mine.get(column)
            for name in sorted({run[column] for run in [*self.runs, self.mine] if run.get(column)}, reverse=True):
                values = [run[outcome] for run in self.runs if run.get(column) == name]
                found.append(_Group(f"{arm} {name}", values, mine if own == name else None))
        return found

    def __repr__(self) -> str:
        return f"{self.table.to_string(index=False, float_format='{:.3f}'.format)}\n\n{self._sentence}"

    def _repr_html_(self) -> str:
        from firstread.core.figures import data_address, png_bytes

        picture = f'<img style="max-width:100%" alt="the class\'s results" src="{data_address(png_bytes(self.figure(), dpi=100))}">'
        table = self.table.to_html(index=False, float_format="{:.3f}".format, na_rep="", border=0)
        return f"{picture}{table}<p>{escape(self._sentence)}</p>"

    @property
    def _sentence(self) -> str:
        return (
            f"{len(self.runs)} others{' and you' if self.mine else ''}, by the groups that were really run. "
            "Run this cell again later to see more. Where intervals overlap widely, these runs cannot tell the groups apart."
        )


@dataclass(frozen=True)
class _Group:
    name: str
    values: list[float]
    mine: float | None


def _mean_with_interval(values: list[float]) -> tuple[float, float, float]:
    import numpy as np
    from scipy import stats

    mean = float(np.mean(values))
    if len(values) < 2 or np.ptp(values) == 0:  # nothing varies: no interval can be estimated from it
        return mean, math.nan, math.nan
    half = float(stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
    return mean, max(0.0, mean - half), min(1.0, mean + half)  # a share is no more than all
