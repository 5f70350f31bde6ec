"""Breast MR: axial slices of a prone patient, displayed with the breasts up and the chest wall below."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from firstread.phantoms.head import acquire_mr
from firstread.phantoms.shapes import Plane

#: sequence -> relative signal of each tissue
BREAST_SIGNAL = {
    "T1": {"fat": 1.0, "gland": 0.42, "muscle": 0.35, "blood": 0.30, "lung": 0.03, "skin": 0.45},
    "fat suppressed": {"fat": 0.16, "gland": 0.55, "muscle": 0.40, "blood": 0.45, "lung": 0.03, "skin": 0.5},
    "fat suppressed, contrast": {"fat": 0.14, "gland": 0.65, "muscle": 0.42, "blood": 1.0, "lung": 0.05, "skin": 0.5},
}


@dataclass(frozen=True)
class Breasts:
    """One patient's breasts and the chest wall behind them.

    Attributes:
        radius_mm: half width of a breast.
        depth_mm: distance from chest wall to nipple.
        spacing_mm: distance between the centers of the breasts.
        gland_fraction: fraction of glandular tissue, 0 to 1.
        chest_half_width_mm: half width of the chest.
        texture_seed: for the glandular texture.
    """

    radius_mm: float
    depth_mm: float
    spacing_mm: float
    gland_fraction: float
    chest_half_width_mm: float
    texture_seed: int


def make_breasts(rng: np.random.Generator) -> Breasts:
    """Make the breasts of a random patient."""
    radius = rng.uniform(48, 72)
    return Breasts(
        radius_mm=radius,
        depth_mm=rng.uniform(45, 115),
        spacing_mm=radius * 2 + rng.uniform(6, 40),
        gland_fraction=rng.uniform(0.1, 0.8),
        chest_half_width_mm=rng.uniform(145, 185),
        texture_seed=int(rng.integers(2**31)),
    )


def simulate_breast_mr(
    breasts: Breasts, rng: np.random.Generator, *, z: float, sequence: str, noise: float, size: int = 64
) -> np.ndarray:
    """Simulate one axial MR slice of the breasts: (size, size) uint8.

    Args:
        z: millimetres from the level of the nipples.
        sequence: key of BREAST_SIGNAL.
        noise: standard deviation as a fraction of the brightest tissue.
    """
    plane = Plane.centered(size, field_mm=360)
    x, y = plane.columns_mm, plane.rows_mm
    signal = np.zeros((size, size), np.float32)
    profile = np.clip(1 - (z / (breasts.radius_mm * 1.15)) ** 2, 0, 1) ** 0.5
    wall = 58 + (x / breasts.chest_half_width_mm) ** 2 * 55
    values = BREAST_SIGNAL[sequence]
    _blend(signal, np.clip((y - wall) / 4 + 0.5, 0, 1) * (np.abs(x) < breasts.chest_half_width_mm + 12), values["fat"])
    texture = _gland_texture(breasts, size, z)
    for side in (-1, 1):
        center = side * breasts.spacing_mm / 2
        half_width = breasts.radius_mm * (0.35 + 0.65 * profile)
        depth = breasts.depth_mm * profile
        if depth < 6:
            continue
        u = (x - center) / half_width
        outline = wall - depth * np.sqrt(np.clip(1 - np.abs(u) ** 2.4, 0, None))
        inside = np.clip((y - outline) / plane.pixel_spacing_mm + 0.5, 0, 1) * (np.abs(u) < 1) * (y < wall + 6)
        _blend(signal, inside, values["skin"])
        interior = np.clip((y - outline - 4) / plane.pixel_spacing_mm + 0.5, 0, 1) * (np.abs(u) < 0.96) * (y < wall + 6)
        _blend(signal, interior, values["fat"])
        core = np.hypot(u / 0.75, (y - (wall - 0.45 * depth)) / (0.42 * depth + 1))
        gland = interior * np.clip((1 - core) * 4, 0, 1) * (texture < breasts.gland_fraction)
        _blend(signal, gland, values["gland"])
    _add_chest(signal, plane, wall, values, z)
    coil = np.exp(-np.clip(y - wall, 0, None) / rng.uniform(45, 110))  # surface coil: the signal falls with depth
    return acquire_mr(signal * coil, rng, noise=noise)


def _add_chest(signal: np.ndarray, plane: Plane, wall: np.ndarray, values: dict[str, float], z: float) -> None:
    """Add chest wall muscle, lungs, heart, sternum and ribs to `signal`."""
    x, y = plane.columns_mm, plane.rows_mm
    inside = np.abs(x) < 150
    _blend(signal, np.clip(1 - np.abs(y - wall - 12) / 8, 0, 1) * inside, values["muscle"])
    _blend(signal, np.clip((y - wall - 22) / 4, 0, 1) * (np.abs(x) < 135), values["lung"])
    heart = np.hypot((x - 28) / 52, (y - 118 + 0.2 * z) / 34)
    _blend(signal, np.clip((1 - heart) * 8, 0, 1), values["blood"])
    _blend(signal, np.clip(1.6 - np.hypot(x / 14, (y - 84) / 9), 0, 1).clip(0, 1), values["muscle"])
    for rib_x in (-110, -62, 62, 110):
        _blend(
            signal,
            np.clip(1.5 - np.hypot((x - rib_x) / 9, (y - 88 - (rib_x / 30) ** 2) / 5), 0, 1),
            values["fat"] * 0.6,
        )


def _gland_texture(breasts: Breasts, size: int, z: float) -> np.ndarray:
    """Smooth random texture with uniformly distributed values 0 to 1: (size, size)."""
    rng = np.random.default_rng([breasts.texture_seed, round(z / 12) + 1000])
    noise = gaussian_filter(rng.normal(0, 1, (size, size)), size / 40)
    return noise.argsort(axis=None).argsort().reshape(size, size) / size**2


def _blend(signal: np.ndarray, fraction: np.ndarray, value: float) -> None:
    signal += fraction * (value - signal)
