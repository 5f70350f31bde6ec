"""Simple features of an image, the input of the trivial rules; measured once and remembered."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.images import read_image, resize_square, to_grayscale
from firstread.core.progress_bar import track
from firstread.core.windows import WindowLike

THUMBNAIL_SIZE = 32
#: images whose features are remembered while the program runs, about 1.5 KB each
_REMEMBERED_IMAGES = 40_000


@dataclass(frozen=True)
class ImageFeatures:
    """Simple features of an image.

    Attributes:
        file_bytes: size of the file.
        width, height: pixels.
        colored_fraction: of pixels, those whose channels differ.
        mean_gray: mean gray value, 0 to 255.
        pixels: (32, 32) uint8 gray values.
    """

    file_bytes: int
    width: int
    height: int
    colored_fraction: float
    mean_gray: float
    pixels: np.ndarray

    @property
    def thumbnail(self) -> np.ndarray:
        """The gray values as (32, 32) float32, for arithmetic."""
        return self.pixels.astype(np.float32)


@dataclass(frozen=True)
class ImageKey:
    """What tells one reading of an image from another; a file that has changed is read again."""

    file: str
    frame: int | None
    window: WindowLike
    modified_ns: int

    @classmethod
    def of(cls, file: str, frame: int | None, window: WindowLike) -> "ImageKey":
        """The key of a file as it is now; raises OSError if it is not there."""
        hashable = tuple(window) if isinstance(window, list) else window
        return cls(file, None if frame is None else int(frame), hashable, Path(file).stat().st_mtime_ns)


class FeatureCache:
    """Features of the images that were read last; of a bounded number of them, safe to use from several threads."""

    def __init__(self, max_images: int) -> None:
        self.max_images = max_images
        self._features: OrderedDict[ImageKey, ImageFeatures] = OrderedDict()
        self._lock = Lock()

    def get(self, key: ImageKey) -> ImageFeatures | None:
        """The features, or None where they are not remembered."""
        with self._lock:
            if key in self._features:
                self._features.move_to_end(key)
            return self._features.get(key)

    def put(self, key: ImageKey, features: ImageFeatures) -> None:
        """Remember features; what was used longest ago is forgotten."""
        with self._lock:
            self._features[key] = features
            while len(self._features) > self.max_images:
                self._features.popitem(last=False)

    def __len__(self) -> int:
        return len(self._features)


CACHE = FeatureCache(_REMEMBERED_IMAGES)


def image_features(cohort: Cohort) -> list[ImageFeatures]:
    """The features of every image of a cohort; of a case with several images, those of the first.

    Raises:
        DataError: an image cannot be read.
    """
    rows = cohort.tables.first_images()
    keys = (_existing_key(file, frame, cohort.window) for file, frame in rows)
    return [_read_features(key) for key in track(keys, "Looking for shortcuts", total=len(cohort))]


def measure_features(image: np.ndarray, gray: np.ndarray, *, file_bytes: int) -> ImageFeatures:
    """The features of an image that has been read.

    Args:
        image: uint8, (H, W) or (H, W, 3).
        gray: the same in grayscale, (H, W).
        file_bytes: size of its file.
    """
    return ImageFeatures(
        file_bytes=file_bytes,
        width=image.shape[1],
        height=image.shape[0],
        colored_fraction=float((np.ptp(image.astype(np.int16), axis=2) > 24).mean()) if image.ndim == 3 else 0.0,
        mean_gray=float(gray.mean()),
        pixels=resize_square(gray, THUMBNAIL_SIZE),
    )


def _read_features(key: ImageKey) -> ImageFeatures:
    features = CACHE.get(key)
    if features is None:
        image = read_image(key.file, frame=key.frame, window=key.window)
        features = measure_features(image, to_grayscale(image), file_bytes=Path(key.file).stat().st_size)
        CACHE.put(key, features)
    return features


def _existing_key(file: str, frame: int | None, window: WindowLike) -> ImageKey:
    """The key of a file; where there is none, reading it raises the DataError that says so."""
    try:
        return ImageKey.of(file, frame, window)
    except OSError:
        return ImageKey(file, frame, None, 0)
