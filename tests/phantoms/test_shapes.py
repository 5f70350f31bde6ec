"""Phantom shapes: cross-sections and projections of an ellipsoid have its analytic volume."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.phantoms.organs import Organ
from firstread.phantoms.shapes import Ellipsoid, Plane, make_tube

radius = st.floats(15, 45)


@settings(max_examples=20)
@given(radius, radius, radius, st.floats(-0.7, 0.7))
def test_the_projection_of_an_ellipsoid_holds_its_volume(a, b, c, tilt):
    plane = Plane.centered(128, field_mm=200, upward=True)
    _, chord = Ellipsoid((0, 0, 0), (a, b, c), tilt_radians=tilt).project(plane)
    assert chord.sum() * plane.pixel_spacing_mm**2 == pytest.approx(4 / 3 * np.pi * a * b * c, rel=0.02)


@settings(max_examples=10)
@given(radius, radius, radius)
def test_the_cuts_of_an_ellipsoid_add_up_to_its_volume(a, b, c):
    plane, shape = Plane.centered(96, field_mm=120), Ellipsoid((0, 0, 0), (a, b, c))
    cuts = [shape.intersect(plane, z) for z in np.arange(-50, 50, 1.0)]
    volume = sum(float(fraction.sum()) for _, fraction in (c for c in cuts if c)) * plane.pixel_spacing_mm**2
    assert volume == pytest.approx(4 / 3 * np.pi * a * b * c, rel=0.06)


def test_a_tube_is_as_thick_as_its_radius():
    tube = make_tube((0, 0, -80), (0, 0, 80), radius=10)
    plane = Plane.centered(100, field_mm=100, upward=True)
    _, chord = tube.project(plane)
    assert chord.max() == pytest.approx(20, abs=0.3)
    _, fraction = tube.intersect(Plane.centered(100, field_mm=100), 0.0)
    assert fraction.sum() == pytest.approx(np.pi * 100, rel=0.05)


def test_what_lies_outside_is_not_drawn():
    plane = Plane.centered(32, field_mm=100)
    assert Ellipsoid((500, 0, 0), (10, 10, 10)).intersect(plane, 0) is None
    assert Ellipsoid((0, 0, 0), (10, 10, 10)).intersect(plane, 50) is None
    assert Ellipsoid((500, 0, 0), (10, 10, 10)).project(plane) is None
    assert make_tube((500, 0, -5), (500, 0, 5), radius=3).project(plane) is None


def test_shapes_that_hold_arrays_can_be_compared_and_put_in_sets():
    tube, plane = make_tube((0, 0, -80), (0, 0, 80), radius=10), Plane.centered(8, field_mm=100)
    organ = Organ("vessel", "blood", tube)
    assert len({tube, plane, organ}) == 3
    assert organ in (organ,)
    assert tube != make_tube((0, 0, -80), (0, 0, 80), radius=10)
