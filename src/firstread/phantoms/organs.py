"""Soft organs of the trunk: heart, vessels, airways, abdominal organs, bowel and its gas.

`body_scale` is the scale of the patient's body, 1.0 on average.
"""

from dataclasses import dataclass

import numpy as np

from firstread.phantoms.shapes import Ellipsoid, Point, Shape, Tube, make_tube


@dataclass(frozen=True, eq=False)
class Organ:
    """A shape made of one tissue.

    Attributes:
        name: such as "liver".
        tissue: key of `tissues.HOUNSFIELD`.
        host: the tissue that it displaces, so that projections add up.
    """

    name: str
    tissue: str
    shape: Shape
    host: str = "soft"


def make_chest_organs(rng: np.random.Generator, body_scale: float) -> list[Organ]:
    """Mediastinum, heart, aorta, airways and lung vessels."""
    s = body_scale
    heart_scale = rng.uniform(0.85, 1.25)
    tilt = rng.uniform(0.45, 0.8)
    mediastinum = Ellipsoid((4, 0, 120), (rng.uniform(26, 38) * s, 70 * s, 150 * s), exponent=3)
    heart = Ellipsoid((26 * s, -35, 28), (72 * s * heart_scale, 52 * s, 52 * s * heart_scale), tilt_radians=-tilt)
    aortic_arch = Ellipsoid((26 * s, 5, 148 * s), (21 * s, 42 * s, 21 * s))
    aorta = make_tube((22, 35, 150), (20, 45, 40), (8, 45, -170), radius=(13 * s, 10 * s))
    trachea = make_tube((0, 5, 290), (1, 8, 200), (2, 12, 128), radius=8.5 * s)
    right_bronchus = make_tube((2, 12, 130), (-18, 14, 112), (-42, 16, 98), radius=(7 * s, 4 * s))
    left_bronchus = make_tube((2, 12, 130), (24, 14, 114), (50, 16, 102), radius=(6 * s, 4 * s))
    organs = [
        Organ("mediastinum", "soft", mediastinum, "lung"),
        Organ("heart", "blood", heart, "lung"),
        Organ("aortic arch", "blood", aortic_arch, "lung"),
        Organ("descending aorta", "blood", aorta),
        Organ("trachea", "air", trachea),
        Organ("right bronchus", "air", right_bronchus),
        Organ("left bronchus", "air", left_bronchus),
    ]
    for side, hilum in ((-1, (-36 * s, 10, 95)), (1, (40 * s, 10, 102))):
        vessels = _lung_vessels(rng, hilum, side=side, body_scale=s, count=int(rng.integers(9, 14)))
        organs += [Organ("vessel", "vessel", vessel, "lung") for vessel in vessels]
    return organs


def make_abdominal_organs(rng: np.random.Generator, body_scale: float) -> list[Organ]:
    """Liver, stomach, spleen, kidneys, psoas muscles, vena cava and bladder."""
    s = body_scale
    dz = rng.normal(0, 6, 12)
    k = rng.uniform(0.9, 1.1) * s  # scale of the kidneys
    liver_center, liver_radii = (-66 * s, -12, -52 + dz[0]), (88 * s, 82 * s, 74 * s)
    liver = Ellipsoid(liver_center, liver_radii, tilt_radians=0.22, rotation_radians=0.15)
    left_lobe = Ellipsoid((8 * s, -48, -38 + dz[0]), (64 * s, 38 * s, 40 * s), tilt_radians=0.25)
    stomach = Ellipsoid((58 * s, -30, -58 + dz[1]), (48 * s, 42 * s, 50 * s), tilt_radians=0.6)
    spleen_center, spleen_radii = (102 * s, 32, -48 + dz[2]), (30 * s, 46 * s, 52 * s)
    spleen = Ellipsoid(spleen_center, spleen_radii, tilt_radians=0.25, rotation_radians=-0.6)
    right_kidney = Ellipsoid((-62 * s, 45, -122 + dz[3]), (29 * k, 27 * k, 54 * k), tilt_radians=0.25)
    left_kidney = Ellipsoid((64 * s, 45, -108 + dz[4]), (29 * k, 27 * k, 55 * k), tilt_radians=-0.25)
    right_psoas = make_tube((-22, 42, -90), (-42, 35, -180), (-62, 5, -280), radius=(12 * s, 24 * s))
    left_psoas = make_tube((22, 42, -90), (42, 35, -180), (62, 5, -280), radius=(12 * s, 24 * s))
    vena_cava = make_tube((-16, 28, -20), (-20, 32, -100), (-18, 34, -190), radius=11 * s)
    bladder = Ellipsoid((0, -25, -300 + dz[5]), (42 * s, 36 * s, 30 * s))
    return [
        Organ("liver", "liver", liver),
        Organ("left liver lobe", "liver", left_lobe),
        Organ("stomach", "bowel", stomach),
        Organ("spleen", "spleen", spleen),
        Organ("right kidney", "kidney", right_kidney, "fat"),
        Organ("left kidney", "kidney", left_kidney, "fat"),
        Organ("right psoas", "muscle", right_psoas, "fat"),
        Organ("left psoas", "muscle", left_psoas, "fat"),
        Organ("vena cava", "blood", vena_cava, "fat"),
        Organ("bladder", "water", bladder, "fat"),
    ]


