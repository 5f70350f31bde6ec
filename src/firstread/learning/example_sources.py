"""Where a cohort's examples come from: pictures for networks of pictures, slices for networks of volumes."""

import numpy as np

from firstread.core.cohort import Cohort
from firstread.learning.examples import Examples, load_pictures
from firstread.learning.models.protocol import Model
from firstread.learning.volume_slices import load_slices


def load_examples(model: Model, cohort: Cohort) -> Examples:
    """Examples of a cohort as a network takes them, with their targets."""
    if model.inputs.is_volume:
        reader = getattr(cohort.task, "reader", None)
        return load_slices(cohort, model.inputs, getattr(model.task, "structures", ()), reader=reader)
    return load_pictures(cohort, model.inputs, picture_targets(cohort))


def picture_targets(cohort: Cohort) -> np.ndarray:
    """What a network of pictures learns of each case: (N,) int64 class indices, or float32 of the task's `targets`."""
    task_targets = getattr(cohort.task, "targets", None)
    return cohort.targets if task_targets is None else np.asarray(task_targets(cohort.tables), np.float32)
