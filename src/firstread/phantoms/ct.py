"""Axial CT slices of a trunk: organs painted in Hounsfield units, table, noise, reconstruction circle, window."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from firstread.phantoms.shapes import Plane
from firstread.phantoms.tissues import HOUNSFIELD
from firstread.phantoms.trunk import Trunk


@dataclass(frozen=True)
class Scanner:
    """How one CT series was taken; the same for all slices of a patient.

    Attributes:
        field_mm: reconstructed field of view.
        noise_hu: standard deviation in water.
        kernel_pixels: blur (positive) of the reconstruction kernel.
        window: (low, high) Hounsfield units shown as black and white.
        circle: True if what lies outside the reconstruction circle is blank.
        offset_mm: where the patient lies in the field (x, y).
    """

    field_mm: float
    noise_hu: float
    kernel_pixels: float
    window: tuple[float, float]
    circle: bool
    offset_mm: tuple[float, float]


def draw_scanner(rng: np.random.Generator, *, field_mm: float) -> Scanner:
    """A scanner and its settings."""
    low = rng.choice([-1024.0, -1000.0, rng.uniform(-1600, -900)])
    return Scanner(
        field_mm=field_mm * rng.uniform(0.92, 1.15),
        noise_hu=rng.uniform(6, 28),
        kernel_pixels=rng.uniform(0.3, 0.7),
        window=(float(low), float(rng.uniform(600, 2200))),
        circle=bool(rng.random() < 0.8),
        offset_mm=(float(rng.normal(0, 5)), float(rng.normal(-10, 8))),
    )


def trunk_slice(trunk: Trunk, scanner: Scanner, rng: np.random.Generator, *, z: float, size: int = 64) -> np.ndarray:
    """One axial CT slice at height z (mm): (size, size) uint8."""
    plane = Plane.centred(size, field_mm=scanner.field_mm, x=-scanner.offset_mm[0], down=-scanner.offset_mm[1])
    hounsfield = paint_trunk(trunk, plane, z)
    return finish_ct(hounsfield, plane, scanner, rng, table_at_mm=float(trunk.half_depth(np.array(z))) + 6)


def paint_trunk(trunk: Trunk, plane: Plane, z: float) -> np.ndarray:
    """Hounsfield units of the patient in air: (H, W) float32."""
    image = np.full(np.broadcast_shapes(plane.across.shape, plane.down.shape), HOUNSFIELD["air"], np.float32)
    half_x, half_y = float(trunk.half_width(np.array(z))), float(trunk.half_depth(np.array(z)))
    layers = (("soft", 0.0), ("fat", 2.0), ("muscle", trunk.fat_mm), ("fat", trunk.fat_mm + 13.0))
    for tissue, inset in layers:
        if z > 20 and inset > trunk.fat_mm:  # within the rib cage there is no peritoneal fat
            continue
        share = _superellipse(plane, max(half_x - inset, 5), max(half_y - inset, 5))
        _paint(image, share, HOUNSFIELD[tissue])
    lungs = _lungs(trunk, plane, z)
    _paint(image, lungs, HOUNSFIELD["lung"])
    for organ in trunk.organs:
        found = organ.shape.cut(plane, z)
        if found is None:
            continue
        part, share = found
        if organ.host == "lung" and organ.name == "vessel":
            share = share * (lungs[part] > 0.5)
        image[part] += share * (HOUNSFIELD[organ.tissue] - image[part])
    return image


def finish_ct(
    hounsfield: np.ndarray, plane: Plane, scanner: Scanner, rng: np.random.Generator, *, table_at_mm: float
) -> np.ndarray:
    """Table, noise, kernel, reconstruction circle and window: uint8."""
    image = hounsfield.copy()
    bow = table_at_mm + 14 - (plane.across / 210.0) ** 2 * 34
    surface = np.clip(2.2 - np.abs(plane.down - bow) / 2.5, 0, 1) * (np.abs(plane.across) < 215)
    image += surface * (-120 - image) * 0.8
    image += gaussian_filter(rng.normal(0, 1, image.shape), 0.6) * scanner.noise_hu * 2.2
    image = gaussian_filter(image, scanner.kernel_pixels)
    if scanner.circle:
        middle = (plane.across.mean(), plane.down.mean())
        radius = np.hypot(plane.across - middle[0], plane.down - middle[1])
        image[radius > plane.pixel_mm * image.shape[0] / 2] = scanner.window[0] - 200
    low, high = scanner.window
    return np.rint(np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8)


def _lungs(trunk: Trunk, plane: Plane, z: float) -> np.ndarray:
    share = np.zeros(np.broadcast_shapes(plane.across.shape, plane.down.shape), np.float32)
    for lung in trunk.lungs:
        found = lung.cut(plane, z)
        if found is not None:
            share[found[0]] = np.maximum(share[found[0]], found[1])
    dome = trunk.dome(plane.across) - (plane.down / 95.0) ** 2 * 62  # the diaphragm falls away to the front and back
    return share * np.clip((z - dome) / 8.0 + 0.5, 0, 1)


def _superellipse(plane: Plane, half_x: float, half_y: float) -> np.ndarray:
    distance = (np.abs(plane.across / half_x) ** 2.5 + np.abs(plane.down / half_y) ** 2.5) ** (1 / 2.5)
    return np.clip((1 - distance) * min(half_x, half_y) / plane.pixel_mm + 0.5, 0, 1)


def _paint(image: np.ndarray, share: np.ndarray, value: float) -> None:
    image += share * (value - image)
