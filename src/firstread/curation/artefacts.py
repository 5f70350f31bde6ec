"""Images with nothing in them, and images with something drawn on them."""

import numpy as np

from firstread.core.images import to_grayscale

#: share of pixels that must differ between channels before an otherwise gray image counts as carrying a coloured mark
_COLOURED_SHARE = 2e-4
#: gray levels that four fifths of a patch's outline must differ by within 5 pixels, to count as drawn and not as anatomy
_SHARP = 80
#: share of the image, from each side, where side markers and names usually stand
_EDGE = 0.15
#: kinds of marks, and how a finding calls them
MARKS = {
    "colour": "coloured marks",
    "arrow": "arrows, letters or metal within the picture",
    "label": "labels, side markers or text near the edge",
}


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
    """What seems to have been drawn on a radiological image, out of `MARKS`.

    Colour is certain. The others are guessed from small patches at full white or full black whose whole outline is sharper
    than anatomy: within the picture they are called an arrow, near its edge a label. A metal clip or the radiographer's own
    side marker looks the same, and is worth knowing about too; thin or faint arrows are missed.

    Args:
        image: uint8, (H, W) or (H, W, 3).
    """
    marks = []
    if image.ndim == 3 and (np.ptp(image.astype(np.int16), axis=2) > 40).mean() > _COLOURED_SHARE:
        marks.append("colour")
    places = _sharp_patches(to_grayscale(image))
    inside = [_EDGE < down < 1 - _EDGE and _EDGE < across < 1 - _EDGE for down, across in places]
    if any(inside):
        marks.append("arrow")
    if not all(inside):
        marks.append("label")
    return marks


def _filled(gray: np.ndarray) -> bool:
    """True if every quarter of the image looks alike: noise fills the whole field, anatomy does not."""
    h, w = gray.shape[0] // 2, gray.shape[1] // 2
    quarters = [gray[:h, :w], gray[:h, w:], gray[h:, :w], gray[h:, w:]]
    spread = [float(q.std()) for q in quarters]
    level = [float(q.mean()) for q in quarters]
    return min(spread) > 0.6 * max(spread) and max(level) - min(level) < 0.5 * max(np.mean(spread), 1)


def _sharp_patches(gray: np.ndarray) -> list[tuple[float, float]]:
    """Where small, saturated patches with a sharp outline lie: (down, across) as shares of the image, 0 to 1."""
    from scipy.ndimage import find_objects, label, maximum_filter, minimum_filter

    if min(gray.shape) < 96:
        return []  # too coarse to tell a letter from a rib
    gray = _at_most(gray, 640)
    contrast = maximum_filter(gray, 5).astype(np.int16) - minimum_filter(gray, 5)
    smallest, largest = max(12, (max(gray.shape) / 150) ** 2), 0.02 * gray.size
    places = []
    for extreme in (gray >= 240, gray <= 12):
        patches, _ = label(extreme, np.ones((3, 3)))
        sizes = np.bincount(patches.ravel())
        for number, box in enumerate(find_objects(patches), start=1):
            if not smallest <= sizes[number] < largest or _touches_the_edge(box, gray.shape):
                continue
            around = tuple(slice(side.start - 2, side.stop + 2) for side in box)
            inside = patches[around] == number
            rim = maximum_filter(inside, 5) & ~inside
            if np.percentile(contrast[around][rim], 20) > _SHARP:
                places.append(
                    tuple((side.start + side.stop) / 2 / size for side, size in zip(box, gray.shape, strict=True))
                )
    return places


def _touches_the_edge(box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    return any(side.start < 2 or side.stop > size - 2 for side, size in zip(box, shape, strict=True))


def _at_most(gray: np.ndarray, longest: int) -> np.ndarray:
    """The image, made smaller if its longer side has more pixels than `longest`."""
    from PIL import Image

    if max(gray.shape) <= longest:
        return gray
    picture = Image.fromarray(gray)
    picture.thumbnail((longest, longest), Image.Resampling.BILINEAR)
    return np.asarray(picture)
