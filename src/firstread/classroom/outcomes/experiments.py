"""Randomized experiments of a class: one primary outcome, secondary ones, and Holm's correction for all of them.

The primary outcome is accuracy on the held-out images in everyone's first counted run, by the group that was drawn
(intention to treat). All other outcomes are secondary, and called better only where the primary one is. The same
comparisons by the group that was run are a sensitivity analysis, of which nothing is concluded.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from firstread.classroom.outcomes.participant_runs import OUTCOMES, PRIMARY_OUTCOME, Outcome
from firstread.classroom.outcomes.statistics import Difference, group_means, mean_difference
from firstread.core.multiple_tests import holm_adjusted

#: analysis -> label: by the group that was assigned (intention to treat), and by the group that was run
ANALYSES = {"assigned": "as assigned", "ran": "as run"}
#: family-wise error rate of the primary comparisons, and of all comparisons together
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Comparison:
    """Two groups of one experiment compared in one outcome.

    Attributes:
        analysis: "assigned" or "ran".
        difference: mean of group `first` minus that of `second`; None with too few runs.
        role: "primary", "secondary" or "sensitivity".
        adjusted_p: Holm's p value within the family, of a secondary outcome at least that of the primary one; NaN where
            there is none.
        family_size: number of comparisons in the family: the primary ones, or, for all others, all that are shown.
        test_images: number of test images, if it is the same for all runs.
    """

    experiment: str
    analysis: str
    outcome: Outcome
    first: str
    second: str
    difference: Difference | None
    role: str
    adjusted_p: float = math.nan
    family_size: int = 0
    test_images: int | None = None

    @property
    def pair(self) -> tuple[str, str, str]:
        """The experiment and its two groups."""
        return self.experiment, self.first, self.second

    @property
    def label(self) -> str:
        """The analysis in words."""
        return ANALYSES[self.analysis]

    @property
    def interval(self) -> dict[str, Any] | None:
        """The difference as plain values, for a chart."""
        return asdict(self.difference) if self.difference else None

    @property
    def better(self) -> str | None:
        """The group of which "was better" may be said; None if of neither."""
        if self.difference is None or self.role == "sensitivity" or not self.adjusted_p <= SIGNIFICANCE:
            return None
        return self.first if (self.difference.value > 0) != self.outcome.lower_is_better else self.second

    @property
    def interpretation(self) -> str:
        """What the comparison allows to say, in words."""
        first, second = f"{self.experiment} {self.first}", f"{self.experiment} {self.second}"
        if self.difference is None:
            return (
                f"Too few runs to compare {first} with {second}: two of each are needed, many more to learn something."
            )
        runs = self.difference.first_count + self.difference.second_count
        if math.isnan(self.difference.p_value):
            return f"All {runs} runs gave the same, so nothing can be said of chance."
        text = format_difference(self.difference, percent=self.outcome.percent)
        if self.role == "sensitivity":
            return f"{runs} runs by the group that was run: {text}. Chosen, not drawn: nothing follows from this alone."
        text += f", {self._format_p()}"
        if self.better is not None:
            images = f"{self.test_images} " if self.test_images else ""
            return (
                f"{self.experiment} {self.better} was better in {runs} runs: {text}. All on the same {images}test "
                f"images; another {images}images may give another difference. One class, one task: worth repeating."
            )
        others = ""
        if self.difference.excludes_zero:
            others = f" The interval counts this comparison alone, the p value all {self.family_size}"
            others += ", and it is never below the primary outcome's." if self.role == "secondary" else "."
        return f"{runs} runs cannot tell {first} from {second}: {text}.{others}"

    def _format_p(self) -> str:
        value = "p < 0.001" if self.adjusted_p < 0.001 else f"p = {self.adjusted_p:.3f}"
        return f"{value} (Holm, {self.family_size} comparisons)" if self.family_size > 1 else value


def compare_groups(runs: pd.DataFrame, arms: Mapping[str, Sequence[str]]) -> list[Comparison]:
    """Compare the groups of all experiments in all outcomes, with p values corrected for the number of comparisons.

    Holm 1979 (Scand J Stat 6:65) within the primary comparisons, and within all comparisons for the secondary ones,
    whose p value is at least that of the same groups' primary comparison (hierarchical testing). So the probability of
    any false "was better" is that of a false one in a primary outcome.

    Args:
        runs: from `runs_table`.
        arms: the lesson's experiments: name -> groups; the first group is compared with each of the others.
    """
    counts = runs["test_images"].dropna().unique()
    images = int(counts[0]) if len(counts) == 1 else None
    found = [
        _compare_pair(runs, Comparison(name, analysis, outcome, groups[0], other, None, "", test_images=images))
        for name, groups in arms.items()
        for outcome in OUTCOMES
        for analysis in ANALYSES
        for other in groups[1:]
    ]
    p_values = [one.difference.p_value if one.difference else math.nan for one in found]
    primary = [place for place, one in enumerate(found) if one.role == "primary"]
    of_all, of_primary = holm_adjusted(p_values), holm_adjusted([p_values[place] for place in primary])
    gates = {found[place].pair: value for place, value in zip(primary, of_primary, strict=True)}
    corrected = []
    for one, own in zip(found, of_all, strict=True):
        gate = gates[one.pair]
        if one.role == "primary":
            corrected.append(replace(one, adjusted_p=gate, family_size=len(primary)))
        else:  # NaN: the primary outcome does not vary, and nothing is better in it
            least = 0.0 if one.role == "sensitivity" else 1.0 if math.isnan(gate) else gate
            corrected.append(replace(one, adjusted_p=max(own, least), family_size=len(found)))
    return corrected


def _compare_pair(runs: pd.DataFrame, empty: Comparison) -> Comparison:
    """The comparison with its difference and its role."""
    column = f"{empty.analysis} {empty.experiment}"
    difference = mean_difference(runs, by=column, value=empty.outcome.name, first=empty.first, second=empty.second)
    role = "sensitivity" if empty.analysis == "ran" else "primary" if empty.outcome is PRIMARY_OUTCOME else "secondary"
    return replace(empty, difference=difference and difference.clipped(empty.outcome.highest), role=role)


def summarize_experiments(runs: pd.DataFrame, arms: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Means of the groups and their differences for the results page, one entry an experiment."""
    comparisons = compare_groups(runs, arms)
    summaries = []
    for name, groups in arms.items():
        both = runs.dropna(subset=[f"assigned {name}", f"ran {name}"])
        own = [one for one in comparisons if one.experiment == name]
        outcomes = [
            {
                "outcome": outcome,
                "means": _means_of_groups(runs, name, groups, outcome),
                "differences": [one for one in own if one.outcome is outcome],
            }
            for outcome in OUTCOMES
        ]
        summaries.append(
            {
                "name": name,
                "groups": list(groups),
                "switched": int((both[f"assigned {name}"] != both[f"ran {name}"]).sum()),
                "unconfirmed": int(runs[f"ran {name}"].isna().sum()),
                "outcomes": outcomes,
            }
        )
    return summaries


