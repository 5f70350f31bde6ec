"""Predictions made from arrays, for the tests of metrics and comparisons."""

import numpy as np
import pandas as pd

from firstread.core.predictions import Predictions
from firstread.core.tasks import Classification

CLASSES = ("normal", "disease")


def binary_predictions(truth, scores, *, model="net", **columns):
    """Predictions of two classes: truth 0/1 (N,), scores of the second class (N,), and further columns."""
    truth, scores = np.asarray(truth), np.asarray(scores, float)
    table = pd.DataFrame(
        {
            "case": columns.pop("case", [f"c{i}" for i in range(len(truth))]),
            "truth": [CLASSES[t] for t in truth],
            "score_normal": 1 - scores,
            "score_disease": scores,
            **columns,
        }
    )
    return Predictions(table, Classification(CLASSES), model)


def answers(right, *, truth=None, **columns):
    """Predictions that are right (True) or wrong (False) for each case, half of them of each class."""
    right = np.asarray(right, bool)
    truth = np.arange(len(right)) % 2 if truth is None else np.asarray(truth)
    return binary_predictions(truth, np.where(right, truth, 1 - truth).astype(float), **columns)


def with_seeds(rights, **columns):
    """Predictions of several seeds: (S, N) right or wrong of the same N cases."""
    rights = np.asarray(rights, bool)
    seeds, cases = rights.shape
    table = {name: np.tile(values, seeds) for name, values in columns.items()}
    return answers(
        rights.ravel(),
        truth=np.tile(np.arange(cases) % 2, seeds),
        case=[f"c{i}" for _ in range(seeds) for i in range(cases)],
        seed=np.repeat(np.arange(seeds), cases),
        **table,
    )
