"""Dividing a cohort: by patient, at random, by file order, or in folds.

The work is done in `firstread.core.dividing`, where opening a data set can reach it too.
"""

from firstread.core.dividing import folds_by_patient, split_by_patient, split_contiguous, split_random

__all__ = ["folds_by_patient", "split_by_patient", "split_contiguous", "split_random"]
