"""Smooth random fields over a volume: the patient's warp, uneven tissue, and the noise of a CT.

Fields of the patient are cubic B-splines over a control grid in millimetres, so that they are the same at every voxel
size. They are evaluated one axis after the other, with four slabs a step: no interpolation library and no matrix
product, so the values do not depend on the number of threads.
"""

from dataclasses import dataclass

import numpy as np

from firstread.core.geometry import Geometry

_TAPS = 4


@dataclass(frozen=True, eq=False)
class SmoothField:
    """A scalar field in the patient, float32, in the unit of its coefficients.

    Attributes:
        coefficients: (z, y, x) of a cubic B-spline.
        origin_mm_zyx: position of the first coefficient.
        step_mm: distance between coefficients.
    """

    coefficients: np.ndarray
    origin_mm_zyx: tuple[float, float, float]
    step_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator, *, sd: float, step_mm: float) -> "SmoothField":
        """Draw a field with the standard deviation `sd`, over all that an abdominal scan can show."""
        origin = (-420.0, -260.0, -320.0)
        size = [int(np.ceil(2 * -low / step_mm)) + 4 for low in (-260.0, -260.0, -320.0)]
        spread = sd / 0.479**1.5  # 0.479 = mean over a step of the sum of the squared weights of a cubic B-spline
        return cls((rng.standard_normal(size) * spread).astype(np.float32), origin, step_mm)

    def on_grid(self, axes_mm_zyx: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
        """Values where three axes (in millimetres) cross: float32 (z, y, x)."""
        values = self.coefficients
        for axis in (2, 1, 0):  # the last step runs over whole slabs
            first, weights = self._taps(axes_mm_zyx[axis], axis)
            values = np.moveaxis(values, axis, 0)
            total = values[first] * weights[:, 0, None, None]
            for tap in range(1, _TAPS):
                total += values[first + tap] * weights[:, tap, None, None]
            values = np.moveaxis(total, 0, axis)
        return np.ascontiguousarray(values)

    def at_points(self, points_mm_xyz: np.ndarray) -> np.ndarray:
        """Values at single points: (N, 3) in (x, y, z) millimetres -> float32 (N,)."""
        (z, wz), (y, wy), (x, wx) = (self._taps(points_mm_xyz[:, 2 - axis], axis) for axis in range(3))
        taps = np.arange(_TAPS)
        near = self.coefficients[
            (z[:, None] + taps)[:, :, None, None],
            (y[:, None] + taps)[:, None, :, None],
            (x[:, None] + taps)[:, None, None],
        ]
        weights = wz[:, :, None, None] * wy[:, None, :, None] * wx[:, None, None, :]
        return (near * weights).sum(axis=(1, 2, 3), dtype=np.float32)

    def _taps(self, positions_mm: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """First coefficient (n,) and the weights (n, 4) for positions along an axis; held still at the ends."""
        last = self.coefficients.shape[axis] - _TAPS
        position = np.clip((positions_mm - self.origin_mm_zyx[axis]) / self.step_mm, 0, last + 0.999)
        first = position.astype(np.intp)
        t = position - first
        weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
        return first, weights.astype(np.float32)


def draw_ct_noise(rng: np.random.Generator, geometry: Geometry, *, sd_hu: float, broad_share: float) -> np.ndarray:
    """Noise of a CT: two Gaussian correlations, that of the kernel and a long tail, float32 (z, y, x).

    Args:
        sd_hu: standard deviation of a voxel.
        broad_share: share of the variance in the long tail (correlation over about a centimetre).

    Source: the correlation of a real CT at 3 mm is .21 at one voxel and still .2 at three (measured in
        benchmarks/phantom_realism.py).
    """
    fine = _filter(rng.standard_normal(geometry.size_zyx, dtype=np.float32), geometry, sd_mm=0.85)
    z, y, x = (np.arange(n) * step for n, step in zip(geometry.size_zyx, geometry.spacing_mm_zyx, strict=True))
    step_mm = 9.0
    size = [int(axis[-1] / step_mm) + 5 for axis in (z, y, x)]
    broad = SmoothField(rng.standard_normal(size, dtype=np.float32), (0.0, 0.0, 0.0), step_mm).on_grid((z, y, x))
    noise: np.ndarray = fine * np.float32(sd_hu * np.sqrt(1 - broad_share))
    noise += broad * np.float32(sd_hu * np.sqrt(broad_share) / 0.479**1.5)
    return noise


def _filter(values: np.ndarray, geometry: Geometry, *, sd_mm: float) -> np.ndarray:
    """White noise with a Gaussian kernel, scaled back to a standard deviation of 1."""
    from scipy.ndimage import correlate1d

    for axis, spacing in enumerate(geometry.spacing_mm_zyx):
        reach = int(np.ceil(2.5 * sd_mm / spacing)) if sd_mm > 0.3 * spacing else 0
        if reach:
            kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * spacing / sd_mm) ** 2)
            values = correlate1d(values, kernel / np.sqrt((kernel**2).sum()), axis=axis, mode="wrap")
    return values
