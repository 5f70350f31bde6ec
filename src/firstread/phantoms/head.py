"""The head of a phantom patient: head CT and brain MR from the same shapes.

z = 0 is the level of the orbits and the skull base; the vertex lies near +95 mm, the teeth near -70 mm.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from firstread.phantoms.ct import Scanner, finish_ct
from firstread.phantoms.shapes import Plane
from firstread.phantoms.tissues import HOUNSFIELD

#: relative signal of tissues in common MR sequences of the brain at 1.5 T
BRAIN_SIGNAL = {
    "T1": {"fat": 1.0, "skull": 0.06, "csf": 0.16, "gray matter": 0.50, "white matter": 0.68, "muscle": 0.38, "air": 0.0, "lesion": 0.42},
    "T1 with contrast": {"fat": 1.0, "skull": 0.08, "csf": 0.16, "gray matter": 0.52, "white matter": 0.66, "muscle": 0.42, "air": 0.0, "lesion": 1.0},
    "T2": {"fat": 0.65, "skull": 0.05, "csf": 1.0, "gray matter": 0.55, "white matter": 0.38, "muscle": 0.18, "air": 0.0, "lesion": 0.85},
    "FLAIR": {"fat": 0.72, "skull": 0.05, "csf": 0.10, "gray matter": 0.58, "white matter": 0.46, "muscle": 0.22, "air": 0.0, "lesion": 1.0},
    "DWI": {"fat": 0.05, "skull": 0.03, "csf": 0.10, "gray matter": 0.60, "white matter": 0.52, "muscle": 0.05, "air": 0.0, "lesion": 1.0},
}  # fmt: skip


@dataclass(frozen=True)
class Head:
    """One patient's head.

    Attributes:
        width_mm, length_mm, height_mm: half sizes of the skull's outside.
        skull_mm, scalp_mm: thickness.
        ventricles: 1 is usual, more is wider.
        folds: phases of the cortical folds.
        tilt: radians in the axial plane.
        lesion: (x, y, z, radius) millimetres, or None.
    """

    width_mm: float
    length_mm: float
    height_mm: float
    skull_mm: float
    scalp_mm: float
    ventricles: float
    folds: np.ndarray
    tilt: float
    lesion: tuple[float, float, float, float] | None


def make_head(rng: np.random.Generator) -> Head:
    """Draw a patient's head."""
    s = rng.normal(1, 0.045)
    lesion = None
    if rng.random() < 0.4:
        lesion = (*(rng.uniform(-1, 1, 2) * [35, 50]), rng.uniform(15, 65), rng.uniform(6, 18))
    return Head(
        width_mm=72 * s * rng.normal(1, 0.03), length_mm=90 * s * rng.normal(1, 0.03), height_mm=98 * s,
        skull_mm=rng.uniform(5, 8), scalp_mm=rng.uniform(3.5, 7), ventricles=rng.uniform(0.7, 1.6),
        folds=rng.uniform(0, 2 * np.pi, 8), tilt=rng.normal(0, 0.06), lesion=lesion,
    )  # fmt: skip


def head_tissues(head: Head, plane: Plane, z: float) -> dict[str, np.ndarray]:
    """Share of each tissue in each pixel of an axial plane, in painting order: name -> (H, W)."""
    x = plane.across * np.cos(head.tilt) + plane.down * np.sin(head.tilt)
    y = -plane.across * np.sin(head.tilt) + plane.down * np.cos(head.tilt)
    level = np.clip(1 - (max(z, 0) / head.height_mm) ** 2, 0, 1) ** 0.5
    if z < 0:  # the face: narrower, and shorter towards the neck
        level = float(np.interp(z, [-75, -30, 0], [0.72, 0.9, 1.0]))
    level = max(level, 0.12)
    outside = _egg(x, y, head.width_mm * level + head.scalp_mm, head.length_mm * level + head.scalp_mm)
    skull = _egg(x, y, head.width_mm * level, head.length_mm * level)
    thickness = head.skull_mm / max(level, 0.35)
    inner = _egg(x, y, max(head.width_mm * level - thickness, 3), max(head.length_mm * level - thickness, 3))
    pixel = plane.pixel_mm
    tissues = {"fat": _inside(outside, head.width_mm, pixel), "skull": _inside(skull, head.width_mm, pixel)}
    cavity = _inside(inner, head.width_mm, pixel)
    if z > -28:
        tissues |= _brain(head, x, y, z, inner, cavity)
    if z < 12:
        tissues |= _face(head, x, y, z, cavity, pixel)
    return tissues


