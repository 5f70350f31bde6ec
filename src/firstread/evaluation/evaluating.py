"""`evaluate`: every metric with its interval, beside the trivial rules, from a table of predictions."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError, SettingError
from firstread.core.files import plain
from firstread.core.predictions import Predictions
from firstread.evaluation import metrics
from firstread.evaluation.calibration import expected_calibration_error
from firstread.evaluation.intervals import (
    UNDEFINED,
    Estimate,
    auc_interval,
    bootstrap,
    check_confidence,
    wilson,
)
from firstread.evaluation.thresholds import clinic_costs, predictive_values

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 500


@dataclass(frozen=True)
class Evaluation:
    """What a set of predictions is worth.

    Attributes:
        table: columns `metric`, `value`, `low`, `high`, `method`.
        comparison: the network and each trivial rule: `name`, `role`, `accuracy`, `low`, `high`, `AUC`, `AUC low`,
            `AUC high` (macro over classes where there are more than two).
        confusion: counts; rows the truth, columns the answer.
        per_class: one row a class against the rest: sensitivity, specificity, PPV, NPV, F1, AUC, each as an Estimate's text.
        costs: for two classes, what thresholds mean for 1,000 patients at `prevalence`; else None.
        prevalence: share of positives that `costs` is for, or None.
        notes: what a reader must know: polarity, cases left out, what could not be computed.
        predictions: what was evaluated.
    """

    table: "pd.DataFrame"
    comparison: "pd.DataFrame"
    confusion: "pd.DataFrame"
    per_class: "pd.DataFrame"
    costs: "pd.DataFrame | None"
    prevalence: float | None
    notes: tuple[str, ...]
    predictions: Predictions = field(repr=False)

    def metric(self, name: str) -> Estimate:
        """One metric by name, such as "AUC"."""
        row = self.table[self.table["metric"] == name]
        if row.empty:
            raise SettingError(f'There is no metric "{name}"', expected=", ".join(self.table["metric"]))
        first = row.iloc[0]
        return Estimate(first["value"], first["low"], first["high"], first["method"])

    def figure(self) -> Any:
        """ROC, confusion matrix, and the network beside the trivial rules."""
        from firstread.evaluation.figures import overview

        areas = dict(zip(self.per_class["class"], self.per_class["AUC"], strict=True))
        return overview(self.predictions, self.confusion, self.comparison, areas=areas)

    def details(self) -> Any:
        """Precision-recall and calibration."""
        from firstread.evaluation.figures import details

        return details(self.predictions)

    def show(self) -> "Evaluation":
        """In a notebook, tables and figures in place."""
        return self

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return plain(
            {
                "model": self.predictions.model,
                "cases": len(self.predictions),
                "metrics": self.table.set_index("metric").to_dict("index"),
                "comparison": self.comparison.to_dict("records"),
                "confusion": {"classes": list(self.confusion.index), "counts": self.confusion.to_numpy()},
                "notes": self.notes,
            }
        )

    def __repr__(self) -> str:
        parts = [_text(self.table), _text(self.comparison), self.confusion.to_string(), *self.notes]
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        from html import escape

        from firstread.core.figures import data_address, png_bytes

        picture = data_address(png_bytes(self.figure(), dpi=100))
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"{_html(self.table)}<h4>Beside trivial rules</h4>{_html(self.comparison)}"
            f'<img style="max-width:100%" alt="ROC, confusion matrix, trivial rules" src="{picture}">{notes}'
        )


def evaluate(
    predictions: Predictions,
    *,
    threshold: float = 0.5,
    prevalence: float | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Measure predictions. The trivial rules that they carry stand in the same table, always.

    Args:
        predictions: from `predict`, or any table with truth and scores. Cases without a truth are left out, and counted.
        threshold: for two classes, the score of the positive class from which a case is called positive.
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

    check_confidence(confidence)
    if not 0 <= threshold <= 1:
        raise SettingError(f"threshold={threshold} is not possible", expected="a score from 0 to 1")
    known = predictions.truth >= 0
    if not known.any():
        raise DataError("No case has a truth to compare with", where=predictions.model, do="predict labelled cases")
    judged = _Judged(predictions, threshold=threshold, confidence=confidence, seed=seed)
    binary = len(predictions.classes) == 2
    estimates = judged.binary_metrics(prevalence) if binary else judged.multiclass_metrics()
    rows = [(name, e.value, e.low, e.high, e.method) for name, e in estimates.items()]
    costs, share = None, None
    if binary and len(np.unique(judged.truth)) == 2:
        share = float(judged.truth.mean()) if prevalence is None else prevalence
        costs = clinic_costs(judged.truth, judged.scores[:, 1], prevalence=share)
    names = list(predictions.classes)
    counts = metrics.confusion_counts(judged.truth, judged.called, classes=len(names))
    return Evaluation(
        table=pd.DataFrame(rows, columns=["metric", "value", "low", "high", "method"]),
        comparison=_comparison(predictions, threshold=threshold, confidence=confidence, seed=seed),
        confusion=pd.DataFrame(counts, index=pd.Index(names, name="truth"), columns=pd.Index(names, name="answer")),
        per_class=judged.per_class(),
        costs=costs,
        prevalence=share,
        notes=_notes(predictions, judged, threshold),
        predictions=predictions,
    )


class _Judged:
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


def _comparison(predictions: Predictions, *, threshold: float, confidence: float, seed: int) -> "pd.DataFrame":
    import pandas as pd

    rows = []
    for role, one in (("network", predictions), *(("trivial rule", b) for b in predictions.baselines)):
        judged = _Judged(one, threshold=threshold if role == "network" else 0.5, confidence=confidence, seed=seed)
        accuracy = judged.accuracy()
        area = judged.area(1) if len(one.classes) == 2 else judged.macro_area()
        rows.append((one.model, role, accuracy.value, accuracy.low, accuracy.high, area.value, area.low, area.high))
    names = ["name", "role", "accuracy", "low", "high", "AUC", "AUC low", "AUC high"]
    return pd.DataFrame(rows, columns=names)


def _notes(predictions: Predictions, judged: _Judged, threshold: float) -> tuple[str, ...]:
    notes = []
    if predictions.positive:
        notes.append(
            f'"{predictions.positive}" is the positive class: sensitivity is the share of {predictions.positive} cases '
            f"that scored {threshold:g} or more."
        )
    left_out = len(predictions) - len(judged.truth)
    if left_out:
        notes.append(f"{left_out} cases have no known truth and were left out.")
    missing = [name for k, name in enumerate(predictions.classes) if not (judged.truth == k).any()]
    if missing:
        notes.append(f"No case of {', '.join(missing)}: what needs them, such as AUC, is not defined.")
    seeds = len(np.unique(judged.seeds))
    if seeds > 1:
        notes.append(f"Mean over {seeds} seeds; intervals from resampling cases, not seeds.")
    if "fold" in predictions.table:
        notes.append("Scores of different folds come from different networks and are ranked together for the AUC.")
    own = float((judged.called == judged.truth).mean())
    rules = [b for b in predictions.baselines if _accuracy(b) >= own]
    if rules:
        names = ", ".join(f"{b.model} ({_accuracy(b):.3f})" for b in rules)
        notes.append(f"A trivial rule does as well as the network or better: {names}. What has it learnt?")
    elif not predictions.baselines:
        notes.append("No trivial rule stands beside these predictions: the training cases are not known.")
    return tuple(notes)


def _accuracy(predictions: Predictions) -> float:
    known = predictions.truth >= 0
    return float((predictions.predicted[known] == predictions.truth[known]).mean())


def _complement(estimate: Estimate) -> Estimate:
    return Estimate(1 - estimate.value, 1 - estimate.high, 1 - estimate.low, estimate.method)


def _text(table: "pd.DataFrame") -> str:
    return table.to_string(index=False, float_format="{:.3f}".format)


def _html(table: "pd.DataFrame") -> str:
    return table.to_html(index=False, float_format="{:.3f}".format, border=0, na_rep="not defined")
