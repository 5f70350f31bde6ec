"""The HU window and the mean label map as functions of volumes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.core.errors import DataError
from firstread.core.geometry import Geometry
from firstread.core.masks import bounding_box_mm
from firstread.core.volume import Volume
from firstread.curation.segmentation_rules import (
    MeanLabelMap,
    WindowRule,
    body_frame,
    closed,
    hu_window_rule,
    opened,
)
from firstread.evaluation.overlap import dice

from .simulated_abdomen import GRID, patient


def test_the_window_is_the_5th_to_the_95th_percentile_within_the_structure():
    rule = WindowRule(2)
    for seed in range(4):
        rule.add(*patient(seed, noise=10.0))
    assert rule.window(1) == pytest.approx((110 - 16.4, 110 + 16.4), abs=1.5)  # 1.645 standard deviations
    assert rule.window(2) == pytest.approx((55 - 16.4, 55 + 16.4), abs=1.5)
    assert (rule.surrounding(1), rule.surrounding(2)) == (0, 1)


def test_the_window_finds_an_organ_apart_from_a_like_muscle_and_lesions_within_it():
    rule = WindowRule(2)
    for seed in range(6):
        rule.add(*patient(seed))
    scan, labels = patient(100)
    found = rule.labels(scan)
    assert dice(labels.values == 1, found.values == 1) > 0.93
    assert dice(labels.values == 2, found.values == 2) > 0.5
    assert found.geometry == scan.geometry
    muscle = (scan.values > 60) & (labels.values == 0)
    assert (found.values[muscle] > 0).mean() < 0.2


def test_a_structure_that_no_training_case_has_is_never_found():
    rule = WindowRule(2)
    scan, labels = patient(0)
    rule.add(scan, Volume((labels.values > 0).astype(np.uint8), GRID))
    assert rule.window(2) is None
    assert set(np.unique(rule.labels(scan).values)) <= {0, 1}


def test_opening_takes_bridges_away_and_closing_fills_gaps_in_millimetres():
    values = np.zeros(GRID.size_zyx, bool)
    values[4:12, 5:20, 5:20], values[4:12, 5:20, 25:40] = True, True
    values[8, 10:13, 20:25] = True  # a bridge of 5 by 9 mm
    mask = Volume(values, GRID)
    assert not opened(mask, radius_mm=6)[8, 10:13, 22].any()
    assert opened(mask, radius_mm=6).sum() > 0.8 * values.sum()
    hole = values.copy()
    hole[8, 10, 10] = False
    assert closed(Volume(hole, GRID), radius_mm=6)[8, 10, 10]
    assert not opened(Volume(np.zeros_like(values), GRID), radius_mm=6).any()
    assert opened(Volume(np.ones_like(values), GRID), radius_mm=6).all()


@settings(max_examples=15)
@given(st.floats(0.5, 12), st.integers(0, 50))
def test_an_opening_adds_nothing_and_is_done_once(radius_mm, seed):
    mask = Volume(
        np.random.default_rng(seed).random((6, 10, 10)) < 0.9,
        Geometry.from_spacing((6, 10, 10), spacing_mm_zyx=(5, 1, 2)),
    )
    once = opened(mask, radius_mm=radius_mm)
    assert (once <= mask.values).all()
    assert (opened(Volume(once, mask.geometry), radius_mm=radius_mm) == once).all()
    assert (mask.values <= closed(mask, radius_mm=radius_mm)).all()


def test_everything_within_a_wide_window():
    scan, _ = patient(3)
    assert hu_window_rule(scan, low=-5000, high=5000, opening_mm=0).values.all()
    assert not hu_window_rule(scan, low=4000, high=5000).values.any()


def test_the_mean_label_map_is_where_the_organ_lies_in_most_bodies_wherever_they_lie_in_the_scan():
    mean = MeanLabelMap(2)
    for seed in range(6):
        mean.add(*patient(seed))
    scan, labels = patient(100, move=(0, -8, 12))
    assert dice(labels.values == 1, mean.labels(scan).values == 1) > 0.75
    assert (mean.labels(scan).values == 2).mean() < 0.2 * (labels.values == 2).mean()  # lesions lie anywhere
    with pytest.raises(DataError, match="at least one training case"):
        MeanLabelMap(1).labels(scan)


def test_the_frame_is_the_same_whatever_the_order_of_the_axes():
    scan, labels = patient(0)
    flipped = GRID.affine_lps.copy()
    flipped[:3, 3] += flipped[:3, 2] * 71
    flipped[:3, 2] *= -1
    turned = Geometry(GRID.size_zyx, flipped)
    mirrored = Volume(scan.values[:, :, ::-1].copy(), turned, "HU")
    np.testing.assert_allclose(body_frame(scan).affine_lps, body_frame(mirrored).affine_lps, atol=1e-6)
    mean = MeanLabelMap(2)
    mean.add(scan, labels)
    assert (mean.labels(mirrored).values[:, :, ::-1] == mean.labels(scan).values).mean() > 0.999


def test_without_hounsfield_units_the_frame_is_the_scan():
    scan, _ = patient(0)
    frame = body_frame(Volume(scan.values, GRID, unit=""))
    box = bounding_box_mm(Volume(np.ones(frame.size_zyx, bool), frame))
    np.testing.assert_allclose(box, bounding_box_mm(Volume(np.ones(GRID.size_zyx, bool), GRID)))