def head_ct_slice(head: Head, scanner: Scanner, rng: np.random.Generator, *, z: float, size: int = 64) -> np.ndarray:
    """One axial head CT slice: (size, size) uint8."""
    plane = Plane.centred(size, field_mm=scanner.field_mm, x=scanner.offset_mm[0], down=scanner.offset_mm[1])
    names = {"skull": "cortex", "air": "air", "lesion": "blood"}
    image = np.full((size, size), HOUNSFIELD["air"], np.float32)
    for name, share in head_tissues(head, plane, z).items():
        image += share * (HOUNSFIELD[names.get(name, name)] - image)
    holder = np.abs(np.hypot(plane.across, plane.down * 0.9) - head.length_mm - 24)
    image += np.clip(1.6 - holder / 2.2, 0, 1) * (plane.down > 12) * (-250 - image) * 0.9
    return finish_ct(image, plane, scanner, rng, table_at_mm=1e4)


def brain_mr_slice(
    head: Head, rng: np.random.Generator, *, z: float, sequence: str, field_mm: float, noise: float, size: int = 64
) -> np.ndarray:
    """One axial MR slice of the brain: (size, size) uint8.

    Args:
        sequence: key of BRAIN_SIGNAL.
        noise: standard deviation as a share of the brightest tissue; Rician, as in magnitude images.
    """
    plane = Plane.centred(size, field_mm=field_mm)
    signal = np.zeros((size, size), np.float32)
    for name, share in head_tissues(head, plane, z).items():
        signal += share * (BRAIN_SIGNAL[sequence][name] - signal)
    return finish_mr(signal, rng, noise=noise)


def finish_mr(signal: np.ndarray, rng: np.random.Generator, *, noise: float) -> np.ndarray:
    """Coil shading, Rician noise, slight blur and display scaling: uint8."""
    shape = signal.shape
    shading = gaussian_filter(rng.normal(0, 1, shape), shape[0] / 2.6, mode="reflect")
    shading = 1 + 0.28 * shading / max(np.abs(shading).max(), 1e-6)
    real = gaussian_filter(signal * shading, 0.45)
    magnitude = np.hypot(real + rng.normal(0, noise, shape), rng.normal(0, noise, shape))
    top = max(np.percentile(magnitude, 99.6), 0.25)
    return np.rint(np.clip(magnitude / top, 0, 1) * 255).astype(np.uint8)


def _brain(head: Head, x: np.ndarray, y: np.ndarray, z: float, inner: np.ndarray, cavity: np.ndarray) -> dict:
    angle = np.arctan2(y, x)
    folds = sum(
        np.sin((5 + 2 * i) * angle + phase + z / (9 + i)) / (1.5 + 0.4 * i) for i, phase in enumerate(head.folds)
    )
    depth = 1 - inner  # 0 at the skull, 1 in the middle
    cortex = np.clip((depth - 0.035 - 0.02 * (folds > 0.9)) * 40, 0, 1) * cavity
    white = np.clip((depth - 0.17 - 0.05 * folds) * 14, 0, 1) * cavity
    split = np.clip(1.2 - np.abs(x) / 1.6, 0, 1) * (z > 8) * cavity
    out = {"csf": cavity, "gray matter": cortex, "white matter": white}
    grow = head.ventricles
    csf = split * (np.abs(y) > 24)
    if 8 < z < 62:
        for side in (-1, 1):
            lean = side * (9 + 3 * np.abs(y) / 18)
            horn = ((x - lean) / (5.5 * grow)) ** 2 + (
                (y + 2) / (27 * grow * np.interp(z, [8, 30, 62], [0.6, 1, 0.7]))
            ) ** 2
            csf = np.maximum(csf, np.clip((1 - horn) * 3, 0, 1))
        basal = ((np.abs(x) - 22) / 9) ** 2 + ((y + 2) / 15) ** 2
        out["deep gray"] = np.clip((1 - basal) * 3, 0, 1) * (z < 40)
    if z < 8:
        fossa = ((x) / 30) ** 2 + ((y - 48) / 22) ** 2
        out["deep gray"] = np.clip((1 - fossa) * 3, 0, 1) * cavity
        csf = np.maximum(csf, np.clip((1 - (x / 8) ** 2 - ((y - 30) / 5) ** 2) * 3, 0, 1))
    out["ventricles"] = csf * cavity
    if head.lesion is not None:
        lx, ly, lz, radius = head.lesion
        here = radius**2 - (z - lz) ** 2
        if here > 0:
            out["lesion"] = np.clip((np.sqrt(here) - np.hypot(x - lx, y - ly)) / 2 + 0.5, 0, 1) * cavity
    return _renamed(out)


