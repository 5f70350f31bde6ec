"""MR of the breasts: the patient lies prone, so the breasts hang down; images show them upward, the chest wall below."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from firstread.phantoms.head import finish_mr
from firstread.phantoms.shapes import Plane

#: relative signal: without fat suppression, with it, and with it after contrast
BREAST_SIGNAL = {
    "T1": {"fat": 1.0, "gland": 0.42, "muscle": 0.35, "blood": 0.30, "lung": 0.03, "skin": 0.45},
    "fat suppressed": {"fat": 0.16, "gland": 0.55, "muscle": 0.40, "blood": 0.45, "lung": 0.03, "skin": 0.5},
    "fat suppressed, contrast": {"fat": 0.14, "gland": 0.65, "muscle": 0.42, "blood": 1.0, "lung": 0.05, "skin": 0.5},
}


@dataclass(frozen=True)
class Breasts:
    """One patient's breasts and the chest wall behind them.

    Attributes:
        radius_mm, reach_mm: half width of a breast, and how far it hangs.
        apart_mm: distance of the middles.
        gland: share of glandular tissue, 0 to 1.
        chest_mm: half width of the chest.
        seed: of the glandular texture.
    """

    radius_mm: float
    reach_mm: float
    apart_mm: float
    gland: float
    chest_mm: float
    seed: int


def make_breasts(rng: np.random.Generator) -> Breasts:
    """Draw a patient."""
    radius = rng.uniform(48, 72)
    return Breasts(
        radius, rng.uniform(45, 115), radius * 2 + rng.uniform(6, 40), rng.uniform(0.1, 0.8), rng.uniform(145, 185),
        int(rng.integers(2**31)),
    )  # fmt: skip


def breast_mr_slice(
    breasts: Breasts, rng: np.random.Generator, *, z: float, sequence: str, noise: float, size: int = 64
) -> np.ndarray:
    """One axial slice: (size, size) uint8.

    Args:
        z: millimetres from the level of the nipples.
        sequence: key of BREAST_SIGNAL.
    """
    plane = Plane.centred(size, field_mm=360)
    x, y = plane.across, plane.down
    signal = np.zeros((size, size), np.float32)
    level = np.clip(1 - (z / (breasts.radius_mm * 1.15)) ** 2, 0, 1) ** 0.5
    wall = 58 + (x / breasts.chest_mm) ** 2 * 55
    values = BREAST_SIGNAL[sequence]
    _paint(signal, np.clip((y - wall) / 4 + 0.5, 0, 1) * (np.abs(x) < breasts.chest_mm + 12), values["fat"])
    texture = _texture(breasts, size, z)
    for side in (-1, 1):
        centre = side * breasts.apart_mm / 2
        wide = breasts.radius_mm * (0.35 + 0.65 * level)
        tall = breasts.reach_mm * level
        if tall < 6:
            continue
        across = (x - centre) / wide
        outline = wall - tall * np.sqrt(np.clip(1 - np.abs(across) ** 2.4, 0, None))
        inside = np.clip((y - outline) / plane.pixel_mm + 0.5, 0, 1) * (np.abs(across) < 1) * (y < wall + 6)
        _paint(signal, inside, values["skin"])
        deeper = np.clip((y - outline - 4) / plane.pixel_mm + 0.5, 0, 1) * (np.abs(across) < 0.96) * (y < wall + 6)
        _paint(signal, deeper, values["fat"])
        core = np.hypot(across / 0.75, (y - (wall - 0.45 * tall)) / (0.42 * tall + 1))
        _paint(signal, deeper * np.clip((1 - core) * 4, 0, 1) * (texture < breasts.gland), values["gland"])
    _chest(signal, plane, wall, values, z)
    coil = np.exp(-np.clip(y - wall, 0, None) / rng.uniform(45, 110))  # surface coils see little of the depth
    return finish_mr(signal * coil, rng, noise=noise)


def _chest(signal: np.ndarray, plane: Plane, wall: np.ndarray, values: dict[str, float], z: float) -> None:
    x, y = plane.across, plane.down
    inside = np.abs(x) < 150
    _paint(signal, np.clip(1 - np.abs(y - wall - 12) / 8, 0, 1) * inside, values["muscle"])
    _paint(signal, np.clip((y - wall - 22) / 4, 0, 1) * (np.abs(x) < 135), values["lung"])
    heart = np.hypot((x - 28) / 52, (y - 118 + 0.2 * z) / 34)
    _paint(signal, np.clip((1 - heart) * 8, 0, 1), values["blood"])
    _paint(signal, np.clip(1.6 - np.hypot(x / 14, (y - 84) / 9), 0, 1).clip(0, 1), values["muscle"])
    for at in (-110, -62, 62, 110):
        _paint(signal, np.clip(1.5 - np.hypot((x - at) / 9, (y - 88 - (at / 30) ** 2) / 5), 0, 1), values["fat"] * 0.6)


def _texture(breasts: Breasts, size: int, z: float) -> np.ndarray:
    rng = np.random.default_rng([breasts.seed, round(z / 12) + 1000])
    noise = gaussian_filter(rng.normal(0, 1, (size, size)), size / 40)
    return noise.argsort(axis=None).argsort().reshape(size, size) / size**2


def _paint(signal: np.ndarray, share: np.ndarray, value: float) -> None:
    signal += share * (value - signal)
