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


def make_chest_organs(rng: np.random.Generator, body_scale: float, *, lift_mm: float) -> list[Organ]:
    """Mediastinum, heart, aorta, airways and lung vessels; the heart lies broader on a raised diaphragm."""
    s = body_scale
    heart_scale = rng.uniform(0.9, 1.35)
    tilt = rng.uniform(0.45, 0.8) - 0.006 * lift_mm
    mediastinum = Ellipsoid((4, 0, 120), (rng.uniform(23, 34) * s, 70 * s, 150 * s), exponent=2.4)
    heart = Ellipsoid(
        (26 * s, -35, 28 + 0.7 * lift_mm), (72 * s * heart_scale, 52 * s, 52 * s * heart_scale), tilt_radians=-tilt
    )
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


def make_abdominal_organs(rng: np.random.Generator, body_scale: float, *, lift_mm: float) -> list[Organ]:
    """Liver, stomach, spleen, kidneys, psoas muscles, vena cava and bladder; the upper ones follow the diaphragm."""
    s = body_scale
    dz = rng.normal(0, 6, 6)
    dz[:3] += lift_mm
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


def make_bowel(rng: np.random.Generator, body_scale: float, *, lift_mm: float) -> list[Organ]:
    """Colon, small bowel and gastric gas: loops of soft tissue with gas in some of them, dilated in some patients."""
    low = rng.normal(0, 18, 2)
    ascending = [(-96 * body_scale, 15, -235), (-104 * body_scale, 15, -165), (-92 * body_scale, -10, -105)]
    transverse = [(-30, -62, -112 + low[0]), (45, -62, -98 + low[1])]
    descending = [(100 * body_scale, 10, -82), (106 * body_scale, 25, -165), (84 * body_scale, 10, -235)]
    sigmoid = [(30 + rng.normal(0, 15), 0, -262 + rng.normal(0, 10)), (0, 28, -290)]
    caliber_mm = (rng.uniform(13, 20) if rng.random() < 0.8 else rng.uniform(22, 34)) * body_scale
    colon = make_tube(*ascending, *transverse, *descending, *sigmoid, radius=caliber_mm, point_count=64)
    organs = [Organ("colon", "bowel", colon, "fat")]
    organs += [*_colonic_gas(rng, colon, caliber_mm), *_small_bowel(rng, body_scale)]
    if rng.random() < 0.8:
        r = rng.uniform(16, 40) * body_scale
        gas = Ellipsoid((62 * body_scale, -48, -42 + lift_mm), (r, r * 0.6, r * 0.7), tilt_radians=0.5)
        organs.append(Organ("gastric gas", "gas", gas, "bowel"))
    return organs


def _colonic_gas(rng: np.random.Generator, colon: Tube, caliber_mm: float) -> list[Organ]:
    """Gas in stretches of the colon, notched by haustra, and specks of it in the stool between them."""
    count = 200
    places = np.linspace(0, len(colon.points) - 1, count)
    points = np.stack([np.interp(places, np.arange(len(colon.points)), column) for column in colon.points.T], axis=1)
    points += [0, -0.3 * caliber_mm, 0]  # gas rises to the front
    knots = np.linspace(0, count - 1, 12)
    filling = np.interp(np.arange(count), knots, np.clip(rng.normal(0.35, 0.5) + rng.normal(0, 0.5, 12), -1, 1))
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    haustra = 0.62 + 0.38 * np.abs(np.sin(steps / rng.uniform(7, 11) + rng.uniform(0, np.pi))) ** 0.6
    radii = caliber_mm * 0.85 * haustra * np.clip(0.4 + 0.75 * filling, 0.25, 1)
    organs = []
    for run in np.split(np.arange(count), np.flatnonzero(np.diff((filling > 0).astype(int))) + 1):
        if filling[run[0]] > 0 and len(run) > 3:
            organs.append(Organ("colonic gas", "gas", Tube(points[run], radii[run]), "bowel"))
        for index in run[::4] if filling[run[0]] <= 0 else ():
            r = rng.uniform(1.5, 4)
            gas = Ellipsoid(tuple(points[index] + rng.normal(0, 0.4 * caliber_mm, 3)), (r, r, r))
            organs.append(Organ("stool gas", "gas", gas, "bowel"))
    return organs


def _small_bowel(rng: np.random.Generator, body_scale: float) -> list[Organ]:
    """Bent loops in the middle of the abdomen; gas in some of them, in all of them in an obstruction."""
    organs = []
    obstructed = rng.random() < 0.12
    caliber_mm = (rng.uniform(14, 20) if obstructed else rng.uniform(8, 13)) * body_scale
    for _ in range(int(rng.integers(6, 10) if obstructed else rng.integers(6, 16))):
        center = np.array([rng.uniform(-70, 75) * body_scale, -42, rng.uniform(-255, -120)])
        along, half = rng.uniform(-0.6, 0.6), rng.uniform(22, 48 if obstructed else 36) * body_scale
        ends = [center + side * half * np.array([np.cos(along), 0.1, np.sin(along)]) for side in (-1, 1)]
        middle = center + [0, 0, rng.normal(0, 0.5 * half)]
        points = [tuple(ends[0]), tuple(middle), tuple(ends[1])]
        r = caliber_mm * rng.uniform(0.85, 1.15)
        organs.append(Organ("small bowel", "bowel", make_tube(*points, radius=r), "fat"))
        if rng.random() < (0.85 if obstructed else 0.35):
            gas = make_tube(*points, radius=r * rng.uniform(0.6, 0.85), point_count=9)
            organs.append(Organ("bowel gas", "gas", Tube(gas.points + [0, -4, 0], gas.radii), "bowel"))
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
