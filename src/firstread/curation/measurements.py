"""Measurements of every image of a cohort for the data check, each image decoded once."""

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError
from firstread.core.images import middle_file, read_image, resize_square, to_grayscale
from firstread.core.progress_bar import ProgressBar
from firstread.core.windows import WindowLike
from firstread.curation.artefacts import detect_annotations, detect_blank_or_noise
from firstread.curation.image_features import CACHE, THUMBNAIL_SIZE, ImageFeatures, ImageKey, measure_features

MEDIUM_SIZE = 64
#: sides in pixels in which a picture may be kept for the comparison of details
SIDES = (MEDIUM_SIZE, 96, 128, 192, 256)
#: memory for these pictures, in bytes: beyond 6,000 images they get smaller, beyond 100,000 they have 64 pixels
_PICTURE_BYTES = 400_000_000


@dataclass(frozen=True)
class ImageMeasurement:
    """What is measured of one image when it is read.

    Attributes:
        features: input of the trivial rules.
        digest: SHA-256 of the shape and the decoded pixels: equal pictures match even where the files differ.
        defect: "empty", "noise" or None.
        annotations: kinds of marks, out of `artefacts.ANNOTATIONS`.
    """

    features: ImageFeatures
    digest: bytes
    defect: str | None
    annotations: tuple[str, ...]


@dataclass(frozen=True)
class _Reading:
    """An image that was read: what is measured of it, and its gray pictures, (64, 64) and finer, uint8."""

    measurement: ImageMeasurement
    medium: np.ndarray
    detail: np.ndarray


class StoredPictures:
    """Square pictures of the images that were read; implements `copy_search.Pictures`.

    Args:
        capacity: the number of images at most.
    """

    def __init__(self, capacity: int) -> None:
        self._small = np.zeros((capacity, THUMBNAIL_SIZE, THUMBNAIL_SIZE), np.uint8)
        self._medium = np.zeros((capacity, MEDIUM_SIZE, MEDIUM_SIZE), np.uint8)
        self._details: list[np.ndarray | None] = []

    def add(self, small: np.ndarray, medium: np.ndarray, detail: np.ndarray) -> None:
        """Store the pictures of one more image, as fine as it is to be kept."""
        index = len(self._details)
        self._small[index], self._medium[index] = small, medium
        self._details.append(detail if len(detail) > MEDIUM_SIZE else None)

    @property
    def small(self) -> np.ndarray:
        """(N, 32, 32) uint8."""
        return self._small[: len(self._details)]

    @property
    def medium(self) -> np.ndarray:
        """(N, 64, 64) uint8."""
        return self._medium[: len(self._details)]

    @property
    def sides(self) -> np.ndarray:
        """(N,) pixels of the finest picture that is kept of each image."""
        return np.array([MEDIUM_SIZE if detail is None else len(detail) for detail in self._details], np.int64)

    def detail(self, index: int, side: int) -> np.ndarray:
        """(side, side) uint8 of an image, at most as fine as it is kept."""
        kept = self._details[index]
        return resize_square(self._medium[index] if kept is None else kept, side)


@dataclass(frozen=True)
class CohortMeasurements:
    """Measurements of the readable cases of a cohort.

    Attributes:
        cohort: the cases whose image could be read.
        images: one for each of them.
        pictures: the same images as arrays.
        unreadable: name of each other case -> why its image cannot be read.
    """

    cohort: Cohort
    images: list[ImageMeasurement]
    pictures: StoredPictures
    unreadable: dict[str, str]

    @property
    def features(self) -> list[ImageFeatures]:
        """Input of the trivial rules, one for each case."""
        return [one.features for one in self.images]


def measure_cohort(cohort: Cohort) -> CohortMeasurements:
    """Read the image of every case once (of several, the first; of a series, the middle slice) and measure it.

    Images that are gone or broken are named in `unreadable`, and left out of everything else.
    """
    side = _affordable_side(len(cohort))
    names = cohort.tables.cases["case"].to_pylist()
    images: list[ImageMeasurement] = []
    pictures = StoredPictures(len(cohort))
    unreadable: dict[str, str] = {}
    is_read = np.zeros(len(cohort), bool)
    # readers silence warnings, which may hold a patient's values, each for itself; that is safe in threads only if
    # none of them finds anything else to go back to
    with warnings.catch_warnings(), ProgressBar("Reading images", len(cohort)) as bar:
        warnings.simplefilter("ignore")
        for index, result in enumerate(_measure_all(_files(cohort), cohort.window, side)):
            if isinstance(result, _Reading):
                is_read[index] = True
                images.append(result.measurement)
                pictures.add(result.measurement.features.pixels, result.medium, result.detail)
            else:
                unreadable[names[index]] = result
            bar.update()
    readable = cohort if is_read.all() else cohort.where(is_read)
    return CohortMeasurements(readable, images, pictures, unreadable)


def _files(cohort: Cohort) -> Iterator[tuple[str, int | None] | None]:
    """File and frame of the image to look at of each case; None for a case without an image."""
    offsets = cohort.tables.image_offsets
    table = cohort.tables.images.select(["files", "frame"])
    for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        row = table.slice(first, 1).to_pylist()[0] if last > first else None
        yield None if row is None or not row["files"] else (middle_file(row["files"]), row["frame"])


def _measure_all(
    files: Iterator[tuple[str, int | None] | None], window: WindowLike, side: int
) -> Iterator[_Reading | str]:
    """Measurement of each image, or why there is none, in order; a few are read ahead on the other cores.

    Threads suffice, because decoders and arithmetic on arrays let each other run; they cannot hang a program as forked
    processes can, and need no memory of their own.
    """
    threads = min(4, os.cpu_count() or 1)
    waiting: deque[Future[_Reading | str]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="data-check") as pool:
        try:
            for place in files:
                waiting.append(pool.submit(_measure_or_say_why, place, window, side))
                if len(waiting) >= 8 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _measure_or_say_why(place: tuple[str, int | None] | None, window: WindowLike, side: int) -> _Reading | str:
    if place is None:
        return "The case has no image"
    try:
        return _measure(*place, window=window, side=side)
    except DataError as error:
        return error.what
    except OSError:
        return "The file cannot be opened"


def _measure(file: str, frame: int | None, *, window: WindowLike, side: int) -> _Reading:
    """Read and measure one image, and keep a picture of at most `side` pixels.

    Raises:
        DataError: the image cannot be read.
        OSError: the file is gone.
    """
    key = ImageKey.of(file, frame, window)
    image = read_image(key.file, frame=key.frame, window=key.window)
    gray = to_grayscale(image)
    features = measure_features(image, gray, file_bytes=Path(file).stat().st_size)
    CACHE.put(key, features)
    measurement = ImageMeasurement(
        features, _digest(image), detect_blank_or_noise(image), tuple(detect_annotations(image))
    )
    medium = resize_square(gray, MEDIUM_SIZE)
    kept = max((size for size in SIDES if size <= min(side, max(gray.shape))), default=MEDIUM_SIZE)
    return _Reading(measurement, medium, medium if kept == MEDIUM_SIZE else resize_square(gray, kept))


def _affordable_side(count: int) -> int:
    """The finest of SIDES in which so many pictures fit into their share of memory."""
    return max((side for side in SIDES if side**2 * count <= _PICTURE_BYTES), default=MEDIUM_SIZE)


def _digest(image: np.ndarray) -> bytes:
    pixels = hashlib.sha256(str(image.shape).encode())
    pixels.update(np.ascontiguousarray(image).data)
    return pixels.digest()
