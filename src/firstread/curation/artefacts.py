"""Detection of blank images, noise and burned-in annotations."""

import numpy as np

from firstread.core.images import to_grayscale

#: fraction of pixels that must differ between channels before an otherwise gray image counts as annotated in color
_MIN_COLORED_FRACTION = 2e-4
#: gray levels that 80 % of a patch's outline must differ by within 5 pixels, to count as drawn and not as anatomy
_MIN_EDGE_CONTRAST = 80
#: pixels that are enough to tell noise from anatomy
_MAX_PIXELS = 4_000_000
#: margin on each side, as a fraction of the image, where side markers and names usually are
_MARGIN = 0.15
#: kind of annotation -> its name in a finding
ANNOTATIONS = {
    "color": "coloured marks",
    "arrow": "arrows, letters or metal within the picture",
    "label": "labels, side markers or text near the edge",
}


def detect_blank_or_noise(image: np.ndarray) -> str | None:
    """ "empty" (one gray value nearly everywhere), "noise" (neighbouring pixels hardly correlated), or None.

    Args:
        image: uint8, (H, W) or (H, W, 3).
    """
    gray = to_grayscale(image)
    step = max(1, round((gray.size / _MAX_PIXELS) ** 0.5))  # a part of the pixels of a very large image says the same
    gray = gray[::step, ::step].astype(np.float32)
    if gray.std() < 3 or (np.abs(gray - np.median(gray)) > 8).mean() < 0.01:
        return "empty"
    return "noise" if neighbor_correlation(gray) < 0.6 and _has_equal_quarters(gray) else None


def neighbor_correlation(gray: np.ndarray) -> float:
    """Correlation of horizontally and vertically neighbouring pixels, -1 to 1: near 1 in anatomy, near 0 in noise."""
    centered = gray - gray.mean()
    variance = max(float((centered**2).mean()), 1e-6)
    across = float((centered[:, 1:] * centered[:, :-1]).mean()) / variance
    down = float((centered[1:] * centered[:-1]).mean()) / variance
    return min(across, down)


def detect_annotations(image: np.ndarray) -> list[str]:
    """Kinds of burned-in annotations on a radiological image, out of `ANNOTATIONS`.

    Color is certain. The others are guessed from small patches at full white or full black whose whole outline is
    sharper than anatomy: within the picture they are called an arrow, near its edge a label. A metal clip or the
    radiographer's own side marker looks the same, and is worth knowing about too; thin or faint arrows are missed.

    Args:
        image: uint8, (H, W) or (H, W, 3).
    """
    kinds = []
    if image.ndim == 3 and colored_fraction(image, 40) > _MIN_COLORED_FRACTION:
        kinds.append("color")
    is_inside = [
        _MARGIN < down < 1 - _MARGIN and _MARGIN < across < 1 - _MARGIN
        for down, across in _find_sharp_patches(to_grayscale(image))
    ]
    if any(is_inside):
        kinds.append("arrow")
    if not all(is_inside):
        kinds.append("label")
    return kinds


def colored_fraction(image: np.ndarray, difference: int) -> float:
    """Share of the pixels of an image (H, W, 3) uint8 whose channels differ by more than `difference` gray levels."""
    return float((image.max(axis=2) - image.min(axis=2) > difference).mean())


def _has_equal_quarters(gray: np.ndarray) -> bool:
    """Whether the quarters of the image have similar statistics: noise fills the whole field, anatomy does not."""
    h, w = gray.shape[0] // 2, gray.shape[1] // 2
    quarters = [gray[:h, :w], gray[:h, w:], gray[h:, :w], gray[h:, w:]]
    stds = [float(quarter.std()) for quarter in quarters]
    means = [float(quarter.mean()) for quarter in quarters]
    return min(stds) > 0.6 * max(stds) and max(means) - min(means) < 0.5 * max(float(np.mean(stds)), 1.0)


def _find_sharp_patches(gray: np.ndarray) -> list[tuple[float, float]]:
    """Centers of small, saturated patches with a sharp outline: (down, across) as fractions of the image, 0 to 1."""
    from scipy.ndimage import find_objects, label, maximum_filter, minimum_filter

    if min(gray.shape) < 96:
        return []  # too coarse to distinguish a letter from a rib
    gray = _shrink(gray, 640)
    contrast = maximum_filter(gray, 5).astype(np.int16) - minimum_filter(gray, 5)
    min_pixels, max_pixels = max(12, (max(gray.shape) / 150) ** 2), 0.02 * gray.size
    centers: list[tuple[float, float]] = []
    for saturated in (gray >= 240, gray <= 12):
        patches, _ = label(saturated, np.ones((3, 3)))
        pixel_counts = np.bincount(patches.ravel())
        for number, box in enumerate(find_objects(patches), start=1):
            if not min_pixels <= pixel_counts[number] < max_pixels or _touches_border(box, gray.shape):
                continue
            padded = tuple(slice(side.start - 2, side.stop + 2) for side in box)
            mask = patches[padded] == number
            outline = maximum_filter(mask, 5) & ~mask
            if np.percentile(contrast[padded][outline], 20) > _MIN_EDGE_CONTRAST:
                down, across = ((side.start + side.stop) / 2 / size for side, size in zip(box, gray.shape, strict=True))
                centers.append((down, across))
    return centers


def _touches_border(box: tuple[slice, ...], shape: tuple[int, ...]) -> bool:
    return any(side.start < 2 or side.stop > size - 2 for side, size in zip(box, shape, strict=True))


def _shrink(gray: np.ndarray, max_side: int) -> np.ndarray:
    """Downscale an image whose longer side has more than `max_side` pixels."""
    from PIL import Image

    if max(gray.shape) <= max_side:
        return gray
    picture = Image.fromarray(gray)
    picture.thumbnail((max_side, max_side), Image.Resampling.BILINEAR)
    return np.asarray(picture)
