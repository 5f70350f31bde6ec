"""Detection of identical images, near duplicates and slices of one scan."""

import hashlib
from collections.abc import Iterator

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.images import read_image
from firstread.core.progress_bar import track

#: RMS difference of 32 x 32 thumbnails, in gray levels of 255, below which two images are near duplicates
NEAR_DUPLICATE_RMS = 2.0
#: RMS difference below which two images are neighbouring slices of one scan
SAME_SERIES_RMS = 4.0
#: RMS difference relative to the images' own contrast; without this limit two dark images would always match
MAX_RELATIVE_RMS = 0.2
_CHUNK_ROWS = 1024


def hash_pixels(cohort: Cohort) -> list[str]:
    """SHA-256 of the decoded pixels of each image: equal pictures match even where the files differ."""
    hashes = []
    rows = cohort.tables.first_images()
    for file, frame in track(rows, "Comparing images", total=len(cohort)):
        pixels = read_image(file, frame=None if frame is None else int(frame), window=cohort.window)
        hashes.append(hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest())
    return hashes


def group_identical(hashes: list[str]) -> list[list[int]]:
    """Groups of indices with equal hashes, largest group first."""
    groups: dict[str, list[int]] = {}
    for index, value in enumerate(hashes):
        groups.setdefault(value, []).append(index)
    return sorted((group for group in groups.values() if len(group) > 1), key=len, reverse=True)


def find_similar_pairs(thumbnails: np.ndarray, *, max_rms: float) -> np.ndarray:
    """Pairs of similar thumbnails: (M, 2) indices i < j.

    Args:
        thumbnails: (N, h, w) gray values.
        max_rms: root mean square difference in gray levels; a fifth of the thumbnails' contrast is a limit as well.
    """
    pairs = [np.stack([rows, columns], axis=1) for rows, columns in _iterate_similar_pairs(thumbnails, max_rms)]
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)


def assign_series(thumbnails: np.ndarray) -> np.ndarray:
    """(N,) series number of each image, from chains of similar neighbours: slices of one scan are linked."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = find_similar_pairs(thumbnails, max_rms=SAME_SERIES_RMS)
    count = len(thumbnails)
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(links, directed=False)[1]


def _iterate_similar_pairs(thumbnails: np.ndarray, max_rms: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    squares = (flat**2).sum(axis=1)
    limits = np.minimum(max_rms, MAX_RELATIVE_RMS * flat.std(axis=1))
    for start in range(0, len(flat), _CHUNK_ROWS):
        chunk = slice(start, start + _CHUNK_ROWS)
        distances = squares[chunk, None] + squares[None] - 2 * flat[chunk] @ flat.T
        rows, columns = np.nonzero(distances / flat.shape[1] < np.minimum(limits[chunk, None], limits[None]) ** 2)
        is_upper = columns > rows + start
        yield rows[is_upper] + start, columns[is_upper]
