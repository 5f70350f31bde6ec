"""Disease and inspiration of the lungs on radiographs: effusions, consolidations and hazy lungs, as shares of lost air.

They are drawn for each patient, whichever region is shown: the bases of the lungs lie on both kinds of radiograph.
"""

from dataclasses import dataclass

import numpy as np

from firstread.phantoms.shapes import Ellipsoid, Plane


@dataclass(frozen=True)
class Consolidation:
    """A part of a lung without air, blurred at its border.

    Attributes:
        x_mm, z_mm: its center.
        radius_mm: where half of its effect is left.
        density: share of air that is lost at the center.
    """

    x_mm: float
    z_mm: float
    radius_mm: float
    density: float


@dataclass(frozen=True)
class LungDisease:
    """What keeps air out of a patient's lungs.

    Attributes:
        haze: share of air that is lost everywhere.
        effusion_mm: height of fluid above the right and the left dome of the diaphragm; 0 for none.
        consolidations: of either lung.
    """

    haze: float
    effusion_mm: tuple[float, float]
    consolidations: tuple[Consolidation, ...]


def draw_lung_disease(rng: np.random.Generator) -> LungDisease:
    """Draw what a patient has; about six in ten have next to nothing."""
    haze = rng.uniform(0, 0.1) if rng.random() < 0.7 else rng.uniform(0.1, 0.55)
    effusion = [0.0, 0.0]
    if rng.random() < 0.25:
        effusion[int(rng.integers(2))] = rng.uniform(20, 90) if rng.random() < 0.75 else rng.uniform(90, 230)
        if rng.random() < 0.35:
            effusion = [max(height, rng.uniform(15, 60)) for height in effusion]
    found = []
    for _ in range(int(rng.choice([0, 1, 3], p=[0.78, 0.14, 0.08]))):
        side = rng.choice([-1, 1])
        found.append(
            Consolidation(
                x_mm=float(side * rng.uniform(45, 105)),
                z_mm=float(rng.uniform(20, 180)),
                radius_mm=float(rng.uniform(14, 42)),
                density=float(rng.uniform(0.3, 0.8)),
            )
        )
    return LungDisease(float(haze), (float(effusion[0]), float(effusion[1])), tuple(found))


def aerated_share(
    disease: LungDisease, plane: Plane, *, lungs: tuple[Ellipsoid, Ellipsoid], domes_mm: tuple[float, float]
) -> np.ndarray:
    """Share of the lungs' air that is left along each ray: (H, W), 0 to 1.

    Args:
        disease: of the patient.
        plane: of the radiograph.
        lungs: right and left.
        domes_mm: heights of the right and left dome of the diaphragm.
    """
    x, z = plane.columns_mm, plane.rows_mm
    share = np.full(plane.shape, 1 - disease.haze, np.float32)
    for found in disease.consolidations:
        distance = ((x - found.x_mm) / found.radius_mm) ** 2 + ((z - found.z_mm) / found.radius_mm) ** 2
        share *= 1 - found.density * np.exp2(-distance)
    for side, lung, dome_mm, height_mm in zip((-1, 1), lungs, domes_mm, disease.effusion_mm, strict=True):
        if height_mm > 0:
            lateral = np.clip((side * x - (side * lung.center[0] - lung.radii[0])) / (2 * lung.radii[0]), 0, 1)
            level_mm = dome_mm + height_mm * (0.45 + 0.55 * lateral**2)  # a meniscus, higher at the side
            under = np.clip((level_mm - z) / 22 + 0.5, 0, 1) * (side * x > 0)
            share *= 1 - 0.95 * under
    return share
