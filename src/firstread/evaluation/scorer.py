"""Scorer: metrics with confidence intervals from predictions.

Independent cases get closed-form intervals (Wilson, DeLong); repeated cases or patients get a cluster bootstrap.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.predictions import Predictions
from firstread.evaluation import metrics
from firstread.evaluation.calibration import expected_calibration_error
from firstread.evaluation.intervals import UNDEFINED, Estimate, auc_interval, bootstrap_interval, wilson_interval
from firstread.evaluation.patient_intervals import independent_units
from firstread.evaluation.thresholds import predictive_values

if TYPE_CHECKING:
    import pandas as pd

#: bootstrap resamples for each interval
RESAMPLES = 500


class Scorer:
    """Metrics of one set of predictions, for the cases with a known truth.

    Args:
        predictions: with truth and scores.
        threshold: for two classes, the score of the positive class from which a case is predicted positive.
        confidence: of all intervals.
        seed: of the bootstrap.
    """

    def __init__(self, predictions: Predictions, *, threshold: float, confidence: float, seed: int) -> None:
        known = predictions.truth >= 0
        self.classes, self.confidence, self.seed = predictions.classes, confidence, seed
        self.truth, self.scores = predictions.truth[known], predictions.scores[known]
        self.predicted = self.scores.argmax(axis=1)
        if len(self.classes) == 2:
            self.predicted = (self.scores[:, 1] >= threshold).astype(np.int64)
        table = predictions.table[known]
        self.seeds = table["seed"].to_numpy() if "seed" in table else np.zeros(len(table), np.int64)
        self.units = independent_units(table)
        self.groups = self.units.groups
        self.independent = len(np.unique(self.groups)) == len(self.groups)

    def proportion(self, name: str, truth: np.ndarray, predicted: np.ndarray) -> Estimate:
        """Proportion `name` of a 2 x 2 table: Wilson interval, or the bootstrap where cases are not independent."""
        if self.independent:
            return wilson_interval(*metrics.binary_proportions(truth, predicted)[name], confidence=self.confidence)

        def value(i: np.ndarray) -> float:
            successes, trials = metrics.binary_proportions(truth[i], predicted[i])[name]
            return successes / trials if trials else float("nan")

        return self.bootstrap(value)

    def accuracy(self) -> Estimate:
        """Accuracy: share of correct predictions."""
        correct = self.predicted == self.truth
        if self.independent:
            return wilson_interval(int(correct.sum()), len(correct), confidence=self.confidence)
        return self.bootstrap(lambda i: float(correct[i].mean()))

    def auc(self, index: int) -> Estimate:
        """AUC of one class against the rest; the mean over seeds where there are several."""
        truth, scores = (self.truth == index).astype(int), self.scores[:, index]
        if self.independent:
            return auc_interval(truth, scores, confidence=self.confidence)
        return self.bootstrap(lambda i: self._mean_over_seeds(lambda j: metrics.auc(truth[j], scores[j]), i))

    def bootstrap(self, statistic: Callable[[np.ndarray], float]) -> Estimate:
        """Bootstrap interval of a statistic of case indices, resampling patients (where known) or cases."""
        estimate = bootstrap_interval(
            statistic, self.groups, confidence=self.confidence, resamples=RESAMPLES, seed=self.seed
        )
        estimate = replace(estimate, method=estimate.method.replace("by group", f"by {self.units.name}"))
        at_bound = np.isclose(estimate.value, 0) or np.isclose(estimate.value, 1)
        if np.isclose(estimate.low, estimate.high) and at_bound:  # every resample is perfect: bound by the group count
            count = len(np.unique(self.groups))
            bound = wilson_interval(count, count, confidence=self.confidence).low
            low, high = (bound, 1.0) if estimate.value > 0.5 else (0.0, 1 - bound)
            return Estimate(estimate.value, low, high, "Wilson bound (no spread to resample)")
        return estimate

    def binary_metrics(self, prevalence: float | None) -> dict[str, Estimate]:
        """All metrics for two classes, by name; PPV and NPV at `prevalence` if it is given."""
        positive = self.scores[:, 1]
        estimates = {
            name: self.proportion(name, self.truth, self.predicted)
            for name in ("accuracy", "sensitivity", "specificity", "PPV", "NPV")
        }
        if prevalence is not None:
            del estimates["PPV"], estimates["NPV"]
            estimates[f"PPV at {prevalence:.0%}"] = self.bootstrap(lambda i: self._predictive_values(i, prevalence)[0])
            estimates[f"NPV at {prevalence:.0%}"] = self.bootstrap(lambda i: self._predictive_values(i, prevalence)[1])
        estimates["F1"] = self.bootstrap(lambda i: metrics.f1_score(self.truth[i], self.predicted[i]))
        estimates["AUC"] = self.auc(1)
        estimates["partial AUC (specificity >= 0.8)"] = self.bootstrap(
            lambda i: self._mean_over_seeds(lambda j: metrics.partial_auc(self.truth[j], positive[j]), i)
        )
        estimates["average precision"] = self.bootstrap(
            lambda i: self._mean_over_seeds(lambda j: metrics.average_precision(self.truth[j], positive[j]), i)
        )
        estimates["Brier score (lower is better)"] = self.bootstrap(
            lambda i: metrics.brier_score(self.truth[i], self.scores[i])
        )
        estimates["calibration error (lower is better)"] = self.bootstrap(
            lambda i: expected_calibration_error(self.truth[i], positive[i])
        )
        return estimates

    def multiclass_metrics(self) -> dict[str, Estimate]:
        """All metrics for three or more classes, by name."""
        count = len(self.classes)
        return {
            "accuracy": self.accuracy(),
            "error (lower is better)": _complement(self.accuracy()),
            "balanced accuracy": self.bootstrap(
                lambda i: metrics.balanced_accuracy(self.truth[i], self.predicted[i], classes=count)
            ),
            "macro F1": self.bootstrap(
                lambda i: float(
                    np.mean([metrics.f1_score(self.truth[i] == k, self.predicted[i] == k) for k in range(count)])
                )
            ),
            "macro AUC": self.macro_auc(),
            "Brier score (lower is better)": self.bootstrap(
                lambda i: metrics.brier_score(self.truth[i], self.scores[i])
            ),
        }

    def macro_auc(self) -> Estimate:
        """Macro AUC: mean over classes of the AUC of one class against the rest."""
        if len(np.unique(self.truth)) < len(self.classes):
            return UNDEFINED

        def macro(j: np.ndarray) -> float:
            return float(
                np.mean([metrics.auc(self.truth[j] == k, self.scores[j, k]) for k in range(len(self.classes))])
            )

        return self.bootstrap(lambda i: self._mean_over_seeds(macro, i))

    def per_class(self) -> "pd.DataFrame":
        """Metrics of each class against the rest, one row a class."""
        import pandas as pd

        rows = []
        for k, name in enumerate(self.classes):
            truth, predicted = (self.truth == k).astype(int), (self.predicted == k).astype(int)
            row: dict[str, Any] = {"class": name, "cases": int(truth.sum())}
            for metric in ("sensitivity", "specificity", "PPV", "NPV"):
                row[metric] = str(self.proportion(metric, truth, predicted))
            row["F1"] = metrics.f1_score(truth, predicted)
            row["AUC"] = str(self.auc(k))
            rows.append(row)
        return pd.DataFrame(rows)

    def _mean_over_seeds(self, statistic: Callable[[np.ndarray], float], i: np.ndarray) -> float:
        """Mean of a statistic over the seeds among the cases `i`."""
        seeds = self.seeds[i]
        values = np.unique(seeds)
        return statistic(i) if len(values) == 1 else float(np.mean([statistic(i[seeds == s]) for s in values]))

    def _predictive_values(self, i: np.ndarray, prevalence: float) -> tuple[float, float]:
        """(PPV, NPV) of the cases `i` at a prevalence."""
        proportions = metrics.binary_proportions(self.truth[i], self.predicted[i])
        (tp, p), (tn, n) = proportions["sensitivity"], proportions["specificity"]
        return predictive_values(tp / p, tn / n, prevalence=prevalence) if p and n else (float("nan"), float("nan"))


def _complement(estimate: Estimate) -> Estimate:
    """One minus an estimate, such as the error rate from the accuracy."""
    return Estimate(1 - estimate.value, 1 - estimate.high, 1 - estimate.low, estimate.method)
