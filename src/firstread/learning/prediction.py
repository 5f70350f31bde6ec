"""`predict`: class scores of a network for each case, with those of the trivial baselines."""

from typing import Any

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError, SettingError
from firstread.core.predictions import Predictions
from firstread.core.provenance import Origin
from firstread.learning.examples import ArrayExamples, Examples, load_pictures
from firstread.learning.loop import sequential_batches
from firstread.learning.models.protocol import Model, check_predictor


def predict(model: Model, cases: Cohort | Case, *, baselines: bool = True) -> Predictions:
    """Predict cases, on the device that the network was trained on.

    Args:
        model: a trained network.
        cases: a cohort (labels may be missing), or one case.
        baselines: let the trivial rules stand beside the network in `evaluate`. They are fitted then, on the training
            split of the cohort that the cases come from (`cases.parent`). Without a training split there are none.

    Returns:
        Predictions: one row a case, a score for each class.

    Raises:
        DataError: no cases, or a file that cannot be read.

    Example:
        >>> cohort = fr.split_by_patient(fr.simulate_patients(10, size=64))
        >>> model = fr.build_model(classes=cohort.classes, size=32)
        >>> predictions = fr.predict(model, cohort.test)
        >>> len(predictions), predictions.scores.sum(axis=1).round(6).tolist()
        (2, [1.0, 1.0])
    """
    check_predictor(model)
    if not isinstance(cases, (Cohort, Case)):
        raise SettingError("predict takes a network and a cohort or one case, in this order")
    cohort = _case_to_cohort(cases, model) if isinstance(cases, Case) else cases
    if not len(cohort):
        raise DataError("There are no cases to predict", do="check the split: cohort.counts() shows how many are where")
    scores = _predict_examples(model, load_pictures(cohort, model.inputs, cohort.targets, once=True))
    return Predictions.from_scores(
        cohort.table,
        scores,
        classes=model.task.classes,  # type: ignore[attr-defined]
        model=model.describe()["backbone"],
        cohort=cohort if baselines else None,
    )


def predict_scores(model: Model, images: np.ndarray) -> np.ndarray:
    """Class probabilities (N, K) of uint8 images (N, S, S) or (N, S, S, 3)."""
    return _predict_examples(model, ArrayExamples(images, np.full(len(images), -1)))


@torch.inference_mode()
def _predict_examples(model: Any, examples: Examples) -> np.ndarray:
    """Class probabilities (N, K)."""
    model.eval()
    batches = sequential_batches(examples, prepare=model.prepare, batch_size=model.inputs.inference_batch_size)
    return np.concatenate([model.probabilities(model(batch)).cpu().numpy() for batch, _ in batches])


def _case_to_cohort(case: Case, model: Model) -> Cohort:
    classes = model.task.classes  # type: ignore[attr-defined]
    row = {"case": case.case, "file": case.file, "frame": case.frame, "patient": case.patient, "split": case.split}
    row["label"] = case.label if case.label in classes else None
    return Cohort.from_table(make_table([row]), classes, Origin("one case"), window=case.window)
