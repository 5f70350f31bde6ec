"""`compare`: several predictions of the same cases, by paired differences with intervals and tests by patient."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.files import to_jsonable
from firstread.core.predictions import Predictions
from firstread.evaluation.intervals import validate_confidence
from firstread.evaluation.paired_differences import (
    PAIRED_METRICS,
    PairedDifference,
    correct_p_values,
    paired_differences,
)
from firstread.evaluation.scored_cases import PairedCases, ScoredCases
from firstread.evaluation.scorer import Scorer
from firstread.evaluation.units import count_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Comparison:
    """Result of `compare`: each result with its intervals, the differences of pairs, and a conclusion.

    Attributes:
        table: one row a set of predictions: `name`, `cases`, `patients`, `seeds`, `accuracy`, `low`, `high`, `AUC`,
            `AUC low`, `AUC high`.
        pairs: the difference of each pair in each metric, see `PairedDifference`; p-values are corrected (Holm) for the
            pairs of a metric.
        metric: that the conclusion speaks of, named before the result was seen.
        confidence: of the intervals, such as 0.95.
        margin: smallest difference that matters, or None.
        notes: remarks for the reader: the unit, seeds, the correction.
    """

    table: "pd.DataFrame"
    pairs: tuple[PairedDifference, ...]
    metric: str
    confidence: float
    margin: float | None
    notes: tuple[str, ...]

    @property
    def differences(self) -> "pd.DataFrame":
        """The pairs as a table: first, second, metric, difference, low, high, p_value, p_corrected, test."""
        import pandas as pd

        return pd.DataFrame([pair.row for pair in self.pairs], columns=PairedDifference.COLUMNS)

    def difference(self, first: str, second: str, metric: str | None = None) -> PairedDifference:
        """The difference of one pair: `first` minus `second`.

        Raises:
            SettingError: there is no such pair or metric.
        """
        metric = metric or self.metric
        for pair in self.pairs:
            if pair.metric == metric and {pair.first, pair.second} == {first, second}:
                return pair if pair.first == first else pair.reversed()
        raise SettingError(
            f'There is no difference of "{first}" and "{second}" in {metric}',
            expected=", ".join(dict.fromkeys(pair.metric for pair in self.pairs)),
        )

    @property
    def conclusion(self) -> str:
        """The conclusion in a sentence or two: which differences were shown, and what remains possible."""
        size = self._size()
        if len(self.table) == 1:
            row = self.table.iloc[0]
            return (
                f"There is one result, and nothing to compare it with: {row['name']}, accuracy {row['accuracy']:.3f} "
                f"[{row['low']:.3f}, {row['high']:.3f}] on {size}."
            )
        pairs = [pair for pair in self.pairs if pair.metric == self.metric]
        shown = [pair for pair in pairs if pair.shown(self.confidence)]
        sentences = [pair.describe(len(pairs)) for pair in shown]
        if self.margin is not None:
            sentences += [pair.describe_margin(self.margin) for pair in pairs if pair not in shown]
        elif not shown:
            widest = max(pairs, key=lambda pair: abs(pair.estimate.value))
            who = "The two" if len(pairs) == 1 else f"{len(self.table)} results"
            sentences.append(f"{who} cannot be told apart on {size}: {widest.describe_open(len(pairs))}")
        return " ".join(sentences)

    def _size(self) -> str:
        """Number of cases and patients in words."""
        row = self.table.iloc[0]
        text = count_of(int(row["cases"]), "case")
        return text if row["patients"] == row["cases"] else f"{text} of {count_of(int(row['patients']), 'patient')}"

    def figure(self) -> "Figure":
        """Figure of each accuracy with its interval, as points with error bars."""
        from firstread.core.figures import PALETTE, new_figure

        figure, axes = new_figure(panel_width_inches=7.5, panel_height_inches=0.9 + 0.45 * len(self.table))
        axis = axes[0, 0]
        rows = np.arange(len(self.table))[::-1]
        accuracy = self.table["accuracy"].to_numpy(float)
        below, above = accuracy - self.table["low"].to_numpy(float), self.table["high"].to_numpy(float) - accuracy
        spread = np.nan_to_num([below.clip(0), above.clip(0)])
        axis.errorbar(accuracy, rows, xerr=spread, fmt="o", color=PALETTE[0], capsize=4, linewidth=2)
        axis.set_yticks(rows, self.table["name"])
        axis.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(rows) - 0.4), xlabel=f"Accuracy, {self.confidence:.0%} interval")
        return figure

    def to_json(self) -> dict[str, Any]:
        """Results, differences, confidence, conclusion and notes as JSON-serializable values."""
        values: dict[str, Any] = to_jsonable(
            {
                "results": self.table.to_dict("records"),
                "pairs": self.differences.to_dict("records"),
                "metric": self.metric,
                "confidence": self.confidence,
                "margin": self.margin,
                "conclusion": self.conclusion,
                "notes": self.notes,
            }
        )
        return values

    def __repr__(self) -> str:
        tables = [self.table, *([self.differences] if self.pairs else [])]
        texts = [table.to_string(index=False, float_format="{:.3f}".format) for table in tables]
        return "\n\n".join([*texts, self.conclusion, *self.notes])

    def _repr_html_(self) -> str:
        from html import escape

        from firstread.core.figures import figure_html

        number = "{:.3f}".format
        table = self.table.to_html(index=False, float_format=number, border=0)
        image = figure_html(self.figure())
        differences = ""
        if self.pairs:
            caption = "Differences of the pairs, first minus second"
            rows = self.differences.to_html(index=False, float_format=number, border=0)
            differences = f"<details><summary>{caption}</summary>{rows}</details>"
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"{table}{image}<p><b>{escape(self.conclusion)}</b></p>{differences}{notes}"


def compare(
    results: Mapping[str, Predictions],
    *,
    metric: str = "accuracy",
    margin: float | None = None,
    reference: str | None = None,
    threshold: float = 0.5,
    confidence: float = 0.95,
) -> Comparison:
    """Compare several predictions of the same cases: paired differences with intervals and tests, by patient.

    A radiologist should care because two accuracies that differ are seldom two networks that differ: with a few dozen
    cases, another seed reverses the order.

    Args:
        results: name -> predictions; each of the same cases. Cases without a truth are left out. Several seeds of a
            case (of a cross-validation, of repeated trainings) are averaged: they never count as further cases, and
            the spread between them is part of the interval.
        metric: that the conclusion is about: "accuracy", "AUC", and for two classes "sensitivity", "specificity". Name
            it before you look.
        margin: smallest difference that would matter to you. With it the conclusion also says whether one is shown to
            be no worse than another by that much (non-inferiority), or both to be equal within it (equivalence).
        reference: compare all others with this one; default every pair.
        threshold: for two classes, the score of the positive class from which a case is predicted positive.
        confidence: of the intervals, and one minus the significance level after Holm's correction for the pairs.

    Returns:
        Tables, a figure and a conclusion.

    Raises:
        DataError: nothing to compare, or the predictions are not of the same cases.
        SettingError: an unknown metric or reference, or an impossible margin.

    Example:
        >>> import pandas as pd
        >>> from firstread.core.tasks import Classification
        >>> table = pd.DataFrame({"case": list("abcd"), "truth": list("nynn"), "score_n": [0.9, 0.2, 0.8, 0.7]})
        >>> answers = Predictions(table.assign(score_y=1 - table["score_n"]), Classification(("n", "y")))
        >>> comparison = fr.compare({"first": answers, "second": answers})
        >>> comparison.table["accuracy"].tolist()
        [1.0, 1.0]

    Source:
        Paired proportions: McNemar 1947, doi 10.1007/BF02295996, and Bonett and Price 2012, doi
        10.3102/1076998611411915. AUC: DeLong 1988, doi 10.2307/2531595, by patient Obuchowski 1997, doi
        10.2307/2533958. Margins: Piaggio 2012, doi 10.1001/jama.2012.87802. Several pairs: Holm 1979.
    """
    import pandas as pd

    if not results:
        raise DataError("There is nothing to compare", expected="a dictionary of name and predictions")
    validate_confidence(confidence)
    paired = PairedCases.of({name: ScoredCases.of(one, threshold=threshold) for name, one in results.items()})
    names = list(paired.results)
    metrics = PAIRED_METRICS if paired.results[names[0]].binary else ("accuracy", "AUC")
    if metric not in metrics:
        raise SettingError(
            f'metric="{metric}" cannot be compared.{suggest(metric, metrics)}', expected=", ".join(metrics)
        )
    if margin is not None and not 0 < margin < 1:
        raise SettingError(
            f"margin={margin} is not possible", expected="a difference above 0 and below 1, such as 0.05"
        )
    if reference is not None and reference not in names:
        raise SettingError(f'There is no result "{reference}".{suggest(reference, names)}')
    rows = [_result_row(name, Scorer(cases, confidence=confidence)) for name, cases in paired.results.items()]
    couples = [(name, reference) for name in names if name != reference] if reference else list(combinations(names, 2))
    pairs = [
        pair
        for couple in couples
        for pair in paired_differences(paired, *couple, metrics=metrics, confidence=confidence)
    ]
    columns = ["name", "cases", "patients", "seeds", "accuracy", "low", "high", "AUC", "AUC low", "AUC high"]
    return Comparison(
        table=pd.DataFrame(rows, columns=columns),
        pairs=correct_p_values(pairs),
        metric=metric,
        confidence=confidence,
        margin=margin,
        notes=_make_notes(paired, len(couples), metric),
    )


def _result_row(name: str, scorer: Scorer) -> tuple[Any, ...]:
    accuracy, area, units = scorer.accuracy(), scorer.auc(), scorer.cases.units
    counts = (units.case_count, units.count, units.seed_count)
    return name, *counts, accuracy.value, accuracy.low, accuracy.high, area.value, area.low, area.high


def _make_notes(paired: PairedCases, pair_count: int, metric: str) -> tuple[str, ...]:
    """What a reader must know: unit of the tests, seeds, correction."""
    units = [one.units for one in paired.results.values()]
    notes = [units[0].note] if units[0].note else []
    if pair_count and all(one.seed_count == 1 for one in units):
        notes.append(
            "Each is one training: the intervals speak of these networks on other patients, not of other trainings "
            "with the same recipe."
        )
    elif pair_count:
        notes.append("Several seeds of a case are averaged; the intervals hold the spread between patients and seeds.")
    if pair_count > 1:
        notes.append(f"P-values are corrected for {pair_count} pairs (Holm); the conclusion is about {metric} alone.")
    return tuple(notes)
