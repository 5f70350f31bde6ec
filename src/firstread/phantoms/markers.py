"""Markers on radiographs: side marker, text, wires and collimation, with the same frequency in every region."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def add_markers(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Add a side marker, a line of text and a wire at random; returns the image (0 to 1) and the names added."""
    size = image.shape[0]
    canvas = Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    added = []
    if rng.random() < 0.6:
        text = str(rng.choice(["L", "R"]))
        _draw_text(draw, rng, text, font_size=int(size * rng.uniform(0.05, 0.09)), image_size=size)
        added.append("side marker")
    if rng.random() < 0.25:
        text = str(rng.choice(["SUPINE", "ERECT", "PORTABLE", "AP", "MOBILE"]))
        _draw_text(draw, rng, text, font_size=int(size * 0.035), image_size=size)
        added.append("text")
    if rng.random() < 0.3:
        _draw_wire(draw, rng, image_size=size)
        added.append("wire")
    return np.asarray(canvas, np.float32) / 255, ", ".join(added)


def collimate(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Add dark collimation borders to some radiographs; returns the image and whether it has borders."""
    if rng.random() > 0.35:
        return image, False
    size = image.shape[0]
    collimated = image.copy()
    edges = (rng.uniform(0, 0.07, 4) * size * (rng.random(4) < 0.6)).astype(int)
    top, bottom, left, right = edges
    dark = rng.uniform(0.0, 0.06)
    for border in (np.s_[:top], np.s_[size - bottom :], np.s_[:, :left], np.s_[:, size - right :]):
        collimated[border] = dark
    return collimated, bool(edges.any())


def _draw_text(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, text: str, *, font_size: int, image_size: int
) -> None:
    x = rng.choice([rng.uniform(0.02, 0.14), rng.uniform(0.78, 0.92)]) * image_size
    y = rng.choice([rng.uniform(0.02, 0.16), rng.uniform(0.8, 0.92)]) * image_size
    gray = int(rng.uniform(215, 255))
    draw.text((x, y), text, fill=gray, font=ImageFont.load_default(size=max(8, font_size)))


def _draw_wire(draw: ImageDraw.ImageDraw, rng: np.random.Generator, *, image_size: int) -> None:
    """Draw a cubic Bezier curve that starts at the upper edge."""
    t = np.linspace(0, 1, 24)
    controls = rng.uniform(0.05, 0.95, (4, 2))
    controls[0, 1], controls[-1, 1] = 0.0, rng.uniform(0.4, 0.95)
    curve = ((1 - t) ** 3)[:, None] * controls[0] + (3 * t * (1 - t) ** 2)[:, None] * controls[1]
    curve = curve + (3 * t**2 * (1 - t))[:, None] * controls[2] + (t**3)[:, None] * controls[3]
    points = [tuple(point) for point in curve * image_size]
    draw.line(points, fill=int(rng.uniform(170, 240)), width=max(1, image_size // 180))
