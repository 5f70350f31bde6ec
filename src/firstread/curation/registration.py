"""Registration of pairs of small pictures: the affine map that lays one over the other, many pairs at once.

An affine map is (P, 6) float32: x' = x + a x + b y + c, y' = y + d x + e y + f, with x and y from -1 to 1 across the
picture; all zeros is the identity.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

#: largest change of one parameter in a step, and altogether
_MAX_STEP, _MAX_TOTAL = 0.1, 0.35
_DAMPING = 1e-2
#: turns and reflections of a square: four quarter turns, and the same of its mirror image
ORIENTATIONS = 8


@dataclass(frozen=True)
class Alignment:
    """Result of `align` for P pairs.

    Attributes:
        maps: (P, 6) affine maps from the fixed picture's places to the moving picture's.
        correlation: (P,) normalized cross-correlation where both overlap, -1 to 1.
        overlap: (P,) share of the fixed picture on which the moving one lies.
    """

    maps: np.ndarray
    correlation: np.ndarray
    overlap: np.ndarray


def margin_of(size: int) -> int:
    """Pixels at the border of a picture of some size that do not count in a comparison."""
    return size // 16


def orient(pictures: np.ndarray, orientation: int) -> np.ndarray:
    """Pictures (..., n, n), from orientation 4 on mirrored left to right, then turned by quarters to the left."""
    mirrored = pictures[..., ::-1] if orientation >= 4 else pictures
    return np.rot90(mirrored, orientation % 4, axes=(-2, -1))


def orient_each(pictures: np.ndarray, orientations: np.ndarray) -> np.ndarray:
    """Pictures (P, n, n), each in its own orientation (P,)."""
    result = np.empty_like(pictures)
    for orientation in np.unique(orientations):
        chosen = orientations == orientation
        result[chosen] = orient(pictures[chosen], int(orientation))
    return result


def align(fixed: np.ndarray, moving: np.ndarray, *, start: np.ndarray, steps: int) -> Alignment:
    """Align pairs of pictures by Gauss-Newton steps, inverse compositional.

    Args:
        fixed, moving: (P, n, n) float32, best with local contrast normalized.
        start: (P, 6) maps to begin with.
        steps: of the search; the best place on the way is kept.

    Source: Baker 2004, Int J Comput Vis 56:221, doi 10.1023/B:VISI.0000011205.11775.fd.
    """
    count, size, _ = fixed.shape
    gradient_y = np.gradient(fixed, axis=1).reshape(count, -1) * (size / 2)
    gradient_x = np.gradient(fixed, axis=2).reshape(count, -1) * (size / 2)
    y, x = _grid(size)
    descent = np.stack([gradient_x * x, gradient_x * y, gradient_x, gradient_y * x, gradient_y * y, gradient_y], axis=1)
    flat = fixed.reshape(count, -1)
    maps = start.astype(np.float32)
    best = Alignment(maps.copy(), np.full(count, -2.0, np.float32), np.zeros(count, np.float32))
    for step in range(steps + 1):
        values, inside = warp(moving, maps, margin=margin_of(size))
        first, second = _centered(flat, inside), _centered(values, inside)
        energy, energy_moving = (np.maximum((part * part).sum(axis=1), 1e-6) for part in (first, second))
        correlation = (first * second).sum(axis=1) / np.sqrt(energy * energy_moving)
        better = correlation > best.correlation
        best.maps[better] = maps[better]
        best.correlation[better] = correlation[better]
        best.overlap[better] = inside.mean(axis=1)[better]
        if step == steps:
            return best
        error = second * np.sqrt(energy / energy_moving)[:, None] - first
        masked = descent * inside[:, None]
        normal = masked @ masked.transpose(0, 2, 1)
        normal += _DAMPING / 6 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(6, dtype=np.float32)
        normal += 1e-6 * np.eye(6, dtype=np.float32)  # a picture without any detail
        change = np.linalg.solve(normal, masked @ error[:, :, None])[:, :, 0]
        maps = _compose_inverse(maps, np.clip(change, -_MAX_STEP, _MAX_STEP))
    return best


def warp(pictures: np.ndarray, maps: np.ndarray, *, margin: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (P, n, n) laid under their maps, linearly interpolated.

    Args:
        pictures, maps: one map for each picture.
        margin: pixels at the border of both, the picture and what it is laid on, that do not count: there local
            contrast depends on what a crop has cut off.

    Returns:
        Values (P, n * n) float32, and whether each counts (P, n * n) float32 0 or 1.
    """
    count, size, _ = pictures.shape
    y, x = _grid(size)
    half, center = np.float32(size / 2), np.float32((size - 1) / 2)
    across = (x + maps[:, 0:1] * x + maps[:, 1:2] * y + maps[:, 2:3]) * half + center
    down = (y + maps[:, 3:4] * x + maps[:, 4:5] * y + maps[:, 5:6]) * half + center
    last = size - 1 - margin
    inside = (down >= margin) & (down <= last) & (across >= margin) & (across <= last) & _interior(size, margin)
    down, across = np.clip(down, 0, size - 1.001), np.clip(across, 0, size - 1.001)
    row, column = down.astype(np.int32), across.astype(np.int32)
    down, across = (down - row).astype(np.float32), (across - column).astype(np.float32)
    place = np.arange(count, dtype=np.int64)[:, None] * (size * size) + row * size + column
    flat = pictures.reshape(-1)
    upper = flat[place] * (1 - across) + flat[place + 1] * across
    lower = flat[place + size] * (1 - across) + flat[place + size + 1] * across
    return upper * (1 - down) + lower * down, inside.astype(np.float32)


@cache
def _interior(size: int, margin: int) -> np.ndarray:
    """(1, n * n) bool: pixels that are not within the margin."""
    interior = np.zeros((size, size), bool)
    interior[margin : size - margin, margin : size - margin] = True
    return interior.reshape(1, -1)


def correlate(first: np.ndarray, second: np.ndarray, inside: np.ndarray | None = None) -> np.ndarray:
    """Normalized cross-correlation of each pair (P, M) over the places that count (P, M): (P,) float32."""
    inside = np.ones(first.shape, np.float32) if inside is None else inside
    first, second = _centered(first, inside), _centered(second, inside)
    energy = (first * first).sum(axis=1) * (second * second).sum(axis=1)
    return (first * second).sum(axis=1) / np.sqrt(np.maximum(energy, 1e-6))


def _centered(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    mean = (values * inside).sum(axis=1) / np.maximum(inside.sum(axis=1), 1)
    return (values - mean[:, None]) * inside


@cache
def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """y and x of each pixel, (1, n * n) float32, from -1 to 1."""
    line = (np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)) / np.float32(size / 2)
    y, x = np.meshgrid(line, line, indexing="ij")
    return y.reshape(1, -1), x.reshape(1, -1)


def _compose_inverse(maps: np.ndarray, change: np.ndarray) -> np.ndarray:
    """The maps, each after the inverse of a change."""
    composed = as_matrices(maps) @ np.linalg.inv(as_matrices(change))
    parameters = composed[:, :2].reshape(len(maps), 6) - np.array([1, 0, 0, 0, 1, 0])
    return np.clip(parameters, -_MAX_TOTAL, _MAX_TOTAL).astype(np.float32)


def as_matrices(maps: np.ndarray) -> np.ndarray:
    """Affine maps (P, 6) as matrices (P, 3, 3) of homogeneous coordinates (x, y, 1)."""
    matrices = np.zeros((len(maps), 3, 3))
    matrices[:, :2] = maps.reshape(-1, 2, 3)
    matrices += np.eye(3)
    return matrices
