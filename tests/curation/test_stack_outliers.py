"""Stacks unlike the others are found, and what is no information makes none: constant, missing or too few values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.curation.stack_outliers import MIN_STACKS, project_features, separate_classes


def features(count=60, width=6, seed=0):
    return np.random.default_rng(seed).normal(size=(count, width))


@pytest.mark.parametrize("column", range(3))
def test_a_stack_unlike_the_others_is_outermost(column):
    values = features()
    values[17, column] += 12
    plane = project_features(values)
    assert plane.outermost(1) == [17]
    assert plane.points.shape == (60, 2)
    assert 0 < plane.explained.sum() <= 1


def test_units_and_order_of_features_are_no_matter():
    values = features()
    values[3] += 8
    scaled = values[:, ::-1] * np.array([1, 1000, 0.001, 5, 1, 1]) + 40
    assert project_features(scaled).distances == pytest.approx(project_features(values).distances)


def test_what_was_not_measured_is_in_the_middle():
    values = features()
    values[5] = np.nan
    values[:, 2] = np.nan
    assert 5 not in project_features(values).outermost(20)


@pytest.mark.parametrize("values", [features(MIN_STACKS - 1), np.ones((20, 4)), np.full((20, 4), np.nan)])
def test_too_few_or_constant_features_have_no_plane(values):
    assert project_features(values) is None


@settings(max_examples=25, deadline=None)
@given(st.integers(MIN_STACKS, 30), st.integers(1, 5), st.integers(0, 99))
def test_any_features_have_finite_distances(count, width, seed):
    plane = project_features(features(count, width, seed))
    assert np.isfinite(plane.distances).all()
    assert np.isfinite(plane.points).all()
    assert sorted(plane.outermost(count)) == list(range(count))


def classes(count=60):
    return np.array(["cyst", "metastasis"] * (count // 2)), np.array([f"P{index // 2}" for index in range(count)])


def test_classes_that_differ_are_separated_and_others_are_not():
    names, _ = classes()
    patients = np.array([f"P{index}" for index in range(60)])
    apart = features()
    apart[names == "cyst", 0] += 6
    found = separate_classes(apart, names, patients)
    assert found.accuracy > 0.95
    assert found.majority == 0.5
    assert found.points.shape == (60, 1)
    assert separate_classes(features(), names, patients).accuracy < 0.8


def test_stacks_of_one_patient_do_not_answer_for_one_another():
    """Features that only say who it is: the plane separates, patients who were left out are not named rightly."""
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(12), 10)
    names = np.where(who % 2, "cyst", "metastasis")
    found = separate_classes(rng.normal(size=(12, 30))[who] + rng.normal(0, 0.01, (120, 30)), names, who.astype(str))
    assert found.accuracy < 0.9


def test_too_few_patients_of_a_class_are_none():
    names = np.array(["cyst"] * 57 + ["metastasis"] * 3)
    patients = np.array([f"P{index}" for index in range(60)])
    assert separate_classes(features(), names, patients) is None
