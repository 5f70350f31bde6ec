"""Measurements of every image of a cohort for the data check, each image decoded once."""

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
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
        medium: (64, 64) uint8 gray.
        detail: (s, s) uint8 gray with s of SIDES, as fine as the image and the memory allow.
        defect: "empty", "noise" or None.
        annotations: kinds of marks, out of `artefacts.ANNOTATIONS`.
    """

    features: ImageFeatures
    digest: bytes
    medium: np.ndarray
    detail: np.ndarray
    defect: str | None
    annotations: tuple[str, ...]


class StoredPictures:
    """Square pictures of N images for the comparison of details; implements `copy_search.Pictures`."""

    def __init__(self, measurements: Sequence[ImageMeasurement]) -> None:
        count = len(measurements)
        self.small = np.zeros((count, THUMBNAIL_SIZE, THUMBNAIL_SIZE), np.uint8)
        self.medium = np.zeros((count, MEDIUM_SIZE, MEDIUM_SIZE), np.uint8)
        self.sides = np.array([one.detail.shape[0] for one in measurements], np.int64)
        for index, one in enumerate(measurements):
            self.small[index], self.medium[index] = one.features.pixels, one.medium
        self._details = [one.detail if one.detail.shape[0] > MEDIUM_SIZE else None for one in measurements]

    def detail(self, index: int, side: int) -> np.ndarray:
        """(side, side) uint8 of an image, at most as fine as it is kept."""
        kept = self._details[index]
        return resize_square(self.medium[index] if kept is None else kept, side)


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
    unreadable: dict[str, str] = {}
    is_read = np.zeros(len(cohort), bool)
    with ProgressBar("Reading images", len(cohort)) as bar:
        for index, result in enumerate(_measure_all(_files(cohort), cohort.window, side)):
            if isinstance(result, ImageMeasurement):
                is_read[index] = True
                images.append(result)
            else:
                unreadable[names[index]] = result
            bar.update()
    readable = cohort if is_read.all() else cohort.where(is_read)
    return CohortMeasurements(readable, images, StoredPictures(images), unreadable)


def _files(cohort: Cohort) -> Iterator[tuple[str, int | None] | None]:
    """File and frame of the image to look at of each case; None for a case without an image."""
    offsets = cohort.tables.image_offsets
    table = cohort.tables.images.select(["files", "frame"])
    for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        row = table.slice(first, 1).to_pylist()[0] if last > first else None
        yield None if row is None or not row["files"] else (middle_file(row["files"]), row["frame"])


def _measure_all(
    files: Iterator[tuple[str, int | None] | None], window: WindowLike, side: int
) -> Iterator[ImageMeasurement | str]:
    """Measurement of each image, or why there is none, in order; a few are read ahead on the other cores.

    Threads suffice, because decoders and arithmetic on arrays let each other run; they cannot hang a program as forked
    processes can, and need no memory of their own.
    """
    threads = min(4, os.cpu_count() or 1)
    waiting: deque[Future[ImageMeasurement | str]] = deque()
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


def _measure_or_say_why(place: tuple[str, int | None] | None, window: WindowLike, side: int) -> ImageMeasurement | str:
    if place is None:
        return "The case has no image"
    try:
        return measure_image(*place, window=window, side=side)
    except DataError as error:
        return error.what
    except OSError:
        return "The file cannot be opened"


def measure_image(file: str, frame: int | None, *, window: WindowLike, side: int) -> ImageMeasurement:
    """Read and measure one image.

    Args:
        file, frame: of the image.
        window: as in `read_image`.
        side: pixels of the finest picture to keep.

    Raises:
        DataError: the image cannot be read.
        OSError: the file is gone.
    """
    key = ImageKey.of(file, frame, window)
    image = read_image(key.file, frame=key.frame, window=key.window)
    gray = to_grayscale(image)
    features = measure_features(image, gray, file_bytes=Path(file).stat().st_size)
    CACHE.put(key, features)
    medium = resize_square(gray, MEDIUM_SIZE)
    kept = max((size for size in SIDES if size <= min(side, max(gray.shape))), default=MEDIUM_SIZE)
    return ImageMeasurement(
        features=features,
        digest=_digest(image),
        medium=medium,
        detail=medium if kept == MEDIUM_SIZE else resize_square(gray, kept),
        defect=detect_blank_or_noise(image),
        annotations=tuple(detect_annotations(image)),
    )


def _affordable_side(count: int) -> int:
    """The finest of SIDES in which so many pictures fit into their share of memory."""
    return max((side for side in SIDES if side**2 * count <= _PICTURE_BYTES), default=MEDIUM_SIZE)


def _digest(image: np.ndarray) -> bytes:
    pixels = hashlib.sha256(str(image.shape).encode())
    pixels.update(np.ascontiguousarray(image).data)
    return pixels.digest()
