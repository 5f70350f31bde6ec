"""Cases with a known truth, their scores and decisions, and what of them is independent: input of all metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from firstread.core.decisions import decide
from firstread.core.errors import DataError
from firstread.core.predictions import Predictions
from firstread.evaluation.influence import Sample
from firstread.evaluation.units import Units, independent_units


@dataclass(frozen=True, eq=False)
class ScoredCases:
    """Predictions of a classification, as arrays; a row is a case under one seed.

    Attributes:
        classes: names; of two the second is positive.
        truth: (N,) class indices.
        scores: (N, K) probabilities.
        predicted: (N,) class indices, as decided at the threshold.
        units: what is independent, in words and names.
        sample: the same as integer codes.
    """

    classes: tuple[str, ...]
    truth: np.ndarray
    scores: np.ndarray
    predicted: np.ndarray
    units: Units
    sample: Sample

    @classmethod
    def of(cls, predictions: Predictions, *, threshold: float = 0.5) -> "ScoredCases":
        """The cases with a known truth.

        Args:
            predictions: of a classification.
            threshold: for two classes, the score of the positive class from which a case is predicted positive.

        Raises:
            DataError: no case has a truth.
        """
        known = predictions.truth >= 0
        if not known.any():
            raise DataError("No case has a truth to compare with", where=predictions.model, do="predict labelled cases")
        units, scores = independent_units(predictions.table[known]), predictions.scores[known]
        predicted = decide(scores, threshold=threshold)
        sample = Sample.of(units.groups, units.seeds)
        return cls(predictions.classes, predictions.truth[known], scores, predicted, units, sample)

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.classes) == 2

    @property
    def correct(self) -> np.ndarray:
        """(N,) bool: whether the decision is right."""
        return np.asarray(self.predicted == self.truth)

    def select(self, rows: np.ndarray) -> "ScoredCases":
        """Some of the rows, by position or as a mask."""
        units = self.units.select(rows)
        sample = Sample.of(units.groups, units.seeds)
        return replace(
            self,
            truth=self.truth[rows],
            scores=self.scores[rows],
            predicted=self.predicted[rows],
            units=units,
            sample=sample,
        )


@dataclass(frozen=True, eq=False)
class PairedCases:
    """Several predictions of the same cases, with one numbering of cases and of independent units.

    Attributes:
        results: name -> the scored cases; all have the same units in their `sample`.
        truth: (C,) class index of each case.
        sample: unit of each case.
    """

    results: dict[str, ScoredCases]
    truth: np.ndarray
    sample: Sample
    _rows: dict[str, np.ndarray]

    @classmethod
    def of(cls, scored: Mapping[str, ScoredCases]) -> "PairedCases":
        """Pair results by case.

        Raises:
            DataError: they are not of the same cases, or not of the same truth and classes.
        """
        scored = dict(scored)
        first_name, first = next(iter(scored.items()))
        cases, position = np.unique(first.units.cases, return_index=True)
        unit_of_case = np.unique(first.units.groups[position], return_inverse=True)[1]
        truth, rows = first.truth[position], {}
        for name, one in scored.items():
            if one.classes != first.classes:
                raise DataError(
                    f'"{name}" answers {", ".join(one.classes)}', expected=f"{', '.join(first.classes)}, in this order"
                )
            if set(one.units.cases) != set(cases):
                raise DataError(
                    "The predictions are not of the same cases",
                    where=f'"{first_name}" and "{name}"',
                    do="predict the same cohort with each",
                )
            rows[name] = np.searchsorted(cases, one.units.cases)
            if (one.truth != truth[rows[name]]).any():
                raise DataError("The truth of a case differs", where=f'"{first_name}" and "{name}"')
            sample = Sample(unit_of_case[rows[name]], one.sample.seeds)
            scored[name] = replace(one, sample=sample)
        return cls(scored, truth, Sample(unit_of_case, np.zeros(len(cases), int)), rows)

    def by_case(self, name: str, values: np.ndarray) -> np.ndarray:
        """Mean over seeds of a number of each row: (N,) -> (C,)."""
        rows = self._rows[name]
        sums: np.ndarray = np.bincount(rows, weights=values, minlength=len(self.truth))
        return sums / np.bincount(rows, minlength=len(self.truth))
