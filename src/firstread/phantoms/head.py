"""The head of a phantom patient: head CT and brain MR from the same anatomy.

z = 0 is the level of the orbits and the skull base; the vertex lies near +95 mm, the teeth near -70 mm.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from firstread.phantoms.ct import Scanner, acquire_ct
from firstread.phantoms.shapes import Plane
from firstread.phantoms.tissues import HOUNSFIELD

_MR_TISSUES = ("fat", "skull", "csf", "gray matter", "white matter", "muscle", "air", "lesion")
_MR_SIGNAL = {
    "T1": (1.0, 0.06, 0.16, 0.50, 0.68, 0.38, 0.0, 0.42),
    "T1 with contrast": (1.0, 0.08, 0.16, 0.52, 0.66, 0.42, 0.0, 1.0),
    "T2": (0.65, 0.05, 1.0, 0.55, 0.38, 0.18, 0.0, 0.85),
    "FLAIR": (0.72, 0.05, 0.10, 0.58, 0.46, 0.22, 0.0, 1.0),
    "DWI": (0.05, 0.03, 0.10, 0.60, 0.52, 0.05, 0.0, 1.0),
}
#: sequence -> relative signal of each tissue, in common MR sequences of the brain at 1.5 T
BRAIN_SIGNAL = {name: dict(zip(_MR_TISSUES, signal, strict=True)) for name, signal in _MR_SIGNAL.items()}


@dataclass(frozen=True)
class Head:
    """One patient's head.

    Attributes:
        half_width_mm, half_length_mm: outer size of the skull at the skull base.
        height_mm: from the skull base to the vertex.
        skull_mm, scalp_mm: thickness.
        ventricle_scale: 1 is usual, more is wider.
        fold_phases: phases of the cortical folds.
        rotation_radians: rotation in the axial plane.
        lesion: (x, y, z, radius) millimetres, or None.
    """

    half_width_mm: float
    half_length_mm: float
    height_mm: float
    skull_mm: float
    scalp_mm: float
    ventricle_scale: float
    fold_phases: np.ndarray
    rotation_radians: float
    lesion: tuple[float, float, float, float] | None


def make_head(rng: np.random.Generator) -> Head:
    """Make the head of a random patient."""
    scale = rng.normal(1, 0.045)
    lesion = None
    if rng.random() < 0.4:
        lesion = (*(rng.uniform(-1, 1, 2) * [35, 50]), rng.uniform(15, 65), rng.uniform(6, 18))
    return Head(
        half_width_mm=72 * scale * rng.normal(1, 0.03),
        half_length_mm=90 * scale * rng.normal(1, 0.03),
        height_mm=98 * scale,
        skull_mm=rng.uniform(5, 8),
        scalp_mm=rng.uniform(3.5, 7),
        ventricle_scale=rng.uniform(0.7, 1.6),
        fold_phases=rng.uniform(0, 2 * np.pi, 8),
        rotation_radians=rng.normal(0, 0.06),
        lesion=lesion,
    )


def head_tissue_fractions(head: Head, plane: Plane, z: float) -> dict[str, np.ndarray]:
    """Fraction of each tissue in each pixel of an axial plane, in painting order: name -> (H, W)."""
    cos, sin = np.cos(head.rotation_radians), np.sin(head.rotation_radians)
    x = plane.columns_mm * cos + plane.rows_mm * sin
    y = -plane.columns_mm * sin + plane.rows_mm * cos
    scale = np.clip(1 - (max(z, 0) / head.height_mm) ** 2, 0, 1) ** 0.5
    if z < 0:  # the face: narrower, and shorter towards the neck
        scale = float(np.interp(z, [-75, -30, 0], [0.72, 0.9, 1.0]))
    scale = max(scale, 0.12)
    half_width, half_length = head.half_width_mm * scale, head.half_length_mm * scale
    scalp = _egg_distance(x, y, half_width + head.scalp_mm, half_length + head.scalp_mm)
    skull = _egg_distance(x, y, half_width, half_length)
    thickness = head.skull_mm / max(scale, 0.35)
    inner_skull = _egg_distance(x, y, max(half_width - thickness, 3), max(half_length - thickness, 3))
    scalp_fraction, skull_fraction, cavity = (
        _inside_fraction(distance, head.half_width_mm, plane.pixel_spacing_mm)
        for distance in (scalp, skull, inner_skull)
    )
    fractions = {"fat": scalp_fraction, "skull": skull_fraction}
    if z > -28:
        fractions |= _brain_fractions(head, x, y, z, inner_skull, cavity)
    if z < 12:
        fractions |= _face_fractions(x, y, z, cavity, plane.pixel_spacing_mm)
    return fractions


def simulate_head_ct(head: Head, scanner: Scanner, rng: np.random.Generator, *, z: float, size: int) -> np.ndarray:
    """Simulate one axial head CT slice: (size, size) uint8."""
    plane = Plane.centered(size, field_mm=scanner.field_mm, x_mm=scanner.offset_mm[0], row_mm=scanner.offset_mm[1])
    return acquire_ct(_head_hounsfield(head, plane, z), plane, scanner, rng, table_y_mm=1e4)


def simulate_head_hu(
    head: Head, rng: np.random.Generator, *, z: float, size: int, field_mm: float, noise_hu: float = 6.0
) -> np.ndarray:
    """Simulate one axial head CT slice in Hounsfield units: (size, size) float32, the front of the head above."""
    plane = Plane.centered(size, field_mm=field_mm)
    noise = gaussian_filter(rng.normal(0, 1, plane.shape), 0.6) * noise_hu * 2.2
    return np.clip(gaussian_filter(_head_hounsfield(head, plane, z), 0.45) + noise, -1024, 3071).astype(np.float32)


def _head_hounsfield(head: Head, plane: Plane, z: float) -> np.ndarray:
    """Hounsfield units of an axial plane of the head in its holder: (H, W) float32."""
    ct_tissues = {"skull": "cortex", "air": "air", "lesion": "blood"}
    image = np.full(plane.shape, HOUNSFIELD["air"], np.float32)
    for name, fraction in head_tissue_fractions(head, plane, z).items():
        image += fraction * (HOUNSFIELD[ct_tissues.get(name, name)] - image)
    holder = np.abs(np.hypot(plane.columns_mm, plane.rows_mm * 0.9) - head.half_length_mm - 24)
    image += np.clip(1.6 - holder / 2.2, 0, 1) * (plane.rows_mm > 12) * (-250 - image) * 0.9
    return image


def simulate_brain_mr(
    head: Head, rng: np.random.Generator, *, z: float, sequence: str, field_mm: float, noise: float, size: int = 64
) -> np.ndarray:
    """Simulate one axial MR slice of the brain: (size, size) uint8.

    Args:
        sequence: key of BRAIN_SIGNAL.
        noise: standard deviation as a fraction of the brightest tissue; Rician, as in magnitude images.
    """
    plane = Plane.centered(size, field_mm=field_mm)
    signal = np.zeros((size, size), np.float32)
    for name, fraction in head_tissue_fractions(head, plane, z).items():
        signal += fraction * (BRAIN_SIGNAL[sequence][name] - signal)
    return acquire_mr(signal, rng, noise=noise)


def acquire_mr(signal: np.ndarray, rng: np.random.Generator, *, noise: float) -> np.ndarray:
    """Add coil shading, blur and Rician noise, and scale the signal to uint8."""
    shape = signal.shape
    shading = gaussian_filter(rng.normal(0, 1, shape), shape[0] / 2.6, mode="reflect")
    shading = 1 + 0.28 * shading / max(np.abs(shading).max(), 1e-6)
    real = gaussian_filter(signal * shading, 0.45)
    magnitude = np.hypot(real + rng.normal(0, noise, shape), rng.normal(0, noise, shape))
    white = max(np.percentile(magnitude, 99.6), 0.25)
    return np.rint(np.clip(magnitude / white, 0, 1) * 255).astype(np.uint8)


def _brain_fractions(
    head: Head, x: np.ndarray, y: np.ndarray, z: float, inner_skull: np.ndarray, cavity: np.ndarray
) -> dict[str, np.ndarray]:
    angle = np.arctan2(y, x)
    folds = sum(
        np.sin((5 + 2 * i) * angle + phase + z / (9 + i)) / (1.5 + 0.4 * i) for i, phase in enumerate(head.fold_phases)
    )
    depth = 1 - inner_skull  # 0 at the skull, 1 in the middle
    cortex = np.clip((depth - 0.035 - 0.02 * (folds > 0.9)) * 40, 0, 1) * cavity
    white_matter = np.clip((depth - 0.17 - 0.05 * folds) * 14, 0, 1) * cavity
    fissure = np.clip(1.2 - np.abs(x) / 1.6, 0, 1) * (z > 8) * cavity
    fractions = {"csf": cavity, "gray matter": cortex, "white matter": white_matter}
    csf = fissure * (np.abs(y) > 24)
    if 8 < z < 62:
        for side in (-1, 1):
            horn_x = side * (9 + 3 * np.abs(y) / 18)
            horn_length = 27 * head.ventricle_scale * np.interp(z, [8, 30, 62], [0.6, 1, 0.7])
            horn = ((x - horn_x) / (5.5 * head.ventricle_scale)) ** 2 + ((y + 2) / horn_length) ** 2
            csf = np.maximum(csf, np.clip((1 - horn) * 3, 0, 1))
        basal_ganglia = ((np.abs(x) - 22) / 9) ** 2 + ((y + 2) / 15) ** 2
        fractions["deep gray"] = np.clip((1 - basal_ganglia) * 3, 0, 1) * (z < 40)
    if z < 8:
        posterior_fossa = (x / 30) ** 2 + ((y - 48) / 22) ** 2
        fractions["deep gray"] = np.clip((1 - posterior_fossa) * 3, 0, 1) * cavity
        csf = np.maximum(csf, np.clip((1 - (x / 8) ** 2 - ((y - 30) / 5) ** 2) * 3, 0, 1))
    fractions["ventricles"] = csf * cavity
    if head.lesion is not None:
        lx, ly, lz, radius = head.lesion
        squared_radius = radius**2 - (z - lz) ** 2
        if squared_radius > 0:
            distance = np.hypot(x - lx, y - ly)
            fractions["lesion"] = np.clip((np.sqrt(squared_radius) - distance) / 2 + 0.5, 0, 1) * cavity
    return _merge_structures(fractions)


def _merge_structures(fractions: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Merge deep gray matter and ventricles into the tissues that they consist of; keeps the painting order."""
    deep_gray, ventricles = fractions.pop("deep gray", None), fractions.pop("ventricles")
    lesion = fractions.pop("lesion", None)
    if deep_gray is not None:
        fractions["white matter"] = fractions["white matter"] * (1 - deep_gray)
        fractions["gray matter"] = np.maximum(fractions["gray matter"], deep_gray)
    for name in ("gray matter", "white matter"):
        fractions[name] = fractions[name] * (1 - ventricles)
    if lesion is not None:
        fractions["lesion"] = lesion
    return fractions


