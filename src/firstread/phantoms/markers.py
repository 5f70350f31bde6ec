"""What stands on a radiograph beside the patient: side marker, text, wires, collimation. The same for every region."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def add_film_marks(shown: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Side marker, a line of text, a wire or a tube, each now and then; returns the image (0 to 1) and what was added."""
    size = shown.shape[0]
    picture = Image.fromarray((np.clip(shown, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    added = []
    if rng.random() < 0.6:
        _text(draw, rng, str(rng.choice(["L", "R"])), size=int(size * rng.uniform(0.05, 0.09)), canvas=size)
        added.append("side marker")
    if rng.random() < 0.25:
        _text(
            draw,
            rng,
            str(rng.choice(["SUPINE", "ERECT", "PORTABLE", "AP", "MOBILE"])),
            size=int(size * 0.035),
            canvas=size,
        )
        added.append("text")
    if rng.random() < 0.3:
        _wire(draw, rng, canvas=size)
        added.append("wire")
    return np.asarray(picture, np.float32) / 255, ", ".join(added)


def collimate(shown: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Black edges where the beam was closed, on some radiographs."""
    if rng.random() > 0.35:
        return shown, False
    size = shown.shape[0]
    closed = shown.copy()
    edges = (rng.uniform(0, 0.07, 4) * size * (rng.random(4) < 0.6)).astype(int)
    top, bottom, left, right = edges
    dark = rng.uniform(0.0, 0.06)
    closed[:top], closed[size - bottom :], closed[:, :left], closed[:, size - right :] = dark, dark, dark, dark
    return closed, bool(edges.any())


def _text(draw: ImageDraw.ImageDraw, rng: np.random.Generator, text: str, *, size: int, canvas: int) -> None:
    x = rng.choice([rng.uniform(0.02, 0.14), rng.uniform(0.78, 0.92)]) * canvas
    y = rng.choice([rng.uniform(0.02, 0.16), rng.uniform(0.8, 0.92)]) * canvas
    draw.text((x, y), text, fill=int(rng.uniform(215, 255)), font=ImageFont.load_default(size=max(8, size)))


def _wire(draw: ImageDraw.ImageDraw, rng: np.random.Generator, *, canvas: int) -> None:
    t = np.linspace(0, 1, 24)
    knots = rng.uniform(0.05, 0.95, (4, 2))
    knots[0, 1], knots[-1, 1] = 0.0, rng.uniform(0.4, 0.95)
    curve = ((1 - t) ** 3)[:, None] * knots[0] + (3 * t * (1 - t) ** 2)[:, None] * knots[1]
    curve = curve + (3 * t**2 * (1 - t))[:, None] * knots[2] + (t**3)[:, None] * knots[3]
    points = [tuple(p) for p in curve * canvas]
    draw.line(points, fill=int(rng.uniform(170, 240)), width=max(1, canvas // 180))
