"""Short descriptors of pictures, alike for copies of one picture and unlike for pictures of two patients.

They are linear discriminants (Fisher) of the small pictures against the same pictures shifted, enlarged and turned a
little: directions in which two pictures differ much, and a picture hardly differs from its own copy. They are learnt
from the cohort itself, so that what all its images share (the outline of a head) counts for little.
"""

from dataclasses import dataclass

import numpy as np

from firstread.curation.registration import ORIENTATIONS, orient, warp

DIMENSIONS = 64
_TRAINING_IMAGES = 1500
#: share of the variance within copies that is added for what the simulated copies do not show
_SHRINKAGE = 0.1
_NOISE = 0.05
#: a picture is looked for enlarged, as a crop shows it, and shifted by 5 % of its width
_ENLARGED = (-0.1, 0, 0, 0, -0.1, 0)
_SHIFTED = ((0, 0, 0.1, 0, 0, 0), (0, 0, 0, 0, 0, 0.1), (0, 0, 0.1, 0, 0, 0.1), (0, 0, 0.1, 0, 0, -0.1))


@dataclass(frozen=True)
class Variant:
    """A way in which a picture is looked for: warped by an affine map, then turned or mirrored."""

    warp: tuple[float, ...]
    orientation: int

    @property
    def is_unwarped(self) -> bool:
        """Whether the picture is turned or mirrored only."""
        return not any(self.warp)


#: shifts and crops to the other side need no variant: there the other picture is the one that is looked for
VARIANTS = (
    *(Variant((0,) * 6, orientation) for orientation in range(ORIENTATIONS)),
    *(Variant(_ENLARGED, orientation) for orientation in range(ORIENTATIONS)),
    *(Variant(shift, 0) for shift in _SHIFTED),
)


class CopyDescriptor:
    """Descriptors learnt from small pictures.

    Args:
        pictures: (N, n, n) with local contrast normalized.
        usable: indices of those to learn from; of many a sample is taken.
        seed: of the sample and of the simulated copies.
    """

    def __init__(self, pictures: np.ndarray, usable: np.ndarray, *, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.size = pictures.shape[1]
        chosen = np.sort(rng.permutation(usable)[:_TRAINING_IMAGES])
        self._projection = _learn_projection(pictures[chosen].astype(np.float32), rng)
        self._of_variant = {variant: self._project_variant(variant) for variant in VARIANTS}

    def describe(self, pictures: np.ndarray, variant: Variant | None = None) -> np.ndarray:
        """(N, D) float32 of length 1, of the pictures as they are or as a variant shows them; 0 for an empty one."""
        matrix = self._projection if variant is None else self._of_variant[variant]
        values = pictures.reshape(len(pictures), -1).astype(np.float32) @ matrix
        lengths = np.linalg.norm(values, axis=1, keepdims=True)
        return np.where(lengths > 1e-3, values / np.maximum(lengths, 1e-3), 0).astype(np.float32)

    def _project_variant(self, variant: Variant) -> np.ndarray:
        """Matrix that warps, orients and projects a picture at once, all of which are linear."""
        size = self.size
        pixels = np.eye(size * size, dtype=np.float32).reshape(-1, size, size)
        maps = np.repeat(np.array([variant.warp], np.float32), len(pixels), axis=0)
        values, inside = warp(pixels, maps)
        shown = orient((values * inside).reshape(-1, size, size), variant.orientation)
        return shown.reshape(size * size, -1) @ self._projection


def _learn_projection(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n * n, D): directions of the largest variance between pictures relative to that within copies of one."""
    from scipy.linalg import eigh

    count, size, _ = pictures.shape
    within = np.zeros((size * size, size * size))
    rounds = max(2, 4000 // max(count, 1))
    for _ in range(min(rounds, 40)):
        values, _ = warp(pictures, _random_maps(count, rng))
        change = values - pictures.reshape(count, -1)
        change += rng.normal(0, _NOISE, change.shape).astype(np.float32)
        within += change.T @ change
    within /= max(count, 1) * min(rounds, 40)
    flat = pictures.reshape(count, -1)
    between = (flat.T @ flat).astype(np.float64) / max(count, 1)
    within += (_SHRINKAGE * np.trace(within) / len(within) + 1e-9) * np.eye(len(within))
    last = len(within) - 1
    vectors = eigh(between, within, subset_by_index=[max(0, last - DIMENSIONS + 1), last])[1]
    return vectors.astype(np.float32)


def _random_maps(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 6) small affine maps: turned by up to 2 degrees, enlarged by up to 7 %, shifted by up to 3 %."""
    angle, scale, across, down = rng.uniform(-1, 1, (4, count)) * np.array([[0.036], [0.066], [0.06], [0.06]])
    return np.stack([scale, -angle, across, angle, scale, down], axis=1).astype(np.float32)