def _means_of_groups(runs: pd.DataFrame, name: str, groups: Sequence[str], outcome: Outcome) -> list[dict[str, Any]]:
    """Mean and interval of each group, as assigned and as run."""
    means: list[dict[str, Any]] = []
    for analysis, label in ANALYSES.items():
        table = group_means(runs, by=f"{analysis} {name}", value=outcome.name, highest=outcome.highest)
        by_group = {
            str(row["group"]): {str(name): value for name, value in row.items()} for row in table.to_dict("records")
        }
        for group in groups:
            means.append({"group": group, "analysis": analysis, "label": label, "runs": 0} | by_group.get(group, {}))
    return means


def comparisons_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Comparisons of a class as a table, one row a comparison, for the export."""
    columns = ["experiment", "outcome", "role", "analysis", "first", "second", "first_runs", "second_runs"]
    columns += ["difference", "low", "high", "p_value", "adjusted_p", "comparisons", "test_images"]
    rows = []
    for one in comparisons:
        words = (one.experiment, one.outcome.name, one.role, one.analysis, one.first, one.second)
        d = one.difference
        numbers = (d.first_count, d.second_count, d.value, d.low, d.high, d.p_value) if d else (None,) * 6
        rows.append((*words, *numbers, one.adjusted_p, one.family_size, one.test_images))
    whole = dict.fromkeys(("first_runs", "second_runs", "comparisons", "test_images"), "Int64")
    real = dict.fromkeys(("difference", "low", "high", "p_value", "adjusted_p"), "float64")
    return pd.DataFrame(rows, columns=columns).astype(whole | real)


def format_difference(difference: Difference, *, percent: bool) -> str:
    """Difference and interval in words; with one decimal more where a number would be rounded to zero."""
    numbers = [100 * one if percent else one for one in (difference.value, difference.low, difference.high)]
    decimals = 1 if percent else 3
    decimals += any(one and not round(one, decimals) for one in numbers if not math.isnan(one))
    value, low, high = (f"{one:+.{decimals}f}" for one in numbers)
    text = f"difference {value}{' percentage points' if percent else ''}"
    if math.isnan(difference.low):
        return f"{text}, the same within each group, so there is no interval; exact permutation test"
    return f"{text}, 95 % interval {low} to {high}"
