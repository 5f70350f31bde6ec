"""Splits and folds: no patient in two splits, each class in each split, reproducible by seed."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError, SettingError
from firstread.core.provenance import Origin
from firstread.core.split_assignment import assign_folds
from firstread.core.splits import (
    folds_by_patient,
    split_by_patient,
    split_by_site,
    split_contiguous,
    split_name,
    split_random,
    split_temporal,
)

CLASSES = ("abdomen", "chest")


def cohort_of(patients_by_class, *, unlabeled=0):
    """patients_by_class: for each class, the number of images of each of its patients."""
    rows = [
        {"case": f"{label}-{number}-{image}", "file": "x.png", "label": label, "patient": f"{label}{number}"}
        for label, sizes in zip(CLASSES, patients_by_class, strict=True)
        for number, size in enumerate(sizes)
        for image in range(size)
    ]
    rows += [
        {"case": f"u{index}", "file": "x.png", "label": None, "patient": f"u{index}"} for index in range(unlabeled)
    ]
    return Cohort.from_table(make_table(rows), CLASSES, Origin("made up"))


sizes = st.lists(st.integers(1, 8), min_size=3, max_size=25)


@given(first=sizes, second=sizes, seed=st.integers(0, 2**31), unlabeled=st.integers(0, 3))
def test_no_patient_is_on_two_sides(first, second, seed, unlabeled):
    cohort = split_by_patient(cohort_of([first, second], unlabeled=unlabeled), seed=seed)
    table = cohort.table
    known = table[table["label"].notna()]
    assert known["split"].notna().all()
    assert table[table["label"].isna()]["split"].isna().all()
    assert (known.groupby("patient")["split"].nunique() == 1).all()
    assert (known.groupby("label")["split"].nunique() == 3).all()
    assert list(table["case"]) == list(cohort_of([first, second], unlabeled=unlabeled).table["case"])


@given(first=sizes, second=sizes, seed=st.integers(0, 99), folds=st.integers(2, 5))
def test_folds_test_everybody_once_and_share_no_patient(first, second, seed, folds):
    cohort = cohort_of([first, second])
    pairs = folds_by_patient(cohort, folds=folds, seed=seed)
    assert (np.sum([test for _, test in pairs], axis=0) == 1).all()
    for train, test in pairs:
        patients = cohort.table["patient"]
        assert not set(patients[train]) & set(patients[test])
        assert (train ^ test).all()


def test_shares_are_kept_in_each_class():
    cohort = split_by_patient(cohort_of([[5] * 40, [5] * 100]))
    shares = cohort.counts()[["train", "validation", "test"]].div(cohort.counts()["all"], axis=0)
    assert np.allclose(shares, [[0.8, 0.1, 0.1]] * 2, atol=0.01)


def cohort_of_slices(patients):
    """patients: for each patient, the labels of its slices."""
    rows = [
        {"case": f"{number}-{index}", "file": "x.png", "label": label, "patient": f"p{number}"}
        for number, labels in enumerate(patients)
        for index, label in enumerate(labels)
    ]
    return Cohort.from_table(make_table(rows), sorted({row["label"] for row in rows}), Origin("made up"))


@given(patients=st.integers(20, 40), with_lesion=st.integers(3, 10), seed=st.integers(0, 2**31))
def test_a_patient_with_a_few_slices_of_a_lesion_counts_for_the_lesion(patients, with_lesion, seed):
    # by the commonest class of a patient, a third of all seeds had a test set without a lesion
    labels = [["none"] * 25 + ["lesion"] * 5 if number < with_lesion else ["none"] * 30 for number in range(patients)]
    counts = split_by_patient(cohort_of_slices(labels), seed=seed).counts()
    assert (counts.loc["lesion"] > 0).all()
    assert (counts.loc["none"] > 0).all()


@given(
    st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6), min_size=12, max_size=40), st.integers(0, 999)
)
def test_a_split_without_a_class_is_said(patients, seed):
    cohort = cohort_of_slices(patients)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            counts = split_by_patient(cohort, seed=seed).counts().drop(columns="all")
        except DataError:
            return  # a class of fewer patients than parts
    is_said = any("A split lacks a class" in str(warning.message) for warning in caught)
    assert is_said == bool((counts == 0).any().any())


def test_a_class_whose_patients_have_rarer_classes_is_still_in_every_split():
    patients = [["rare", "common"]] * 3 + [["common"]] * 3 + [["other"]] * 30
    counts = split_by_patient(cohort_of_slices(patients)).counts()
    assert (counts > 0).all().all()


def test_the_name_of_the_step_says_what_was_kept_together():
    cohort = cohort_of([[1] * 9, [1] * 9])
    tables = cohort.tables

    def step_of(sources):
        return split_name(replace(cohort, tables=tables.with_cases_column("patient_source", sources)))

    assert step_of(["stated"] * 18) == "split by patient"
    assert step_of(["study"] * 9 + ["series"] * 9) == "split by study, series"
    assert step_of(["stated"] * 9 + ["none"] * 9) == "split by patient, others at random"
    assert step_of(["none"] * 18) == "split at random"


def test_the_same_seed_is_the_same_split_and_another_is_not():
    cohort = cohort_of([[1] * 30, [1] * 30])
    first, again, other = (list(split_by_patient(cohort, seed=seed).table["split"]) for seed in (1, 1, 2))
    assert first == again != other


def test_the_step_says_how_to_do_it_again():
    step = split_by_patient(cohort_of([[1] * 9, [1] * 9]), fractions=(0.5, 0.25, 0.25), seed=7).steps[-1]
    assert (step.name, step.seed, step.parameters["fractions"]) == ("split by patient", 7, (0.5, 0.25, 0.25))
    assert step.version


def test_patients_must_be_known():
    cohort = cohort_of([[1] * 9, [1] * 9])
    with pytest.raises(DataError, match="18 of 18 cases nothing says whose"):
        split_by_patient(cohort.with_column("patient", [None] * 18))
    with pytest.raises(DataError, match="1 of 18 cases nothing says whose"):
        split_by_patient(cohort.with_column("patient", [None] + ["a"] * 17))


def test_a_class_with_too_few_patients_is_named():
    with pytest.raises(DataError, match='"chest" has 1 patient, too few'):
        split_by_patient(cohort_of([[3] * 9, [27]]))
    with pytest.raises(DataError, match='"abdomen" has 1 case, too few'):
        split_random(cohort_of([[1], [1]]))


@pytest.mark.parametrize("fractions", [(0.5, 0.2, 0.2), (1.5, -0.5, 0), (0, 0.5, 0.5), "abc", (1,), (0.2,) * 5])
def test_fractions_must_make_sense(fractions):
    with pytest.raises(SettingError, match="cannot be used"):
        split_random(cohort_of([[1] * 9, [1] * 9]), fractions=fractions)


def test_two_fractions_are_training_and_validation():
    counts = split_random(cohort_of([[1] * 10, [1] * 10]), fractions=(0.8, 0.2)).counts()
    assert list(counts.columns) == ["train", "validation", "all"]
    assert counts["train"].tolist() == [8, 8]


@given(first=st.integers(20, 200), second=st.integers(20, 200), gap=st.integers(0, 5))
def test_contiguous_parts_follow_one_another_with_a_gap_between(first, second, gap):
    cohort = split_contiguous(cohort_of([[first], [second]]), gap=gap)
    for name in CLASSES:
        split = cohort.table.loc[cohort.table["label"] == name, "split"].tolist()
        runs = [value for index, value in enumerate(split) if index == 0 or value != split[index - 1]]
        between = [None] if gap else []
        assert runs == ["train", *between, "validation", *between, "test"]
        assert split.count(None) == 2 * gap


def test_contiguous_needs_room():
    with pytest.raises(DataError, match="too few to be cut"):
        split_contiguous(cohort_of([[3], [3]]), gap=2)
    with pytest.raises(SettingError, match="gap=-1"):
        split_contiguous(cohort_of([[30], [30]]), gap=-1)


def test_folds_without_patients_count_every_image_as_one():
    cohort = cohort_of([[1] * 10, [1] * 10]).with_column("patient", [None] * 20)
    pairs = folds_by_patient(cohort, folds=5)
    assert [int(test.sum()) for _, test in pairs] == [4] * 5
    with pytest.raises(SettingError, match="folds=30"):
        folds_by_patient(cohort, folds=30)


def test_an_unlabelled_case_is_in_no_fold():
    pairs = folds_by_patient(cohort_of([[1] * 6, [1] * 6], unlabeled=2), folds=3)
    assert not any((train | test)[-2:].any() for train, test in pairs)


@given(classes=st.lists(st.integers(0, 3), min_size=2, max_size=8), seed=st.integers(0, 99))
def test_no_fold_is_empty(classes, seed):
    count = len(classes)
    assert sorted(assign_folds(classes, range(count), folds=count, seed=seed)) == list(range(count))


def test_a_temporal_split_is_by_a_column_that_orders_patients():
    cohort = cohort_of([[2, 1, 1, 2], [1, 1, 2, 2]])
    dated = cohort.with_column("year", [2000 + hash_free(patient) for patient in cohort.table["patient"]])
    divided = split_temporal(dated, by="year", fractions=(0.5, 0.25, 0.25))
    table = divided.table
    assert table.groupby("patient")["split"].nunique().max() == 1
    latest = table.groupby("split")["year"].agg(["min", "max"])
    assert latest.loc["train", "max"] < latest.loc["validation", "min"]
    assert latest.loc["validation", "max"] < latest.loc["test", "min"]
    with pytest.raises(SettingError, match="own first study"):
        split_temporal(dated, by="days")
    with pytest.raises(SettingError, match='Did you mean "year"'):
        split_temporal(dated, by="yeer")
    with pytest.raises(SettingError, match="no numbers"):
        split_temporal(dated, by="patient")


def hash_free(patient):
    """A number that is the same for a patient in every process."""
    return sum(map(ord, patient)) % 97


def test_a_split_by_site_trains_on_no_patient_of_the_sites_left_out():
    cohort = cohort_of([[2, 1, 1, 2], [1, 1, 2, 2]], unlabeled=1)
    seen = {patient: "AB"[number % 2] for number, patient in enumerate(sorted(set(cohort.table["patient"])))}
    sited = cohort.with_column("site", [seen[patient] for patient in cohort.table["patient"]])
    divided = split_by_site(sited, test=["B"], fractions=(0.5, 0.5, 0))
    table = divided.table.dropna(subset=["split"])
    assert set(table[table["split"] == "test"]["site"]) == {"B"}
    assert set(table[table["split"] != "test"]["site"]) == {"A"}
    assert divided.steps[-1].name == "split by site"
