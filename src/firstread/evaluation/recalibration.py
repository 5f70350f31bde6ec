"""Recalibration: temperature scaling, fitted on validation predictions and applied to others."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError
from firstread.core.predictions import Predictions
from firstread.evaluation.intervals import MIN_UNITS, Estimate, validate_confidence
from firstread.evaluation.logistic_regression import SCORE_LIMIT, clipped_logit, likelihood_interval, t_quantile
from firstread.evaluation.units import independent_units

if TYPE_CHECKING:
    import pandas as pd

#: columns by which cases of the validation are recognized in what the temperature is applied to
_IDENTITY_COLUMNS = ("case", "patient", "component")
#: of a temperature; with a higher one scores would round to 0 and 1
_HIGHEST_INVERSE = 50.0


@dataclass(frozen=True)
class Temperature:
    """A temperature of scores: above 1 it makes them less extreme, below 1 more; 1 leaves them as they are.

    Attributes:
        temperature: by which logits are divided.
        interval: of the temperature, by patient.
        fitted_on: number of validation cases.
        classes: of the predictions.
        known: cases, patients and components of the validation, to which it must not be applied.
    """

    temperature: float
    interval: Estimate
    fitted_on: int
    classes: tuple[str, ...]
    known: frozenset[tuple[str, str]] = field(repr=False)

    def apply(self, predictions: Predictions) -> Predictions:
        """Recalibrate predictions: new scores, the same order.

        With two classes the order of the cases stays exactly the same, and with it the AUC; with more, the answer of
        each case does, while the order of different cases within a class may change.

        Args:
            predictions: of other cases than those that the temperature was fitted on.

        Returns:
            A copy with new scores, whose model is called "..., recalibrated".

        Raises:
            DataError: other classes, or cases or patients of the validation among them.
        """
        if predictions.classes != self.classes:
            raise DataError(
                "The temperature was fitted for other classes",
                expected=", ".join(self.classes),
                do="fit it on validation predictions of the same network",
            )
        shared = self.known & _identities(predictions.table)
        if shared:
            kinds = " and ".join(sorted({f"{kind}s" for kind, _ in shared}))
            raise DataError(
                f"The temperature was fitted on {kinds} of these predictions: {len(shared)} are the same",
                expected="cases of patients that the temperature has not seen",
                do="fit it on validation predictions and apply it to test predictions; number cases and patients of "
                "different collections apart",
            )
        scores = _scaled_scores(predictions.scores, 1 / self.temperature)
        columns = {f"score_{name}": scores[:, index] for index, name in enumerate(self.classes)}
        return replace(
            predictions, table=predictions.table.assign(**columns), model=f"{predictions.model}, recalibrated"
        )

    def __str__(self) -> str:
        return f"temperature {self.interval}, fitted on {self.fitted_on} cases"


def fit_temperature(predictions: Predictions, *, confidence: float = 0.95) -> Temperature:
    """Fit a temperature on validation predictions, so that scores become probabilities (temperature scaling).

    A radiologist should care because networks are mostly overconfident: of cases with a score of 0.99, one in five may
    be wrong. One number, found on cases that are neither trained on nor reported, repairs most of it.

    Args:
        predictions: of validation cases, from `predict`; for two or more classes. Cases without a truth are left out.
        confidence: of the interval.

    Returns:
        A temperature with `apply`.

    Raises:
        DataError: cases of the training or test part, fewer than 5 patients, or scores for which no temperature is
            best: every case is answered correctly, or no better than by chance.

    Source: Guo 2017, doi 10.48550/arXiv.1706.04599.

    Example:
        >>> import pandas as pd
        >>> from firstread.core.tasks import Classification
        >>> scores, truth = np.tile([0.01, 0.02, 0.98, 0.99], 10), np.array(["no", "no", "yes", "yes"] * 10)
        >>> truth[:8] = ["yes", "no", "no", "yes", "no", "yes", "yes", "no"]
        >>> table = pd.DataFrame({"case": [f"v{i}" for i in range(40)], "truth": truth, "score_no": 1 - scores})
        >>> validation = Predictions(table.assign(score_yes=scores), Classification(("no", "yes")))
        >>> found = fit_temperature(validation)
        >>> found.temperature > 1  # 36 of 40 correct, and much surer than that
        True
        >>> test = Predictions(table.assign(score_yes=scores, case=[f"t{i}" for i in range(40)]), validation.task)
        >>> found.apply(test).scores[0].round(2).tolist()
        [0.92, 0.08]
    """
    validate_confidence(confidence)
    if predictions.task.kind != "classification":
        raise DataError("A temperature needs scores of classes", where=predictions.task.kind)
    known = predictions.truth >= 0
    table = predictions.table[known]
    _check_split(table)
    groups = independent_units(table).groups
    patients = len(np.unique(groups))
    if patients < MIN_UNITS:
        raise DataError(
            f"A temperature cannot be fitted on {patients} patients", expected=f"{MIN_UNITS} at least, better 50"
        )
    logits, truth = _log_scores(predictions.scores[known]), predictions.truth[known]
    inverse = _best_inverse(logits, truth)
    slope, curvature = _derivatives(logits, truth, inverse)
    information = float(curvature.sum())
    patient = np.unique(groups, return_inverse=True)[1]
    rest = information - np.bincount(patient, weights=curvature)
    robust = float(((np.bincount(patient, weights=slope) / np.maximum(rest, 1e-12)) ** 2).sum())
    scale = max(1.0, (patients - 1) / patients * robust * information)
    low, high = likelihood_interval(
        lambda value: _log_likelihood(logits, truth, value),
        inverse,
        step=float(np.sqrt(scale / information)),
        cutoff=t_quantile(patients, confidence) ** 2 * scale,
    )
    bounds = 1 / high, 1 / low if low > 0 else float("inf")
    interval = Estimate(1 / inverse, *bounds, "profile likelihood by patient", len(table), "1 changes nothing")
    return Temperature(1 / inverse, interval, len(table), predictions.classes, frozenset(_identities(table)))


def _check_split(table: "pd.DataFrame") -> None:
    """Refuse predictions that are of the training or the test part."""
    stated = set(table["split"].dropna()) if "split" in table else set()
    if wrong := stated & {"train", "test"}:
        raise DataError(
            f"These are predictions of the {' and the '.join(sorted(wrong))} part",
            expected="validation cases, which the network was not trained on and no result is reported for",
            do="use predict(model, cohort.validation)",
        )


def _identities(table: "pd.DataFrame") -> set[tuple[str, str]]:
    """Cases, patients and components of a table, each with the name of its column."""
    columns = [name for name in _IDENTITY_COLUMNS if name in table]
    return {(name, str(value)) for name in columns for value in table[name].dropna()}


def _log_scores(scores: np.ndarray) -> np.ndarray:
    """Logits (N, K) up to a constant of each case; with two classes from the score of the second."""
    if scores.shape[1] == 2:
        return np.stack([np.zeros(len(scores)), clipped_logit(scores[:, 1])], axis=1)
    logits: np.ndarray = np.log(np.clip(scores, SCORE_LIMIT, None))
    return logits


def _log_likelihood(logits: np.ndarray, truth: np.ndarray, inverse: float) -> float:
    """Log likelihood of the truth where logits are multiplied with the inverse of a temperature."""
    from scipy.special import log_softmax

    return float(log_softmax(inverse * logits, axis=1)[np.arange(len(truth)), truth].sum())


def _derivatives(logits: np.ndarray, truth: np.ndarray, inverse: float) -> tuple[np.ndarray, np.ndarray]:
    """First derivative (N,) of each case's log likelihood, and (N,) minus the second."""
    from scipy.special import softmax

    shares = softmax(inverse * logits, axis=1)
    mean = (shares * logits).sum(axis=1)
    return logits[np.arange(len(truth)), truth] - mean, (shares * logits**2).sum(axis=1) - mean**2


