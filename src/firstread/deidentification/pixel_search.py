"""Search for text in the frames of an image: every frame, at two sizes and with its contrast equalised.

What the detector calls text and the recognition can read is text. What cannot be read is text where it is as wide as a
line and the detector is sure. Boxes higher than a line (`highest_line`) are never blacked, since the detector often
calls the whole of a picture without text one box; where such a box can be read, the image is held back.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

from firstread.deidentification.pixel_boxes import decoded_frames
from firstread.deidentification.pixel_pictures import equalised, frame_pictures, large_picture_tiles, resized
from firstread.deidentification.pixel_ranks import AMBER, MARK, RANKS, rank_text
from firstread.deidentification.text_detector import (
    Box,
    ReadText,
    TextDetector,
    detector_megapixels,
    detector_scale,
)
from firstread.dicom.pixel_elements import get_int, number_of_frames

if TYPE_CHECKING:
    from pydicom import Dataset

#: size of all pictures of a file that the detector may look at; about 0.4 s of one core a megapixel
MAX_WORK_MEGAPIXELS = 120.0
#: frames whose median is looked at as a cleaner image
_MEDIAN_FRAMES = 9
#: pixels of one value, of CT and MR slices; a short word has more
_DRAWN_PIXELS = 20
#: what reading a box costs, in megapixels of looking
_READ_WORK = 0.04
#: of the reading: 95 % of lines of text reach 0.93, tissue stays below 0.6 mostly; the detector's tell them apart less
_UNREAD_SCORE, _READ_SCORE, _SURE_READ_SCORE, _SURE_LETTER_SCORE = 0.3, 0.6, 0.8, 0.9
_LIKELY_SCORE, _SURE_SCORE = 0.6, 0.75
#: of the height of a box, to the left and the right of it
_ENDS = 1.2
_BLUR_PX = 2
#: intersection over union from which two boxes are one line
_SAME = 0.6
_TOO_MUCH = "The file has more frames, or more text in them, than can be looked through"
_LARGE_TEXT = "Something larger than a line can be read as text: a person has to look at it"


@dataclass(frozen=True)
class FoundText:
    """A line of text in an image; what was read is not kept.

    Args:
        rank: "red": like one of the patient's own values; "amber": other text; "mark": a mark of radiographs.
        score: of the detector, 0 to 1.
        frame: the first frame in which it was found, from 0; None: in the median of frames.
    """

    box: Box
    rank: str
    score: float
    frame: int | None = 0


@dataclass(frozen=True)
class TextSearch:
    """What was found in all frames, and why the image cannot be called cleaned; None where it can."""

    found: tuple[FoundText, ...]
    held: str | None = None

    @property
    def hidden(self) -> tuple[Box, ...]:
        """Boxes to black: all text but marks, and the gaps within a line."""
        boxes = [text.box for text in self.found if text.rank != MARK]
        return (*boxes, *_gaps(boxes))


def highest_line(rows: int) -> float:
    """Height in pixels above which a box is no line of text."""
    return max(48.0, 0.08 * rows)


def looks_drawn_on(dataset: "Dataset") -> bool:
    """Whether the greatest value of a gray frame stands in many pixels: drawn text has one value, noise has not.

    Raises:
        DataError: a frame cannot be decoded.
    """
    if (get_int(dataset, "SamplesPerPixel") or 1) > 1:
        return True
    for frame in decoded_frames(dataset):
        greatest = frame.max()
        if greatest > frame.min() and np.count_nonzero(frame == greatest) >= _DRAWN_PIXELS:
            return True
    return False


def search_text(
    dataset: "Dataset", values: frozenset[tuple[str, str]], detector: TextDetector, outside: tuple[Box, ...] = ()
) -> TextSearch:
    """Search all frames of an image for text.

    Args:
        values: (kind, text) of the patient's identity values, to rank by.
        outside: boxes that are blacked anyway.

    Raises:
        DataError: a frame cannot be decoded.
    """
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    frames = number_of_frames(dataset)
    sizes = [1, 2] if 2 * detector_scale(2 * rows, 2 * columns) > detector_scale(rows, columns) else [1]
    tiles = large_picture_tiles(rows, columns)
    shapes = [*((size * rows, size * columns) for size in (*sizes, 1)), *((t.y1 - t.y0, t.x1 - t.x0) for t in tiles)]
    thorough = sum(detector_megapixels(*shape) for shape in shapes)
    looks = _Looks(sizes, tiles, equalised=True)
    if frames * thorough > MAX_WORK_MEGAPIXELS:
        looks = _Looks([1], (), equalised=False)
    run = _Run(detector, values, rows)
    seen: set[bytes] = set()
    kept: list[np.ndarray] = []
    steps = set(np.linspace(0, frames - 1, min(frames, _MEDIAN_FRAMES)).astype(int).tolist())
    for index, pictures in enumerate(frame_pictures(dataset, outside)):
        if index in steps and frames > 1:
            kept.append(pictures[0])
        digest = hashlib.blake2b(b"".join(picture.tobytes() for picture in pictures), digest_size=16).digest()
        if digest in seen:
            continue
        seen.add(digest)
        run.look(pictures, looks, frame=index)
        if run.work > MAX_WORK_MEGAPIXELS:
            return TextSearch((), _TOO_MUCH)
    if len(seen) > 1:
        median = np.median(np.stack(kept), axis=0).astype(np.uint8)
        run.look([median], _Looks(sizes, tiles, equalised=True), frame=None)
    if run.work > MAX_WORK_MEGAPIXELS:
        return TextSearch((), _TOO_MUCH)
    return TextSearch(_without_repetitions(run.found), run.held)


@dataclass(frozen=True)
class _Looks:
    """At which sizes a picture is looked at, in which parts, and whether also with its contrast equalised."""

    sizes: list[int]
    tiles: tuple[Box, ...]
    equalised: bool


@dataclass
class _Run:
    """A search through the frames of one image."""

    detector: TextDetector
    values: frozenset[tuple[str, str]]
    rows: int
    work: float = 0.0
    found: list[FoundText] = field(default_factory=list)
    held: str | None = None

    def look(self, pictures: list[np.ndarray], looks: _Looks, *, frame: int | None) -> None:
        """Look at a frame as it is displayed, and equalised over its whole range."""
        for size in looks.sizes:
            self._look(resized(pictures[0], size), size, frame)
        for tile in looks.tiles:
            self._look(pictures[0][tile.y0 : tile.y1, tile.x0 : tile.x1], 1, frame, corner=(tile.y0, tile.x0))
        if looks.equalised:
            self._look(equalised(pictures[-1]), 1, frame)
        self._look_along_lines(pictures[0], frame)

    def _look_along_lines(self, picture: np.ndarray, frame: int | None) -> None:
        """Look again at bands around what was found in a frame, where the rest of a faint line is more easily seen."""
        rows = [(text.box.y0, text.box.y1) for text in self.found if text.frame == frame and text.rank != MARK]
        for y0, y1 in _bands(rows, len(picture)):
            self._look(resized(picture[y0:y1], 2), 2, frame, corner=(y0, 0))

    def _look(self, picture: np.ndarray, size: int, frame: int | None, *, corner: tuple[int, int] = (0, 0)) -> None:
        self.work += detector_megapixels(*picture.shape[:2])
        for text in self.detector.find(picture):
            box = _within(text.box, picture.shape)
            if box is None:
                continue
            y0, x0, y1, x1 = (round(edge / size) for edge in box)
            original = Box(y0 + corner[0], x0 + corner[1], y1 + corner[0], x1 + corner[1])
            self._judge(picture, box, FoundText(_margin(original), AMBER, text.score, frame))

    def _judge(self, picture: np.ndarray, box: Box, candidate: FoundText) -> None:
        """Keep a box that is text, or a mark; hold the image back where something too large can be read."""
        texts = [known for known in self.found if known.rank != MARK]
        if any(_contains(known.box, candidate.box) for known in texts) or self.work > MAX_WORK_MEGAPIXELS:
            return
        large = candidate.box.y1 - candidate.box.y0 - 2 * _BLUR_PX > highest_line(self.rows)
        same = next((known for known in texts if _overlap(known.box, candidate.box) > _SAME), None)
        if same and not large:  # the same line at another size
            self.found.append(replace(candidate, rank=same.rank))
            return
        self.work += _READ_WORK
        read = self.detector.read(np.ascontiguousarray(picture[box.y0 : box.y1, box.x0 : box.x1]))
        rank = rank_text(read.text, self.values) if read.score >= _READ_SCORE else AMBER
        characters = sum(map(str.isalnum, read.text))
        marks = (known.box for known in self.found if known.rank == MARK)
        if characters == 1 and any(_overlap(mark, candidate.box) > _SAME for mark in marks):
            return  # a mark that was read as another letter at another size
        if large:
            if rank != MARK and characters > 1 and read.score >= _SURE_READ_SCORE:
                self.held = _LARGE_TEXT
        elif rank == MARK or _is_text(box, candidate.score, read):
            self.found.append(replace(candidate, rank=rank))


def _is_text(box: Box, score: float, read: ReadText) -> bool:
    """Whether a box that is not too high holds text."""
    characters, is_sure = sum(map(str.isalnum, read.text)), score >= _SURE_SCORE
    if characters > 1 and (read.score >= _SURE_READ_SCORE or (read.score >= _READ_SCORE and score >= _LIKELY_SCORE)):
        return True
    if characters == 1:  # tissue is often like one letter
        return read.score >= _SURE_LETTER_SCORE and is_sure
    is_line = box.x1 - box.x0 >= 2 * (box.y1 - box.y0)
    return characters > 2 and is_line and is_sure and read.score >= _UNREAD_SCORE


def _within(box: Box, shape: tuple[int, ...]) -> Box | None:
    y0, x0, y1, x1 = (max(edge, 0) for edge in box)
    inside = Box(y0, x0, min(y1, shape[0]), min(x1, shape[1]))
    return inside if inside.y0 < inside.y1 and inside.x0 < inside.x1 else None


def _margin(box: Box) -> Box:
    """A box, the blur around its letters, and a letter or two at its ends, which the detector may have left out."""
    aside = round(_ENDS * (box.y1 - box.y0))
    return Box(max(box.y0 - _BLUR_PX, 0), max(box.x0 - aside, 0), box.y1 + _BLUR_PX, box.x1 + aside)


def _bands(lines: list[tuple[int, int]], rows: int) -> list[tuple[int, int]]:
    """Rows around lines of text, with as much above and below; bands that touch are one."""
    bands: list[tuple[int, int]] = []
    for y0, y1 in sorted(lines):
        above, below = max(2 * y0 - y1, 0), min(2 * y1 - y0, rows)
        if bands and above <= bands[-1][1]:
            bands[-1] = (bands[-1][0], max(below, bands[-1][1]))
        else:
            bands.append((above, below))
    return bands


def _gaps(boxes: list[Box]) -> Iterator[Box]:
    """What lies between two boxes of one line: letters that the detector has left out."""
    for left, right in permutations(boxes, 2):
        height = min(left.y1 - left.y0, right.y1 - right.y0)
        shared = min(left.y1, right.y1) - max(left.y0, right.y0)
        if shared > height / 2 and 0 < right.x0 - left.x1 < height:
            yield Box(max(left.y0, right.y0), left.x1, min(left.y1, right.y1), right.x0)


def _contains(outer: Box, inner: Box) -> bool:
    return outer.y0 <= inner.y0 and outer.x0 <= inner.x0 and outer.y1 >= inner.y1 and outer.x1 >= inner.x1


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    common = max(height, 0) * max(width, 0)
    areas = sum((box.y1 - box.y0) * (box.x1 - box.x0) for box in (one, other))
    return common / (areas - common) if areas > common else 0.0


def _without_repetitions(found: list[FoundText]) -> tuple[FoundText, ...]:
    """Found texts without those that lie within another one of the same rank; the patient's own before other text."""
    kept: list[FoundText] = []
    for text in sorted(found, key=lambda text: (RANKS.index(text.rank), -_area(text.box))):
        if not any(known.rank != MARK or text.rank == MARK for known in kept if _contains(known.box, text.box)):
            kept.append(text)
    return tuple(sorted(kept, key=lambda text: text.box))


def _area(box: Box) -> int:
    return (box.y1 - box.y0) * (box.x1 - box.x0)
