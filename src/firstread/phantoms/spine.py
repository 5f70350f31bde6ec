"""The spine of a volume phantom: vertebrae, discs, arches and processes."""

import numpy as np

from firstread.phantoms.voxel_canvas import Canvas

_LEVEL_MM, _DISC_MM = 33.0, 8.0


def paint_spine(canvas: Canvas, hu: dict[str, float], *, scale: float, offset_mm: float, streaks: np.ndarray) -> None:
    """Paint the spine behind the middle of the body.

    Args:
        hu: value of each tissue.
        scale: of the skeleton.
        offset_mm: height of a disc.
        streaks: (z, y, x) smooth field of sd 1, for trabeculae.
    """
    s = scale
    box = canvas.box((-56 * s, 8 * s, float(canvas.axes_mm[0][0])), (56 * s, 112 * s, float(canvas.axes_mm[0][-1])))
    if box is None or canvas.hu is None:
        return
    x, y, z = np.abs(canvas.x[box]), canvas.y[box], canvas.z[box]
    level = np.mod(z - np.float32(offset_mm), np.float32(_LEVEL_MM * s)) - np.float32(_LEVEL_MM * s / 2)
    bone = _vertebra(x, y, level, s)
    arch = _arch(x, y, level, s)
    canvas.paint(box, _disc(x, y, s), hu["disc"])
    spongiosa = hu["spongiosa"] + 22 * streaks[box]
    for part, cortex_mm in ((bone, 1.1), (arch, 1.1)):
        canvas.paint(box, part, hu["cortex"])
        canvas.paint(box, part - cortex_mm, spongiosa)
    canvas.paint(box, (1 - np.hypot(x / (10.5 * s), (y - 64 * s) / (8.0 * s))) * 8 * s, hu["csf"])


def _disc(x: np.ndarray, y: np.ndarray, s: float) -> np.ndarray:
    u, v = x / np.float32(23 * s), np.abs(y - 39 * s) / np.float32(17 * s)
    inside: np.ndarray = (1 - np.sqrt(np.sqrt(u**4 + v**4))) * np.float32(17 * s) * (1 + 0.15 * u)
    notch = np.float32(9 * s) - np.hypot(x * np.float32(0.8), y - 63 * s)  # the back of a vertebra is hollow
    return np.minimum(inside, -notch)


def _vertebra(x: np.ndarray, y: np.ndarray, level: np.ndarray, s: float) -> np.ndarray:
    waist = np.float32(1.5 * s) * (1 - np.abs(level) / np.float32(13 * s))
    return np.minimum(_disc(x, y, s) - waist, np.float32((_LEVEL_MM - _DISC_MM) / 2 * s) - np.abs(level))


def _arch(x: np.ndarray, y: np.ndarray, level: np.ndarray, s: float) -> np.ndarray:
    """Pedicles, laminae with joints, transverse and spinous processes."""
    ring = np.hypot(x / np.float32(10.5 * s), (y - 64 * s) / np.float32(8.0 * s))
    around = np.minimum((ring - 1) * 9, (np.float32(1.75) - ring) * 9) * np.float32(s)
    pedicle = np.minimum(around, np.minimum(8 * s - np.abs(level - 3 * s), x - 7 * s))
    lamina = np.minimum(np.minimum(around, y - 62 * s), 12 * s - np.abs(level + 3 * s))
    joint = 6.5 * s - np.hypot(x - 17 * s, y - 69 * s)
    transverse = np.minimum(
        3.2 * s - np.abs(y - 60 * s - x * 0.28), np.minimum(34 * s - x, 4.0 * s - np.abs(level - 2 * s))
    )
    transverse = np.minimum(transverse, x - 12 * s)
    spinous = np.minimum(2.7 * s - x, np.minimum(97 * s - y, y - 70 * s))
    spinous = np.minimum(spinous, 10 * s - np.abs(level + 4 * s))
    inside = pedicle
    for part in (lamina, joint, transverse, spinous):
        inside = np.maximum(inside, part)
    return inside