def _best_inverse(logits: np.ndarray, truth: np.ndarray) -> float:
    """Inverse of the temperature with the highest likelihood."""
    from scipy.optimize import brentq

    def slope(inverse: float) -> float:
        return float(_derivatives(logits, truth, inverse)[0].sum())

    if slope(0.0) <= 1e-12:
        raise DataError(
            "The scores do not agree with the truth more than chance does, so no temperature makes them probabilities",
            do="train a better network first, or look whether classes are mixed up",
        )
    if slope(_HIGHEST_INVERSE) > 0 or not (logits.argmax(axis=1) != truth).any():
        raise DataError(
            "Every validation case is answered correctly, so nothing says how sure the network may be",
            do="use more validation cases, or leave the scores as they are",
        )
    return float(brentq(slope, 0.0, _HIGHEST_INVERSE, xtol=1e-10))


def _scaled_scores(scores: np.ndarray, inverse: float) -> np.ndarray:
    """Scores (N, K) whose logits are multiplied with `inverse`."""
    from scipy.special import expit, softmax

    if scores.shape[1] != 2:
        scaled: np.ndarray = softmax(inverse * _log_scores(scores), axis=1)
        return scaled
    positive = _in_order_of(scores[:, 1], expit(inverse * clipped_logit(scores[:, 1])))
    return np.stack([1 - positive, positive], axis=1)


def _in_order_of(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """`new` moved by as little as keeps exactly the order and the ties of `old`, where rounding has made new ties."""
    _, first, place = np.unique(old, return_index=True, return_inverse=True)
    values = new[first]
    if (np.diff(values) > 0).all():
        return new
    for index in range(len(values) - 2, -1, -1):
        values[index] = min(values[index], np.nextafter(values[index + 1], 0.0))
    return values[place]
