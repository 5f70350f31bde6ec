"""Position of a patient for a frontal radiograph: view, center and size of the field, tilt and turn of the patient."""

from dataclasses import dataclass, replace

import numpy as np

from firstread.phantoms.shapes import Ellipsoid, Shape, Tube
from firstread.phantoms.trunk import Trunk

#: share of radiographs that are coned to one side, such as those of ribs or of a kidney
_CONED_SHARE = 0.5


@dataclass(frozen=True)
class Position:
    """Where the beam goes through the patient.

    Attributes:
        view: such as "PA erect".
        x_mm, z_mm: center of the field in the patient.
        field_mm: edge of the square field.
        tilt_degrees: of the patient in the plane of the detector.
        turn_radians: of the patient around the long axis; positive moves what lies behind to the patient's left.
        sides: of the patient that the field is about: "L", "R" or both.
        texts: that a radiographer may write on it.
    """

    view: str
    x_mm: float
    z_mm: float
    field_mm: float
    tilt_degrees: float
    turn_radians: float
    sides: tuple[str, ...]
    texts: tuple[str, ...]


def draw_position(rng: np.random.Generator, *, region: str, half_width_mm: float) -> Position:
    """Draw a position for a radiograph of the "chest" or the "abdomen".

    Fields differ in size and center, and show much of the other region: a chest always shows the apices of the lungs,
    an abdomen the iliac crests. Half are coned to one side, and show a part of their region.

    Args:
        rng: for all that is drawn.
        region: "chest" or "abdomen".
        half_width_mm: of the patient, at the diaphragm.
    """
    stands = bool(rng.random() < 0.5)
    spread = 1.0 if stands else 1.7
    coned = bool(rng.random() < _CONED_SHARE)
    if region == "chest":
        view = "PA erect" if stands else "AP supine"
        top_mm, bottom_mm = rng.uniform(236, 285), rng.uniform(-105, -55) if stands else rng.uniform(-170, -80)
        coned_z_mm = rng.uniform(35, 200)
    else:
        view = "AP erect" if stands else "AP supine"
        top_mm, bottom_mm = rng.uniform(20, 140) if stands else rng.uniform(-20, 80), rng.uniform(-395, -245)
        coned_z_mm = rng.uniform(-290, -85)
    tilt_degrees = rng.normal(0, 3.5 * spread)
    turn_radians = np.clip(rng.normal(0, 0.06 * spread), -0.25, 0.25)
    if coned:
        x_mm, z_mm, field_mm = rng.choice([-1, 1]) * rng.uniform(25, 105), coned_z_mm, rng.uniform(150, 270)
    else:
        x_mm, z_mm = rng.normal(0, 13 * spread), (top_mm + bottom_mm) / 2
        field_mm = max(top_mm - bottom_mm, 1.9 * half_width_mm)
    return Position(
        view=f"{view}, coned" if coned else view,
        x_mm=float(x_mm),
        z_mm=float(z_mm),
        field_mm=float(field_mm),
        tilt_degrees=float(tilt_degrees),
        turn_radians=float(turn_radians),
        sides=("L", "R") if not coned else ("L",) if x_mm > 0 else ("R",),
        texts=("ERECT", "ROOM 2", "STANDING") if stands else ("SUPINE", "MOBILE", "PORTABLE"),
    )


def turn_patient(trunk: Trunk, turn_radians: float) -> Trunk:
    """Turn a patient a little around the long axis: what lies in front moves to one side, what lies behind to another.

    Each organ keeps its shape; its center moves along x by its depth times the angle, as it does to first order.
    """
    return replace(
        trunk,
        organs=tuple(replace(organ, shape=_turn_shape(organ.shape, turn_radians)) for organ in trunk.organs),
        lungs=(_turn_ellipsoid(trunk.lungs[0], turn_radians), _turn_ellipsoid(trunk.lungs[1], turn_radians)),
        breasts=tuple(_turn_ellipsoid(breast, turn_radians) for breast in trunk.breasts),
    )


def _turn_shape(shape: Shape, angle: float) -> Shape:
    if isinstance(shape, Ellipsoid):
        return _turn_ellipsoid(shape, angle)
    points = shape.points.copy()
    points[:, 0] += angle * points[:, 1]
    return Tube(points, shape.radii)


def _turn_ellipsoid(shape: Ellipsoid, angle: float) -> Ellipsoid:
    x, y, z = shape.center
    return replace(shape, center=(x + angle * y, y, z))
