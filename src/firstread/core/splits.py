"""Train/validation/test splits and cross-validation folds: by patient, time or site, at random, contiguous.

Images of one patient look alike. A network that saw some of them in training recognises the others, and its accuracy on
them says nothing about the next patient (Yagis 2021, Sci Rep 11:22544, doi 10.1038/s41598-021-01681-w). So
`split_by_patient` is the default choice, and the others show what happens without it.

The same on arrays: `firstread.core.split_assignment`.
"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.columns import SPLITS
from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.patient_sources import patient_unit
from firstread.core.provenance import Step
from firstread.core.split_assignment import assign_contiguous, assign_folds, assign_groups, validate_fractions
from firstread.core.split_designs import assign_external, assign_temporal
from firstread.core.version import package_version

#: shares of training, validation and test, as in Montagnon 2020
DEFAULT_FRACTIONS = (0.8, 0.1, 0.1)


def split_by_patient(cohort: Cohort, *, fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: int = 0) -> Cohort:
    """Split by patient: all cases of a patient are in one split, and each class has its share of every split.

    A patient with any case of a rare class counts for it, so that a few slices with a lesion among many without are in
    every split. Where no patient is stated, what counts as one is kept together (`firstread.core.patient_sources`), and
    the name of the step says what it was.

    Args:
        cohort: in which it is known of every case what it belongs to.
        fractions: shares of training, validation and test; they sum to 1. The default is 80, 10 and 10 %, as in
            Montagnon 2020 (doi 10.1186/s13244-019-0832-5).
        seed: of the random order of patients.

    Returns:
        A new cohort with the column `split`. Cases without a label get no split.

    Raises:
        DataError: patients are not known, or a class has fewer patients than there are splits.

    Example:
        >>> cohort = fr.split_by_patient(fr.simulate_patients(10, size=32))
        >>> len(cohort.train), len(cohort.validation), len(cohort.test)
        (16, 2, 2)
    """
    components = _require_components(cohort)
    return split_by_groups(cohort, components, fractions=fractions, seed=seed, name=split_name(cohort))


def split_random(cohort: Cohort, *, fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: int = 0) -> Cohort:
    """Split image by image, ignoring patients: as in many published results, whose accuracy it overestimates."""
    return split_by_groups(cohort, np.arange(len(cohort)), fractions=fractions, seed=seed, name="split at random")


def split_contiguous(cohort: Cohort, *, fractions: Sequence[float] = DEFAULT_FRACTIONS, gap: int = 0) -> Cohort:
    """Split each class in file order, for series of slices whose patients are not known.

    Args:
        fractions: shares of training, validation and test; they sum to 1.
        gap: cases left out at each cut, so that neighbouring slices are not in two splits; they get no split.

    Raises:
        DataError: a class is too small.
    """
    fractions = validate_fractions(fractions)
    targets = cohort.strata
    labeled = targets >= 0
    split = np.full(len(cohort), None, dtype=object)
    split[labeled] = assign_contiguous(targets[labeled], fractions=fractions, gap=gap)
    step = Step("split by file order", {"fractions": fractions, "gap": gap}, version=package_version())
    return cohort.with_column("split", split, step=step)


def split_temporal(cohort: Cohort, *, by: str, fractions: Sequence[float] = DEFAULT_FRACTIONS) -> Cohort:
    """Split by time: training first, test last, so that every test case is later than all that was trained on.

    A patient stands where their latest case does. Cases without a label, or whose time is not known, get no split.

    Args:
        cohort: in which it is known of every case what it belongs to.
        by: column of numbers that order patients against one another, such as a calendar year; not `days`, which count
            from each patient's own first study.
        fractions: shares of training, validation and test.

    Raises:
        SettingError: there is no such column, or it orders nobody.
        DataError: there are too few different times, or patients are not known.

    Example:
        >>> cohort = fr.simulate_patients(8, size=32)
        >>> cohort = cohort.with_column("year", [2015 + case // 2 for case in range(len(cohort))])
        >>> later = split_temporal(cohort, by="year", fractions=(0.5, 0.25, 0.25))
        >>> bool(later.train.table["year"].max() < later.test.table["year"].min())
        True
    """
    from pandas.api.types import is_numeric_dtype

    table = cohort.table
    if by == "days" or by not in table:
        known = [str(name) for name in table if name != "days" and is_numeric_dtype(table[name])]
        what = (
            "Days count from each patient's own first study, so they order no patients"
            if by == "days"
            else (f'There is no column "{by}".{suggest(by, known)}')
        )
        raise SettingError(what, where=f'by="{by}"', expected="a column of calendar years, or of other common times")
    if not is_numeric_dtype(table[by]):
        raise SettingError(f'The column "{by}" holds no numbers', expected="a column of numbers, such as years")
    components, labeled = _require_components(cohort), cohort.strata >= 0
    split = np.full(len(cohort), None, dtype=object)
    times = table[by].to_numpy(dtype=float, na_value=np.nan)[labeled]
    split[labeled] = assign_temporal(times, components[labeled], fractions=fractions)
    step = Step("split by time", {"by": by, "fractions": validate_fractions(fractions)}, version=package_version())
    return cohort.with_column("split", split, step=step)


def split_by_site(
    cohort: Cohort, *, test: Sequence[str], fractions: Sequence[float] = DEFAULT_FRACTIONS, seed: int = 0
) -> Cohort:
    """Split by site: the test set is of sites that nothing was trained on, training and validation of the others.

    Patients who were seen on both sides, or whose site is not known, get no split.

    Args:
        cohort: with the column `site`, in which it is known of every case what it belongs to.
        test: sites that are left out.
        fractions: the first two are shares of training and validation among the others.
        seed: of their random order.

    Raises:
        SettingError: there is no such site, or nobody is left for one side.
        DataError: patients are not known.

    Example:
        >>> cohort = fr.simulate_patients(8, size=32)
        >>> cohort = cohort.with_column("site", ["North" if case < 12 else "South" for case in range(len(cohort))])
        >>> len(split_by_site(cohort, test=["South"]).test)
        4
    """
    components, labeled = _require_components(cohort), cohort.strata >= 0
    sites = cohort.tables.cases["site"].to_pylist()
    split = np.full(len(cohort), None, dtype=object)
    split[labeled] = assign_external(
        np.array(sites, dtype=object)[labeled],
        components[labeled],
        labels=cohort.strata[labeled],
        test=test,
        fractions=fractions,
        seed=seed,
    )
    parameters = {"test": list(test), "fractions": validate_fractions(fractions)}
    return cohort.with_column("split", split, step=Step("split by site", parameters, seed, package_version()))


def split_name(cohort: Cohort) -> str:
    """Name of a step that keeps together what belongs together: "split by patient", "split by study", ...

    It says "at random" where nothing is known of some cases, or of any.
    """
    counts = cohort.patient_sources
    known = [source for source in counts if source != "none"]
    if not known:
        return "split at random"
    words = ["patient" if source == "stated" else source for source in known]
    return f"split by {', '.join(words)}" + (", others at random" if "none" in counts else "")


def split_by_groups(
    cohort: Cohort,
    groups: np.ndarray,
    *,
    fractions: Sequence[float] = DEFAULT_FRACTIONS,
    seed: int = 0,
    name: str = "split by group",
) -> Cohort:
    """Split so that cases with the same value in `groups` (N,) stay together; `name` is that of the step.

    A split that gets no case of a class, though there are enough groups of it, is named in a warning.
    """
    fractions = validate_fractions(fractions)
    targets = cohort.strata
    labeled = targets >= 0
    parts = sum(share > 0 for share in fractions)
    sources = {"none": len(cohort)} if name == "split at random" else cohort.patient_sources
    _check_enough_groups(cohort.classes, targets, groups, parts=parts, sources=sources)
    split = np.full(len(cohort), None, dtype=object)
    split[labeled] = assign_groups(targets[labeled], groups[labeled].tolist(), fractions=fractions, seed=seed)
    _warn_of_missing_classes(cohort.classes, targets, split)
    return cohort.with_column("split", split, step=Step(name, {"fractions": fractions}, seed, package_version()))


def _check_enough_groups(
    classes: Sequence[str], strata: np.ndarray, groups: np.ndarray, *, parts: int, sources: Mapping[str, int]
) -> None:
    """Refuse a cohort, or a class of it, that has fewer groups than there are parts."""
    counts = {f'The class "{label}"': set(groups[strata == i]) for i, label in enumerate(classes)}
    if not classes:
        counts = {"The cohort": set(groups[strata >= 0])}
    for what, members in counts.items():
        if len(members) < parts:
            found = f"{len(members)} {patient_unit(sources, len(members))}"
            raise DataError(
                f"{what} has {found}, too few to be divided into {parts} parts",
                expected=f"at least {parts}" + (" in each class" if classes else ""),
                do="add images, or give fractions with fewer parts, such as (0.8, 0.2, 0); where these are no "
                'patients, name the patients in a table, or use split="random"',
            )


def _warn_of_missing_classes(classes: Sequence[str], strata: np.ndarray, split: np.ndarray) -> None:
    lacking = [
        f'{name} has no case of "{label}"'
        for name in SPLITS
        if (split == name).any()
        for index, label in enumerate(classes)
        if (strata == index).any() and not (strata[split == name] == index).any()
    ]
    if lacking:
        warnings.warn(
            f"A split lacks a class, because its patients have other classes too: {'; '.join(lacking)}. Choose another "
            "seed or fractions, or cross-validate.",
            UserWarning,
            stacklevel=4,
        )


def folds_by_patient(cohort: Cohort, *, folds: int = 5, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cross-validation folds by patient: each case is tested once, by a model not trained on its patient.

    Where no patient is known at all, every image counts as a patient of its own.

    Returns:
        `folds` pairs of boolean masks (N,): training cases, test cases. Cases without a label are in neither.
    """
    targets = cohort.strata
    labeled = targets >= 0
    groups = _require_components(cohort) if any(cohort.components) else cohort.groups
    fold_of_case = np.full(len(cohort), -1)
    groups = np.asarray(groups, object)[labeled]
    fold_of_case[labeled] = assign_folds(targets[labeled], groups, folds=folds, seed=seed)
    return [(labeled & (fold_of_case != fold), fold_of_case == fold) for fold in range(folds)]


def _require_components(cohort: Cohort) -> np.ndarray:
    """The independent unit of each case, (N,) text; raises DataError where one is not known."""
    components = cohort.components
    missing = sum(value is None for value in components)
    if missing:
        raise DataError(
            f"Of {missing} of {len(cohort)} cases nothing says whose they are, so they cannot be kept apart by patient",
            where="column 'patient'",
            expected="a pseudonym for every case, or a study, a series, a folder or a file that several share",
            do='add a column "patient", or use split="contiguous" for series of slices',
        )
    return components
