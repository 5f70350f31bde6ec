"""Evaluation of classification: AUC, sensitivity, specificity, predictive values, calibration, thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError
from firstread.core.predictions import Predictions
from firstread.evaluation import metrics
from firstread.evaluation.baseline_comparison import compare_with_baselines, describe_baselines
from firstread.evaluation.class_metrics import (
    binary_metrics,
    calibration_metrics,
    multiclass_metrics,
    outcomes_per_1000,
    per_class_table,
)
from firstread.evaluation.evaluation import Evaluation, fold, to_html
from firstread.evaluation.external_validation import compare_cohorts
from firstread.evaluation.intervals import Estimate, validate_confidence
from firstread.evaluation.scored_cases import ScoredCases
from firstread.evaluation.scorer import Scorer
from firstread.evaluation.subgroups import evaluate_subgroups
from firstread.evaluation.thresholds import ChosenThreshold, choose_threshold, format_prevalence, validate_prevalence
from firstread.evaluation.units import independent_units

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ClassificationEvaluation(Evaluation):
    """Result of `evaluate_classification`; see `Evaluation` for what it shares with other kinds.

    Attributes:
        comparison: the network and each trivial rule: `name`, `role`, `accuracy`, `low`, `high`, `AUC`, `AUC low`,
            `AUC high` (macro over classes where there are more than two), and the network minus the rule in accuracy:
            `difference`, `difference low`, `difference high`, `p_value` (corrected for the number of rules).
        confusion: counts; rows the truth, columns the prediction.
        per_class: one row a class against the rest: sensitivity, specificity, PPV, NPV, F1, AUC, each the text of an
            Estimate.
        costs: for two classes, outcomes of thresholds for 1,000 patients at `prevalence`; else None.
        prevalence: share of positives that `costs` is for, or None.
        given_prevalence: the same if it was given, None if it is that of the data.
        threshold: score of the positive class from which a case is called positive.
        subgroups: one row a subgroup, if they were asked for; else None.
        external: each metric on a second cohort beside the first, if one was given; else None.
    """

    main_metrics = (
        "AUC",
        "macro AUC",
        "accuracy",
        "balanced accuracy",
        "sensitivity",
        "specificity",
        "calibration slope",
    )

    confusion: "pd.DataFrame"
    per_class: "pd.DataFrame"
    costs: "pd.DataFrame | None"
    prevalence: float | None
    given_prevalence: float | None
    threshold: float
    subgroups: "pd.DataFrame | None"
    external: "pd.DataFrame | None"

    def figure(self) -> "Figure":
        """Figure of ROC, confusion matrix, and the network beside the trivial rules."""
        from firstread.evaluation.classification_plots import plot_overview

        auc_texts = dict(zip(self.per_class["class"], self.per_class["AUC"], strict=True))
        return plot_overview(self.predictions, self.confusion, self.comparison, auc_texts=auc_texts)

    def details(self) -> "Figure":
        """Figure of precision-recall, and for two classes of calibration and net benefit."""
        from firstread.evaluation.classification_plots import plot_details

        return plot_details(self.predictions, prevalence=self.given_prevalence)

    def headline(self) -> str:
        """Accuracy of the network, and of the best trivial rule."""
        network, rules = self.comparison.iloc[0], self.comparison[self.comparison["role"] != "network"]
        text = (
            f"The network answered {network['accuracy']:.1%} of {self.predictions.table['case'].nunique()} held-out "
            f"cases correctly (95 % interval {network['low']:.1%} to {network['high']:.1%})."
        )
        if len(rules):
            best = rules.iloc[rules["accuracy"].argmax()]
            text += f" The best trivial rule, {best['name'].removeprefix('rule: ')}, reached {best['accuracy']:.1%}."
        return text

    def tables(self) -> "dict[str, pd.DataFrame]":
        """Each class against the rest, and for two classes what thresholds cost; subgroups, external cohort."""
        tables = {"Each class against the rest": self.per_class}
        if self.costs is not None and self.prevalence is not None:
            share = format_prevalence(self.prevalence)
            tables[f"What thresholds mean for 1,000 patients of whom {share} are positive"] = self.costs
        if self.subgroups is not None:
            tables["Subgroups"] = self.subgroups
        if self.external is not None:
            tables["On the second cohort, beside the first"] = self.external
        return tables

    def _comparison_html(self) -> str:
        """One row each, its accuracy and how far the network is above it; all columns folded."""
        import pandas as pd

        rows = []
        for row in self.comparison.to_dict("records"):
            accuracy = Estimate(row["accuracy"], row["low"], row["high"], "")
            above = Estimate(row["difference"], row["difference low"], row["difference high"], "")
            rows.append((row["name"], str(accuracy), "" if row["role"] == "network" else str(above)))
        columns = ["name", "accuracy [interval]", "network minus rule [interval]"]
        return to_html(pd.DataFrame(rows, columns=columns)) + fold("All columns", to_html(self.comparison, missing=""))

    def _figures(self) -> "tuple[Figure, ...]":
        from firstread.evaluation.classification_plots import plot_beside_rules, plot_roc_and_confusion

        auc_texts = dict(zip(self.per_class["class"], self.per_class["AUC"], strict=True))
        first = plot_roc_and_confusion(self.predictions, self.confusion, auc_texts=auc_texts)
        return (first, plot_beside_rules(self.comparison)) if len(self.comparison) > 1 else (first,)

    def _extra_text(self) -> tuple[str, ...]:
        tables = [table for table in (self.subgroups, self.external) if table is not None]
        return (self.confusion.to_string(), *(table.to_string(index=False) for table in tables))

    def _extra_json(self) -> dict[str, Any]:
        values: dict[str, Any] = {
            "confusion": {"classes": list(self.confusion.index), "counts": self.confusion.to_numpy()},
            "threshold": self.threshold,
        }
        for name, table in (("subgroups", self.subgroups), ("external", self.external)):
            if table is not None:
                values[name] = table.to_dict("records")
        return values


def evaluate_classification(
    predictions: Predictions,
    *,
    threshold: float | str = 0.5,
    validation: Predictions | None = None,
    prevalence: float | None = None,
    by: str | Mapping[str, Any] | None = None,
    external: Predictions | None = None,
    confidence: float = 0.95,
) -> ClassificationEvaluation:
    """Classification metrics with confidence intervals, always beside trivial baselines (entry point of `metrics`).

    Args:
        predictions: from `predict`, or any table with truth and scores. Cases without a truth are left out and counted.
        threshold: for two classes, the score of the positive class from which a case is predicted positive; or a rule
            that chooses it on `validation`: "validation:youden", "validation:sensitivity=0.95",
            "validation:specificity=0.9".
        validation: predictions of the validation cases, for such a rule.
        prevalence: share of positives in your clinic, for PPV, NPV and costs; default as in the data.
        by: subgroups: a column of the predictions or of their cohort ("scanner", "sex", "age_years"), or case ->
            subgroup.
        external: predictions of the same frozen model for a second cohort, to stand beside with the drop.
        confidence: of all intervals.

    Returns:
        Tables, figures and notes. If the predictions hold several seeds, values are means over the seeds and intervals
        hold the spread between patients and between seeds.

    Raises:
        DataError: no case has a truth, or cohorts that should be apart share patients.
        SettingError: an impossible threshold.
    """
    import pandas as pd

    validate_confidence(confidence)
    if prevalence is not None:
        validate_prevalence(prevalence)
    chosen = choose_threshold(threshold, validation)
    if chosen.note and validation is not None:
        _refuse_shared_cases(predictions, validation)
    cases = ScoredCases.of(predictions, threshold=chosen.value)
    scorer = Scorer(cases, confidence=confidence)
    summary = _summary(scorer, prevalence)
    costs, positive_share = None, None
    if cases.binary and len(np.unique(cases.truth)) == 2:
        positive_share = float(cases.truth.mean()) if prevalence is None else prevalence
        costs = outcomes_per_1000(cases, prevalence=positive_share, confidence=confidence)
    beside = None
    if external is not None:
        other = ScoredCases.of(external, threshold=chosen.value)
        found = _summary(Scorer(other, confidence=confidence), prevalence)
        beside = compare_cohorts(summary, found, units=(cases.units, other.units))
    names = list(predictions.classes)
    counts = metrics.confusion_counts(cases.truth, cases.predicted, classes=len(names))
    comparison = compare_with_baselines(predictions, threshold=chosen.value, confidence=confidence)
    return ClassificationEvaluation(
        summary=summary,
        comparison=comparison,
        confusion=pd.DataFrame(counts, index=pd.Index(names, name="truth"), columns=pd.Index(names, name="answer")),
        per_class=per_class_table(scorer),
        costs=costs,
        prevalence=positive_share,
        given_prevalence=prevalence,
        threshold=chosen.value,
        subgroups=None if by is None else evaluate_subgroups(predictions, cases, by, confidence=confidence),
        external=beside,
        notes=(*_make_notes(predictions, cases, chosen), *describe_baselines(comparison, confidence=confidence)),
        predictions=predictions,
    )


def _summary(scorer: Scorer, prevalence: float | None) -> dict[str, Estimate]:
    if not scorer.cases.binary:
        return multiclass_metrics(scorer)
    return binary_metrics(scorer, prevalence=prevalence) | calibration_metrics(scorer)


def _refuse_shared_cases(predictions: Predictions, validation: Predictions) -> None:
    """Refuse a threshold that would be chosen on the patients it is then measured on."""
    first, second = (independent_units(one.table) for one in (predictions, validation))
    if shared := set(first.groups) & set(second.groups):
        raise DataError(
            f"{len(shared)} {first.name}s are both in the validation cases and in those to be measured",
            expected="a threshold chosen on other patients than it is measured on",
            do="predict cohort.validation for the one and cohort.test for the other",
        )


def _make_notes(predictions: Predictions, cases: ScoredCases, threshold: ChosenThreshold) -> tuple[str, ...]:
    """Remarks for the reader: positive class, size and split, cases left out, undefined metrics, seeds, folds."""
    notes = []
    if predictions.positive:
        notes.append(
            f'"{predictions.positive}" is the positive class: sensitivity is the share of {predictions.positive} cases '
            f"that scored {threshold.value:.3g} or more."
        )
    if threshold.note:
        notes.append(threshold.note)
    notes.append(_describe_cases(predictions, cases))
    left_out = len(predictions) - len(cases.truth)
    if left_out:
        notes.append(f"{left_out} cases have no known truth and were left out.")
    missing = [name for k, name in enumerate(predictions.classes) if not (cases.truth == k).any()]
    if missing:
        notes.append(f"No case of {', '.join(missing)}: what needs them, such as AUC, is not defined.")
    if cases.units.seed_count > 1:
        notes.append(
            f"Mean over {cases.units.seed_count} seeds; cases are not counted twice, and intervals hold the spread "
            f"between {cases.units.name}s and between seeds."
        )
    if cases.units.note:
        notes.append(cases.units.note)
    if "fold" in predictions.table:
        notes.append("Scores of different folds come from different networks and are ranked together for the AUC.")
    return tuple(notes)


def _describe_cases(predictions: Predictions, cases: ScoredCases) -> str:
    """Size, and the split and seeds that the rows are of."""
    table = predictions.table
    text = f"Measured on {cases.units.describe()}"
    splits = sorted(table["split"].dropna().unique()) if "split" in table else []
    if splits:
        text += f", split {', '.join(splits)}"
    if "seed" in table and 1 <= table["seed"].nunique() <= 10:
        text += f" (seed {', '.join(str(seed) for seed in sorted(table['seed'].dropna().unique()))})"
    return f"{text}."
