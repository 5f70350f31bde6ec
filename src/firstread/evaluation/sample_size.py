"""Sample size of a test set: for an interval of a given width, for a difference, or for non-inferiority."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil, sqrt

from firstread.core.errors import SettingError, suggest
from firstread.evaluation.sample_size_formulas import (
    auc_interval_width,
    auc_variance,
    fewest,
    independent_discordance,
    wilson_width,
)

_METRICS = ("sensitivity", "specificity", "accuracy", "AUC")


@dataclass(frozen=True, kw_only=True)
class StudyDesign:
    """What a sample size assumes of a study, beyond the expected value.

    Attributes:
        power: probability of finding the difference if it is there.
        confidence: of the interval; one minus the two-sided significance level of a comparison.
        cases_per_patient: cases (images) of each patient.
        correlation: of the errors of a patient's cases, 0 (independent) to 1 (always together).
        paired: both networks (or readers) see the same cases.
        discordance: share of cases that exactly one of two answers correctly; None takes the errors of the two for
            independent, which is cautious.
        score_correlation: of the scores of two networks on the same cases, for the AUC.

    Example:
        >>> StudyDesign(cases_per_patient=3, correlation=0.5).design_effect
        2.0
    """

    power: float = 0.8
    confidence: float = 0.95
    cases_per_patient: int = 1
    correlation: float = 0.0
    paired: bool = True
    discordance: float | None = None
    score_correlation: float = 0.5

    def __post_init__(self) -> None:
        for name, low, high in (("power", 0.5, 1), ("confidence", 0.5, 1), ("score_correlation", 0, 1)):
            if not low <= getattr(self, name) < high:
                raise SettingError(f"{name}={getattr(self, name)} is not possible", expected=f"{low} to below {high}")
        if not 0 <= self.correlation <= 1:
            raise SettingError(f"correlation={self.correlation} is not possible", expected="0 to 1")
        if self.cases_per_patient < 1:
            raise SettingError(f"cases_per_patient={self.cases_per_patient} is not possible", expected="1 or more")
        if self.discordance is not None and not 0 < self.discordance <= 1:
            raise SettingError(f"discordance={self.discordance} is not possible", expected="a share from 0 to 1")

    @property
    def design_effect(self) -> float:
        """By how much more cases are needed because a patient has several. Source: Kish 1965."""
        return 1 + (self.cases_per_patient - 1) * self.correlation


@dataclass(frozen=True)
class SampleSize:
    """How many cases a test set needs; printed, it is a sentence with what was assumed.

    Attributes:
        cases, patients, positives, negatives: of the test set; of each of two where `test_sets` is 2.
        test_sets: 1, or 2 where two networks are tested on different cases.
        purpose: what they are enough for.
        assumptions: what must hold for that.
    """

    cases: int
    patients: int
    positives: int
    negatives: int
    purpose: str
    assumptions: tuple[str, ...] = field(default=())
    test_sets: int = 1

    def __str__(self) -> str:
        sets = "" if self.test_sets == 1 else " in each of the two test sets"
        count = f"{self.cases:,} cases of {self.patients:,} patients" if self.patients < self.cases else ""
        count = count or f"{self.cases:,} patients"
        return (
            f"{count}{sets}, {self.positives:,} positive and {self.negatives:,} negative, for {self.purpose}. "
            f"Assumed: {'; '.join(self.assumptions)}."
        )


def sample_size(
    *,
    width: float | None = None,
    difference: float | None = None,
    margin: float | None = None,
    prevalence: float = 0.5,
    design: StudyDesign | None = None,
    **expected: float,
) -> SampleSize:
    """Sample size of a test set: cases for an interval of a given width, for a difference, or for non-inferiority.

    A radiologist should care because most test sets are too small for what is claimed of them: with 20 positive cases a
    sensitivity of 0.9 may as well be 0.7.

    Args:
        width: of the whole interval, upper minus lower bound: 0.1 for plus or minus 0.05.
        difference: that is to be found, the second network's value minus the expected one of the first.
        margin: non-inferiority: by how much less the second network's value may be, at most, than the first one's. They
            are taken to be equal, unless `difference` says what the difference is.
        prevalence: share of positives in the test set.
        design: power, confidence, cases per patient, paired or not, and so on; see `StudyDesign`.
        **expected: exactly one of `sensitivity`, `specificity`, `accuracy`, `AUC`, with its expected value.

    Returns:
        Cases, patients, positives and negatives, which print as a sentence.

    Raises:
        SettingError: not exactly one expected value, nothing to plan for, or values that cannot be.

    Source: Wilson 1927 and Buderer 1996, doi 10.1111/j.1553-2712.1996.tb03538.x (intervals); Hanley and McNeil 1982,
    doi 10.1148/radiology.143.1.7063747, and 1983, doi 10.1148/radiology.148.3.6878708 (AUC); Connor 1987,
    doi 10.2307/2531961 (McNemar's test); Fleiss 2003, section 4 (two test sets); Liu 2002, doi 10.1002/sim.1012
    (non-inferiority of paired proportions, here with the variance at the expected difference).

    Example:
        >>> found = fr.sample_size(sensitivity=0.9, width=0.1, prevalence=0.2)
        >>> found.cases, found.positives
        (705, 141)
        >>> fr.sample_size(AUC=0.85, difference=0.05).cases
        453
    """
    design = design or StudyDesign()
    metric, value = _expected_value(expected)
    _validate(value, width, difference, margin, prevalence)
    second = value + (difference or 0.0)
    if not 0 < second < 1:
        raise SettingError(
            f"{metric} would be {second:g}", where=f"difference={difference}", expected="a value between 0 and 1"
        )
    assumptions = [f"{metric} {value:g}" + (f" and {second:g}" if second != value else "")]
    if width is not None:
        purpose = f"a {design.confidence:.0%} interval of the {metric} that is {width:g} wide"
        needed, sets = _cases_for_width(metric, value, width, prevalence, design), 1
    else:
        purpose = _comparison_words(metric, difference, margin, design)
        variance, words = _variance_of_difference(metric, value, second, design)
        assumptions += [f"power {design.power:.0%}", words]
        needed = _cases_for_difference(variance, difference, margin, prevalence, design)
        sets = 1 if design.paired else 2
    if design.cases_per_patient > 1:
        assumptions.append(
            f"{design.cases_per_patient} cases of each patient, "
            f"whose errors have a correlation of {design.correlation:g}"
        )
    else:
        assumptions.append("one case of each patient")
    assumptions.append(f"a prevalence of {prevalence:g} in the test set")
    cases = _whole(needed * design.design_effect / _share_counted(metric, prevalence))
    positives = _whole(cases * prevalence) if metric != "specificity" else int(cases * prevalence + 1e-9)
    patients = ceil(cases / design.cases_per_patient)
    return SampleSize(cases, patients, positives, cases - positives, purpose, tuple(assumptions), sets)


def _expected_value(expected: dict[str, float]) -> tuple[str, float]:
    """The one metric that is planned for, with its expected value."""
    by_name = {name.lower(): name for name in _METRICS}
    for name in expected:
        if name.lower() not in by_name:
            raise SettingError(f'sample_size has no argument "{name}".{suggest(name, _METRICS)}')
    if len(expected) != 1:
        raise SettingError(
            f"{len(expected)} expected values are given", expected=f"exactly one of {', '.join(_METRICS)}"
        )
    name, value = next(iter(expected.items()))
    metric = by_name[name.lower()]
    lowest = 0.5 if metric == "AUC" else 0.0
    if not lowest < value < 1:
        raise SettingError(f"{metric}={value:g} is not possible", expected=f"between {lowest:g} and 1, such as 0.9")
    return metric, float(value)


def _validate(
    value: float, width: float | None, difference: float | None, margin: float | None, prevalence: float
) -> None:
    """Refuse what cannot be planned for."""
    if not 0 < prevalence < 1:
        raise SettingError(f"prevalence={prevalence} is not possible", expected="a share between 0 and 1, such as 0.2")
    if width is None and difference is None and margin is None:
        raise SettingError("Nothing is to be planned for", expected="width=, difference= or margin=")
    if width is not None and (difference is not None or margin is not None):
        raise SettingError("An interval's width and a comparison are two plans", do="call sample_size for each")
    if width is not None and not 0.001 <= width < 1:
        raise SettingError(f"width={width} is not possible", expected="0.001 to below 1, such as 0.1")
    if margin is not None and not 0.001 <= margin < 1:
        raise SettingError(f"margin={margin} is not possible", expected="0.001 to below 1, such as 0.05")
    if margin is not None and margin + (difference or 0.0) < 0.001:
        raise SettingError(
            "A network that is worse by the margin cannot be shown not to be", expected="difference above -margin"
        )
    if margin is None and difference is not None and not 0.001 <= abs(difference) < 1:
        raise SettingError(f"difference={difference} is not possible", expected="0.001 or more, such as 0.05")


def _share_counted(metric: str, prevalence: float) -> float:
    """Share of the test set that a metric is of."""
    return {"sensitivity": prevalence, "specificity": 1 - prevalence}.get(metric, 1.0)


def _cases_for_width(metric: str, value: float, width: float, prevalence: float, design: StudyDesign) -> int:
    """Counted cases for an interval of a width."""
    if metric == "AUC":
        return fewest(lambda n: auc_interval_width(value, n, prevalence, confidence=design.confidence) <= width)
    return fewest(lambda n: wilson_width(value, n, confidence=design.confidence) <= width)


def _variance_of_difference(
    metric: str, first: float, second: float, design: StudyDesign
) -> tuple[Callable[[float, float], tuple[float, float]], str]:
    """Variance (without and with the difference) of a difference from n cases at a prevalence; what it assumes."""
    if metric == "AUC":
        r = design.score_correlation if design.paired else 0.0

        def of_auc(n: float, prevalence: float) -> tuple[float, float]:
            a, b = (auc_variance(value, n, prevalence) for value in (first, second))
            return 2 * a * (1 - r), a + b - 2 * r * sqrt(a * b)

        words = f"AUCs correlated by {r:g}" if design.paired else "different cases for each network"
        return of_auc, words
    if not design.paired:
        middle = (first + second) / 2

        def of_two_sets(n: float, prevalence: float) -> tuple[float, float]:
            return 2 * middle * (1 - middle) / n, (first * (1 - first) + second * (1 - second)) / n

        return of_two_sets, "different cases for each network"
    independent = independent_discordance(first, second)
    discordance = independent if design.discordance is None else design.discordance
    highest = min(first + second, 2 - first - second)
    if not abs(second - first) <= discordance <= highest + 1e-9:
        raise SettingError(
            f"discordance={discordance:g} is not possible",
            expected=f"{abs(second - first):g} to {highest:g}, for {first:g} and {second:g}",
        )

    def of_pairs(n: float, prevalence: float) -> tuple[float, float]:
        return discordance / n, (discordance - (second - first) ** 2) / n

    source = " (as if their errors were independent)" if design.discordance is None else ""
    return of_pairs, f"the two differ in {discordance:.3g} of the cases{source}"


def _cases_for_difference(
    variance: Callable[[float, float], tuple[float, float]],
    difference: float | None,
    margin: float | None,
    prevalence: float,
    design: StudyDesign,
) -> int:
    """Counted cases for a comparison: the difference, or its distance from the margin, is found with the power."""
    from scipy.stats import norm

    level, power = float(norm.ppf(0.5 + design.confidence / 2)), float(norm.ppf(design.power))

    def enough(n: int) -> bool:
        without, at = variance(n, prevalence)
        if margin is not None:
            return (level + power) * sqrt(at) <= margin + (difference or 0.0)
        return level * sqrt(without) + power * sqrt(at) <= abs(difference or 0.0)

    return fewest(enough)


def _comparison_words(metric: str, difference: float | None, margin: float | None, design: StudyDesign) -> str:
    same = "the same cases" if design.paired else "different cases"
    if margin is not None:
        return f"showing that the {metric} of the second of two networks on {same} is not lower by {margin:g} or more"
    return f"finding a difference of {difference:g} in the {metric} of two networks on {same}"


def _whole(number: float) -> int:
    """The next whole number, rounding errors left aside."""
    return ceil(number - 1e-9)
