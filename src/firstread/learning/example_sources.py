"""Where a cohort's examples come from: pictures for networks of pictures, slices for networks of volumes."""

from firstread.core.cohort import Cohort
from firstread.learning.examples import Examples, load_pictures
from firstread.learning.models.protocol import Model
from firstread.learning.volume_slices import load_slices


def load_examples(model: Model, cohort: Cohort) -> Examples:
    """Examples of a cohort as a network takes them, with their targets."""
    if model.inputs.is_volume:
        return load_slices(cohort, model.inputs, getattr(model.task, "structures", ()))
    return load_pictures(cohort, model.inputs, cohort.targets)
