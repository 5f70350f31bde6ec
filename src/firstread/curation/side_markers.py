"""Side markers of radiographs: a bright letter R or L that stands alone, and whether the header agrees with its side.

A marker is read only where its letter is sure; on most radiographs it is not, and then nothing is said.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy import ndimage

from firstread.core.errors import FirstreadError
from firstread.dicom.headers import open_dicom
from firstread.readers.dicom_values import read_frame_values

#: letters of lead are about as bright as the image can be: share of the way from the darkest to the brightest pixel
_BRIGHT = 0.95
#: height of a letter as a share of the image, its width as a share of its height, share of its box that is ink
_HEIGHTS, _WIDTHS, _FILLED = (0.02, 0.15), (0.35, 1.15), (0.2, 0.75)
#: letters are compared at this size; overlap (intersection over union) and its distance to every other letter
_SIZE, _MIN_OVERLAP, _MIN_MARGIN = 24, 0.72, 0.06
#: no other thing of half its height within this many heights to the left and right
_ALONE = 1.2
_MAX_CANDIDATES = 200
_FONTS = ("DejaVuSans-Bold", "DejaVuSans", "DejaVuSerif-Bold", "STIXGeneralBol")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class SideMarker:
    """A letter R or L: its place as a share of the image's width, how well it was read, and whether it is mirrored.

    A mirrored letter is no fault by itself: in a posteroanterior view the lead letter is often seen from behind.
    """

    letter: str
    x_share: float
    overlap: float
    is_mirrored: bool = False

    def text(self) -> str:
        """Such as "marker R at the left of the image"."""
        side = "left" if self.x_share < 0.5 else "right"
        return f"{'mirrored ' if self.is_mirrored else ''}marker {self.letter} at the {side} of the image"


def read_side_marker(path: str | Path) -> SideMarker | None:
    """Read the side marker of a radiograph; None where there is none, it cannot be read, or several disagree."""
    try:
        dataset = open_dicom(path)
        values = read_frame_values(dataset, 0).astype(np.float32)
    except FirstreadError:
        return None
    if values.ndim != 2:
        return None
    if str(dataset.get("PhotometricInterpretation")) == "MONOCHROME1":
        values = -values
    return find_side_marker(values)


def find_side_marker(values: np.ndarray) -> SideMarker | None:
    """The one side marker in an image, bone bright: float (H, W)."""
    low, high = np.percentile(values, 0.5), float(values.max())
    labels, count = ndimage.label(values > low + _BRIGHT * (high - low), structure=np.ones((3, 3)))
    if not count or high <= low:
        return None
    boxes = ndimage.find_objects(labels)
    sizes = np.array([box[0].stop - box[0].start for box in boxes])
    low_height, high_height = (share * len(values) for share in _HEIGHTS)
    chosen = np.flatnonzero((sizes >= low_height) & (sizes <= high_height))[:_MAX_CANDIDATES]
    found = []
    for index in chosen:
        if not _stands_alone(boxes, sizes, int(index)):
            continue
        marker = _read_letter(labels[boxes[index]] == index + 1)
        if marker:
            columns = boxes[index][1]
            share = (columns.start + columns.stop) / 2 / values.shape[1]
            found.append(SideMarker(marker[0], share, marker[1], marker[2]))
    sides = {(one.letter, one.x_share < 0.5) for one in found}
    return max(found, key=lambda one: one.overlap) if len(sides) == 1 else None


def contradiction(marker: SideMarker, *, orientation: tuple[str, ...], laterality: str) -> str:
    """What is wrong with a marker, by PatientOrientation of a frontal view or the laterality of a limb; "" if nothing.

    Example:
        >>> contradiction(SideMarker("L", 0.1, 0.9), orientation=("L", "F"), laterality="")
        'marker L at the left of the image, where PatientOrientation says the right side lies'
        >>> contradiction(SideMarker("R", 0.1, 0.9), orientation=("L", "F"), laterality="")
        ''
    """
    towards = orientation[0][:1] if orientation and orientation[0] else ""
    if laterality in ("L", "R"):
        name = {"L": "left", "R": "right"}[laterality]
        return "" if marker.letter == laterality else f"{marker.text()}, the header says {name}"
    if towards not in ("L", "R"):
        return ""
    other = {"L": "R", "R": "L"}[towards]
    expected = other if marker.x_share < 0.5 else towards
    if marker.letter == expected:
        return ""
    side = {"L": "left", "R": "right"}[expected]
    return f"{marker.text()}, where PatientOrientation says the {side} side lies"


def _stands_alone(boxes: list[tuple[slice, ...]], sizes: np.ndarray, index: int) -> bool:
    """Whether no other bright thing of at least half its height lies beside it, as in a line of text."""
    rows, columns = boxes[index]
    height = rows.stop - rows.start
    for other, (other_rows, other_columns) in enumerate(boxes):
        if other == index or sizes[other] < height / 2:
            continue
        is_beside = other_rows.start < rows.stop and rows.start < other_rows.stop
        gap = max(other_columns.start - columns.stop, columns.start - other_columns.stop)
        if is_beside and gap < _ALONE * height and sizes[other] < 3 * height:
            return False
    return True


def _read_letter(mask: np.ndarray) -> tuple[str, float, bool] | None:
    """R or L, its overlap and whether it is mirrored; None for anything else."""
    height, width = mask.shape
    if not _WIDTHS[0] <= width / height <= _WIDTHS[1] or not _FILLED[0] <= mask.mean() <= _FILLED[1]:
        return None
    scaled = _scale(mask)
    shape = np.log(width / height)
    scores: dict[tuple[str, bool], float] = {}
    for letter, is_mirrored, template, template_shape in _templates():
        union = np.logical_or(scaled, template).sum()
        score = float(np.logical_and(scaled, template).sum() / union) - 0.3 * abs(shape - template_shape)
        scores[letter, is_mirrored] = max(score, scores.get((letter, is_mirrored), 0.0))
    (letter, is_mirrored), best = max(scores.items(), key=lambda item: item[1])
    others = max(score for key, score in scores.items() if key != (letter, is_mirrored))
    if letter not in "RL" or best < _MIN_OVERLAP or best - others < _MIN_MARGIN:
        return None
    return letter, round(float(best), 3), is_mirrored


def _scale(mask: np.ndarray) -> np.ndarray:
    """A mask in _SIZE x _SIZE pixels."""
    rows = np.minimum((np.arange(_SIZE) + 0.5) * mask.shape[0] / _SIZE, mask.shape[0] - 1).astype(int)
    columns = np.minimum((np.arange(_SIZE) + 0.5) * mask.shape[1] / _SIZE, mask.shape[1] - 1).astype(int)
    scaled: np.ndarray = mask[np.ix_(rows, columns)]
    return scaled


@lru_cache(maxsize=1)
def _templates() -> tuple[tuple[str, bool, np.ndarray, float], ...]:
    """Letters and digits in fonts that come with matplotlib; R and L mirrored, too."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    found = []
    for font in _FONTS:
        face = ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf", 64)
        for letter in _LETTERS:
            canvas = Image.new("L", (96, 96))
            ImageDraw.Draw(canvas).text((12, 8), letter, fill=255, font=face)
            ink = np.asarray(canvas) > 127
            rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
            glyph = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            shape = float(np.log(glyph.shape[1] / glyph.shape[0]))
            found.append((letter, False, _scale(glyph), shape))
            if letter in "RL":
                found.append((letter, True, _scale(glyph[:, ::-1]), shape))
    return tuple(found)
