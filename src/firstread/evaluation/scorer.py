"""Predictions against the truth: each metric as an Estimate, by the method that its cases allow.

Independent cases get closed intervals (Wilson, DeLong); repeated cases or patients are resampled as whole groups.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.predictions import Predictions
from firstread.evaluation import metrics
from firstread.evaluation.calibration import expected_calibration_error
from firstread.evaluation.intervals import UNDEFINED, Estimate, auc_interval, bootstrap, wilson
from firstread.evaluation.thresholds import predictive_values

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 500


class Judged:
    """Predictions with a known truth, as arrays."""

    def __init__(self, predictions: Predictions, *, threshold: float, confidence: float, seed: int) -> None:
        known = predictions.truth >= 0
        self.classes, self.confidence, self.seed = predictions.classes, confidence, seed
        self.truth, self.scores = predictions.truth[known], predictions.scores[known]
        self.called = self.scores.argmax(axis=1)
        if len(self.classes) == 2:
            self.called = (self.scores[:, 1] >= threshold).astype(np.int64)
        table = predictions.table[known]
        self.seeds = table["seed"].to_numpy() if "seed" in table else np.zeros(len(table), np.int64)
        self.groups, self.group = table["case"].to_numpy().astype(str), "case"
        if "patient" in table and table["patient"].notna().all():
            self.groups, self.group = table["patient"].to_numpy().astype(str), "patient"
        self.independent = len(np.unique(self.groups)) == len(self.groups)

    def proportion(self, name: str, truth: np.ndarray, called: np.ndarray) -> Estimate:
        """One proportion of a 2 x 2 table: Wilson, or the bootstrap where cases are not independent."""
        if self.independent:
            return wilson(*metrics.binary_proportions(truth, called)[name], confidence=self.confidence)

        def value(i: np.ndarray) -> float:
            good, all_ = metrics.binary_proportions(truth[i], called[i])[name]
            return good / all_ if all_ else float("nan")

        return self.resampled(value)

    def accuracy(self) -> Estimate:
        """Share of right answers."""
        right = self.called == self.truth
        if self.independent:
            return wilson(int(right.sum()), len(right), confidence=self.confidence)
        return self.resampled(lambda i: float(right[i].mean()))

    def area(self, index: int) -> Estimate:
        """AUC of one class against the rest; the mean over seeds where there are several."""
        truth, scores = (self.truth == index).astype(int), self.scores[:, index]
        if self.independent:
            return auc_interval(truth, scores, confidence=self.confidence)
        return self.resampled(lambda i: self._mean_over_seeds(lambda j: metrics.auc(truth[j], scores[j]), i))

    def resampled(self, statistic: Callable[[np.ndarray], float]) -> Estimate:
        """Bootstrap by patient or case."""
        found = bootstrap(statistic, self.groups, confidence=self.confidence, draws=DRAWS, seed=self.seed)
        found = replace(found, method=found.method.replace("by group", f"by {self.group}"))
        if np.isclose(found.low, found.high) and (
            np.isclose(found.value, 0) or np.isclose(found.value, 1)
        ):  # every resample is perfect: state what n can show
            bound = wilson(*([len(np.unique(self.groups))] * 2), confidence=self.confidence).low
            low, high = (bound, 1.0) if found.value > 0.5 else (0.0, 1 - bound)
            return Estimate(found.value, low, high, "Wilson bound (no spread to resample)")
        return found

    def binary_metrics(self, prevalence: float | None) -> dict[str, Estimate]:
        """Every metric of two classes."""
        positive = self.scores[:, 1]
        out = {
            name: self.proportion(name, self.truth, self.called)
            for name in ("accuracy", "sensitivity", "specificity", "PPV", "NPV")
        }
        if prevalence is not None:
            del out["PPV"], out["NPV"]
            for name, index in ((f"PPV at {prevalence:.0%}", 0), (f"NPV at {prevalence:.0%}", 1)):
                out[name] = self.resampled(lambda i, at=index: self._predictive(i, prevalence)[at])
        out["F1"] = self.resampled(lambda i: metrics.f1_score(self.truth[i], self.called[i]))
        out["AUC"] = self.area(1)
        out["partial AUC (specificity >= 0.8)"] = self.resampled(
            lambda i: self._mean_over_seeds(lambda j: metrics.partial_auc(self.truth[j], positive[j]), i)
        )
        out["average precision"] = self.resampled(
            lambda i: self._mean_over_seeds(lambda j: metrics.average_precision(self.truth[j], positive[j]), i)
        )
        out["Brier score (lower is better)"] = self.resampled(
            lambda i: metrics.brier_score(self.truth[i], self.scores[i])
        )
        out["calibration error (lower is better)"] = self.resampled(
            lambda i: expected_calibration_error(self.truth[i], positive[i])
        )
        return out

    def multiclass_metrics(self) -> dict[str, Estimate]:
        """Every metric of three or more classes."""
        number = len(self.classes)
        return {
            "accuracy": self.accuracy(),
            "error (lower is better)": _complement(self.accuracy()),
            "balanced accuracy": self.resampled(
                lambda i: metrics.balanced_accuracy(self.truth[i], self.called[i], classes=number)
            ),
            "macro F1": self.resampled(
                lambda i: float(
                    np.mean([metrics.f1_score(self.truth[i] == k, self.called[i] == k) for k in range(number)])
                )
            ),
            "macro AUC": self.macro_area(),
            "Brier score (lower is better)": self.resampled(
                lambda i: metrics.brier_score(self.truth[i], self.scores[i])
            ),
        }

    def macro_area(self) -> Estimate:
        """Mean AUC of each class against the rest."""
        if len(np.unique(self.truth)) < len(self.classes):
            return UNDEFINED

        def one(j: np.ndarray) -> float:
            return float(
                np.mean([metrics.auc(self.truth[j] == k, self.scores[j, k]) for k in range(len(self.classes))])
            )

        return self.resampled(lambda i: self._mean_over_seeds(one, i))

    def per_class(self) -> "pd.DataFrame":
        """Each class against the rest."""
        import pandas as pd

        rows = []
        for k, name in enumerate(self.classes):
            truth, called = (self.truth == k).astype(int), (self.called == k).astype(int)
            row: dict[str, Any] = {"class": name, "cases": int(truth.sum())}
            for metric in ("sensitivity", "specificity", "PPV", "NPV"):
                row[metric] = str(self.proportion(metric, truth, called))
            row["F1"] = metrics.f1_score(truth, called)
            row["AUC"] = str(self.area(k))
            rows.append(row)
        return pd.DataFrame(rows)

    def _mean_over_seeds(self, statistic: Callable[[np.ndarray], float], i: np.ndarray) -> float:
        seeds = self.seeds[i]
        values = np.unique(seeds)
        return statistic(i) if len(values) == 1 else float(np.mean([statistic(i[seeds == s]) for s in values]))

    def _predictive(self, i: np.ndarray, prevalence: float) -> tuple[float, float]:
        parts = metrics.binary_proportions(self.truth[i], self.called[i])
        (tp, p), (tn, n) = parts["sensitivity"], parts["specificity"]
        return predictive_values(tp / p, tn / n, prevalence=prevalence) if p and n else (float("nan"), float("nan"))


def _complement(estimate: Estimate) -> Estimate:
    return Estimate(1 - estimate.value, 1 - estimate.high, 1 - estimate.low, estimate.method)
