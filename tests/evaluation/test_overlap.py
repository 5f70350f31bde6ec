"""Dice, Jaccard and volume error of two masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from firstread.evaluation.overlap import dice, jaccard, volume_error_percent

masks = arrays(bool, (3, 4, 4))


def test_two_empty_masks_have_no_overlap_to_speak_of():
    empty = np.zeros((2, 2, 2), bool)
    assert np.isnan(dice(empty, empty))
    assert np.isnan(jaccard(empty, empty))
    assert np.isnan(volume_error_percent(0.0, 3.0))


def test_half_of_each():
    assert dice(np.array([1, 1, 0], bool), np.array([0, 1, 1], bool)) == 0.5
    assert jaccard(np.array([1, 1, 0], bool), np.array([0, 1, 1], bool)) == pytest.approx(1 / 3)
    assert volume_error_percent(50.0, 40.0) == pytest.approx(-20)


@given(masks, masks)
def test_both_are_symmetric_between_0_and_1_and_tell_the_same(first, second):
    if not (first | second).any():
        return
    value = dice(first, second)
    assert 0 <= value <= 1
    assert value == dice(second, first)
    assert (value == 1) == bool((first == second).all())
    assert jaccard(first, second) == pytest.approx(value / (2 - value))


@given(st.floats(0.01, 5000), st.floats(-99, 500))
def test_the_error_in_percent_is_of_the_true_volume(truth_ml, percent):
    assert volume_error_percent(truth_ml, truth_ml * (1 + percent / 100)) == pytest.approx(percent, abs=1e-6)
