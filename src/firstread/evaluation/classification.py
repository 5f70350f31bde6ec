"""Evaluation of classification: AUC, sensitivity, specificity, predictive values, calibration, thresholds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError, SettingError
from firstread.core.predictions import Predictions
from firstread.evaluation import metrics
from firstread.evaluation.evaluation import Evaluation
from firstread.evaluation.intervals import validate_confidence
from firstread.evaluation.scorer import Scorer
from firstread.evaluation.thresholds import outcomes_per_1000

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ClassificationEvaluation(Evaluation):
    """Result of `evaluate_classification`; see `Evaluation` for what it shares with other kinds.

    Attributes:
        comparison: the network and each trivial rule: `name`, `role`, `accuracy`, `low`, `high`, `AUC`, `AUC low`,
            `AUC high` (macro over classes where there are more than two).
        confusion: counts; rows the truth, columns the prediction.
        per_class: one row a class against the rest: sensitivity, specificity, PPV, NPV, F1, AUC, each the text of an
            Estimate.
        costs: for two classes, outcomes of thresholds for 1,000 patients at `prevalence`; else None.
        prevalence: share of positives that `costs` is for, or None.
    """

    confusion: "pd.DataFrame"
    per_class: "pd.DataFrame"
    costs: "pd.DataFrame | None"
    prevalence: float | None

    def figure(self) -> "Figure":
        """Figure of ROC, confusion matrix, and the network beside the trivial rules."""
        from firstread.evaluation.classification_plots import plot_overview

        auc_texts = dict(zip(self.per_class["class"], self.per_class["AUC"], strict=True))
        return plot_overview(self.predictions, self.confusion, self.comparison, auc_texts=auc_texts)

    def details(self) -> "Figure":
        """Figure of precision-recall and calibration."""
        from firstread.evaluation.classification_plots import plot_details

        return plot_details(self.predictions)

    def headline(self) -> str:
        """Accuracy of the network, and of the best trivial rule."""
        network, rules = self.comparison.iloc[0], self.comparison[self.comparison["role"] != "network"]
        text = (
            f"The network answered {network['accuracy']:.1%} of {len(self.predictions)} held-out cases correctly "
            f"(95 % interval {network['low']:.1%} to {network['high']:.1%})."
        )
        if len(rules):
            best = rules.iloc[rules["accuracy"].argmax()]
            text += f" The best trivial rule, {best['name'].removeprefix('rule: ')}, reached {best['accuracy']:.1%}."
        return text

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Each class against the rest, and for two classes what thresholds cost."""
        tables = {"Each class against the rest": self.per_class}
        if self.costs is not None:
            tables[f"What thresholds mean for 1,000 patients of whom {self.prevalence:.0%} are positive"] = self.costs
        return tables

    def _extra_text(self) -> tuple[str, ...]:
        return (self.confusion.to_string(),)

    def _extra_json(self) -> dict[str, Any]:
        return {"confusion": {"classes": list(self.confusion.index), "counts": self.confusion.to_numpy()}}


