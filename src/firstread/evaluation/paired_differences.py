"""Paired differences of two predictions of the same cases, each with its interval, test and meaning in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from firstread.core.multiple_tests import holm_adjusted
from firstread.evaluation.influence import Influence, macro_auc_influence, mean_influence
from firstread.evaluation.intervals import Estimate, difference_interval
from firstread.evaluation.paired_tests import (
    mean_difference_interval,
    sign_flip_test,
    student_test,
)
from firstread.evaluation.scored_cases import PairedCases, ScoredCases

#: metrics that are compared, for two classes
PAIRED_METRICS = ("accuracy", "sensitivity", "specificity", "AUC")


@dataclass(frozen=True)
class PairedDifference:
    """Difference of two results in one metric.

    Attributes:
        first, second: names of the results.
        metric: its name.
        estimate: first minus second, with its interval.
        p_value: of no difference; NaN where it cannot be tested.
        p_corrected: the same, corrected for the number of pairs.
        test: name of the test.
    """

    first: str
    second: str
    metric: str
    estimate: Estimate
    p_value: float
    p_corrected: float
    test: str

    COLUMNS: ClassVar[tuple[str, ...]] = (
        *("first", "second", "metric", "difference", "low", "high", "p_value", "p_corrected", "test"),
    )

    @property
    def row(self) -> tuple[Any, ...]:
        """Values of `COLUMNS`."""
        estimate = (self.estimate.value, self.estimate.low, self.estimate.high)
        return self.first, self.second, self.metric, *estimate, self.p_value, self.p_corrected, self.test

    def reversed(self) -> "PairedDifference":
        """Second minus first."""
        low, high = -self.estimate.high, -self.estimate.low
        estimate = replace(self.estimate, value=-self.estimate.value, low=low, high=high)
        return replace(self, first=self.second, second=self.first, estimate=estimate)

    def shown(self, confidence: float) -> bool:
        """Whether there is a difference: the corrected test says so, and the interval leaves out 0."""
        excludes_zero = self.estimate.low > 0 or self.estimate.high < 0
        return bool(self.p_corrected < 1 - confidence and excludes_zero)

    def describe(self, pairs: int) -> str:
        """A difference that was shown, in a sentence."""
        pair = self if self.estimate.value > 0 else self.reversed()
        corrected = f", corrected for {pairs} pairs" if pairs > 1 else ""
        return (
            f"{pair.first} is better than {pair.second} on these cases: {self.metric} higher by {_interval(pair)} "
            f"({self.test}, p = {self.p_corrected:.2g}{corrected})."
        )

    def describe_open(self, pairs: int) -> str:
        """A difference that was not shown: what remains possible."""
        pair = self if self.estimate.value >= 0 else self.reversed()
        largest = "the largest difference" if pairs > 1 else "the difference"
        text = f"{largest} in {self.metric}, {pair.first} minus {pair.second}, is {_interval(pair)}"
        if np.isnan(self.p_value):
            return f"{text}; the cases do not allow a test."
        if pairs > 1 and self.p_value < 0.05:
            return f"{text}, p = {self.p_value:.2g}, and {self.p_corrected:.2g} corrected for {pairs} pairs."
        return f"{text}, p = {self.p_corrected:.2g}. That is no proof that they are equal."

    def describe_margin(self, margin: float) -> str:
        """What the interval says about a margin: equivalence, non-inferiority, or neither."""
        low, high = self.estimate.low, self.estimate.high
        if low > -margin and high < margin:
            return f"{self.first} and {self.second} are equal within {margin:g} of {self.metric}: {_interval(self)}."
        if low > -margin or high < margin:
            pair = self if low > -margin else self.reversed()
            return (
                f"{pair.first} is not worse than {pair.second} by {margin:g} of {self.metric} or more: "
                f"difference {_interval(pair)}."
            )
        return (
            f"{self.first} and {self.second}: neither a difference nor equality within {margin:g} of {self.metric} is "
            f"shown: difference {_interval(self)}."
        )


def paired_differences(
    paired: PairedCases, first: str, second: str, *, metrics: Sequence[str], confidence: float = 0.95
) -> list[PairedDifference]:
    """Differences of two results in each metric: `first` minus `second`; p-values are not corrected yet."""
    differences = []
    for metric in metrics:
        compare_pair = _auc_difference if metric == "AUC" else _proportion_difference
        estimate, p_value, test = compare_pair(paired, (first, second), metric, confidence)
        differences.append(PairedDifference(first, second, metric, estimate, p_value, p_value, test))
    return differences


def correct_p_values(pairs: Sequence[PairedDifference]) -> tuple[PairedDifference, ...]:
    """The pairs with p-values corrected for the number of pairs of their metric (Holm)."""
    corrected = list(pairs)
    for metric in dict.fromkeys(pair.metric for pair in pairs):
        members = [index for index, pair in enumerate(pairs) if pair.metric == metric]
        for index, value in zip(members, holm_adjusted([pairs[i].p_value for i in members]), strict=True):
            corrected[index] = replace(pairs[index], p_corrected=float(value))
    return tuple(corrected)


def _proportion_difference(
    paired: PairedCases, names: tuple[str, str], metric: str, confidence: float
) -> tuple[Estimate, float, str]:
    """Accuracy, sensitivity or specificity: a swap within patients tests it, Bonett and Price's interval bounds it."""
    wanted = {"sensitivity": 1, "specificity": 0}.get(metric)
    among = np.ones(len(paired.truth), bool) if wanted is None else paired.truth == wanted
    if not among.any():
        return Estimate(np.nan, np.nan, np.nan, "not defined"), np.nan, "no case"
    by_case = [paired.by_case(name, paired.results[name].correct.astype(float)) for name in names]
    differences = by_case[0] - by_case[1]
    sample = paired.sample.select(among)
    influence = _correct_influence(paired.results[names[0]], wanted).minus(
        _correct_influence(paired.results[names[1]], wanted)
    )
    estimate = mean_difference_interval(differences[among], sample, influence, confidence=confidence)
    p_value = sign_flip_test(differences[among], sample)
    single = sample.unit_count == among.sum() and all(paired.results[name].units.seed_count == 1 for name in names)
    test = "exact McNemar test" if single else f"permutation test by {paired.results[names[0]].units.name}"
    if influence.seed_variance > 0:  # another seed must not reverse it
        p_value, test = max(p_value, student_test(influence)), f"{test}, and Student's with the spread between seeds"
    return estimate, p_value, test


