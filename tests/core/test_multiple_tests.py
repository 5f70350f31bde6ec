"""Holm's correction against its definition and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.multiple_tests import holm_adjusted


@given(st.lists(st.floats(0, 1), max_size=12), st.lists(st.just(float("nan")), max_size=3))
def test_holm_corrects_as_its_definition_says(p_values, undefined):
    found = holm_adjusted([*undefined, *p_values])
    assert all(np.isnan(one) for one in found[: len(undefined)])
    adjusted, size = found[len(undefined) :], len(undefined) + len(p_values)
    for level in (0.01, 0.05, 0.2):
        rejected, ordered = set(), sorted(range(len(p_values)), key=lambda place: p_values[place])
        for rank, place in enumerate(ordered):  # step down until one is kept
            if p_values[place] * (size - rank) > level:
                break
            rejected.add(place)
        assert {place for place, one in enumerate(adjusted) if one <= level} == rejected


def test_holm_by_hand():
    assert holm_adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm_adjusted([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    untested, corrected = holm_adjusted([float("nan"), 0.02])
    assert np.isnan(untested)
    assert corrected == 0.04
    assert holm_adjusted([]) == []
