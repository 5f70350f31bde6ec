"""Images with nothing in them, and images with something drawn on them."""

import numpy as np

from firstread.core.images import to_grayscale

#: share of pixels that must differ between channels before an otherwise gray image counts as carrying a coloured mark
_COLOURED_SHARE = 2e-4


def emptiness(image: np.ndarray) -> str | None:
    """ "empty" (one gray value nearly everywhere), "noise" (neighbouring pixels hardly related), or None.

    Args:
        image: uint8, (H, W) or (H, W, 3).
    """
    gray = to_grayscale(image).astype(np.float32)
    if gray.std() < 3 or (np.abs(gray - np.median(gray)) > 8).mean() < 0.01:
        return "empty"
    return "noise" if neighbour_correlation(gray) < 0.6 and _filled(gray) else None


def neighbour_correlation(gray: np.ndarray) -> float:
    """Correlation of horizontally and vertically neighbouring pixels, -1 to 1: near 1 in anatomy, near 0 in noise."""
    centred = gray - gray.mean()
    variance = max(float((centred**2).mean()), 1e-6)
    across = float((centred[:, 1:] * centred[:, :-1]).mean()) / variance
    down = float((centred[1:] * centred[:-1]).mean()) / variance
    return min(across, down)


def drawn_marks(image: np.ndarray) -> list[str]:
    """What seems to have been drawn on a radiological image: "colour", "label or arrow".

    Colour is certain. Labels and arrows are guessed from small, sharp, uniform patches at full white or full black that stand
    out from what surrounds them; a metal marker of the radiographer's looks the same, and is worth knowing about too.
    """
    marks = []
    if image.ndim == 3 and (np.ptp(image.astype(np.int16), axis=2) > 40).mean() > _COLOURED_SHARE:
        marks.append("colour")
    if _sharp_patches(to_grayscale(image)):
        marks.append("label or arrow")
    return marks


def _filled(gray: np.ndarray) -> bool:
    """True if every quarter of the image looks alike: noise fills the whole field, anatomy does not."""
    h, w = gray.shape[0] // 2, gray.shape[1] // 2
    quarters = [gray[:h, :w], gray[:h, w:], gray[h:, :w], gray[h:, w:]]
    spread = [float(q.std()) for q in quarters]
    level = [float(q.mean()) for q in quarters]
    return min(spread) > 0.6 * max(spread) and max(level) - min(level) < 0.5 * max(np.mean(spread), 1)


def _sharp_patches(gray: np.ndarray) -> bool:
    from scipy.ndimage import label, maximum_filter, minimum_filter

    if min(gray.shape) < 96:
        return False  # too coarse to tell a letter from a rib
    side = max(gray.shape)
    contrast = maximum_filter(gray, 5).astype(np.int16) - minimum_filter(gray, 5)
    for extreme in (gray >= 250, gray <= 4):
        patches, count = label(extreme)
        sizes = np.bincount(patches.ravel())[1:] if count else np.array([])
        for number in np.flatnonzero((sizes > (side / 80) ** 2) & (sizes < (side / 6) ** 2)) + 1:
            inside = patches == number
            rows, columns = np.nonzero(inside)
            if (
                rows.min() <= 1
                or columns.min() <= 1
                or rows.max() >= gray.shape[0] - 2
                or columns.max() >= gray.shape[1] - 2
            ):
                continue
            rim = maximum_filter(inside, 5) & ~inside
            if np.median(contrast[rim]) > 110:
                return True
    return False
