"""Focal lesions of the liver of a volume phantom: metastases, cysts, haemangiomas and focal fat."""

from dataclasses import dataclass

import numpy as np

from firstread.phantoms.contrast_phases import LESION_CONTRAST
from firstread.phantoms.solids import Blob
from firstread.phantoms.voxel_canvas import Box3D, Canvas

#: kind -> how often it is drawn
KINDS = {"metastasis": 0.6, "cyst": 0.2, "haemangioma": 0.1, "focal fat": 0.1}
#: HU under the liver in the portal phase; a real metastasis lies 20 to 60 below
_CONTRAST_HU = (27.0, 60.0)


@dataclass(frozen=True)
class LiverLesion:
    """One lesion.

    Attributes:
        number: from 1, its value in `lesion_map`.
        kind: key of KINDS.
        shape: in the model.
        contrast_hu: of a metastasis' core or of focal fat, under the liver in the portal phase.
    """

    number: int
    kind: str
    shape: Blob
    contrast_hu: float


def draw_lesion_count(rng: np.random.Generator) -> int:
    """Number of lesions: none in a quarter of the patients, else 1 to 9."""
    return 0 if rng.random() < 0.25 else 1 + int(min(rng.geometric(0.3) - 1, 8))


def draw_lesions(
    rng: np.random.Generator, count: int, *, positions_mm: np.ndarray, inside_mm: np.ndarray
) -> tuple[LiverLesion, ...]:
    """Draw lesions that lie in the liver and do not touch.

    Args:
        count: wanted; fewer if there is no room.
        positions_mm: (N, 3) points of the liver in the model, x, y, z.
        inside_mm: (N,) their distance from its surface.
    """
    lesions: list[LiverLesion] = []
    for _ in range(count):
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        radius = float(np.clip(rng.lognormal(np.log(8.5), 0.55), 3.0, 32.0))
        free = inside_mm > min(0.55 * radius + 2.5, float(inside_mm.max()) - 0.1)
        for other in lesions:
            gap = np.linalg.norm(positions_mm - other.shape.center, axis=1)
            free &= gap > 1.35 * radius + other.shape.reach_mm + 5
        candidates = np.flatnonzero(free)
        if not len(candidates):
            continue
        x, y, z = (float(value) for value in positions_mm[rng.choice(candidates)] + rng.uniform(-1.5, 1.5, 3))
        a, b, c = radius * rng.uniform(0.85, 1.18, 3)
        turns = (float(rng.uniform(-1.5, 1.5)), float(rng.uniform(-1, 1)))
        waves = 0.0 if kind == "cyst" else 0.06 * radius
        shape = Blob((x, y, z), (float(a), float(b), float(c)), turns, waves, float(rng.uniform(0, 6)))
        lesions.append(LiverLesion(len(lesions) + 1, kind, shape, float(rng.uniform(*_CONTRAST_HU))))
    return tuple(lesions)


def paint_lesion(
    canvas: Canvas, box: Box3D, inside_mm: np.ndarray, lesion: LiverLesion, hu: dict[str, float], phase: str
) -> None:
    """Paint a lesion over the liver; `inside_mm` is its signed distance in the box, cut off at the liver's surface."""
    radius, liver = min(lesion.shape.radii), hu["liver"]
    if lesion.kind == "metastasis":
        for part, inset in (("metastasis rim", 0.0), ("metastasis core", 0.32 * radius)):
            value = liver - lesion.contrast_hu * LESION_CONTRAST[part][phase]
            canvas.paint(box, inside_mm - inset, value)
    elif lesion.kind == "haemangioma":
        x, y, z = canvas.x[box], canvas.y[box], canvas.z[box]
        nodules = np.sin(x * 0.9 + lesion.number) + np.sin(y * 0.8 + 2) + np.sin(z * 0.85)
        canvas.paint(box, inside_mm, hu["haemangioma rim"])
        canvas.paint(box, inside_mm - 0.3 * radius - nodules.astype(np.float32), hu["haemangioma centre"])
    elif lesion.kind == "cyst":
        canvas.paint(box, inside_mm, hu["cyst"])
    elif canvas.hu is not None:  # focal fat fades out and lets vessels run through
        share = np.clip(inside_mm / np.float32(0.5 * radius), 0, 1)
        canvas.hu[box] -= share * np.float32(lesion.contrast_hu * LESION_CONTRAST["focal fat"][phase])
