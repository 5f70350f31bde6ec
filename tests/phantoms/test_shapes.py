"""The shapes: cutting and projecting the same ellipsoid gives the volume that geometry says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.phantoms.shapes import Ellipsoid, Plane, line

radius = st.floats(15, 45)


@settings(max_examples=20)
@given(radius, radius, radius, st.floats(-0.7, 0.7))
def test_the_projection_of_an_ellipsoid_holds_its_volume(a, b, c, tilt):
    plane = Plane.centred(128, field_mm=200, upward=True)
    _, chord = Ellipsoid((0, 0, 0), (a, b, c), tilt=tilt).project(plane)
    assert chord.sum() * plane.pixel_mm**2 == pytest.approx(4 / 3 * np.pi * a * b * c, rel=0.02)


@settings(max_examples=10)
@given(radius, radius, radius)
def test_the_cuts_of_an_ellipsoid_add_up_to_its_volume(a, b, c):
    plane, shape = Plane.centred(96, field_mm=120), Ellipsoid((0, 0, 0), (a, b, c))
    cuts = [shape.cut(plane, z) for z in np.arange(-50, 50, 1.0)]
    volume = sum(float(share.sum()) for _, share in (c for c in cuts if c)) * plane.pixel_mm**2
    assert volume == pytest.approx(4 / 3 * np.pi * a * b * c, rel=0.06)


def test_a_tube_is_as_thick_as_its_radius():
    tube = line((0, 0, -80), (0, 0, 80), radius=10)
    plane = Plane.centred(100, field_mm=100, upward=True)
    _, chord = tube.project(plane)
    assert chord.max() == pytest.approx(20, abs=0.3)
    _, share = tube.cut(Plane.centred(100, field_mm=100), 0.0)
    assert share.sum() == pytest.approx(np.pi * 100, rel=0.05)


def test_what_lies_outside_is_not_drawn():
    plane = Plane.centred(32, field_mm=100)
    assert Ellipsoid((500, 0, 0), (10, 10, 10)).cut(plane, 0) is None
    assert Ellipsoid((0, 0, 0), (10, 10, 10)).cut(plane, 50) is None
    assert Ellipsoid((500, 0, 0), (10, 10, 10)).project(plane) is None
    assert line((500, 0, -5), (500, 0, 5), radius=3).project(plane) is None
