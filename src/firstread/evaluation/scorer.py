"""Scorer: metrics of scored cases, each with an interval that knows patients and seeds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from firstread.evaluation import metrics
from firstread.evaluation.influence import jackknife_influence, macro_auc_influence
from firstread.evaluation.intervals import (
    UNDEFINED,
    Estimate,
    auc_interval,
    bounded_mean_interval,
    logit_interval,
    proportion_interval,
    ratio_interval,
)
from firstread.evaluation.scored_cases import ScoredCases
from firstread.evaluation.thresholds import predictive_values, validate_prevalence


class Scorer:
    """Metrics of scored cases.

    Args:
        cases: of one set of predictions, or of one class against the rest (`against_rest`).
        confidence: of all intervals.
    """

    def __init__(self, cases: ScoredCases, *, confidence: float = 0.95) -> None:
        self.cases, self.confidence = cases, confidence

    def accuracy(self) -> Estimate:
        """Accuracy: share of correct decisions."""
        return self._proportion(self.cases.correct, None)

    def proportion(self, name: str) -> Estimate:
        """One of "accuracy", "sensitivity", "specificity", "PPV", "NPV" of two classes."""
        truth, predicted = self.cases.truth, self.cases.predicted
        among = {
            "accuracy": None,
            "sensitivity": truth == 1,
            "specificity": truth == 0,
            "PPV": predicted == 1,
            "NPV": predicted == 0,
        }[name]
        return self._proportion(truth == predicted, among)

    def predictive_value(self, name: str, prevalence: float) -> Estimate:
        """ "PPV" or "NPV" at a prevalence, which carries on the intervals of sensitivity and specificity.

        Both depend on the data by the ratio of two proportions of different cases: of sensitivity and false positive
        rate (PPV), of false negative rate and specificity (NPV). Source: Mercaldo 2007, doi 10.1002/sim.2677.
        """
        validate_prevalence(prevalence)
        sensitivity, specificity = self.proportion("sensitivity"), self.proportion("specificity")
        if np.isnan([sensitivity.value, specificity.value]).any():
            return UNDEFINED
        values = predictive_values(sensitivity.value, specificity.value, prevalence=prevalence)
        odds = prevalence / (1 - prevalence) if prevalence < 1 else np.inf
        method = "sensitivity and specificity, Donner-Zou"
        value = values[0] if name == "PPV" else values[1]
        if np.isnan([value, sensitivity.low, specificity.low]).any():
            return replace(UNDEFINED, value=value, method="not estimable" if np.isfinite(value) else "not defined")
        if name == "PPV":
            low, high = ratio_interval(sensitivity, complement(specificity))
            bounds = [_share_of_odds(ratio * odds) for ratio in (low, high)]
        else:
            low, high = ratio_interval(complement(sensitivity), specificity)
            bounds = [1 - _share_of_odds(ratio * odds) for ratio in (high, low)]
        return Estimate(value, min(bounds[0], value), max(bounds[1], value), method)

    def f1_score(self) -> Estimate:
        """F1 of two classes.

        F1 = 2 J / (1 + J), where J is the share of true positives among all that are positive or called so: a
        proportion, whose interval is turned with it. Source: Flores 2022, doi 10.3390/math10050824.
        """
        truth, predicted = self.cases.truth == 1, self.cases.predicted == 1
        shares = self._proportion(truth & predicted, truth | predicted)
        if self.cases.units.seed_count > 1:
            value = float(np.mean([metrics.f1_score(truth[i], predicted[i]) for i in self.cases.sample.by_seed()]))
        else:
            value = _f1_of_jaccard(shares.value)
        low, high = _f1_of_jaccard(shares.low), _f1_of_jaccard(shares.high)
        return Estimate(value, min(low, value), max(high, value), shares.method)

    def auc(self) -> Estimate:
        """AUC of the positive class of two, macro AUC of more; the mean over seeds where there are several."""
        cases = self.cases
        if len(np.unique(cases.truth)) < len(cases.classes):
            return UNDEFINED
        if cases.binary:
            found = auc_interval(cases.truth, cases.scores[:, 1], sample=cases.sample, confidence=self.confidence)
            return replace(found, method=found.method.replace("patient", cases.units.name))
        influence = macro_auc_influence(cases.truth, cases.scores, cases.sample)
        method = "DeLong, logit" if cases.units.independent else f"DeLong by {cases.units.name}, logit"
        return logit_interval(influence, bound_units=self._smallest_class(), confidence=self.confidence, method=method)

    def brier_score(self) -> Estimate:
        """Brier score: 0 to 1 for two classes, 0 to 2 for more."""
        cases = self.cases
        errors = ((cases.scores - np.eye(len(cases.classes))[cases.truth]) ** 2).sum(axis=1) / 2
        found = bounded_mean_interval(errors, cases.sample, confidence=self.confidence)
        factor = 1 if cases.binary else 2
        return replace(found, value=factor * found.value, low=factor * found.low, high=factor * found.high)

    def partial_auc(self) -> Estimate:
        """Partial AUC at specificities from 0.8 on, of two classes."""
        return self._jackknife(lambda i: metrics.partial_auc(self.cases.truth[i], self.cases.scores[i, 1]))

    def average_precision(self) -> Estimate:
        """Average precision of the positive class of two."""
        return self._jackknife(lambda i: metrics.average_precision(self.cases.truth[i], self.cases.scores[i, 1]))

    def balanced_accuracy(self) -> Estimate:
        """Mean over classes of the sensitivity."""
        count = len(self.cases.classes)
        return self._jackknife(
            lambda i: metrics.balanced_accuracy(self.cases.truth[i], self.cases.predicted[i], classes=count)
        )

    def macro_f1(self) -> Estimate:
        """Mean over classes of F1."""
        truth, predicted = self.cases.truth, self.cases.predicted

        def macro(i: np.ndarray) -> float:
            return float(
                np.mean([metrics.f1_score(truth[i] == k, predicted[i] == k) for k in range(len(self.cases.classes))])
            )

        return self._jackknife(macro)

    def against_rest(self, index: int) -> "Scorer":
        """The scorer of one class (positive) against all others."""
        cases = self.cases
        positive = cases.scores[:, index]
        binary = replace(
            cases,
            classes=("others", cases.classes[index]),
            truth=(cases.truth == index).astype(np.int64),
            predicted=(cases.predicted == index).astype(np.int64),
            scores=np.stack([1 - positive, positive], axis=1),
        )
        return Scorer(binary, confidence=self.confidence)

    def _proportion(self, hits: np.ndarray, among: np.ndarray | None) -> Estimate:
        found = proportion_interval(hits, self.cases.sample, among=among, confidence=self.confidence)
        return replace(found, method=found.method.replace("patient", self.cases.units.name))

    def _jackknife(self, statistic: Callable[[np.ndarray], float]) -> Estimate:
        """Any metric from rows of one seed, with the jackknife of whole units."""
        cases = self.cases
        if len(np.unique(cases.truth)) < len(cases.classes):
            return UNDEFINED
        influence = jackknife_influence(statistic, cases.sample)
        method = "jackknife, logit" if cases.units.independent else f"jackknife by {cases.units.name}, logit"
        return logit_interval(influence, bound_units=self._smallest_class(), confidence=self.confidence, method=method)

    def _smallest_class(self) -> int:
        """Number of units of the class that has fewest: what the bound of a perfect result counts."""
        units = self.cases.sample.units
        return min(len(np.unique(units[self.cases.truth == k])) for k in range(len(self.cases.classes)))


def complement(estimate: Estimate) -> Estimate:
    """One minus an estimate, such as the error rate from the accuracy."""
    return replace(estimate, value=1 - estimate.value, low=1 - estimate.high, high=1 - estimate.low)


def _share_of_odds(odds: float) -> float:
    """Probability of given odds."""
    return 1.0 if np.isinf(odds) else float(odds / (1 + odds))


def _f1_of_jaccard(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)
