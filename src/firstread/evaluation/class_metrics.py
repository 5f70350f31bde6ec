"""Tables of classification metrics: the summary of two or of more classes, each class, and what thresholds cost."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.decisions import decide
from firstread.evaluation.calibration import (
    calibration_error,
    calibration_intercept,
    calibration_slope,
    observed_minus_expected,
)
from firstread.evaluation.intervals import Estimate
from firstread.evaluation.scored_cases import ScoredCases
from firstread.evaluation.scorer import Scorer, complement
from firstread.evaluation.thresholds import format_prevalence

if TYPE_CHECKING:
    import pandas as pd

#: thresholds of the table of costs
COST_THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)


def binary_metrics(scorer: Scorer, *, prevalence: float | None = None) -> dict[str, Estimate]:
    """All metrics of two classes, by name; PPV and NPV at `prevalence` if it is given."""
    estimates = {name: scorer.proportion(name) for name in ("accuracy", "sensitivity", "specificity")}
    for name in ("PPV", "NPV"):
        if prevalence is None:
            estimates[name] = scorer.proportion(name)
        else:
            estimates[f"{name} at {format_prevalence(prevalence)}"] = scorer.predictive_value(name, prevalence)
    return estimates | {
        "F1": scorer.f1_score(),
        "AUC": scorer.auc(),
        "partial AUC (specificity >= 0.8)": scorer.partial_auc(),
        "average precision": scorer.average_precision(),
        "Brier score (lower is better)": scorer.brier_score(),
    }


def calibration_metrics(scorer: Scorer) -> dict[str, Estimate]:
    """Calibration of the positive class of two, by name; the mean over seeds, whose bounds are averaged."""
    measures = {
        "calibration slope": calibration_slope,
        "calibration intercept": calibration_intercept,
        "observed minus expected": observed_minus_expected,
        "calibration error (lower is better)": calibration_error,
    }
    cases = scorer.cases

    def measure(name: str, rows: np.ndarray) -> Estimate:
        scores, groups = cases.scores[rows, 1], cases.units.groups[rows]
        found = measures[name](cases.truth[rows], scores, groups, confidence=scorer.confidence)
        return replace(found, cases=None)  # they are of all cases, as every metric of the table is

    by_seed = cases.sample.by_seed()
    return {name: _mean_estimate([measure(name, rows) for rows in by_seed]) for name in measures}


def multiclass_metrics(scorer: Scorer) -> dict[str, Estimate]:
    """All metrics of three or more classes, by name."""
    accuracy = scorer.accuracy()
    return {
        "accuracy": accuracy,
        "error (lower is better)": complement(accuracy),
        "balanced accuracy": scorer.balanced_accuracy(),
        "macro F1": scorer.macro_f1(),
        "macro AUC": scorer.auc(),
        "Brier score (lower is better)": scorer.brier_score(),
    }


def per_class_table(scorer: Scorer) -> "pd.DataFrame":
    """Each class against the rest, one row a class: its cases, and each metric with its interval as text."""
    import pandas as pd

    rows = []
    for index, name in enumerate(scorer.cases.classes):
        one = scorer.against_rest(index)
        row: dict[str, Any] = {"class": name, "cases": len(np.unique(one.cases.units.cases[one.cases.truth == 1]))}
        row |= {metric: str(one.proportion(metric)) for metric in ("sensitivity", "specificity", "PPV", "NPV")}
        rows.append(row | {"F1": str(one.f1_score()), "AUC": str(one.auc())})
    return pd.DataFrame(rows)


def outcomes_per_1000(
    cases: ScoredCases,
    *,
    prevalence: float,
    thresholds: tuple[float, ...] = COST_THRESHOLDS,
    confidence: float = 0.95,
) -> "pd.DataFrame":
    """Missed cases, false alarms and predictive values of each threshold for 1,000 patients at a given prevalence.

    Returns:
        Columns `threshold`, `sensitivity`, `specificity`, `missed of 1,000`, `false alarms of 1,000`, `PPV`, `NPV`;
        all but the first are texts with intervals.
    """
    import pandas as pd

    rows = []
    for threshold in thresholds:
        predicted = decide(cases.scores, threshold=threshold)
        scorer = Scorer(replace(cases, predicted=predicted), confidence=confidence)
        sensitivity, specificity = scorer.proportion("sensitivity"), scorer.proportion("specificity")
        rows.append(
            {
                "threshold": threshold,
                "sensitivity": str(sensitivity),
                "specificity": str(specificity),
                "missed of 1,000": _count_text(complement(sensitivity), 1000 * prevalence),
                "false alarms of 1,000": _count_text(complement(specificity), 1000 * (1 - prevalence)),
                "PPV": str(scorer.predictive_value("PPV", prevalence)),
                "NPV": str(scorer.predictive_value("NPV", prevalence)),
            }
        )
    return pd.DataFrame(rows)


def _mean_estimate(estimates: list[Estimate]) -> Estimate:
    """Mean of estimates of several seeds on the same cases; the mean of the bounds is wider than need be."""
    if len(estimates) == 1:
        return estimates[0]
    value, low, high = (float(np.mean([getattr(one, name) for one in estimates])) for name in ("value", "low", "high"))
    method = estimates[0].method if np.isfinite([low, high]).all() else "not estimable under every seed"
    return Estimate(value, low, high, method)


def _count_text(share: Estimate, patients: float) -> str:
    """ "50 [21, 113]": so many patients of whom a share is meant."""
    if np.isnan(share.value):
        return "not defined"
    low, high = (f"{patients * bound:.0f}" for bound in (share.low, share.high))
    return f"{patients * share.value:.0f} [{low}, {high}]"
