"""Local contrast normalization: what an image shows, whatever its window, brightness, contrast or gamma."""

from functools import cache

import numpy as np

#: gray levels below which contrast counts as noise
_NOISE_LEVEL = 6.0


def normalize_local_contrast(pictures: np.ndarray, *, before: float, sigma: float) -> np.ndarray:
    """Each pixel's difference from its surroundings, divided by their contrast: float32 (N, n, n), about -2 to 2.

    A linear window or a smooth gamma hardly changes it; inverted gray values change its sign (Jarrett 2009, ICCV, "What
    is the best multi-stage architecture for object recognition?").

    Args:
        pictures: (N, n, n) gray values, 0 to 255.
        before: standard deviation in pixels of a blur that comes first, against noise; 0 for none.
        sigma: standard deviation in pixels of the surroundings.
    """
    values = pictures.astype(np.float32)
    if before:
        values = blur(values, before)
    difference = values - blur(values, sigma)
    variance = blur(difference * difference, sigma)
    return difference / np.sqrt(np.maximum(variance, 0) + _NOISE_LEVEL**2)


def blur(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of each picture of a stack (N, n, n) float32, mirrored at the borders."""
    kernel = _blur_matrix(values.shape[-1], sigma)
    return kernel @ values @ kernel.T


@cache
def _blur_matrix(size: int, sigma: float) -> np.ndarray:
    """(n, n) float32; its product with a column is the blurred column."""
    reach = int(4 * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    rows = np.arange(size)[:, None]
    columns = np.abs(rows + offsets)
    columns = np.clip(np.where(columns > size - 1, 2 * (size - 1) - columns, columns), 0, size - 1)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (np.broadcast_to(rows, columns.shape), columns), weights / weights.sum())
    return matrix.astype(np.float32)


def halve(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, n, n) at half the size, each pixel the mean of four: float32."""
    count, size, _ = pictures.shape
    return pictures.reshape(count, size // 2, 2, size // 2, 2).mean(axis=(2, 4), dtype=np.float32)
