"""Dividing a cohort: by patient, at random, by file order, or in folds.

Images of one patient look alike. A network that saw some of them in training knows the others, and its accuracy on them
says nothing about the next patient (Yagis 2021, Sci Rep 11:22544, doi 10.1038/s41598-021-01681-w). So
`split_by_patient` is the one to use, and the others are for showing what happens without it.
"""

from collections.abc import Sequence

import numpy as np

from firstread.core.cohort import Cohort, Step
from firstread.core.errors import DataError
from firstread.core.settings import version
from firstread.core.splitting import assign_contiguous, assign_folds, assign_groups, check_fractions


def split_by_patient(cohort: Cohort, *, fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0) -> Cohort:
    """Divide so that no patient is on two sides, and each class has its share of every split.

    Args:
        cohort: with the column `patient` filled.
        fractions: shares of training, validation and test; they sum to 1.
        seed: another seed is another division.

    Returns:
        A new cohort with the column `split`. Cases without a label get no split.

    Raises:
        DataError: patients are not known, or a class has fewer patients than there are parts.
    """
    patients = _known_patients(cohort)
    return split_by_groups(cohort, patients, fractions=fractions, seed=seed, name="split by patient")


def split_random(cohort: Cohort, *, fractions: Sequence[float] = (0.7, 0.15, 0.15), seed: int = 0) -> Cohort:
    """Divide image by image, whoever they belong to: the split of many published results, and too kind to them."""
    return split_by_groups(cohort, np.arange(len(cohort)), fractions=fractions, seed=seed, name="split at random")


def split_contiguous(cohort: Cohort, *, fractions: Sequence[float] = (0.7, 0.15, 0.15), gap: int = 0) -> Cohort:
    """Divide each class in the order of its files, for series of slices whose patients are not known.

    Args:
        gap: cases left out at each cut, so that neighbouring slices are not on two sides; they get no split.

    Raises:
        DataError: a class is too small.
    """
    fractions = check_fractions(fractions)
    targets = cohort.targets
    known = targets >= 0
    split = np.full(len(cohort), None, dtype=object)
    split[known] = assign_contiguous(targets[known], fractions=fractions, gap=gap)
    step = Step("split by file order", {"fractions": fractions, "gap": gap}, version=version())
    return cohort.with_column("split", split, step=step)


def folds_by_patient(cohort: Cohort, *, folds: int = 5, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cross-validation: every case is tested once, by a model that never saw its patient.

    Where no patient is known at all, every image counts as a patient of its own.

    Returns:
        `folds` pairs of boolean masks (N,): training cases, test cases. Cases without a label are in neither.
    """
    targets = cohort.targets
    known = targets >= 0
    patients = cohort.table["patient"]
    groups = cohort.table["case"] if patients.isna().all() else _known_patients(cohort)
    number = np.full(len(cohort), -1)
    number[known] = assign_folds(targets[known], list(np.asarray(groups, object)[known]), folds=folds, seed=seed)
    return [(known & (number != fold), number == fold) for fold in range(folds)]


def _known_patients(cohort: Cohort) -> np.ndarray:
    missing = int(cohort.table["patient"].isna().sum())
    if missing:
        raise DataError(
            f"{missing} of {len(cohort)} cases have no patient, so they cannot be kept apart by patient",
            where="column 'patient'",
            expected="a pseudonym for every case",
            do='add a column "patient", or use split="contiguous" for series of slices',
        )
    return cohort.table["patient"].to_numpy(dtype=object)


def split_by_groups(
    cohort: Cohort,
    groups: np.ndarray,
    *,
    fractions: Sequence[float] = (0.7, 0.15, 0.15),
    seed: int = 0,
    name: str = "split by group",
) -> Cohort:
    """Divide so that cases with the same value in `groups` (N,) stay together; `name` is that of the step."""
    fractions = check_fractions(fractions)
    targets = cohort.targets
    known = targets >= 0
    parts = sum(share > 0 for share in fractions)
    for index, label in enumerate(cohort.classes):
        there = len(set(groups[targets == index]))
        if there < parts:
            what = "patients" if "patient" in name else "images"
            raise DataError(
                f'The class "{label}" has {there} {what}, too few to be divided into {parts} parts',
                expected=f"at least {parts} in each class",
                do="add images, or give fractions with fewer parts, such as (0.8, 0.2, 0)",
            )
    split = np.full(len(cohort), None, dtype=object)
    split[known] = assign_groups(targets[known], groups[known].tolist(), fractions=fractions, seed=seed)
    return cohort.with_column("split", split, step=Step(name, {"fractions": fractions}, seed, version()))
