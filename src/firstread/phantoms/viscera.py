"""Organs of a volume phantom apart from the liver: each a solid, its tissue, and the room that it keeps to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from firstread.phantoms.body_wall import BodyWall
from firstread.phantoms.solids import Blob, Pipe, Solid
from firstread.phantoms.voxel_canvas import PointMm, Warp


@dataclass(frozen=True, eq=False)
class Viscus:
    """A solid of one tissue; contents are a second one with an inset.

    Attributes:
        tissue: key of the table of Hounsfield units.
        label: name in the label map, "" if it has none of its own there.
        inset_mm: thickness of the wall that lies around it.
        front_mm: y up to which it reaches: the level of a fluid, with gas in front of it.
        room: "abdomen", "cavity" (abdomen and chest), "chest", or "wall" (the muscles too).
        streaks_hu: how uneven its tissue is.
        waves_mm: how uneven its surface is.
    """

    solid: Solid
    tissue: str
    label: str = ""
    inset_mm: float = 0.0
    front_mm: float | None = None
    room: str = "abdomen"
    streaks_hu: float = 2.0
    waves_mm: float = 0.0


def draw_kidney(rng: np.random.Generator, scale: float, *, side: int) -> Blob:
    """Draw a kidney; side is -1 for the right one, 1 for the left one."""
    k = scale * float(rng.uniform(0.9, 1.08))
    center = (side * 64 * scale, 42 * scale + rng.normal(0, 3), (-124 if side < 0 else -112) * scale + rng.normal(0, 7))
    radii = (25 * k, 30 * k, 54 * k)
    return Blob(center, radii, turns=(side * 0.5, side * 0.22), waves_mm=1.2, phase=rng.uniform(0, 6))


def draw_viscera(rng: np.random.Generator, wall: BodyWall, kidneys: tuple[Blob, Blob]) -> tuple[Viscus, ...]:
    """Draw all organs but the liver, in painting order; later ones cover earlier ones."""
    s = wall.scale
    return (
        *_chest(rng, wall),
        *_back_muscles(s),
        *_colon(rng, wall),
        *_small_bowel(rng, s),
        *_mesentery(rng, s),
        *_spleen(rng, s),
        *_stomach(rng, s),
        *_duodenum_and_pancreas(rng, s),
        *(part for side, kidney in zip((-1, 1), kidneys, strict=True) for part in _kidney(rng, kidney, side, s)),
        *_great_vessels(s, kidneys),
    )


def _chest(rng: np.random.Generator, wall: BodyWall) -> list[Viscus]:
    s = wall.scale
    heart = ((20 * s, -34 * s, 34), (66 * s, 50 * s, 44 * s))
    chambers = Blob((14 * s, -30 * s, 36), (50 * s, 38 * s, 36 * s), turns=(0.5, 0.3))
    gullet = Pipe.through((4 * s, 14 * s, 70), (8 * s, 12 * s, 0), (26 * s, 2 * s, -28), radius=7 * s)
    lungs = []
    for number in range(22):
        side = -1 if number % 2 else 1
        root = np.array([side * 34.0, rng.uniform(0, 30), 70.0])
        tip = np.array([side * rng.uniform(50, 120), rng.uniform(-60, 75), rng.uniform(-40, 40)]) * s
        bent = (root + tip) / 2 + [0, 0, 14]
        lungs.append(Pipe.through(tuple(root), tuple(bent), tuple(tip), radius=(3.6, 0.9), count=6))
    return [
        *(Viscus(vessel, "blood", room="chest", streaks_hu=0) for vessel in lungs),
        Viscus(Blob((0, 20 * s, 40), (37 * s, 44 * s, 110 * s)), "fat", room="chest"),
        Viscus(Blob(*heart, turns=(0.4, 0.3), waves_mm=2, phase=rng.uniform(0, 6)), "fat", room="chest"),
        Viscus(Blob(*heart, turns=(0.4, 0.3)), "muscle", "heart", inset_mm=7, room="chest"),
        Viscus(chambers, "blood", "heart", inset_mm=4, room="chest"),
        Viscus(gullet, "bowel wall", "oesophagus", room="cavity"),
    ]


def _back_muscles(s: float) -> list[Viscus]:
    between = Pipe.through((0, 86 * s, 90), (0, 86 * s, -260), radius=13 * s, count=12)  # of the spinous processes
    muscles = [Viscus(between, "muscle", "back muscles", room="wall", streaks_hu=14)]
    for side in (-1, 1):
        psoas = Pipe.through(
            (side * 31 * s, 42 * s, -96 * s), (side * 40 * s, 38 * s, -230 * s), radius=(9 * s, 24 * s)
        )
        loin = Pipe.through(
            (side * 58 * s, 62 * s, -110 * s), (side * 70 * s, 58 * s, -230 * s), radius=(9 * s, 13 * s)
        )
        crus = Pipe.through(
            (side * 15 * s, 10 * s, -36 * s),
            (side * 13 * s, 20 * s, -90 * s),
            (side * 15 * s, 24 * s, -140 * s),
            radius=5 * s,
        )
        muscles += [
            Viscus(solid, "muscle", label, room="cavity", streaks_hu=8)
            for solid, label in ((psoas, "psoas"), (loin, ""), (crus, ""))
        ]
        for x, y, radius in ((20, 88, 20), (37, 87, 22), (55, 89, 17), (71, 88, 11)):
            line = Pipe.through((side * x * s, y * s, 90), (side * x * s, y * s, -260), radius=radius * s, count=12)
            muscles.append(Viscus(line, "muscle", "back muscles", room="wall", streaks_hu=14))
    return muscles


def _bowel(
    rng: np.random.Generator, pipe: Pipe, label: str, *, contents: str, gas: float, wall_mm: float
) -> list[Viscus]:
    """Wall and contents of a piece of bowel; `gas` is the share of its depth that gas fills from the front."""
    parts = [
        Viscus(pipe, "bowel wall", label, streaks_hu=5, waves_mm=1.6),
        Viscus(pipe, contents, inset_mm=wall_mm, waves_mm=1.6, streaks_hu=10 + 22 * (contents == "stool")),
    ]
    if gas > 0:
        front = float(np.min(pipe.points_mm[:, 1] - pipe.radii_mm))
        back = float(np.max(pipe.points_mm[:, 1] + pipe.radii_mm))
        parts.append(Viscus(pipe, "gas", inset_mm=wall_mm, front_mm=front + gas * (back - front), streaks_hu=0))
    return parts


def _colon(rng: np.random.Generator, wall: BodyWall) -> list[Viscus]:
    s, front = wall.scale, -wall.half_depth_mm + 1.5 * wall.fat_mm + 32 * wall.scale
    low = rng.uniform(-14, 10)
    right_turn = (-84 * s, front + 18, (-128 + 0.5 * low) * s)
    left_turn = (90 * s, -34 * s, (-48 + 0.4 * low) * s)
    pieces = (
        ((-102 * s, 22 * s, -250 * s), (-104 * s, 10 * s, -165 * s), right_turn),
        (right_turn, (-42 * s, front, (-142 + low) * s), (8 * s, front, (-140 + low) * s)),
        ((8 * s, front, (-140 + low) * s), (56 * s, front + 4, (-112 + low) * s), left_turn),
        (left_turn, (112 * s, 22 * s, -110 * s), (108 * s, 30 * s, -250 * s)),
    )
    parts, gas = [], 0.0
    for index, points in enumerate(pieces):
        pipe = Pipe.through(
            *points, radius=float(rng.uniform(19, 25) if index < 3 else rng.uniform(12, 17)) * s, count=18
        )
        haustra = 1 + 0.12 * np.sin(np.arange(18) * 2.1 + rng.uniform(0, 6))
        if index != 2:  # one level of fluid in the transverse colon
            gas = float(rng.choice([0, rng.uniform(0.25, 0.6)], p=[0.35, 0.65]))
        contents = "stool" if rng.random() < 0.6 else "bowel contents"
        parts += _bowel(
            rng, Pipe(pipe.points_mm, pipe.radii_mm * haustra), "colon", contents=contents, gas=gas, wall_mm=2.5
        )
    return parts


def _small_bowel(rng: np.random.Generator, s: float) -> list[Viscus]:
    parts = []
    for index in range(int(rng.integers(17, 24))):
        upper = index < 6  # the jejunum lies on the left below the stomach
        low, high = ((22, -58, -128), (88, 8, -78)) if upper else ((-72, -66, -235), (84, 4, -125))
        start = rng.uniform(low, high) * s
        turn, end = (start + rng.normal(0, 24, 3) * [1, 0.8, 0.8] for _ in range(2))
        pipe = Pipe.through(tuple(start), tuple(turn), tuple(end), radius=float(rng.uniform(9.5, 14.5)) * s, count=7)
        gas = float(rng.uniform(0.1, 0.3)) if rng.random() < 0.18 else 0.0
        parts += _bowel(rng, pipe, "small bowel", contents="bowel contents", gas=gas, wall_mm=2.6)
    return parts


def _mesentery(rng: np.random.Generator, s: float) -> list[Viscus]:
    """Vessels and lymph nodes in the fat of mesentery and omentum."""
    parts = []
    for _ in range(60):
        root = np.array([rng.uniform(-10, 25), rng.uniform(-24, -4), rng.uniform(-165, -95)]) * s
        tip = root + rng.normal(0, 1, 3) * [52, 26, 34] * s
        bent = (root + tip) / 2 + rng.normal(0, 8, 3)
        parts.append(Pipe.through(tuple(root), tuple(bent), tuple(tip), radius=(2.3 * s, 1.0), count=5))
    return [Viscus(pipe, "portal vein", streaks_hu=0) for pipe in parts]


def _spleen(rng: np.random.Generator, s: float) -> list[Viscus]:
    k = s * float(np.clip(rng.normal(1, 0.1), 0.8, 1.3))
    center = (105 * s, 40 * s, -52 * s + rng.normal(0, 6))
    solid = Blob(center, (33 * k, 56 * k, 54 * k), turns=(-0.75, 0.25), waves_mm=1.5, phase=rng.uniform(0, 6))
    return [Viscus(solid, "spleen", "spleen", waves_mm=0.8)]


def _stomach(rng: np.random.Generator, s: float) -> list[Viscus]:
    fullness = float(rng.uniform(0.7, 1.12))
    points = ((52, 22, -30), (62, -10, -46), (56, -46, -80), (16, -56, -104), (-24, -40, -96))
    pipe = Pipe.through(*(tuple(np.array(p) * s) for p in points), radius=1.0, count=16)
    radii = np.interp(np.linspace(0, 1, 16), [0, 0.25, 0.6, 1], [31, 36, 26, 13]) * fullness * s
    return _bowel(
        rng,
        Pipe(pipe.points_mm, radii),
        "stomach",
        contents="gastric fluid",
        gas=float(rng.uniform(0.08, 0.3)),
        wall_mm=4,
    )


def _duodenum_and_pancreas(rng: np.random.Generator, s: float) -> list[Viscus]:
    duodenum = ((-30, -34, -98), (-44, -12, -112), (-40, 4, -150), (-4, 2, -164), (28, -8, -140))
    pancreas = ((-30, -6, -132), (-14, -18, -114), (14, -26, -102), (46, -2, -86), (80, 22, -68))
    wavy = 1 + 0.14 * np.sin(np.arange(20) * 1.9)
    body = Pipe.through(*(tuple(np.array(p) * s) for p in pancreas), radius=(13 * s, 8 * s), count=20)
    loop = Pipe.through(*(tuple(np.array(p) * s) for p in duodenum), radius=12 * s, count=16)
    splenic = Pipe.through(
        *(tuple(np.array(p) * s) for p in ((84, 30, -62), (46, 8, -84), (12, -10, -100), (-4, -10, -106))),
        radius=4.2 * s,
    )
    return [
        *_bowel(rng, loop, "duodenum", contents="bowel contents", gas=0.0, wall_mm=3),
        Viscus(Pipe(body.points_mm, body.radii_mm * wavy), "pancreas", "pancreas", streaks_hu=10, waves_mm=2.4),
        Viscus(splenic, "portal vein", "portal vein", streaks_hu=0),
    ]


def _kidney(rng: np.random.Generator, kidney: Blob, side: int, s: float) -> list[Viscus]:
    name = "right kidney" if side < 0 else "left kidney"
    x, y, z = kidney.center
    sinus = Blob(
        (x - side * 13 * s, y - 9 * s, z),
        (17 * s, 11 * s, 30 * s),
        turns=kidney.turns,
        waves_mm=2.5,
        phase=kidney.phase,
    )
    pelvis = Blob((x - side * 15 * s, y - 8 * s, z - 4), (9 * s, 5 * s, 12 * s), turns=kidney.turns)
    top = (x * 0.62, y - 20 * s, z + 52 * s)
    limbs = [
        Pipe.through(
            (top[0], top[1], top[2]), (top[0] + dx * s, top[1] + 17 * s, top[2] - 16 * s), radius=3.0 * s, count=3
        )
        for dx in (side * 12.0, -side * 3.0)
    ]
    return [
        Viscus(kidney, "renal cortex", name, room="cavity"),
        Viscus(kidney, "renal medulla", inset_mm=7, room="cavity", streaks_hu=3),
        Viscus(sinus, "fat", room="cavity", streaks_hu=10),
        Viscus(pelvis, "bile", room="cavity", streaks_hu=0),
        *(Viscus(limb, "adrenal gland", "adrenal glands", streaks_hu=0) for limb in limbs),
    ]


def _great_vessels(s: float, kidneys: tuple[Blob, Blob]) -> list[Viscus]:
    aorta = _pipe(s, (14, 22, 90), (11, 11, -30), (8, 6, -110), (5, 8, -260), radius=(12.0, 9.5), count=14)
    mesenteric_vein = _pipe(s, (-4, -10, -106), (-4, -22, -150), (4, -28, -230), radius=(5.5, 4.0))
    mesenteric_artery = _pipe(s, (8, -4, -100), (9, -18, -124), (10, -22, -230), radius=3.6)
    coeliac_trunk = _pipe(s, (9, 0, -82), (8, -16, -84), (34, -8, -80), radius=3.0)
    renal_veins = []
    for kidney, (x, y) in zip(kidneys, ((-24, 4), (-12, -8)), strict=True):
        kidney_x, kidney_y, kidney_z = (value / s for value in kidney.center)
        start, middle = (kidney_x * 0.72, kidney_y - 10, kidney_z), (kidney_x * 0.35, 2, kidney_z + 2)
        renal_veins.append(_pipe(s, start, middle, (x, y, -112), radius=4.4))
    return [
        *(Viscus(pipe, "vena cava", room="cavity", streaks_hu=0) for pipe in renal_veins),
        Viscus(mesenteric_vein, "portal vein", "portal vein", streaks_hu=0),
        *(Viscus(pipe, "aorta", streaks_hu=0) for pipe in (mesenteric_artery, coeliac_trunk)),
        Viscus(aorta, "aorta", "aorta", room="cavity", streaks_hu=0),
    ]


def _pipe(s: float, *points: PointMm, radius: float | tuple[float, float], count: int = 8) -> Pipe:
    """A pipe through points of an average adult, scaled."""
    pipe = Pipe.through(*points, radius=radius, count=count)
    return Pipe(pipe.points_mm * s, pipe.radii_mm * s)


def settle(warp: Warp, pipes: Sequence[Pipe]) -> list[Pipe]:
    """Pipes of the model where they lie in the scan; all at once, because one look-up of the warp costs as many."""
    points = warp.to_scan(np.concatenate([pipe.points_mm for pipe in pipes]))
    ends = np.cumsum([len(pipe.points_mm) for pipe in pipes])[:-1]
    return [replace(pipe, points_mm=part) for pipe, part in zip(pipes, np.split(points, ends), strict=True)]


def settle_viscera(warp: Warp, viscera: Sequence[Viscus]) -> tuple[Viscus, ...]:
    """Organs whose pipes lie in the scan; blobs stay in the model and are found through the canvas."""
    pipes = iter(settle(warp, [viscus.solid for viscus in viscera if isinstance(viscus.solid, Pipe)]))
    return tuple(replace(viscus, solid=next(pipes)) if isinstance(viscus.solid, Pipe) else viscus for viscus in viscera)