def _renamed(tissues: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Painting order with tissue names; a tissue that comes twice is painted into what came before it."""
    deep, ventricles = tissues.pop("deep gray", None), tissues.pop("ventricles")
    lesion = tissues.pop("lesion", None)
    if deep is not None:
        tissues["white matter"] = tissues["white matter"] * (1 - deep)
        tissues["gray matter"] = np.maximum(tissues["gray matter"], deep)
    for name in ("gray matter", "white matter"):
        tissues[name] = tissues[name] * (1 - ventricles)
    if lesion is not None:
        tissues["lesion"] = lesion
    return tissues


def _face(head: Head, x: np.ndarray, y: np.ndarray, z: float, cavity: np.ndarray, pixel: float) -> dict:
    def blob(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        return np.clip((1 - np.hypot((x - cx) / rx, (y - cy) / ry)) * min(rx, ry) / pixel + 0.5, 0, 1)

    deep = float(np.interp(z, [-75, -28, 12], [1.0, 0.9, 0.25]))
    front = np.clip((-(y) - 22) / 6, 0, 1) * cavity
    below = cavity if z < -28 else np.zeros_like(cavity)
    muscle = np.maximum(np.maximum(below, front * deep), 0)
    bone = np.zeros_like(cavity)
    air = np.zeros_like(cavity)
    for side in (-1, 1):
        bone = np.maximum(bone, blob(side * 42, 22, 16, 9) * (z > -30))  # petrous
        bone = np.maximum(bone, blob(side * 34, -52, 22, 20) * (z < 10) * (z > -45))
        air = np.maximum(air, blob(side * 46, 28, 7, 6) * (z > -25) * 0.8)  # mastoid
        if z < -18:
            air = np.maximum(air, blob(side * 25, -46, 13, 15) * (z > -52))  # maxillary sinus
        elif z < 8:
            muscle = np.maximum(muscle, blob(side * 30, -58, 17, 19))  # orbit
            air = np.maximum(air, blob(side * 6, -52, 4, 18))  # ethmoid
    air = np.maximum(air, blob(0, -30, 9, 12) * (z < -25))
    if z < -40:
        arch = np.abs(np.hypot(x / 30, (y + 30) / 46) - 1)
        bone = np.maximum(bone, np.clip(1.4 - arch * 7, 0, 1) * (y < -10))
        bone = np.maximum(bone, blob(0, 32, 14, 10))
    bone = bone * (1 - air)
    return {"muscle": muscle, "skull": bone, "air": air}


def _egg(x: np.ndarray, y: np.ndarray, half_x: float, half_y: float) -> np.ndarray:
    """Distance from the middle, 1 on an outline that is narrower in front (small y)."""
    narrow = 1 - 0.10 * np.clip(-y / half_y, -1, 1)
    return np.sqrt((x / (half_x * narrow)) ** 2 + (y / half_y) ** 2)


def _inside(distance: np.ndarray, scale_mm: float, pixel: float) -> np.ndarray:
    return np.clip((1 - distance) * scale_mm / pixel + 0.5, 0, 1)
