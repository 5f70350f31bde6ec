"""Text detector: finds lines of text in a picture and reads them, offline, with the models of the wheel of rapidocr.

The extra `pixels` installs rapidocr (PP-OCR models, Apache-2.0) and onnxruntime. Whatever has `find` and `read` can
take its place (`use_detector`), such as a detector of a department's own, or one of a test.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from firstread.core.errors import DataError, MissingDependencyError

if TYPE_CHECKING:
    from rapidocr import RapidOCR
    from rapidocr.utils.output import RapidOCROutput

#: of the longer side of a picture; the detector reads larger ones reduced to it
_MAX_SIDE_PX = 2000
#: the detector enlarges pictures whose shorter side has fewer pixels
_MIN_SIDE_PX = 736
#: a picture that is longer is padded, since enlarging its shorter side would take all memory
_LONGEST_PICTURE = 4
#: sides of a line that is read: wider or higher ones hold no text that can be read
_LONGEST_LINE, _HIGHEST_LETTER = 100, 8
#: below it a box of the detector is no text
LOWEST_SCORE = 0.3
#: of the map of text; at 0.3, as rapidocr has it, speckle and lines flow into one another
_LINE_THRESHOLD = 0.5
_DETECTION_MODEL, _RECOGNITION_MODEL = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
_MISSING = "Text in pixels cannot be looked for: rapidocr or onnxruntime is missing"
INSTALL = 'pip install "firstread[pixels]"'


class Box(NamedTuple):
    """A rectangle of pixels, half open: rows y0 to y1, columns x0 to x1."""

    y0: int
    x0: int
    y1: int
    x1: int


@dataclass(frozen=True)
class TextBox:
    """Where a detector sees a line of text, and how sure it is, 0 to 1."""

    box: Box
    score: float


@dataclass(frozen=True)
class ReadText:
    """What stands in a box, and how sure the recognition is, 0 to 1; the text may name a patient."""

    text: str
    score: float

    def __repr__(self) -> str:
        return f"ReadText(score={self.score:.2f})"


class TextDetector(Protocol):
    """Finds lines of text and reads them."""

    def find(self, picture: np.ndarray) -> tuple[TextBox, ...]:
        """Boxes of text in a uint8 picture, (H, W, 3)."""
        ...

    def read(self, picture: np.ndarray) -> ReadText:
        """Text of a uint8 picture, (H, W, 3), that holds one line."""
        ...


class RapidTextDetector:
    """Detector and recognition of rapidocr, on one thread, with nothing downloaded.

    Raises:
        MissingDependencyError: the extra `pixels` is not installed, or its models are missing.
    """

    def __init__(self) -> None:
        self._engine = _load_engine()

    def find(self, picture: np.ndarray) -> tuple[TextBox, ...]:
        """Boxes of text in a uint8 picture, (H, W, 3)."""
        found = self._run(_padded(picture), use_det=True, use_rec=False)
        corners = getattr(found, "boxes", None)
        if corners is None:
            return ()
        boxes = []
        for corner, score in zip(np.asarray(corners, float), found.scores, strict=True):
            (x0, y0), (x1, y1) = np.floor(corner.min(axis=0)), np.ceil(corner.max(axis=0))
            boxes.append(TextBox(Box(int(y0), int(x0), int(y1) + 1, int(x1) + 1), float(score)))
        return tuple(boxes)

    def read(self, picture: np.ndarray) -> ReadText:
        """Text of a uint8 picture, (H, W, 3), that holds one line."""
        rows, columns = picture.shape[:2]
        if columns > _LONGEST_LINE * rows or rows > _HIGHEST_LETTER * columns:
            return ReadText("", 0.0)
        found = self._run(picture, use_det=False, use_rec=True)
        texts = getattr(found, "txts", None)
        return ReadText(str(texts[0]), float(found.scores[0])) if texts else ReadText("", 0.0)

    def _run(self, picture: np.ndarray, *, use_det: bool, use_rec: bool) -> "RapidOCROutput":
        try:
            return self._engine(picture, use_det=use_det, use_cls=False, use_rec=use_rec)
        except Exception:  # a runtime of networks can raise anything
            raise DataError("The text detector failed on a picture of the file") from None


_replacement: ContextVar[TextDetector | None] = ContextVar("text_detector", default=None)


@contextmanager
def use_detector(detector: TextDetector) -> Iterator[None]:
    """Look for text with another detector within the block.

    Example:
        >>> class Blind:
        ...     def find(self, picture):
        ...         return ()
        ...     def read(self, picture):
        ...         return ReadText("", 0.0)
        >>> with use_detector(Blind()):
        ...     load_text_detector().find(np.zeros((8, 8, 3), np.uint8))
        ()
    """
    token = _replacement.set(detector)
    try:
        yield
    finally:
        _replacement.reset(token)


def load_text_detector() -> TextDetector:
    """The detector in use; that of rapidocr, loaded once a process, where no other was chosen.

    Raises:
        MissingDependencyError: the extra `pixels` is not installed, or its models are missing.
    """
    return _replacement.get() or _load_rapid_detector()


@lru_cache(maxsize=1)
def _load_rapid_detector() -> RapidTextDetector:
    return RapidTextDetector()


def detector_scale(rows: int, columns: int) -> float:
    """By how much the detector of rapidocr enlarges a picture before it looks at it; below 1: reduces it.

    Example:
        >>> detector_scale(480, 640), detector_scale(1000, 4000)
        (1.5333333333333334, 0.736)
    """
    rows, columns = _padded_shape(rows, columns)
    reduced = min(1.0, _MAX_SIDE_PX / max(rows, columns))
    return reduced * max(1.0, _MIN_SIDE_PX / (min(rows, columns) * reduced))


def detector_megapixels(rows: int, columns: int) -> float:
    """Size of a picture as the detector looks at it; its seconds grow with it."""
    padded = _padded_shape(rows, columns)
    return padded[0] * padded[1] * detector_scale(rows, columns) ** 2 / 1e6


def _padded_shape(rows: int, columns: int) -> tuple[int, int]:
    return max(rows, -(-columns // _LONGEST_PICTURE)), max(columns, -(-rows // _LONGEST_PICTURE))


def _padded(picture: np.ndarray) -> np.ndarray:
    rows, columns = _padded_shape(*picture.shape[:2])
    if (rows, columns) == picture.shape[:2]:
        return picture
    padded = np.zeros((rows, columns, 3), np.uint8)
    padded[: picture.shape[0], : picture.shape[1]] = picture
    return padded


def _load_engine() -> "RapidOCR":
    try:
        import rapidocr
    except ImportError:
        raise MissingDependencyError(_MISSING, do=INSTALL) from None
    models = Path(rapidocr.__file__).parent / "models"
    if not all((models / name).is_file() for name in (_DETECTION_MODEL, _RECOGNITION_MODEL)):
        raise MissingDependencyError("The models of rapidocr are missing, and nothing is downloaded here", do=INSTALL)
    level = logging.getLogger("RapidOCR").level
    engine = rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "Global.max_side_len": _MAX_SIDE_PX,
            "Global.text_score": 0.0,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.model_path": str(models / _DETECTION_MODEL),
            "Det.limit_side_len": _MIN_SIDE_PX,
            "Det.thresh": _LINE_THRESHOLD,
            "Det.box_thresh": LOWEST_SCORE,
            "Rec.model_path": str(models / _RECOGNITION_MODEL),
        }
    )
    logging.getLogger("RapidOCR").setLevel(max(level, logging.CRITICAL))
    return engine