def evaluate_classification(
    predictions: Predictions,
    *,
    threshold: float = 0.5,
    prevalence: float | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> ClassificationEvaluation:
    """Classification metrics with confidence intervals, always beside trivial baselines (entry point of `metrics`).

    Args:
        predictions: from `predict`, or any table with truth and scores. Cases without a truth are left out and counted.
        threshold: for two classes, the score of the positive class from which a case is predicted positive.
        prevalence: share of positives in your clinic, for PPV, NPV and costs; default as in the data.
        confidence: of all intervals.
        seed: of the bootstrap.

    Returns:
        Tables, figures and notes. If the predictions hold several seeds, values are means over the seeds and intervals
        come from resampling cases (whole patients where they are known).

    Raises:
        DataError: no case has a truth.
        SettingError: an impossible threshold.
    """
    import pandas as pd

    validate_confidence(confidence)
    if not 0 <= threshold <= 1:
        raise SettingError(f"threshold={threshold} is not possible", expected="a score from 0 to 1")
    known = predictions.truth >= 0
    if not known.any():
        raise DataError("No case has a truth to compare with", where=predictions.model, do="predict labelled cases")
    scorer = Scorer(predictions, threshold=threshold, confidence=confidence, seed=seed)
    binary = len(predictions.classes) == 2
    estimates = scorer.binary_metrics(prevalence) if binary else scorer.multiclass_metrics()
    costs, positive_share = None, None
    if binary and len(np.unique(scorer.truth)) == 2:
        positive_share = float(scorer.truth.mean()) if prevalence is None else prevalence
        costs = outcomes_per_1000(scorer.truth, scorer.scores[:, 1], prevalence=positive_share)
    names = list(predictions.classes)
    counts = metrics.confusion_counts(scorer.truth, scorer.predicted, classes=len(names))
    return ClassificationEvaluation(
        summary=estimates,
        comparison=_compare_with_baselines(predictions, threshold=threshold, confidence=confidence, seed=seed),
        confusion=pd.DataFrame(counts, index=pd.Index(names, name="truth"), columns=pd.Index(names, name="answer")),
        per_class=scorer.per_class(),
        costs=costs,
        prevalence=positive_share,
        notes=_make_notes(predictions, scorer, threshold),
        predictions=predictions,
    )


def _compare_with_baselines(
    predictions: Predictions, *, threshold: float, confidence: float, seed: int
) -> "pd.DataFrame":
    """Accuracy and AUC of the predictions and of each baseline, one row each."""
    import pandas as pd

    rows = []
    for role, one in (("network", predictions), *(("trivial rule", b) for b in predictions.baselines)):
        scorer = Scorer(one, threshold=threshold if role == "network" else 0.5, confidence=confidence, seed=seed)
        accuracy = scorer.accuracy()
        auc = scorer.auc(1) if len(one.classes) == 2 else scorer.macro_auc()
        rows.append((one.model, role, accuracy.value, accuracy.low, accuracy.high, auc.value, auc.low, auc.high))
    names = ["name", "role", "accuracy", "low", "high", "AUC", "AUC low", "AUC high"]
    return pd.DataFrame(rows, columns=names)


def _make_notes(predictions: Predictions, scorer: Scorer, threshold: float) -> tuple[str, ...]:
    """Remarks for the reader: positive class, cases left out, undefined metrics, seeds, folds, baselines."""
    notes = []
    if predictions.positive:
        notes.append(
            f'"{predictions.positive}" is the positive class: sensitivity is the share of {predictions.positive} cases '
            f"that scored {threshold:g} or more."
        )
    left_out = len(predictions) - len(scorer.truth)
    if left_out:
        notes.append(f"{left_out} cases have no known truth and were left out.")
    missing = [name for k, name in enumerate(predictions.classes) if not (scorer.truth == k).any()]
    if missing:
        notes.append(f"No case of {', '.join(missing)}: what needs them, such as AUC, is not defined.")
    seeds = len(np.unique(scorer.seeds))
    if seeds > 1:
        notes.append(f"Mean over {seeds} seeds; intervals from resampling cases, not seeds.")
    if scorer.units.name == "patient" and scorer.units.note:
        notes.append(scorer.units.note)
    if "fold" in predictions.table:
        notes.append("Scores of different folds come from different networks and are ranked together for the AUC.")
    accuracy = float((scorer.predicted == scorer.truth).mean())
    as_good = [b for b in predictions.baselines if _accuracy(b) >= accuracy]
    if as_good:
        names = ", ".join(f"{b.model} ({_accuracy(b):.3f})" for b in as_good)
        notes.append(f"A trivial rule does as well as the network or better: {names}. What has it learnt?")
    elif not predictions.baselines:
        notes.append("No trivial rule stands beside these predictions: the training cases are not known.")
    return tuple(notes)


def _accuracy(predictions: Predictions) -> float:
    """Share of correct predictions among the cases with a known truth."""
    known = predictions.truth >= 0
    return float((predictions.predicted[known] == predictions.truth[known]).mean())
