"""CT: axial slices of the trunk in Hounsfield units, with table, noise, reconstruction circle and display range."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from firstread.phantoms.shapes import Plane
from firstread.phantoms.tissues import HOUNSFIELD
from firstread.phantoms.trunk import Trunk


@dataclass(frozen=True)
class Scanner:
    """Acquisition parameters of one CT series, the same for all slices of a patient.

    Attributes:
        field_mm: reconstructed field of view.
        noise_hu: standard deviation in water.
        blur_pixels: standard deviation of the reconstruction kernel.
        display_range_hu: (low, high) Hounsfield units displayed as black and white.
        masks_circle: whether pixels outside the reconstruction circle are blank.
        offset_mm: position of the patient in the field (x, y).
    """

    field_mm: float
    noise_hu: float
    blur_pixels: float
    display_range_hu: tuple[float, float]
    masks_circle: bool
    offset_mm: tuple[float, float]


def make_scanner(rng: np.random.Generator, *, field_mm: float) -> Scanner:
    """Make random acquisition parameters around a field of view."""
    low = rng.choice([-1024.0, -1000.0, rng.uniform(-1600, -900)])
    return Scanner(
        field_mm=field_mm * rng.uniform(0.92, 1.15),
        noise_hu=rng.uniform(6, 28),
        blur_pixels=rng.uniform(0.3, 0.7),
        display_range_hu=(float(low), float(rng.uniform(600, 2200))),
        masks_circle=bool(rng.random() < 0.8),
        offset_mm=(float(rng.normal(0, 5)), float(rng.normal(-10, 8))),
    )


def simulate_trunk_ct(trunk: Trunk, scanner: Scanner, rng: np.random.Generator, *, z: float, size: int) -> np.ndarray:
    """Simulate one axial CT slice at height z (mm): (size, size) uint8."""
    x_offset, y_offset = scanner.offset_mm
    plane = Plane.centered(size, field_mm=scanner.field_mm, x_mm=-x_offset, row_mm=-y_offset)
    hounsfield = rasterize_trunk(trunk, plane, z)
    return acquire_ct(hounsfield, plane, scanner, rng, table_y_mm=float(trunk.half_depth_at(np.array(z))) + 6)


def rasterize_trunk(trunk: Trunk, plane: Plane, z: float) -> np.ndarray:
    """Compute Hounsfield units of an axial plane, the patient in air: (H, W) float32."""
    image = np.full(plane.shape, HOUNSFIELD["air"], np.float32)
    for breast in trunk.breasts:
        if (section := breast.intersect(plane, z)) is not None:
            box, fraction = section
            image[box] += fraction * (HOUNSFIELD["fat"] - image[box])
    half_x, half_y = float(trunk.half_width_at(np.array(z))), float(trunk.half_depth_at(np.array(z)))
    layers = (("soft", 0.0), ("fat", 2.0), ("muscle", trunk.fat_mm), ("fat", trunk.fat_mm + 13.0))
    for tissue, inset in layers:
        if z > 20 and inset > trunk.fat_mm:  # within the rib cage there is no peritoneal fat
            continue
        fraction = _superellipse(plane, max(half_x - inset, 5), max(half_y - inset, 5))
        _blend(image, fraction, HOUNSFIELD[tissue])
    lungs = _lungs(trunk, plane, z)
    _blend(image, lungs, HOUNSFIELD["lung"])
    for organ in trunk.organs:
        section = organ.shape.intersect(plane, z)
        if section is None:
            continue
        box, fraction = section
        if organ.host == "lung" and organ.name == "vessel":
            fraction = fraction * (lungs[box] > 0.5)
        image[box] += fraction * (HOUNSFIELD[organ.tissue] - image[box])
    return image


def acquire_ct(
    hounsfield: np.ndarray, plane: Plane, scanner: Scanner, rng: np.random.Generator, *, table_y_mm: float
) -> np.ndarray:
    """Add table, noise, blur and reconstruction circle, and map Hounsfield units to uint8."""
    image = hounsfield.copy()
    table_y = table_y_mm + 14 - (plane.columns_mm / 210.0) ** 2 * 34
    table = np.clip(2.2 - np.abs(plane.rows_mm - table_y) / 2.5, 0, 1) * (np.abs(plane.columns_mm) < 215)
    image += table * (-120 - image) * 0.8
    image += gaussian_filter(rng.normal(0, 1, image.shape), 0.6) * scanner.noise_hu * 2.2
    image = gaussian_filter(image, scanner.blur_pixels)
    if scanner.masks_circle:
        radius = np.hypot(plane.columns_mm - plane.columns_mm.mean(), plane.rows_mm - plane.rows_mm.mean())
        image[radius > plane.pixel_spacing_mm * image.shape[0] / 2] = scanner.display_range_hu[0] - 200
    low, high = scanner.display_range_hu
    return np.rint(np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _lungs(trunk: Trunk, plane: Plane, z: float) -> np.ndarray:
    lungs = np.zeros(plane.shape, np.float32)
    for lung in trunk.lungs:
        section = lung.intersect(plane, z)
        if section is not None:
            box, fraction = section
            lungs[box] = np.maximum(lungs[box], fraction)
    diaphragm = trunk.diaphragm_at(plane.columns_mm) - (plane.rows_mm / 95.0) ** 2 * 62  # lower in front and behind
    return lungs * np.clip((z - diaphragm) / 8.0 + 0.5, 0, 1)


def _superellipse(plane: Plane, half_x: float, half_y: float) -> np.ndarray:
    """Fraction of each pixel inside a superellipse around the origin."""
    distance = (np.abs(plane.columns_mm / half_x) ** 2.5 + np.abs(plane.rows_mm / half_y) ** 2.5) ** (1 / 2.5)
    return np.clip((1 - distance) * min(half_x, half_y) / plane.pixel_spacing_mm + 0.5, 0, 1)


def _blend(image: np.ndarray, fraction: np.ndarray, value: float) -> None:
    image += fraction * (value - image)
