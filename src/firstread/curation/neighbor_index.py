"""Nearest neighbours among many vectors without comparing all with all: an inverted file (IVF) of cells.

Vectors are sorted into cells around a few hundred of them (k-means); a query is compared with the members of the cells
nearest to it only (Jégou 2011, doi 10.1109/TPAMI.2010.57). The work grows with the number of vectors times its square
root at most, and each vector has a bounded number of neighbours.
"""

from itertools import pairwise

import numpy as np

_CELL_SIZE = 256
#: a cell may be this many times as large as the mean; what is more alike than that is cut into pieces
_MAX_CELL_RATIO = 4
_TRAINING_ROUNDS = 4


class NeighborIndex:
    """Cells of unit vectors; a vector and its negative count as alike.

    Args:
        vectors: (N, D) float32, each of length 1, or 0 for one that is no one's neighbour.
        seed: of the choice of the cells.
    """

    def __init__(self, vectors: np.ndarray, *, seed: int = 0) -> None:
        self.vectors = vectors
        usable = np.flatnonzero((vectors**2).sum(axis=1) > 0.5)
        rng = np.random.default_rng(seed)
        self._centers = _find_centers(vectors[usable], -(-len(usable) // _CELL_SIZE), rng)
        nearest = _nearest(vectors[usable], self._centers)
        order = np.argsort(nearest, kind="stable")
        bounds = np.searchsorted(nearest[order], np.arange(len(self._centers) + 1))
        self._cells = [usable[order[a:b]] for a, b in pairwise(bounds.tolist())]
        self._divide_large_cells(rng)

    def _divide_large_cells(self, rng: np.random.Generator) -> None:
        """Cut cells of vectors that are too alike for k-means into pieces; empty cells go."""
        cells, centers = [], []
        for cell, center in zip(self._cells, self._centers, strict=True):
            pieces = -(-len(cell) // (_CELL_SIZE * _MAX_CELL_RATIO))
            direction = rng.standard_normal(self.vectors.shape[1], np.float32)
            along = cell[np.argsort(self.vectors[cell] @ direction, kind="stable")] if pieces > 1 else cell
            cells += np.array_split(along, pieces) if pieces else []
            centers += [center] * pieces
        self._cells, self._centers = cells, np.array(centers, np.float32).reshape(-1, self.vectors.shape[1])

    def search(self, queries: np.ndarray, *, count: int, cells: int = 3) -> tuple[np.ndarray, np.ndarray]:
        """The vectors most like each query, or most like its negative.

        Args:
            queries: (M, D) float32 of length 1.
            count: neighbours of each query.
            cells: cells that are looked through for each query.

        Returns:
            Indices (M, count), -1 where there are fewer, and cosines (M, count), negative for the negative; by
            decreasing absolute cosine.
        """
        cells = min(cells, len(self._cells))
        found = np.full((len(queries), max(cells, 1) * count), -1, np.int64)
        cosines = np.zeros(found.shape, np.float32)
        if cells:
            affinity = np.abs(queries @ self._centers.T)
            probed = np.argpartition(-affinity, cells - 1, axis=1)[:, :cells]
            for probe in range(cells):
                part = slice(probe * count, (probe + 1) * count)
                self._search_cells(queries, probed[:, probe], found[:, part], cosines[:, part])
        best = np.argsort(-np.abs(cosines), axis=1, kind="stable")[:, :count]
        return np.take_along_axis(found, best, axis=1), np.take_along_axis(cosines, best, axis=1)

    def _search_cells(self, queries: np.ndarray, cell_of: np.ndarray, found: np.ndarray, cosines: np.ndarray) -> None:
        """Fill in the nearest members of one cell for each query."""
        order = np.argsort(cell_of, kind="stable")
        starts = np.flatnonzero(np.diff(cell_of[order], prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
            rows = order[start:stop]
            members = self._cells[cell_of[rows[0]]]
            if not len(members):
                continue
            similar = queries[rows] @ self.vectors[members].T
            kept = min(found.shape[1], len(members))
            strength = np.abs(similar)
            columns = np.argpartition(-strength, kept - 1, axis=1)[:, :kept]
            found[rows, :kept] = members[columns]
            cosines[rows, :kept] = np.take_along_axis(similar, columns, axis=1)


def _find_centers(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Centers of `count` cells by k-means of axes on a sample: a vector and its negative are in one cell."""
    if not len(vectors):
        return np.zeros((0, vectors.shape[1]), np.float32)
    sample = vectors[rng.permutation(len(vectors))[: 64 * count]]
    centers = sample[:count].copy()
    for _ in range(_TRAINING_ROUNDS):
        nearest = _nearest(sample, centers)
        signs = np.sign((sample * centers[nearest]).sum(axis=1, keepdims=True))
        sums = np.zeros_like(centers)
        np.add.at(sums, nearest, sample * signs)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centers = np.where(lengths > 1e-6, sums / np.maximum(lengths, 1e-6), centers)
    return centers


def _nearest(vectors: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """(N,) number of the center whose axis is nearest to each vector."""
    blocks = [vectors[start : start + 8192] for start in range(0, len(vectors), 8192)]
    parts = [np.abs(block @ centers.T).argmax(axis=1) for block in blocks]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
