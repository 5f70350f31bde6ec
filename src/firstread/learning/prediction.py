"""`predict`: what a network says of each case, with the trivial rules' answers beside it."""

from dataclasses import replace

import numpy as np
import torch

from firstread.core.case import Case
from firstread.core.cohort import Cohort, Origin
from firstread.core.columns import make_table
from firstread.core.errors import DataError, SettingError
from firstread.core.predictions import Predictions
from firstread.learning.loop import images_at_once, plain_batches
from firstread.learning.models import Classifier


def predict(model: Classifier, cases: Cohort | Case, *, baselines: bool = True) -> Predictions:
    """Let a network read cases.

    Args:
        model: a trained network.
        cases: a cohort (labels may be missing), or one case.
        baselines: also let the trivial rules read them, fitted on the training part of the cohort that they come from
            (`cases.whole`). Without such a part there are none.

    Returns:
        Predictions: one row a case, a score for each class.

    Raises:
        DataError: no cases, or a file that cannot be read.
    """
    if not isinstance(model, Classifier) or not isinstance(cases, (Cohort, Case)):
        raise SettingError("predict takes a network and a cohort or one case, in this order")
    cohort = _as_cohort(cases, model) if isinstance(cases, Case) else cases
    if not len(cohort):
        raise DataError("There are no cases to predict", do="check the split: cohort.counts() shows how many are where")
    found = Predictions.from_scores(
        cohort.table, scores(model, cohort.images(model.size, channels=model.channels)),
        classes=model.classes, model=model.backbone_name,
    )  # fmt: skip
    whole = cohort.whole
    if baselines and whole is not None and len(whole.train) and cohort.classes == model.classes:
        from firstread.curation.baselines import trivial_baselines

        return found.with_baselines(trivial_baselines(whole.train, cohort))
    return found


@torch.inference_mode()
def scores(model: Classifier, images: np.ndarray) -> np.ndarray:
    """(N, K) probabilities for uint8 images (N, S, S) or (N, S, S, 3)."""
    model.eval()
    batch_size = images_at_once(model.size)
    parts = [
        model.probabilities(model(batch)).cpu().numpy() for batch in plain_batches(model, images, batch_size=batch_size)
    ]
    return np.concatenate(parts)


def _as_cohort(case: Case, model: Classifier) -> Cohort:
    row = {"case": case.case, "file": case.file, "frame": case.frame, "patient": case.patient, "split": case.split}
    row["label"] = case.label if case.label in model.classes else None
    cohort = Cohort(make_table([row]), model.classes, Origin("one case"))
    return replace(cohort, window=case.window)
