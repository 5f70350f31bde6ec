"""Markers on radiographs: side marker, text, leads and collimation, with the same frequency in every region.

A frontal radiograph is shown as if the patient faced the reader: image left is the patient's right. So an "R" lies on
image left and an "L" on image right, as in every reading room.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont


@dataclass(frozen=True)
class ExposedField:
    """Part of the image that collimation left, in pixels: rows `top` to `bottom`, columns `left` to `right`.

    Attributes:
        top, bottom, left, right: the end is exclusive.
    """

    top: int
    bottom: int
    left: int
    right: int

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return self.right - self.left


def collimate(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ExposedField]:
    """Add dark collimation borders to some radiographs (H, H); returns the image and the field that they leave."""
    size = image.shape[0]
    widest = 0.07 if rng.random() < 0.6 else 0.2
    edges = (rng.uniform(0, widest, 4) * size * (rng.random(4) < 0.6)).astype(int)
    dark = rng.uniform(0.0, 0.06)
    if rng.random() > 0.5:
        return image, ExposedField(0, size, 0, size)
    top, bottom, left, right = (int(edge) for edge in edges)
    field = ExposedField(top, size - bottom, left, size - right)
    collimated = np.full_like(image, dark)
    inside = np.s_[field.top : field.bottom, field.left : field.right]
    collimated[inside] = image[inside]
    return collimated, field


def add_markers(
    image: np.ndarray,
    rng: np.random.Generator,
    field: ExposedField,
    *,
    letters: Sequence[str] = ("L", "R"),
    texts: Sequence[str] = ("SUPINE",),
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Add a side marker, a line of text and leads at random within the exposed field.

    Args:
        image: (H, H), 0 to 1; image left is the patient's right.
        rng: what is added, and where.
        field: what collimation left; a marker lies in it, whole.
        letters: of the side markers that are possible: both, or that of the only side that is shown.
        texts: that are possible; the same for every region, so that none says what is shown.

    Returns:
        The image, and what was added: "R" or "L" for the side marker, "text", "leads".
    """
    size = image.shape[0]
    layer = Image.new("L", (size, size))
    added: list[str] = []
    upper = bool(rng.random() < 0.7)
    if rng.random() < 0.6:
        letter = str(rng.choice(list(letters)))
        _draw_side_marker(layer, rng, letter, field=field, upper=upper)
        added.append(letter)
    if rng.random() < 0.25:
        _draw_text(layer, rng, str(rng.choice(list(texts))), field=field, upper=not upper)
        added.append("text")
    if rng.random() < 0.25:
        _draw_leads(layer, rng, field=field)
        added.append("leads")
    return np.maximum(np.clip(image, 0, 1), np.asarray(layer, np.float32) / 255), tuple(added)


def _draw_side_marker(
    layer: Image.Image, rng: np.random.Generator, letter: str, *, field: ExposedField, upper: bool
) -> None:
    """Draw a letter of lead on its own side, a little tilted, some with a ring around it."""
    size = layer.width
    font = ImageFont.load_default(size=max(8, int(size * rng.uniform(0.05, 0.085))))
    left, top, right, bottom = (round(value) for value in font.getbbox(letter))
    edge = max(right - left, bottom - top) * 2
    stamp = Image.new("L", (edge, edge))
    draw = ImageDraw.Draw(stamp)
    gray = int(rng.uniform(210, 250))
    draw.text((edge / 2, edge / 2), letter, fill=gray, font=font, anchor="mm")
    if rng.random() < 0.25:
        draw.ellipse((1, 1, edge - 2, edge - 2), outline=gray, width=max(1, size // 200))
    stamp = stamp.rotate(float(rng.normal(0, 6)), resample=Image.Resampling.BILINEAR)
    x, y = _corner(rng, field, size=size, upper=upper, on_left=letter == "R", width=edge, height=edge)
    layer.paste(stamp, (x, y))


def _draw_text(layer: Image.Image, rng: np.random.Generator, text: str, *, field: ExposedField, upper: bool) -> None:
    size = layer.width
    font = ImageFont.load_default(size=max(8, int(size * 0.035)))
    left, top, right, bottom = (round(value) for value in font.getbbox(text))
    x, y = _corner(
        rng, field, size=size, upper=upper, on_left=bool(rng.random() < 0.5), width=right - left, height=bottom - top
    )
    ImageDraw.Draw(layer).text((x - left, y - top), text, fill=int(rng.uniform(200, 245)), font=font)


def _corner(
    rng: np.random.Generator,
    field: ExposedField,
    *,
    size: int,
    upper: bool,
    on_left: bool,
    width: int,
    height: int,
) -> tuple[int, int]:
    """Upper left pixel of something of a given size in a corner of the exposed field, whole inside it."""
    dx, dy = (int(size * rng.uniform(0.01, 0.09)) for _ in range(2))
    x = field.left + dx if on_left else field.right - width - dx
    y = field.top + dy if upper else field.bottom - height - dy
    return max(field.left, min(x, field.right - width)), max(field.top, min(y, field.bottom - height))


def _draw_leads(layer: Image.Image, rng: np.random.Generator, *, field: ExposedField) -> None:
    """Draw one to three leads on the skin: gentle curves from an edge to an electrode."""
    size = layer.width
    draw = ImageDraw.Draw(layer)
    gray, width = int(rng.uniform(150, 215)), max(1, size // 220)
    for _ in range(int(rng.integers(1, 4))):
        start = np.array([rng.choice([field.left, field.right - 1]), rng.uniform(0.15, 0.85) * size])
        stop = np.array([rng.uniform(0.25, 0.75), rng.uniform(0.15, 0.85)]) * size
        bend = (start + stop) / 2 + rng.normal(0, 0.09 * size, 2)
        t = np.linspace(0, 1, 24)[:, None]
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * stop
        draw.line([tuple(point) for point in curve], fill=gray, width=width)
        r = size / 75
        draw.ellipse((stop[0] - r, stop[1] - r, stop[0] + r, stop[1] + r), outline=gray, width=width)
