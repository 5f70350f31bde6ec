"""Bones of the trunk: spine, ribs, shoulders and pelvis; `body_scale` is 1.0 for the average patient."""

import numpy as np

from firstread.phantoms.organs import Organ
from firstread.phantoms.shapes import Ellipsoid, Tube, make_tube


def make_spine(rng: np.random.Generator, body_scale: float) -> list[Organ]:
    """Vertebrae with endplates, processes, pedicles and spinal canal, from the neck to the sacrum."""
    organs = []
    curvature = rng.normal(0, 5 if rng.random() < 0.85 else 14)
    z, height = 262.0, 22.0
    while z > -205:
        scale = np.interp(z, [-200, 0, 250], [1.35, 1.0, 0.72]) * body_scale
        x = curvature * np.sin(z / 110)
        y = float(np.interp(z, [-200, -110, 0, 120, 260], [42, 34, 52, 66, 42]))
        organs += _vertebra((x, y, z), height=height, scale=scale, body_scale=body_scale)
        z -= height * 0.5
        height = float(np.interp(z, [-200, 0, 250], [36, 27, 20])) * body_scale
        z -= height * 0.5
    return organs


def _vertebra(center: tuple[float, float, float], *, height: float, scale: float, body_scale: float) -> list[Organ]:
    x, y, z = center
    body = Ellipsoid((x, y, z), (19 * scale, 15 * scale, height * 0.44), exponent=5)
    upper_endplate = Ellipsoid((x, y, z + height * 0.42), (19 * scale, 14 * scale, 1.3), exponent=4)
    lower_endplate = Ellipsoid((x, y, z - height * 0.42), (19 * scale, 14 * scale, 1.3), exponent=4)
    spinous_process = Ellipsoid((x, y + 38 * scale, z - 5), (3.4 * scale, 13 * scale, 8 * scale))
    canal = Ellipsoid((x, y + 20 * scale, z), (9 * scale, 7 * scale, height * 0.5), exponent=4)
    organs = [
        Organ("vertebra", "spongiosa", body),
        Organ("endplate", "bone", upper_endplate),
        Organ("endplate", "bone", lower_endplate),
        Organ("spinous process", "bone", spinous_process),
        Organ("canal", "soft", canal),
    ]
    for side in (-1, 1):
        pedicle = Ellipsoid((x + side * 11 * scale, y + 18 * scale, z + 3), (4.2, 7, 5.5))
        organs.append(Organ("pedicle", "bone", pedicle))
        if z < -30:
            root, tip = (x + side * 12, y + 18, z), (x + side * 38 * body_scale, y + 18, z + 3)
            organs.append(Organ("transverse process", "bone", make_tube(root, tip, radius=(4.5, 2.5), point_count=5)))
    return organs


def make_ribs(rng: np.random.Generator, body_scale: float) -> list[Organ]:
    """Twelve pairs of ribs, and the sternum."""
    organs = []
    slope = rng.uniform(48, 72)
    for number in range(12):
        top = 232 * body_scale - number * 25.5 * body_scale
        width = np.interp(number, [0, 1, 3, 7, 9, 11], [62, 92, 120, 140, 140, 118]) * body_scale
        depth = np.interp(number, [0, 3, 7, 11], [50, 88, 98, 92]) * body_scale
        end_angle = np.interp(number, [0, 1, 9, 10, 11], [2.2, 2.55, 2.5, 1.9, 1.2])
        angles = np.linspace(0.12, end_angle, 26)
        z = top + 8 * np.sin(np.clip(angles, 0, 1.2)) - slope * (angles / 2.6) ** 1.25
        for side in (-1, 1):
            x = side * (16 + (width - 16) * np.sin(np.clip(angles, 0, np.pi)) ** 0.75)
            points = np.stack([x, depth * np.cos(angles) - 8, z], axis=1)
            organs.append(Organ("rib", "rib", Tube(points, np.full(26, rng.uniform(5.0, 6.2) * body_scale)), "muscle"))
    organs.append(Organ("sternum", "spongiosa", Ellipsoid((0, -92 * body_scale, 125), (16, 6, 80), exponent=3)))
    return organs


