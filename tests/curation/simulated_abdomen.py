"""Scans of a simple abdomen with its label map, for the tests of trivial rules."""

import numpy as np

from firstread.core.geometry import Geometry
from firstread.core.volume import Volume

GRID = Geometry.from_spacing((24, 64, 72), spacing_mm_zyx=(5, 4, 4))
_CENTER = np.array((57, 105, 100))


def ellipsoid(center, radii_mm, grid=GRID):
    """Mask of an ellipsoid around a position in millimetres (z, y, x)."""
    z, y, x = np.moveaxis(grid.to_mm(np.indices(grid.size_zyx).reshape(3, -1).T), 1, 0)[::-1]
    distance = sum(((v - c) / r) ** 2 for v, c, r in zip((z, y, x), center, radii_mm, strict=True))
    return (distance <= 1).reshape(grid.size_zyx)


def patient(seed, *, grid=GRID, move=(0, 0, 0), noise=12.0):
    """Scan and label map: a body of fat, an organ (1) of about 110 HU with darker lesions (2), and a like muscle."""
    rng = np.random.default_rng(seed)
    center = _CENTER + np.array(move) + rng.normal(0, 2, 3)
    body = ellipsoid(center + (0, 20, 40), (200, 95, 120), grid)
    organ = ellipsoid(center, rng.uniform(44, 50, 3), grid)
    muscle = ellipsoid(center + (0, 68, 40), (90, 12, 50), grid)
    values = np.where(body, -80.0, -1000.0)
    values[muscle], values[organ] = 105, 110
    labels = organ.astype(np.uint8)
    for _ in range(rng.integers(1, 4)):
        lesion = ellipsoid(center + rng.uniform(-22, 22, 3), (11, 11, 11), grid) & organ
        values[lesion], labels[lesion] = 55, 2
    values += rng.normal(0, noise, values.shape)
    return Volume(values.astype(np.int16), grid, unit="HU"), Volume(labels, grid)
