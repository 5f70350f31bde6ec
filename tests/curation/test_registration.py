"""Registration recovers what was done to a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.curation.local_contrast import normalize_local_contrast
from firstread.curation.registration import align, correlate, orient, orient_each, warp

from .planted_copies import textures


@pytest.fixture(scope="module")
def pictures():
    return normalize_local_contrast(np.stack(textures(6)[0]), before=0.7, sigma=4.0)


@pytest.mark.parametrize(
    "change",
    [(0, 0, 0, 0, 0, 0), (0, 0, 0.06, 0, 0, -0.04), (-0.08, 0, 0, 0, -0.08, 0), (0, -0.05, 0, 0.05, 0, 0)],
    ids=["as it is", "shifted", "enlarged", "turned"],
)
def test_an_affine_change_is_found_again(pictures, change):
    maps = np.repeat(np.array([change], np.float32), len(pictures), axis=0)
    moved = warp(pictures, maps)[0].reshape(pictures.shape)
    found = align(moved, pictures, start=np.zeros_like(maps), steps=15)
    assert np.abs(found.maps - maps).max() < 0.01
    assert found.correlation.min() > 0.97


def test_pictures_without_detail_do_not_break_it():
    flat = np.zeros((2, 32, 32), np.float32)
    found = align(flat, flat, start=np.zeros((2, 6), np.float32), steps=4)
    assert np.isfinite(found.maps).all()
    assert np.abs(found.correlation).max() < 1e-3


@given(st.integers(0, 7))
def test_eight_orientations_are_all_different_and_undo_each_other(orientation):
    picture = np.arange(16).reshape(1, 4, 4)
    shown = orient(picture, orientation)
    assert sum(np.array_equal(shown, orient(picture, other)) for other in range(8)) == 1
    assert any(np.array_equal(orient(shown, back), picture) for back in range(8))
    assert np.array_equal(orient_each(picture, np.array([orientation])), shown)


def test_correlation_is_that_of_numpy(pictures):
    flat = pictures.reshape(len(pictures), -1)
    assert correlate(flat[:1], flat[1:2])[0] == pytest.approx(np.corrcoef(flat[0], flat[1])[0, 1], abs=1e-4)


def test_local_contrast_ignores_the_window_and_turns_with_the_sign():
    picture = np.stack(textures(1)[0]).astype(np.float32)
    shown = normalize_local_contrast(picture, before=0, sigma=4.0).reshape(1, -1)
    for other, sign in ((picture * 0.6 + 50, 1), (255 - picture, -1), (255 * (picture / 255) ** 1.5, 1)):
        normalized = normalize_local_contrast(other, before=0, sigma=4.0).reshape(1, -1)
        assert sign * correlate(shown, normalized)[0] > 0.97