def _face_fractions(
    x: np.ndarray, y: np.ndarray, z: float, cavity: np.ndarray, pixel_spacing_mm: float
) -> dict[str, np.ndarray]:
    def ellipse(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        distance = np.hypot((x - cx) / rx, (y - cy) / ry)
        return np.clip((1 - distance) * min(rx, ry) / pixel_spacing_mm + 0.5, 0, 1)

    muscle_depth = float(np.interp(z, [-75, -28, 12], [1.0, 0.9, 0.25]))
    front = np.clip((-y - 22) / 6, 0, 1) * cavity
    below = cavity if z < -28 else np.zeros_like(cavity)
    muscle = np.maximum(np.maximum(below, front * muscle_depth), 0)
    bone = np.zeros_like(cavity)
    air = np.zeros_like(cavity)
    for side in (-1, 1):
        bone = np.maximum(bone, ellipse(side * 42, 22, 16, 9) * (z > -30))  # petrous
        bone = np.maximum(bone, ellipse(side * 34, -52, 22, 20) * (z < 10) * (z > -45))
        air = np.maximum(air, ellipse(side * 46, 28, 7, 6) * (z > -25) * 0.8)  # mastoid
        if z < -18:
            air = np.maximum(air, ellipse(side * 25, -46, 13, 15) * (z > -52))  # maxillary sinus
        elif z < 8:
            muscle = np.maximum(muscle, ellipse(side * 30, -58, 17, 19))  # orbit
            air = np.maximum(air, ellipse(side * 6, -52, 4, 18))  # ethmoid
    air = np.maximum(air, ellipse(0, -30, 9, 12) * (z < -25))
    if z < -40:
        arch = np.abs(np.hypot(x / 30, (y + 30) / 46) - 1)
        bone = np.maximum(bone, np.clip(1.4 - arch * 7, 0, 1) * (y < -10))
        bone = np.maximum(bone, ellipse(0, 32, 14, 10))
    bone = bone * (1 - air)
    return {"muscle": muscle, "skull": bone, "air": air}


def _egg_distance(x: np.ndarray, y: np.ndarray, half_x: float, half_y: float) -> np.ndarray:
    """Normalized distance from the center, 1 on an egg-shaped outline that is narrower in front (small y)."""
    narrowing = 1 - 0.10 * np.clip(-y / half_y, -1, 1)
    return np.sqrt((x / (half_x * narrowing)) ** 2 + (y / half_y) ** 2)


def _inside_fraction(distance: np.ndarray, scale_mm: float, pixel_spacing_mm: float) -> np.ndarray:
    return np.clip((1 - distance) * scale_mm / pixel_spacing_mm + 0.5, 0, 1)
