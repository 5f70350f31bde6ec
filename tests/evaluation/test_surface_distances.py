"""Hausdorff distances and surface Dice in millimetres; a miss is infinite."""

import numpy as np
import pytest

from firstread.evaluation.surface_distances import SurfaceDistances

from .mask_files import BOX, NOTHING, boxes, shifted


@pytest.mark.parametrize(("axis", "voxels", "expected_mm"), [(0, 1, 5.0), (1, 4, 3.2), (2, 4, 3.2)])
def test_shifts_of_a_box_in_thick_slices(axis, voxels, expected_mm):
    distances = SurfaceDistances.between(BOX, shifted(BOX, voxels=voxels, axis=axis))
    assert distances.hausdorff_mm() == pytest.approx(expected_mm)
    assert distances.hausdorff_mm(95) == pytest.approx(expected_mm)


def test_the_95th_percentile_forgives_a_spike_and_the_maximum_does_not():
    spike = boxes(((2, 6), (10, 20), (10, 20)), ((3, 4), (15, 16), (20, 30)))
    distances = SurfaceDistances.between(BOX, spike)
    assert distances.hausdorff_mm() == pytest.approx(8.0)
    assert distances.hausdorff_mm(95) < 4


def test_a_miss_and_a_false_alarm_are_infinite_and_nothing_at_all_is_undefined():
    for pair in ((BOX, NOTHING), (NOTHING, BOX)):
        distances = SurfaceDistances.between(*pair)
        assert distances.hausdorff_mm(95) == np.inf
        assert distances.surface_dice(2.0) == 0
    nothing = SurfaceDistances.between(NOTHING, NOTHING)
    assert np.isnan(nothing.hausdorff_mm())
    assert np.isnan(nothing.surface_dice(2.0))


def test_surface_dice_grows_with_the_tolerance_and_includes_it():
    distances = SurfaceDistances.between(BOX, shifted(BOX, voxels=1, axis=0))
    values = [distances.surface_dice(tolerance) for tolerance in (0.1, 0.9, 4.99, 5.0)]
    assert values == sorted(values)
    assert values[-2] < 1
    assert values[-1] == 1
    assert SurfaceDistances.between(BOX, BOX).surface_dice(0.1) == 1
