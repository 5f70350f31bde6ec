"""The trunk of a phantom patient, from the shoulders to the thighs.

z = 0 is the top of the right diaphragm; the lung apices lie near +230 mm, the iliac crests near -190, the pubis near
-340. Sizes follow adult anatomy (Gray's Anatomy; ICRP Publication 89 for organ sizes) with a spread of about 10 %.
"""

from dataclasses import dataclass

import numpy as np

from firstread.phantoms.organs import Organ, make_abdominal_organs, make_bowel, make_chest_organs
from firstread.phantoms.shapes import Ellipsoid
from firstread.phantoms.skeleton import make_pelvis, make_ribs, make_shoulders, make_spine


@dataclass(frozen=True)
class Trunk:
    """One patient's trunk.

    Attributes:
        organs: in painting order; later ones cover earlier ones.
        half_width_mm, half_depth_mm: of the body at the diaphragm.
        fat_mm: thickness of the subcutaneous fat.
        lungs: right and left, not yet cut off by the diaphragm.
        diaphragm_mm: height of the right and left dome.
        breasts: right and left, on the chest wall and half in it; none in half of the patients.
    """

    organs: tuple[Organ, ...]
    half_width_mm: float
    half_depth_mm: float
    fat_mm: float
    lungs: tuple[Ellipsoid, Ellipsoid]
    diaphragm_mm: tuple[float, float]
    breasts: tuple[Ellipsoid, ...]

    def half_width_at(self, z: np.ndarray) -> np.ndarray:
        """Half width of the body in millimetres at height z."""
        heights = [-420, -330, -260, -150, 0, 120, 190, 225, 250, 275, 320]
        factors = [1.02, 1.07, 1.03, 0.93, 0.97, 1.04, 1.12, 1.12, 0.80, 0.42, 0.36]
        return self.half_width_mm * np.interp(z, heights, factors)

    def half_depth_at(self, z: np.ndarray) -> np.ndarray:
        """Half depth of the body in millimetres at height z."""
        heights = [-420, -300, -150, 0, 120, 200, 260, 320]
        return self.half_depth_mm * np.interp(z, heights, [0.85, 1.0, 1.0, 1.02, 1.0, 0.85, 0.6, 0.55])

    def diaphragm_at(self, x: np.ndarray) -> np.ndarray:
        """Height of the diaphragm in millimetres at x: two domes."""
        right = self.diaphragm_mm[0] - ((x + 75) / 62) ** 2 * 32
        left = self.diaphragm_mm[1] - ((x - 80) / 60) ** 2 * 34
        return np.maximum(right, left).clip(-75, None)


def make_trunk(rng: np.random.Generator) -> Trunk:
    """Make the trunk of a random patient.

    Args:
        rng: the same state gives the same patient.
    """
    body_scale = rng.normal(1.0, 0.06)
    habitus = rng.uniform(0.97, 1.28)  # never so slim that the ribs reach the skin
    half_width, half_depth = 160 * body_scale * habitus, 105 * body_scale * habitus
    lift_mm = float(np.clip(rng.gamma(1.5, 11), 0, 55))  # of the diaphragm: few hold their breath as deep as asked
    diaphragm = (rng.normal(0, 8) + lift_mm, rng.normal(-12, 8) + lift_mm)
    right_radii = (60 * body_scale, 84 * body_scale, 158 * body_scale)
    left_radii = (58 * body_scale, 84 * body_scale, 156 * body_scale)
    lungs = (
        Ellipsoid((-76 * body_scale, 5, 75), right_radii, tilt_radians=-0.07, exponent=2.4),
        Ellipsoid((78 * body_scale, 5, 75), left_radii, tilt_radians=0.07, exponent=2.4),
    )
    organs = [
        *make_abdominal_organs(rng, body_scale, lift_mm=lift_mm),
        *make_chest_organs(rng, body_scale, lift_mm=lift_mm),
        *make_bowel(rng, body_scale, lift_mm=lift_mm),
        *make_spine(rng, body_scale),
        *make_ribs(rng, body_scale),
        *make_shoulders(rng, body_scale, half_width),
        *make_pelvis(rng, body_scale),
    ]
    fat_mm = rng.uniform(8, 32) * habitus
    return Trunk(
        organs=tuple(organs),
        half_width_mm=half_width,
        half_depth_mm=half_depth,
        fat_mm=fat_mm,
        lungs=lungs,
        diaphragm_mm=diaphragm,
        breasts=_make_breasts(rng, body_scale, half_depth),
    )


def _make_breasts(rng: np.random.Generator, body_scale: float, half_depth_mm: float) -> tuple[Ellipsoid, ...]:
    if rng.random() < 0.5:
        return ()
    depth, width, low = rng.uniform(8, 45), rng.uniform(45, 70) * body_scale, rng.uniform(25, 85)
    return tuple(
        Ellipsoid((side * rng.uniform(72, 90) * body_scale, -half_depth_mm, low), (width, depth, width * 0.95))
        for side in (-1, 1)
    )