def _auc_difference(
    paired: PairedCases, names: tuple[str, str], metric: str, confidence: float
) -> tuple[Estimate, float, str]:
    """Area under the ROC curve (macro over classes): DeLong's test, by patient Obuchowski's, by Student's quantile."""
    first, second = (paired.results[name] for name in names)
    if len(np.unique(paired.truth)) < len(first.classes):
        return Estimate(np.nan, np.nan, np.nan, "not defined"), np.nan, "not all classes"
    influence = macro_auc_influence(first.truth, first.scores, first.sample).minus(
        macro_auc_influence(second.truth, second.scores, second.sample)
    )
    by_patient = paired.sample.unit_count < len(paired.truth)
    test = "DeLong test by patient" if by_patient else "DeLong test"
    return difference_interval(influence, _smallest_class(paired), confidence=confidence), student_test(influence), test


def _correct_influence(cases: ScoredCases, wanted: int | None) -> Influence:
    among = None if wanted is None else cases.truth == wanted
    return mean_influence(cases.correct.astype(float), cases.sample, among=among)


def _smallest_class(paired: PairedCases) -> int:
    """Independent units of the class that has fewest."""
    units = paired.sample.units
    return min(len(np.unique(units[paired.truth == k])) for k in np.unique(paired.truth))


def _interval(pair: PairedDifference) -> str:
    estimate = pair.estimate
    if np.isnan(estimate.low):
        return f"{estimate.value:.3f} (interval {estimate.method})"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
