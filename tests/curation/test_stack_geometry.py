"""Planes, gaps and tilts of slices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.curation.stack_geometry import explain_gaps, measure_tilt, name_plane, usual_gap
from firstread.dicom.image_plane import ImagePlane


def plane(orientation, position=(0.0, 0.0, 0.0)):
    return ImagePlane(tuple(position), tuple(orientation), (1.0, 1.0), 5.0)


@pytest.mark.parametrize(
    ("orientation", "name"),
    [
        ((1, 0, 0, 0, 1, 0), "axial"),
        ((-1, 0, 0, 0, 1, 0), "axial"),
        ((0, 1, 0, 1, 0, 0), "axial"),
        ((1, 0, 0, 0, 0, -1), "coronal"),
        ((0, 1, 0, 0, 0, -1), "sagittal"),
    ],
)
def test_planes_whatever_way_rows_and_columns_run(orientation, name):
    assert name_plane(plane(orientation)) == (name, 0.99)


@given(st.floats(0, 90))
def test_a_plane_that_turns_becomes_oblique_and_is_least_sure_in_between(degrees):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    name, confidence = name_plane(plane((1, 0, 0, 0, cos, -sin)))
    if degrees < 24:
        assert name == "axial"
    elif 26 < degrees < 64:
        assert name == "oblique"
    elif degrees > 66:
        assert name == "coronal"
    assert 0.7 <= confidence <= 0.99
    if abs(degrees - 25) < 1 or abs(degrees - 65) < 1:
        assert confidence < 0.8


@given(st.lists(st.integers(1, 4), min_size=4, max_size=40), st.floats(0.5, 10))
def test_missing_slices_are_those_between_whole_distances(steps, spacing):
    steps = [1] * (len(steps) + 1) + steps
    assert explain_gaps(np.array(steps) * spacing, spacing) == (sum(steps) - len(steps), 0, False)


@given(st.integers(1, 6), st.floats(0.2, 0.6), st.floats(1, 8))
def test_slices_between_others_are_counted(number, share, spacing):
    gaps = [spacing] * 5 + [spacing * share, spacing * (1 - share)] * number + [spacing] * 5
    assert explain_gaps(np.array(gaps), spacing) == (0, number, False)


def test_the_usual_distance_is_the_most_frequent_one_and_survives_rounding():
    assert usual_gap(np.array([5.0, 5, 5, 1, 4, 15]), 5.0) == 5
    assert usual_gap(np.array([1.2, 1.3, 1.2, 1.3]), 1.25) == pytest.approx(1.25, abs=0.05)


@given(st.floats(-30, 30))
def test_a_tilt_is_the_angle_of_the_way_to_the_normal(degrees):
    cos, sin = float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))
    planes = [plane((1, 0, 0, 0, cos, -sin), (0.0, 0.0, 5.0 * index)) for index in range(5)]
    expected = abs(degrees) if abs(degrees) >= 0.51 else 0
    assert measure_tilt(planes) == pytest.approx(expected, abs=0.51 if expected == 0 else 0.02)
