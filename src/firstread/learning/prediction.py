"""`predict`: class scores of a network for each case, with those of the trivial baselines."""

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.cohort import Cohort, Origin
from firstread.core.columns import make_table
from firstread.core.errors import DataError, SettingError
from firstread.core.predictions import Predictions
from firstread.learning.loop import inference_batch_size, sequential_batches
from firstread.learning.models import Classifier


def predict(model: Classifier, cases: Cohort | Case, *, baselines: bool = True) -> Predictions:
    """Predict the classes of cases.

    Args:
        model: a trained network.
        cases: a cohort (labels may be missing), or one case.
        baselines: let the trivial rules stand beside the network in `evaluate`. They are fitted then, on the training
            split of the cohort that the cases come from (`cases.parent`). Without a training split there are none.

    Returns:
        Predictions: one row a case, a score for each class.

    Raises:
        DataError: no cases, or a file that cannot be read.
    """
    if not isinstance(model, Classifier) or not isinstance(cases, (Cohort, Case)):
        raise SettingError("predict takes a network and a cohort or one case, in this order")
    cohort = _case_to_cohort(cases, model) if isinstance(cases, Case) else cases
    if not len(cohort):
        raise DataError("There are no cases to predict", do="check the split: cohort.counts() shows how many are where")
    scores = predict_scores(model, cohort.images(model.size, channels=model.channels))
    return Predictions.from_scores(
        cohort.table,
        scores,
        classes=model.classes,
        model=model.backbone_name,
        cohort=cohort if baselines else None,
    )


@torch.inference_mode()
def predict_scores(model: Classifier, images: np.ndarray) -> np.ndarray:
    """Class probabilities (N, K) of uint8 images (N, S, S) or (N, S, S, 3)."""
    model.eval()
    batches = sequential_batches(model, images, batch_size=inference_batch_size(model.size))
    return np.concatenate([model.probabilities(model(batch)).cpu().numpy() for batch in batches])


def _case_to_cohort(case: Case, model: Classifier) -> Cohort:
    row = {"case": case.case, "file": case.file, "frame": case.frame, "patient": case.patient, "split": case.split}
    row["label"] = case.label if case.label in model.classes else None
    return Cohort.from_table(make_table([row]), model.classes, Origin("one case"), window=case.window)
