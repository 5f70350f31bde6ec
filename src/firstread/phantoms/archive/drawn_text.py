"""Text burned into pixels, with the exact box of its ink.

The fonts come with matplotlib, so that they are the same wherever an archive is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstread.phantoms.archive.truth import Action

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

FONTS = ("DejaVuSans", "DejaVuSansMono", "DejaVuSerif", "DejaVuSans-Bold", "STIXGeneral")
SIZES_PX = (9, 12, 14, 16, 20, 24)
CONTRASTS = (200, 100, 50, 25)
_MARGIN = 2


@dataclass(frozen=True)
class TextLine:
    """One line of text in an image.

    Attributes:
        text: what is drawn.
        secret: whether it must be hidden; else it is a mark that must stay.
        font: one of FONTS.
        size_px: height of the font.
        contrast: gray levels of 255 between the ink and the mean of what lies behind it; darker where brighter is not
            possible.
        lead: a marker of lead, as bright as the image can be.
    """

    text: str
    secret: bool = True
    font: str = "DejaVuSans"
    size_px: int = 14
    contrast: int = 200
    lead: bool = False


def draw_line(
    image: np.ndarray, line: TextLine, *, corner: tuple[int, int], full_scale: float = 255
) -> tuple[int, int, int, int]:
    """Draw a line into (..., rows, columns) or (..., rows, columns, 3) pixels in place.

    Args:
        image: float pixels; for colour the last axis has length 3 and the ink is gray.
        corner: row and column of the upper left corner of the ink; it is moved into the image.
        full_scale: value that stands for 255 gray levels.

    Returns:
        Box of the ink: y0, x0, y1, x1, half open.
    """
    ink = render_ink(line.text, line.font, line.size_px)
    colour = image.shape[-1] == 3
    rows, columns = image.shape[-3:-1] if colour else image.shape[-2:]
    ink = ink[:rows, :columns]
    y0 = int(np.clip(corner[0], 0, rows - ink.shape[0]))
    x0 = int(np.clip(corner[1], 0, columns - ink.shape[1]))
    y1, x1 = y0 + ink.shape[0], x0 + ink.shape[1]
    box = (..., slice(y0, y1), slice(x0, x1), slice(None)) if colour else (..., slice(y0, y1), slice(x0, x1))
    behind = image[box]
    step = line.contrast / 255 * full_scale
    level = float(np.mean(behind))
    if line.lead or level + step <= full_scale:
        value = full_scale if line.lead else level + step
    else:
        value = max(level - step, 0.0)
    share = ink[:, :, None] if colour else ink
    image[box] = behind + share * (value - behind)
    return y0, x0, y1, x1


def text_actions(
    line: TextLine, box: tuple[int, int, int, int], *, note: str = "", frames: Sequence[int | None] = (None,)
) -> list[Action]:
    """Rows of the truth for a drawn line; a frame of None is every frame."""
    action = "pixels_hidden" if line.secret else "pixels_retained"
    return [
        Action(
            "(7fe0,0010)",
            "PixelData",
            action,
            line.text,
            box=box,
            frame=frame,
            contrast=line.contrast,
            font=line.font,
            font_px=line.size_px,
            note=note,
        )
        for frame in frames
    ]


@lru_cache(maxsize=512)
def render_ink(text: str, font: str, size_px: int) -> np.ndarray:
    """Share of ink in each pixel of a line of text: float32 (rows, columns), cut to the ink."""
    from PIL import Image, ImageDraw

    face = load_font(font, size_px)
    left, top, right, bottom = face.getbbox(text)
    size = (int(right - left) + 2 * _MARGIN, int(bottom - top) + 2 * _MARGIN)
    canvas = Image.new("L", size)
    ImageDraw.Draw(canvas).text((_MARGIN - left, _MARGIN - top), text, fill=255, font=face)
    ink = np.asarray(canvas, np.float32) / 255
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ink.setflags(write=False)
    return ink


@lru_cache(maxsize=64)
def load_font(font: str, size_px: int) -> "FreeTypeFont":
    """A font of matplotlib's by its name."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf", size_px)
