"""Radiographs: attenuation of the trunk projected along parallel rays, scatter, noise, exposure and display."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, rotate

from firstread.phantoms.markers import add_markers, collimate
from firstread.phantoms.shapes import Ellipsoid, Plane
from firstread.phantoms.tissues import WATER_PER_MM, attenuation_per_mm
from firstread.phantoms.trunk import Trunk

#: region -> center of the field of view (z, mm), field of view (mm)
_FIELDS = {"chest": (92.0, 365.0), "abdomen": (-190.0, 385.0)}


@dataclass(frozen=True)
class Radiograph:
    """A radiograph and its acquisition parameters.

    Attributes:
        pixels: (size, size) uint8, bone bright.
        metadata: field of view, contrast, markers, collimation.
    """

    pixels: np.ndarray
    metadata: dict[str, object]


def simulate_radiograph(trunk: Trunk, rng: np.random.Generator, *, region: str, size: int = 256) -> Radiograph:
    """Simulate a frontal radiograph of the "chest" or the "abdomen".

    Args:
        trunk: the patient.
        rng: for position, exposure, noise and markers; from the same distributions for both regions, so that none of
            them is a shortcut to the class.
        size: pixels on each side.
    """
    center_z, field_mm = _FIELDS[region]
    field_mm *= rng.uniform(0.88, 1.12)
    x_mm, z_mm = rng.normal(0, 7), center_z + rng.normal(0, 11)
    plane = Plane.centered(size, field_mm=field_mm, x_mm=x_mm, row_mm=z_mm, upward=True)
    attenuation = project_attenuation(trunk, plane)
    rotated = rotate(attenuation, rng.normal(0, 2.2), reshape=False, order=1, mode="nearest")
    exposed = _expose(rotated, rng)
    image, contrast = _display(exposed, rng)
    image, markers = add_markers(image, rng)
    image, collimated = collimate(image, rng)
    metadata = {
        "field_mm": round(field_mm, 1),
        "contrast": round(contrast, 2),
        "marks": markers,
        "collimated": collimated,
    }
    return Radiograph(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8), metadata)


def project_attenuation(trunk: Trunk, plane: Plane) -> np.ndarray:
    """Sum attenuation along the front-to-back ray of each pixel of a frontal plane: (H, W), dimensionless."""
    x, z = plane.columns_mm, plane.rows_mm
    half = trunk.half_width_at(z)
    body = np.clip(1 - np.abs(x / half) ** 2.6, 0, None) ** (1 / 2.6)
    thickness = 2 * trunk.half_depth_at(z) * body
    total = WATER_PER_MM * thickness * 0.985
    lung_chord = _lung_chords(trunk, plane)
    total = total + lung_chord * (attenuation_per_mm("lung") - attenuation_per_mm("soft"))
    for organ in trunk.organs:
        projection = organ.shape.project(plane)
        if projection is None:
            continue
        box, chord = projection
        if organ.host == "lung":  # it displaces no more than the lung along the ray
            chord = np.minimum(chord, lung_chord[box]) * (lung_chord[box] > 0)
        total[box] += chord * (attenuation_per_mm(organ.tissue) - attenuation_per_mm(organ.host))
    return np.clip(total, 0, None)


def _lung_chords(trunk: Trunk, plane: Plane) -> np.ndarray:
    """Length of each ray within the lungs in millimetres: (H, W)."""
    chords = np.zeros(plane.shape, np.float32)
    for lung in trunk.lungs:
        projection = lung.project(plane)
        if projection is not None:
            box, chord = projection
            chords[box] = np.maximum(chords[box], chord)
    above_diaphragm = np.clip((plane.rows_mm - trunk.diaphragm_at(plane.columns_mm)) / 14.0 + 0.15, 0, 1)
    mediastinum = Ellipsoid((4, 0, 120), (22, 80, 400), exponent=4).project(plane)
    if mediastinum is not None:
        box, chord = mediastinum
        chords[box] = np.clip(chords[box] - 0.9 * chord, 0, None)
    return chords * above_diaphragm


def _expose(attenuation: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add scatter, photon noise and detector blur."""
    scatter = gaussian_filter(np.exp(-attenuation), attenuation.shape[0] / 14)
    scatter_fraction = rng.uniform(0.05, 0.25)
    photons = 10 ** rng.uniform(3.6, 4.8)
    beam = (1 - scatter_fraction) * np.exp(-attenuation) + scatter_fraction * scatter
    counts = rng.poisson(np.clip(beam / np.median(beam), 0, 60) * photons * 0.25) / photons
    blurred = gaussian_filter(counts, rng.uniform(0.4, 0.9))
    return -np.log(np.clip(blurred, 1e-5, None))


def _display(attenuation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Map attenuation to display values: local contrast, percentiles to black and white, gamma."""
    blurred = gaussian_filter(attenuation, attenuation.shape[0] / 9)
    detail = rng.uniform(0.35, 0.75)
    equalized = attenuation - detail * blurred
    low, high = np.percentile(equalized, [rng.uniform(0.5, 6), rng.uniform(97.5, 99.8)])
    image = np.clip((equalized - low) / max(high - low, 1e-6), 0, 1.0)
    gamma = float(np.exp(rng.normal(0, 0.35)))  # published radiographs come from many machines, printers and scanners
    return image**gamma * rng.uniform(0.65, 1.15) + rng.uniform(-0.08, 0.15), gamma
