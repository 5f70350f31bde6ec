"""Smooth fields: their standard deviation, their values at points and on grids, and the noise's correlation."""

import numpy as np
import pytest

from firstread.core.geometry import Geometry
from firstread.phantoms.smooth_fields import SmoothField, draw_ct_noise


def test_a_field_has_its_standard_deviation():
    field = SmoothField.draw(np.random.default_rng(0), sd=3.0, step_mm=20.0)
    axes = (np.arange(-300, 100, 7.0), np.arange(-200, 200, 7.0), np.arange(-200, 200, 7.0))
    assert field.on_grid(axes).std() == pytest.approx(3.0, rel=0.05)


def test_points_and_grid_give_the_same_values_inside_and_far_outside():
    field = SmoothField.draw(np.random.default_rng(1), sd=1.0, step_mm=30.0)
    axes = (np.array([-900.0, -40, 11]), np.array([-10.0, 40]), np.array([-33.0, 5, 900]))
    grid = field.on_grid(axes)
    z, y, x = np.meshgrid(*axes, indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    assert field.at_points(points) == pytest.approx(grid.ravel(), abs=1e-5)


def correlation(noise: np.ndarray, lag: int) -> float:
    return float(np.corrcoef(noise[..., lag:].ravel(), noise[..., :-lag].ravel())[0, 1])


def test_noise_has_its_strength_and_a_long_tail():
    grid = Geometry.from_spacing((40, 100, 100), spacing_mm_zyx=(3, 3, 3))
    noise = draw_ct_noise(np.random.default_rng(2), grid, sd_hu=10, broad_share=0.2)
    assert noise.std() == pytest.approx(10, rel=0.05)
    assert 0.12 < correlation(noise, 1) < 0.3
    assert 0.1 < correlation(noise, 2) < 0.25
    assert correlation(noise, 20) == pytest.approx(0, abs=0.05)


def test_the_kernel_correlates_small_pixels():
    grid = Geometry.from_spacing((20, 120, 120), spacing_mm_zyx=(3, 0.8, 0.8))
    noise = draw_ct_noise(np.random.default_rng(3), grid, sd_hu=10, broad_share=0.0)
    assert noise.std() == pytest.approx(10, rel=0.05)
    assert correlation(noise, 1) > 0.6
