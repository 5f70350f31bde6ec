"""Radiographs of a trunk: attenuation summed along parallel rays, scatter, noise, exposure and display."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, rotate

from firstread.phantoms.markers import add_film_marks, collimate
from firstread.phantoms.shapes import Ellipsoid, Plane
from firstread.phantoms.tissues import WATER_PER_MM, attenuation_per_mm
from firstread.phantoms.trunk import Trunk

#: where the middle of the field lies (z, mm), how much of the patient it shows (mm), and the spread of both
_FIELDS = {"chest": (92.0, 365.0), "abdomen": (-190.0, 385.0)}


@dataclass(frozen=True)
class Radiograph:
    """A radiograph and how it was taken.

    Attributes:
        pixels: (size, size) uint8, bone bright.
        facts: view, field, exposure, whether there are marks.
    """

    pixels: np.ndarray
    facts: dict[str, object]


def take_radiograph(trunk: Trunk, rng: np.random.Generator, *, region: str, size: int = 256) -> Radiograph:
    """Take a frontal radiograph of the "chest" or the "abdomen".

    Args:
        trunk: the patient.
        rng: of position, exposure, noise and marks; drawn alike for both regions, so that none of them tells the regions apart.
        size: pixels on each side.
    """
    middle, field_mm = _FIELDS[region]
    field_mm *= rng.uniform(0.88, 1.12)
    plane = Plane.centred(size, field_mm=field_mm, x=rng.normal(0, 7), down=middle + rng.normal(0, 11), upward=True)
    depth = project(trunk, plane)
    turned = rotate(depth, rng.normal(0, 2.2), reshape=False, order=1, mode="nearest")
    exposed = _expose(turned, rng)
    shown, contrast = _display(exposed, rng)
    shown, marks = add_film_marks(shown, rng)
    shown, collimated = collimate(shown, rng)
    facts = {"field_mm": round(field_mm, 1), "contrast": round(contrast, 2), "marks": marks, "collimated": collimated}
    return Radiograph(np.rint(np.clip(shown, 0, 1) * 255).astype(np.uint8), facts)


def project(trunk: Trunk, plane: Plane) -> np.ndarray:
    """Attenuation along each front-to-back ray (no unit), for a frontal plane of (H, W) pixels."""
    x, z = plane.across, plane.down
    half = trunk.half_width(z)
    body = np.clip(1 - np.abs(x / half) ** 2.6, 0, None) ** (1 / 2.6)
    thickness = 2 * trunk.half_depth(z) * body
    total = WATER_PER_MM * thickness * 0.985
    lung_chord = _lungs(trunk, plane)
    total = total + lung_chord * (attenuation_per_mm("lung") - attenuation_per_mm("soft"))
    inner = np.minimum(lung_chord / 60.0, 1.0)
    for organ in trunk.organs:
        found = organ.shape.project(plane)
        if found is None:
            continue
        part, chord = found
        if organ.host == "lung":  # only what displaces lung is seen
            chord = np.minimum(chord, lung_chord[part]) * (inner[part] > 0)
        total[part] += chord * (attenuation_per_mm(organ.tissue) - attenuation_per_mm(organ.host))
    return np.clip(total, 0, None)


def _lungs(trunk: Trunk, plane: Plane) -> np.ndarray:
    chord = np.zeros(np.broadcast_shapes(plane.across.shape, plane.down.shape), np.float32)
    for lung in trunk.lungs:
        found = lung.project(plane)
        if found is not None:
            chord[found[0]] = np.maximum(chord[found[0]], found[1])
    above = np.clip((plane.down - trunk.dome(plane.across)) / 14.0 + 0.15, 0, 1)
    medial = Ellipsoid((4, 0, 120), (22, 80, 400), power=4).project(plane)
    if medial is not None:
        chord[medial[0]] = np.clip(chord[medial[0]] - 0.9 * medial[1], 0, None)
    return chord * above


def _expose(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    scatter = gaussian_filter(np.exp(-depth), depth.shape[0] / 14)
    share = rng.uniform(0.05, 0.25)
    photons = 10 ** rng.uniform(3.6, 4.8)
    beam = (1 - share) * np.exp(-depth) + share * scatter
    counted = rng.poisson(np.clip(beam / np.median(beam), 0, 60) * photons * 0.25) / photons
    blurred = gaussian_filter(counted, rng.uniform(0.4, 0.9))
    return -np.log(np.clip(blurred, 1e-5, None))


def _display(depth: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Exposure and tone curve: percentiles to black and white, local contrast, gamma."""
    blurred = gaussian_filter(depth, depth.shape[0] / 9)
    detail = rng.uniform(0.35, 0.75)
    equalised = depth - detail * blurred
    low, high = np.percentile(equalised, [rng.uniform(0.5, 6), rng.uniform(97.5, 99.8)])
    shown = np.clip((equalised - low) / max(high - low, 1e-6), 0, 1.0)
    gamma = float(np.exp(rng.normal(0, 0.35)))  # published radiographs come from many machines, printers and scanners
    return shown**gamma * rng.uniform(0.65, 1.15) + rng.uniform(-0.08, 0.15), gamma
