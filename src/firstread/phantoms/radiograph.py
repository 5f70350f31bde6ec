"""Radiographs: attenuation of the trunk projected along parallel rays, then exposure, display and markers."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import rotate

from firstread.phantoms.chest_disease import LungDisease, aerated_share
from firstread.phantoms.exposure import display, expose
from firstread.phantoms.markers import add_markers, collimate
from firstread.phantoms.patient_position import draw_position, turn_patient
from firstread.phantoms.shapes import Ellipsoid, Plane
from firstread.phantoms.tissues import WATER_PER_MM, attenuation_per_mm
from firstread.phantoms.trunk import Trunk


@dataclass(frozen=True)
class Radiograph:
    """A radiograph and its acquisition parameters.

    Attributes:
        pixels: (size, size) uint8, bone bright; image left is the patient's right.
        metadata: view, field of view, contrast, markers, collimation.
    """

    pixels: np.ndarray
    metadata: dict[str, object]


def simulate_radiograph(
    trunk: Trunk, disease: LungDisease, rng: np.random.Generator, *, region: str, size: int = 256
) -> Radiograph:
    """Simulate a frontal radiograph of the "chest" or the "abdomen".

    Args:
        trunk: the patient.
        disease: of the patient's lungs.
        rng: for position, exposure, noise and markers; all but the position are from the same distributions for both
            regions, so that none of them is a shortcut to the class.
        size: pixels on each side.
    """
    position = draw_position(rng, region=region, half_width_mm=trunk.half_width_mm)
    plane = Plane.centered(size, field_mm=position.field_mm, x_mm=position.x_mm, row_mm=position.z_mm, upward=True)
    attenuation = project_attenuation(turn_patient(trunk, position.turn_radians), plane, disease=disease)
    tilted = rotate(attenuation, position.tilt_degrees, reshape=False, order=1, mode="nearest")
    image, contrast = display(expose(tilted, rng), tilted, rng)
    image, exposed_field = collimate(image, rng)
    image, marks = add_markers(image, rng, exposed_field, letters=position.sides, texts=position.texts)
    metadata = {
        "view": position.view,
        "field_mm": round(position.field_mm, 1),
        "contrast": round(contrast, 2),
        "marks": ", ".join(marks),
        "collimated": exposed_field.rows * exposed_field.columns < size**2,
    }
    return Radiograph(np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8), metadata)


def project_attenuation(trunk: Trunk, plane: Plane, *, disease: LungDisease | None = None) -> np.ndarray:
    """Sum attenuation along the front-to-back ray of each pixel of a frontal plane: (H, W), dimensionless."""
    x, z = plane.columns_mm, plane.rows_mm
    half = trunk.half_width_at(z)
    body = np.clip(1 - np.abs(x / half) ** 2.6, 0, None) ** (1 / 2.6)
    thickness = 2 * trunk.half_depth_at(z) * body
    total = WATER_PER_MM * thickness * 0.985
    for breast in trunk.breasts:
        if (projection := breast.project(plane)) is not None:
            total[projection[0]] += projection[1] / 2 * attenuation_per_mm("fat")  # the other half lies in the body
    air_chord = _lung_chords(trunk, plane)
    if disease is not None:
        air_chord *= aerated_share(disease, plane, lungs=trunk.lungs, domes_mm=trunk.diaphragm_mm)
    total += air_chord * (attenuation_per_mm("lung") - attenuation_per_mm("soft"))
    for organ in trunk.organs:
        projection = organ.shape.project(plane)
        if projection is None:
            continue
        box, chord = projection
        if organ.host == "lung":  # it displaces no more than the air that is left along the ray
            chord = np.minimum(chord, air_chord[box])
            air_chord[box] -= chord
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