def make_bowel(rng: np.random.Generator, body_scale: float) -> list[Organ]:
    """Colon, small bowel and gastric gas: loops of soft tissue with gas in some of them."""
    ascending = [(-96 * body_scale, 15, -235), (-104 * body_scale, 15, -165), (-92 * body_scale, -10, -105)]
    transverse = [(-30, -62, -112 + rng.normal(0, 18)), (45, -62, -98 + rng.normal(0, 18))]
    descending = [(100 * body_scale, 10, -82), (106 * body_scale, 25, -165), (84 * body_scale, 10, -235)]
    sigmoid = [(30, 0, -268), (0, 28, -290)]
    colon = make_tube(*ascending, *transverse, *descending, *sigmoid, radius=17 * body_scale, point_count=64)
    organs = [Organ("colon", "bowel", colon, "fat")]
    organs += [*_colonic_gas(rng, colon, body_scale), *_small_bowel(rng, body_scale)]
    if rng.random() < 0.8:
        r = rng.uniform(16, 38) * body_scale
        gas = Ellipsoid((62 * body_scale, -48, -42), (r, r * 0.6, r * 0.7), tilt_radians=0.5)
        organs.append(Organ("gastric gas", "gas", gas, "bowel"))
    return organs


def _colonic_gas(rng: np.random.Generator, colon: Tube, body_scale: float) -> list[Organ]:
    organs = []
    filling = np.clip(np.cumsum(rng.normal(0, 0.55, 64)) * 0.5 + rng.uniform(-0.6, 0.9), -1, 1)
    for point, amount in zip(colon.points, filling, strict=True):
        if amount > 0 and rng.random() < 0.82:
            r = rng.uniform(8, 19) * body_scale * (0.55 + 0.6 * amount)
            center = tuple(point + [0, -6, 0] + rng.normal(0, 4, 3))
            gas = Ellipsoid(center, (r, r * 0.8, r * 0.85), tilt_radians=rng.uniform(-1, 1))
            organs.append(Organ("colonic gas", "gas", gas, "bowel"))
        elif rng.random() < 0.5:
            for _ in range(3):
                r = rng.uniform(2, 5)
                gas = Ellipsoid(tuple(point + rng.normal(0, 8, 3)), (r, r, r))
                organs.append(Organ("stool gas", "gas", gas, "bowel"))
    return organs


def _small_bowel(rng: np.random.Generator, body_scale: float) -> list[Organ]:
    organs = []
    for _ in range(rng.integers(5, 16)):
        x, z = rng.uniform(-75, 80) * body_scale, rng.uniform(-260, -120)
        r = rng.uniform(9, 17) * body_scale
        loop = Ellipsoid((x, -40, z), (r * 1.6, r * 1.3, r), tilt_radians=rng.uniform(-1, 1))
        organs.append(Organ("small bowel", "bowel", loop, "fat"))
        if rng.random() < 0.55:
            gas = Ellipsoid((x, -46, z), (r * 1.2, r * 0.8, r * 0.6), tilt_radians=rng.uniform(-1, 1))
            organs.append(Organ("bowel gas", "gas", gas, "bowel"))
    return organs


def _lung_vessels(rng: np.random.Generator, hilum: Point, *, side: int, body_scale: float, count: int) -> list[Tube]:
    """`count` vessels from a hilum into the lung, each with two branches."""
    tubes = []
    start = np.array(hilum)
    for angle in np.linspace(-1.35, 1.35, count) + rng.normal(0, 0.09, count):
        reach = rng.uniform(55, 90) * body_scale * (1 + 0.5 * abs(np.sin(angle)))
        dx = side * reach * np.cos(angle) * 0.75
        end = start + [dx, rng.uniform(-45, 45), reach * np.sin(angle) * 1.05]
        middle = (start + end) / 2 + rng.normal(0, 6, 3)
        radius = rng.uniform(3.2, 6.0) * body_scale
        tubes.append(make_tube(hilum, tuple(middle), tuple(end), radius=(radius, 0.9)))
        for position in (0.45, 0.7):
            root = start + (end - start) * position
            tip = root + (end - root) * 0.9 + rng.normal(0, 16, 3)
            radii = (radius * (1 - position) + 0.7, 0.7)
            tubes.append(make_tube(tuple(root), tuple(tip), radius=radii, point_count=6))
    return tubes
