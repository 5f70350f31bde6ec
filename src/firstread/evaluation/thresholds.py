"""Decision thresholds: operating points, rules that choose one on validation cases, what each costs 1,000 patients."""

import re
from dataclasses import dataclass

import numpy as np

from firstread.core.errors import DataError, SettingError
from firstread.core.predictions import Predictions

_RULE = re.compile(r"validation: *(?:(youden)|(sensitivity|specificity) *= *([0-9.]+))")


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold with its sensitivity and specificity; scores at or above it are positive. It may be infinite."""

    threshold: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold, and how it was chosen.

    Attributes:
        value: scores at or above it are positive.
        note: how it was chosen, on which cases, in a sentence; "" for a fixed one.
    """

    value: float
    note: str = ""


def operating_points(truth: np.ndarray, scores: np.ndarray) -> list[OperatingPoint]:
    """All distinct operating points, from every case positive to no case positive.

    Raises:
        DataError: not both classes are present.
    """
    if not (truth == 1).any() or not (truth == 0).any():
        raise DataError("A threshold needs cases of both classes")
    thresholds = np.concatenate([[-np.inf], _midpoints(np.unique(scores)), [np.inf]])
    positive, negative = np.sort(scores[truth == 1]), np.sort(scores[truth == 0])
    sensitivity = 1 - np.searchsorted(positive, thresholds, side="left") / len(positive)
    specificity = np.searchsorted(negative, thresholds, side="left") / len(negative)
    return [OperatingPoint(*map(float, row)) for row in zip(thresholds, sensitivity, specificity, strict=True)]


def youden_point(truth: np.ndarray, scores: np.ndarray) -> OperatingPoint:
    """Operating point with the highest Youden index, sensitivity + specificity - 1. Source: Youden 1950.

    Choose it on validation cases, never on the cases that the result is reported for.
    """
    return max(operating_points(truth, scores), key=lambda p: p.sensitivity + p.specificity)


def best_point_at_sensitivity(truth: np.ndarray, scores: np.ndarray, *, min_sensitivity: float) -> OperatingPoint:
    """Operating point with the highest specificity among those with at least `min_sensitivity`."""
    points = [p for p in operating_points(truth, scores) if p.sensitivity >= min_sensitivity]
    return max(points, key=lambda p: p.specificity)


def best_point_at_specificity(truth: np.ndarray, scores: np.ndarray, *, min_specificity: float) -> OperatingPoint:
    """Operating point with the highest sensitivity among those with at least `min_specificity`."""
    points = [p for p in operating_points(truth, scores) if p.specificity >= min_specificity]
    return max(points, key=lambda p: p.sensitivity)


def choose_threshold(rule: float | str, validation: Predictions | None) -> ChosenThreshold:
    """A threshold as given, or chosen on validation cases by a rule.

    Args:
        rule: a score from 0 to 1, or "validation:youden", "validation:sensitivity=0.95", "validation:specificity=0.9".
        validation: predictions of the validation cases; needed by a rule.

    Raises:
        SettingError: an impossible threshold or an unknown rule, or a rule without validation cases.
        DataError: the validation cases are not of both classes.

    Source: Youden 1950, doi 10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.

    Example:
        >>> choose_threshold(0.3, None).value
        0.3
    """
    expected = 'a score from 0 to 1, "validation:youden", "validation:sensitivity=0.95" or "validation:specificity=0.9"'
    if not isinstance(rule, str):
        if isinstance(rule, bool) or not isinstance(rule, (int, float)) or not 0 <= rule <= 1:
            raise SettingError(f"threshold={rule} is not possible", expected=expected)
        return ChosenThreshold(float(rule))
    found = _RULE.fullmatch(rule.strip())
    if not found or (found[3] and not _is_share(found[3])):
        raise SettingError(f'threshold="{rule}" is not possible', expected=expected)
    if validation is None:
        raise SettingError(
            f'threshold="{rule}" needs predictions of the validation cases',
            do="give validation=fr.predict(model, cohort.validation)",
        )
    if len(validation.classes) != 2:
        raise SettingError("A threshold is for two classes", where=f"{len(validation.classes)} classes")
    known = validation.truth >= 0
    truth, scores = validation.truth[known], validation.scores[known, 1]
    if found[1]:
        point, what = youden_point(truth, scores), "the highest Youden index"
    elif found[2] == "sensitivity":
        point = best_point_at_sensitivity(truth, scores, min_sensitivity=float(found[3]))
        what = f"a sensitivity of at least {float(found[3]):g}"
    else:
        point = best_point_at_specificity(truth, scores, min_specificity=float(found[3]))
        what = f"a specificity of at least {float(found[3]):g}"
    value = float(np.clip(point.threshold, 0.0, np.nextafter(1.0, 2.0)))
    cases = validation.table["case"][known].nunique()
    return ChosenThreshold(
        value,
        f"The threshold {value:.3f} was chosen on {cases} validation cases for {what} (there {point.sensitivity:.3f} "
        f"sensitivity, {point.specificity:.3f} specificity), not on the cases of this table.",
    )


def predictive_values(sensitivity: float, specificity: float, *, prevalence: float) -> tuple[float, float]:
    """(PPV, NPV) at a prevalence, by Bayes' theorem; NaN where no case is predicted positive (negative)."""
    validate_prevalence(prevalence)
    positive_share = sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
    negative_share = specificity * (1 - prevalence) + (1 - sensitivity) * prevalence
    ppv = sensitivity * prevalence / positive_share if positive_share else float("nan")
    npv = specificity * (1 - prevalence) / negative_share if negative_share else float("nan")
    return float(ppv), float(npv)


def validate_prevalence(prevalence: float) -> float:
    """Validate a prevalence; returns it.

    Raises:
        DataError: not from 0 to 1.
    """
    if not 0 <= prevalence <= 1:
        raise DataError(f"prevalence={prevalence} is not possible", expected="a share from 0 to 1, such as 0.1")
    return prevalence


def format_prevalence(prevalence: float) -> str:
    """A prevalence in percent, with as many digits as it has: "5%", "0.1%".

    Example:
        >>> format_prevalence(0.05), format_prevalence(0.001)
        ('5%', '0.1%')
    """
    return f"{100 * prevalence:.3g}%"


def _is_share(text: str) -> bool:
    try:
        return 0 < float(text) <= 1
    except ValueError:
        return False


def _midpoints(values: np.ndarray) -> np.ndarray:
    """Means of neighbouring values."""
    midpoints: np.ndarray = (values[:-1] + values[1:]) / 2
    return midpoints
