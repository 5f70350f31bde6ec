"""Where a cohort's examples come from: pictures for networks of pictures, slices for networks of volumes."""

from firstread.core.cohort import Cohort
from firstread.learning.examples import Examples, load_pictures
from firstread.learning.models.protocol import Model


def load_examples(model: Model, cohort: Cohort) -> Examples:
    """Examples of a cohort as a network takes them, with their targets."""
    return load_pictures(cohort, model.inputs, cohort.targets)
