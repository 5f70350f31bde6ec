"""Search for copies: which images of a cohort show the same picture, whatever was done to it since.

A search in two stages. Candidates come from short descriptors (`copy_descriptors`) by an index that is not quadratic
(`neighbor_index`), for each image a bounded number. Each candidate is then laid over the image by registration, at 32,
64 and up to 256 pixels, and what both show is correlated with local contrast normalized.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from firstread.core.progress_bar import ProgressBar
from firstread.curation.copy_descriptors import VARIANTS, CopyDescriptor
from firstread.curation.local_contrast import normalize_local_contrast
from firstread.curation.neighbor_index import NeighborIndex
from firstread.curation.registration import align, as_matrices, correlate, margin_of, orient_each, warp

#: sides in pixels of the pictures that are compared; from FINE on details count too
SMALL, MEDIUM, FINE = 32, 64, 96
#: least cosine of two descriptors, and least correlation at 32 and 64 pixels, for a closer look
_MIN_COSINE, _MIN_SMALL, _MIN_MEDIUM = 0.6, 0.8, 0.87
#: correlation at 32 pixels from which two pictures lie on each other as they are, and from which more steps of
#: registration may pay
_UNMOVED, _PROMISING = 0.93, 0.7
#: RMS difference of (32, 32) pictures, in gray levels of 255, below which two images are neighbouring slices of one
#: scan, and relative to their contrast; correlation from which such two are nearly the same
SAME_SERIES_RMS, MAX_RELATIVE_RMS, NEARLY_THE_SAME = 4.0, 0.2, 0.97
#: small pictures are kept in 8 bits: 40 steps for a unit of local contrast
_STEPS = 40
#: candidates of an image from turns and reflections; of the whole cohort and of an image that are registered, or
#: compared in detail
_CANDIDATES_EACH = 16
_MAX_REGISTERED, _MAX_REGISTERED_EACH = 180_000, 8
_MAX_MEDIUM, _MAX_MEDIUM_EACH = 50_000, 6
_MAX_FINE, _MAX_FINE_EACH = 6_000, 4
_BLOCK = 512


class Pictures(Protocol):
    """Square grayscale pictures of N images, uint8: small, of medium size, and finer ones where an image has them."""

    @property
    def small(self) -> np.ndarray:
        """(N, 32, 32)."""

    @property
    def medium(self) -> np.ndarray:
        """(N, 64, 64)."""

    @property
    def sides(self) -> np.ndarray:
        """(N,) pixels of the finest picture of each image."""

    def detail(self, index: int, side: int) -> np.ndarray:
        """(side, side) of an image, at most as fine as `sides` says."""


@dataclass(frozen=True)
class Comparisons:
    """Pairs of images that were compared, M rows, each pair once.

    Attributes:
        first, second: (M,) indices.
        orientation: (M,) in which the first lies on the second, see `registration.orient`.
        sign: (M,) -1 where gray values are inverted.
        maps: (M, 6) the affine map that lays the second on the oriented first.
        identity: (M,) correlation as they lie.
        score: (M,) correlation after registration.
        sharp: (M,) the same of edges and texture alone, at 64 pixels; 0 where that was not measured.
        side: (M,) pixels at which the score was measured.
        rms: (M,) root mean square difference of the small pictures in gray levels, NaN where one is turned.
        contrast: (M,) standard deviation of the small picture that has less of it, in gray levels.
    """

    first: np.ndarray
    second: np.ndarray
    orientation: np.ndarray
    sign: np.ndarray
    maps: np.ndarray
    identity: np.ndarray
    score: np.ndarray
    sharp: np.ndarray
    side: np.ndarray
    rms: np.ndarray
    contrast: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def take(self, rows: np.ndarray) -> "Comparisons":
        """Some rows, by index or mask."""
        return Comparisons(**{name: values[rows] for name, values in vars(self).items()})

    def is_near(self, limit: float) -> np.ndarray:
        """(M,) bool: pairs whose small pictures differ by less than `limit`, and than a fifth of their contrast.

        Without the second limit two dark images would always match.
        """
        return self.rms < np.minimum(limit, MAX_RELATIVE_RMS * self.contrast)


def compare_neighbors(pictures: Pictures, *, usable: np.ndarray) -> Comparisons:
    """Compare each image with the few that are most like it.

    Args:
        pictures: of all images.
        usable: (N,) bool; images that are empty, or repeat another exactly, are left out.
    """
    small = _normalize_small(pictures.small)
    small[~usable] = 0
    if usable.sum() < 2:
        return _none()
    descriptor = CopyDescriptor(small, np.flatnonzero(usable))
    candidates = _find_candidates(small, descriptor)
    compared = _register_small(small, candidates, registered_each=_each(_MAX_REGISTERED, _MAX_REGISTERED_EACH, small))
    compared = _add_rms(pictures.small, _best_of_each_pair(compared))
    is_clear = compared.is_near(SAME_SERIES_RMS) & (compared.identity >= NEARLY_THE_SAME)
    rows = np.flatnonzero((compared.score >= _MIN_SMALL) & ~is_clear)
    rows = best_of_each_image(compared, rows, count=_each(_MAX_MEDIUM, _MAX_MEDIUM_EACH, small))
    _compare_medium(pictures, compared, rows)
    rows = rows[(compared.score[rows] >= _MIN_MEDIUM) & (_common_side(pictures, compared, rows) >= FINE)]
    rows = best_of_each_image(compared, rows, count=_each(_MAX_FINE, _MAX_FINE_EACH, small))
    _compare_fine(pictures, compared, rows)
    return compared


def _common_side(pictures: Pictures, compared: Comparisons, rows: np.ndarray) -> np.ndarray:
    return np.minimum(pictures.sides[compared.first[rows]], pictures.sides[compared.second[rows]])


def _each(total: int, most: int, small: np.ndarray) -> int:
    return int(np.clip(total // max(len(small), 1), 2, most))


def _normalize_small(pictures: np.ndarray) -> np.ndarray:
    """(N, 32, 32) int8, local contrast normalized."""
    small = np.zeros(pictures.shape, np.int8)
    for start in range(0, len(pictures), 4096):
        block = normalize_local_contrast(pictures[start : start + 4096], before=0, sigma=2.5)
        small[start : start + 4096] = np.clip(np.rint(block * _STEPS), -127, 127)
    return small


@dataclass(frozen=True)
class _Candidates:
    """Pairs that may be copies, (M,) each: the image that was looked for, the one found, variant, cosine, rank."""

    query: np.ndarray
    found: np.ndarray
    variant: np.ndarray
    cosine: np.ndarray
    rank: np.ndarray


def _find_candidates(small: np.ndarray, descriptor: CopyDescriptor) -> _Candidates:
    index = NeighborIndex(np.concatenate([descriptor.describe(block) for block in _blocks(small, 4096)]))
    parts = []
    with ProgressBar("Looking for copies", len(small)) as bar:
        for start in range(0, len(small), 2048):
            block = small[start : start + 2048]
            rows = np.arange(start, start + len(block))
            found = []
            for number, variant in enumerate(VARIANTS):
                queries = descriptor.describe(block, variant)
                indices, cosines = index.search(queries, count=_CANDIDATES_EACH if number == 0 else 4)
                cosines = np.where((indices == rows[:, None]) | (indices < 0), 0, cosines)
                found.append((indices, cosines, np.full(indices.shape, number)))
            parts.append(_keep_best(rows, found))
            bar.update(len(block))
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    query, found_images, variants, cosine, rank = (np.concatenate(column) for column in columns)
    return _Candidates(query, found_images, variants, cosine, rank)


def _keep_best(rows: np.ndarray, found: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> _Candidates:
    """The candidates of each row with the highest absolute cosine; one that several variants found, once."""
    indices, cosines, variants = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
    strength = np.abs(cosines)
    by_index = np.lexsort((-strength, indices), axis=1)
    sorted_indices = np.take_along_axis(indices, by_index, axis=1)
    repeated = np.zeros(indices.shape, bool)
    repeated[:, 1:] = sorted_indices[:, 1:] == sorted_indices[:, :-1]
    np.put_along_axis(strength, by_index, np.where(repeated, 0, np.take_along_axis(strength, by_index, axis=1)), axis=1)
    best = np.argsort(-strength, axis=1, kind="stable")[:, :_CANDIDATES_EACH]
    rank = np.broadcast_to(np.arange(best.shape[1]), best.shape)
    good = np.take_along_axis(strength, best, axis=1) >= _MIN_COSINE
    query = np.broadcast_to(rows[:, None], best.shape)
    found_images, variant, cosine = (
        np.take_along_axis(part, best, axis=1)[good] for part in (indices, variants, cosines)
    )
    return _Candidates(query[good], found_images, variant, cosine, rank[good])


def _register_small(small: np.ndarray, candidates: _Candidates, *, registered_each: int) -> Comparisons:
    """Correlation of the small pictures as they lie, and after registration where that is too low."""
    parts = [_none()]
    with ProgressBar("Comparing images", len(candidates.query), unit="pair") as bar:
        for rows in _blocks(np.arange(len(candidates.query)), 2048):
            parts.append(_register_block(small, candidates, rows, registered_each))
            bar.update(len(rows))
    return _concatenate(parts)


def _register_block(small: np.ndarray, candidates: _Candidates, rows: np.ndarray, registered_each: int) -> Comparisons:
    variant = candidates.variant[rows]
    orientation = np.array([variant.orientation for variant in VARIANTS])[variant]
    sign = np.where(candidates.cosine[rows] < 0, -1, 1).astype(np.float32)
    first = orient_each(small[candidates.query[rows]], orientation).astype(np.float32)
    second = small[candidates.found[rows]] * sign[:, None, None]
    identity = correlate(first.reshape(len(rows), -1), second.reshape(len(rows), -1))
    score, maps = identity.copy(), np.zeros((len(rows), 6), np.float32)
    moved = np.flatnonzero((identity < _UNMOVED) & (candidates.rank[rows] < registered_each))
    for part in _blocks(moved, _BLOCK):
        start = _best_start(first[part], second[part], variant[part], identity[part])
        found = align(first[part], second[part], start=start, steps=4)
        score[part], maps[part] = found.correlation, found.maps
    for part in _blocks(moved[score[moved] >= _PROMISING], _BLOCK):
        found = align(first[part], second[part], start=maps[part], steps=5)
        score[part], maps[part] = found.correlation, found.maps
    return Comparisons(
        first=candidates.query[rows],
        second=candidates.found[rows],
        orientation=orientation,
        sign=sign,
        maps=maps,
        identity=identity,
        score=score,
        sharp=np.zeros(len(rows), np.float32),
        side=np.full(len(rows), SMALL),
        rms=np.full(len(rows), np.nan, np.float32),
        contrast=np.zeros(len(rows), np.float32),
    )


def _best_start(first: np.ndarray, second: np.ndarray, variant: np.ndarray, identity: np.ndarray) -> np.ndarray:
    """(P, 6) where registration begins: as they lie, as the variant says, or cropped by 5 % on one side or the other.

    Ribs and vertebrae repeat themselves, so that a wrong start ends a rib away.
    """
    warps = np.array([*(variant.warp for variant in VARIANTS), (0.11, 0, 0, 0, 0.11, 0)], np.float32)
    inverse = np.linalg.inv(as_matrices(warps))[:, :2].reshape(-1, 6) - np.array([1, 0, 0, 0, 1, 0])
    flat, best = first.reshape(len(first), -1), identity.copy()
    chosen = np.zeros((len(first), 6), np.float32)
    enlarged = next(number for number, one in enumerate(VARIANTS) if not one.is_unwarped)
    for number in (variant, np.full(len(first), enlarged), np.full(len(first), len(VARIANTS))):
        start = inverse[number].astype(np.float32)
        correlation = correlate(flat, *warp(second, start, margin=margin_of(SMALL)))
        better = correlation > best
        best[better], chosen[better] = correlation[better], start[better]
    return chosen


def _best_of_each_pair(compared: Comparisons) -> Comparisons:
    """Each pair of images once, as it fits best."""
    low, high = np.minimum(compared.first, compared.second), np.maximum(compared.first, compared.second)
    order = np.lexsort((-compared.score, high, low))
    is_new = np.ones(len(order), bool)
    is_new[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    return compared.take(order[is_new])


def _add_rms(pictures: np.ndarray, compared: Comparisons) -> Comparisons:
    """The comparisons with `contrast`, and `rms` for pairs that lie as they are, filled in."""
    blocks = [block.std(axis=(1, 2), dtype=np.float32) for block in _blocks(pictures, 4096)]
    contrast = np.concatenate(blocks)
    compared.contrast[:] = np.minimum(contrast[compared.first], contrast[compared.second])
    upright = np.flatnonzero((compared.orientation == 0) & (compared.sign > 0))
    for rows in _blocks(upright, 4096):
        difference = pictures[compared.first[rows]].astype(np.float32) - pictures[compared.second[rows]]
        compared.rms[rows] = np.sqrt((difference**2).mean(axis=(1, 2)))
    return compared


def best_of_each_image(compared: Comparisons, rows: np.ndarray, *, count: int) -> np.ndarray:
    """Those of some rows that are among the `count` best of one of their two images."""
    images = np.concatenate([compared.first[rows], compared.second[rows]])
    order = np.lexsort((-np.tile(compared.score[rows], 2), images))
    is_first = np.ones(len(order), bool)
    is_first[1:] = np.diff(images[order]) != 0
    starts = np.maximum.accumulate(np.where(is_first, np.arange(len(order)), 0))
    return np.unique(np.tile(rows, 2)[order[np.arange(len(order)) - starts < count]])


def _compare_medium(pictures: Pictures, compared: Comparisons, rows: np.ndarray) -> None:
    """Fill in what a comparison at 64 pixels says of some rows."""
    for part in _blocks(rows, _BLOCK):
        first, second = pictures.medium[compared.first[part]], pictures.medium[compared.second[part]]
        identity = _compare_at(compared, part, first, second, before=0.7, sigma=4.0)
        compared.identity[part] = identity
        edges = normalize_local_contrast(orient_each(first, compared.orientation[part]), before=0.5, sigma=1.5)
        moving = normalize_local_contrast(second, before=0.5, sigma=1.5) * compared.sign[part, None, None]
        values, inside = warp(moving, compared.maps[part], margin=margin_of(MEDIUM))
        compared.sharp[part] = correlate(edges.reshape(len(part), -1), values, inside)


def _compare_fine(pictures: Pictures, compared: Comparisons, rows: np.ndarray) -> None:
    """Fill in what a comparison in detail says of some rows."""
    side = _common_side(pictures, compared, rows)
    for size in np.unique(side):
        for part in _blocks(rows[side == size], max(1, _BLOCK * MEDIUM**2 // size**2)):
            first, second = (
                np.stack([pictures.detail(int(index), int(size)) for index in indices[part]])
                for indices in (compared.first, compared.second)
            )
            _compare_at(compared, part, first, second, before=0.7, sigma=2.0)


def _compare_at(
    compared: Comparisons, rows: np.ndarray, first: np.ndarray, second: np.ndarray, *, before: float, sigma: float
) -> np.ndarray:
    """Register pictures of one size (P, n, n) from where they lie already, and write the result into some rows.

    Returns:
        (P,) their correlation without moving.
    """
    fixed = normalize_local_contrast(orient_each(first, compared.orientation[rows]), before=before, sigma=sigma)
    moving = normalize_local_contrast(second, before=before, sigma=sigma) * compared.sign[rows, None, None]
    found = align(fixed, moving, start=compared.maps[rows], steps=5)
    compared.maps[rows] = found.maps
    compared.score[rows] = found.correlation
    compared.side[rows] = first.shape[-1]
    return correlate(fixed.reshape(len(rows), -1), moving.reshape(len(rows), -1))


def _blocks(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Parts of an array along its first axis, of at most `size`."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _concatenate(parts: list[Comparisons]) -> Comparisons:
    return Comparisons(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


def _none() -> Comparisons:
    integers, numbers = np.zeros(0, np.int64), np.zeros(0, np.float32)
    return Comparisons(
        first=integers,
        second=integers,
        orientation=integers,
        sign=numbers,
        maps=np.zeros((0, 6), np.float32),
        identity=numbers,
        score=numbers,
        sharp=numbers,
        side=integers,
        rms=numbers,
        contrast=numbers,
    )
