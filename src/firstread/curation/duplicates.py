"""Which images are the same, nearly the same, or slices of one scan."""

import hashlib
from collections.abc import Iterator

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.images import read_image
from firstread.core.progress_bar import track

#: root mean square difference of 32 x 32 thumbnails, in gray levels of 255, under which two images count as nearly the same
NEARLY_SAME = 2.0
#: under which two images count as neighbours in one scan
SAME_SERIES = 4.0
#: and by less than this share of the images' own contrast, or two dark images would always count as the same
SHARE_OF_CONTRAST = 0.2
_CHUNK = 1024


def pixel_fingerprints(cohort: Cohort) -> list[str]:
    """SHA-256 of the decoded pixels of each image: equal pictures match even where the files differ."""
    prints = []
    rows = zip(cohort.table["file"], cohort.table["frame"], strict=True)
    for file, frame in track(rows, "Comparing images", total=len(cohort)):
        pixels = read_image(file, frame=None if frame is None else int(frame), window=cohort.window)
        prints.append(hashlib.sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest())
    return prints


def groups_of_equals(prints: list[str]) -> list[list[int]]:
    """Indices of images that are identical, largest group first."""
    found: dict[str, list[int]] = {}
    for index, value in enumerate(prints):
        found.setdefault(value, []).append(index)
    return sorted((group for group in found.values() if len(group) > 1), key=len, reverse=True)


def close_pairs(thumbnails: np.ndarray, *, within: float) -> np.ndarray:
    """(M, 2) index pairs i < j of thumbnails (N, h, w) that differ by less than `within` (root mean square) and a fifth of their contrast."""
    pairs = [np.stack([rows, columns], axis=1) for rows, columns in _close(thumbnails, within)]
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), np.int64)


def series_of(thumbnails: np.ndarray) -> np.ndarray:
    """(N,) number of the chain of neighbours each image belongs to: slices of one scan link up, different patients do not."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = close_pairs(thumbnails, within=SAME_SERIES)
    count = len(thumbnails)
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(links, directed=False)[1]


def _close(thumbnails: np.ndarray, within: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    squares = (flat**2).sum(axis=1)
    limit = np.minimum(within, SHARE_OF_CONTRAST * flat.std(axis=1))
    for start in range(0, len(flat), _CHUNK):
        part = flat[start : start + _CHUNK]
        distance = squares[start : start + _CHUNK, None] + squares[None] - 2 * part @ flat.T
        rows, columns = np.nonzero(
            distance / flat.shape[1] < np.minimum(limit[start : start + _CHUNK, None], limit[None]) ** 2
        )
        keep = columns > rows + start
        yield rows[keep] + start, columns[keep]