def make_shoulders(rng: np.random.Generator, body_scale: float, half_width_mm: float) -> list[Organ]:
    """Clavicles, upper arms and shoulder blades, raised by a random amount."""
    organs = []
    raised = rng.uniform(-4, 26)
    for side in (-1, 1):
        x = side * (half_width_mm * 0.98)  # shoulder joint
        clavicle_points = (side * 14, -62, 205), (side * 70, -52, 213 + raised / 3), (x, 0, 226 + raised)
        humerus_points = (x + side * 14, 0, 214 + raised), (x + side * 34, 0, 80)
        humerus_radii = (19 * body_scale, 11 * body_scale)
        edge_points = (side * 98, 76, 205), (side * 112, 82, 150), (side * 124, 78, 92)
        scapular_spine = make_tube((side * 88, 72, 170), (x, 40, 218 + raised), radius=4.2)
        scapula = Ellipsoid((side * 116 * body_scale, 76, 155), (26, 2.6, 62), tilt_radians=side * 0.2)
        organs += [
            Organ("clavicle", "bone", make_tube(*clavicle_points, radius=5.5 * body_scale)),
            Organ("humerus", "bone", make_tube(*humerus_points, radius=humerus_radii, point_count=8)),
            Organ("scapular spine", "bone", scapular_spine),
            Organ("scapular edge", "bone", make_tube(*edge_points, radius=3.2)),
            Organ("scapula", "bone", scapula),
        ]
    return organs


def make_pelvis(rng: np.random.Generator, body_scale: float) -> list[Organ]:
    """Sacrum, coccyx and symphysis; on each side hip bone and femur."""
    width = rng.uniform(0.92, 1.12) * body_scale
    organs = [
        Organ("sacrum", "spongiosa", Ellipsoid((0, 52, -226), (56 * body_scale, 19, 26), exponent=2.6)),
        Organ("sacrum", "spongiosa", Ellipsoid((0, 60, -264), (30 * body_scale, 16, 34), exponent=2.4)),
        Organ("coccyx", "bone", Ellipsoid((0, 62, -300), (10, 7, 22))),
        Organ("symphysis", "soft", Ellipsoid((0, -45, -345), (4, 10, 20))),
    ]
    for side in (-1, 1):
        organs += _hip(side, width)
    return organs


def _hip(side: int, width: float) -> list[Organ]:
    hip = (side * 92 * width, 0, -318)
    wing_center, wing_radii = (side * 92 * width, 22, -232), (52, 9, 66)
    wing = Ellipsoid(wing_center, wing_radii, tilt_radians=side * 0.5, rotation_radians=side * 0.5, exponent=2.6)
    crest_points = (side * 48, 50, -205), (side * 98 * width, 28, -172), (side * 142 * width, -12, -225)
    superior_points = hip, (side * 48, -35, -332), (side * 12, -45, -338)
    inferior_points = (side * 12, -45, -348), (side * 40, -12, -378), (side * 62, 12, -368)
    ischium = make_tube((side * 62, 12, -372), (side * 84 * width, 12, -335), radius=12)
    femur_points = (hip[0] + side * 8, -4, -326), (side * 130 * width, 0, -352), (side * 124 * width, 0, -440)
    sciatic_points = (side * 44, 42, -262), (side * 66 * width, 25, -285), hip
    return [
        Organ("iliac wing", "bone", wing),
        Organ("iliac crest", "cortex", make_tube(*crest_points, radius=5.0)),
        *_marrow_bone("sciatic strut", make_tube(*sciatic_points, radius=(8, 17))),
        *_marrow_bone("superior ramus", make_tube(*superior_points, radius=(13, 7.5))),
        Organ("inferior ramus", "bone", make_tube(*inferior_points, radius=(6, 8))),
        *_marrow_bone("ischium", ischium),
        Organ("femoral head", "spongiosa", Ellipsoid((hip[0] + side * 6, -4, -326), (24, 24, 24))),
        Organ("greater trochanter", "spongiosa", Ellipsoid((side * 134 * width, 4, -346), (14, 14, 18))),
        *_marrow_bone("femur", make_tube(*femur_points, radius=(16, 16))),
    ]


def _marrow_bone(name: str, tube: Tube) -> list[Organ]:
    """A long bone: a shell of bone around fatty marrow."""
    return [
        Organ(name, "bone", tube),
        Organ(f"{name} marrow", "spongiosa", Tube(tube.points, 0.72 * tube.radii), "bone"),
    ]
