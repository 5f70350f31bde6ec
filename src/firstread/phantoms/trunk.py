"""The trunk of a phantom patient, from the shoulders to the thighs.

z = 0 is the top of the right diaphragm; the lungs' tips lie near +230 mm, the iliac crests near -190, the pubis near -340.
Sizes follow adult anatomy (Gray's Anatomy; ICRP Publication 89 for organ sizes) with a spread of about 10 %.
"""

from dataclasses import dataclass

import numpy as np

from firstread.phantoms.shapes import Ellipsoid, Shape, Tube, line


@dataclass(frozen=True)
class Organ:
    """A shape made of one tissue.

    Attributes:
        name: such as "liver".
        tissue: key of `tissues.HOUNSFIELD`.
        host: the tissue it takes the place of, so that projections add up.
    """

    name: str
    tissue: str
    shape: Shape
    host: str = "soft"


@dataclass(frozen=True)
class Trunk:
    """One patient's trunk.

    Attributes:
        organs: painted in this order; later ones lie over earlier ones.
        width_mm, depth_mm: half width and half depth of the body at the diaphragm.
        fat_mm: thickness of the fat under the skin.
        lungs: right and left, without what the diaphragm cuts off.
        dome_mm: height of the right and left diaphragm.
    """

    organs: tuple[Organ, ...]
    width_mm: float
    depth_mm: float
    fat_mm: float
    lungs: tuple[Ellipsoid, Ellipsoid]
    dome_mm: tuple[float, float]

    def half_width(self, z: np.ndarray) -> np.ndarray:
        """Half width of the body at height z."""
        heights = [-420, -330, -260, -150, 0, 120, 190, 225, 250, 275, 320]
        shares = [1.02, 1.07, 1.03, 0.93, 0.97, 1.04, 1.12, 1.12, 0.80, 0.42, 0.36]
        return self.width_mm * np.interp(z, heights, shares)

    def half_depth(self, z: np.ndarray) -> np.ndarray:
        """Half depth of the body at height z."""
        heights = [-420, -300, -150, 0, 120, 200, 260, 320]
        return self.depth_mm * np.interp(z, heights, [0.85, 1.0, 1.0, 1.02, 1.0, 0.85, 0.6, 0.55])

    def dome(self, x: np.ndarray) -> np.ndarray:
        """Height of the diaphragm over x: two domes."""
        right = self.dome_mm[0] - ((x + 75) / 62) ** 2 * 32
        left = self.dome_mm[1] - ((x - 80) / 60) ** 2 * 34
        return np.maximum(right, left).clip(-75, None)


def make_trunk(rng: np.random.Generator) -> Trunk:
    """Draw a patient's trunk.

    Args:
        rng: the same state gives the same patient.
    """
    size = rng.normal(1.0, 0.06)
    habitus = rng.uniform(0.88, 1.25)
    width, depth = 160 * size * habitus, 105 * size * habitus
    dome = (rng.normal(0, 8), rng.normal(-12, 8))
    lungs = (
        Ellipsoid((-76 * size, 5, 75), (60 * size, 84 * size, 158 * size), tilt=-0.07, power=2.4),
        Ellipsoid((78 * size, 5, 75), (58 * size, 84 * size, 156 * size), tilt=0.07, power=2.4),
    )
    organs = [
        *_abdominal_organs(rng, size),
        *_chest_organs(rng, size),
        *_gas(rng, size),
        *_spine(rng, size),
        *_ribs(rng, size),
        *_shoulders(rng, size, width),
        *_pelvis(rng, size),
    ]
    return Trunk(tuple(organs), width, depth, rng.uniform(8, 32) * habitus, lungs, dome)


def _chest_organs(rng: np.random.Generator, s: float) -> list[Organ]:
    heart = rng.uniform(0.85, 1.25)
    tilt = rng.uniform(0.45, 0.8)
    organs = [
        Organ(
            "mediastinum", "soft", Ellipsoid((4, 0, 120), (rng.uniform(26, 38) * s, 70 * s, 150 * s), power=3), "lung"
        ),
        Organ(
            "heart", "blood", Ellipsoid((26 * s, -35, 28), (72 * s * heart, 52 * s, 52 * s * heart), tilt=-tilt), "lung"
        ),
        Organ("aortic arch", "blood", Ellipsoid((26 * s, 5, 148 * s), (21 * s, 42 * s, 21 * s)), "lung"),
        Organ(
            "descending aorta",
            "blood",
            line((22, 35, 150), (20, 45, 40), (8, 45, -170), radius=(13 * s, 10 * s)),
            "soft",
        ),
        Organ("trachea", "air", line((0, 5, 290), (1, 8, 200), (2, 12, 128), radius=8.5 * s), "soft"),
        Organ(
            "right bronchus", "air", line((2, 12, 130), (-18, 14, 112), (-42, 16, 98), radius=(7 * s, 4 * s)), "soft"
        ),
        Organ("left bronchus", "air", line((2, 12, 130), (24, 14, 114), (50, 16, 102), radius=(6 * s, 4 * s)), "soft"),
    ]
    for side, hilum in ((-1, (-36 * s, 10, 95)), (1, (40 * s, 10, 102))):
        organs += [
            Organ("vessel", "vessel", tube, "lung")
            for tube in _branches(rng, hilum, side=side, size=s, count=rng.integers(9, 14))
        ]
    return organs


def _branches(
    rng: np.random.Generator, start: tuple[float, float, float], *, side: int, size: float, count: int
) -> list[Tube]:
    tubes = []
    for angle in np.linspace(-1.35, 1.35, count) + rng.normal(0, 0.09, count):
        reach = rng.uniform(55, 90) * size * (1 + 0.5 * abs(np.sin(angle)))
        end = np.array(start) + [
            side * reach * np.cos(angle) * 0.75,
            rng.uniform(-45, 45),
            reach * np.sin(angle) * 1.05,
        ]
        middle = (np.array(start) + end) / 2 + rng.normal(0, 6, 3)
        first = rng.uniform(3.2, 6.0) * size
        tubes.append(line(start, tuple(middle), tuple(end), radius=(first, 0.9)))
        for share in (0.45, 0.7):
            root = np.array(start) + (end - np.array(start)) * share
            tip = root + (end - root) * 0.9 + rng.normal(0, 16, 3)
            tubes.append(line(tuple(root), tuple(tip), radius=(first * (1 - share) + 0.7, 0.7), count=6))
    return tubes


def _abdominal_organs(rng: np.random.Generator, s: float) -> list[Organ]:
    j = rng.normal(0, 6, 12)
    kidney = rng.uniform(0.9, 1.1) * s
    return [
        Organ("liver", "liver", Ellipsoid((-66 * s, -12, -52 + j[0]), (88 * s, 82 * s, 74 * s), tilt=0.22, turn=0.15)),
        Organ("left liver lobe", "liver", Ellipsoid((8 * s, -48, -38 + j[0]), (64 * s, 38 * s, 40 * s), tilt=0.25)),
        Organ("stomach", "bowel", Ellipsoid((58 * s, -30, -58 + j[1]), (48 * s, 42 * s, 50 * s), tilt=0.6)),
        Organ("spleen", "spleen", Ellipsoid((102 * s, 32, -48 + j[2]), (30 * s, 46 * s, 52 * s), tilt=0.25, turn=-0.6)),
        Organ("right kidney", "kidney", Ellipsoid((-62 * s, 45, -122 + j[3]), (29 * kidney, 27 * kidney, 54 * kidney), tilt=0.25), "fat"),
        Organ("left kidney", "kidney", Ellipsoid((64 * s, 45, -108 + j[4]), (29 * kidney, 27 * kidney, 55 * kidney), tilt=-0.25), "fat"),
        Organ("right psoas", "muscle", line((-22, 42, -90), (-42, 35, -180), (-62, 5, -280), radius=(12 * s, 24 * s)), "fat"),
        Organ("left psoas", "muscle", line((22, 42, -90), (42, 35, -180), (62, 5, -280), radius=(12 * s, 24 * s)), "fat"),
        Organ("vena cava", "blood", line((-16, 28, -20), (-20, 32, -100), (-18, 34, -190), radius=11 * s), "fat"),
        Organ("bladder", "water", Ellipsoid((0, -25, -300 + j[5]), (42 * s, 36 * s, 30 * s)), "fat"),
    ]  # fmt: skip


def _gas(rng: np.random.Generator, s: float) -> list[Organ]:
    """Bowel: loops of soft tissue with gas in some of them, along the frame of the colon and within it."""
    frame = line(
        (-96 * s, 15, -235), (-104 * s, 15, -165), (-92 * s, -10, -105), (-30, -62, -112 + rng.normal(0, 18)),
        (45, -62, -98 + rng.normal(0, 18)), (100 * s, 10, -82), (106 * s, 25, -165), (84 * s, 10, -235),
        (30, 0, -268), (0, 28, -290), radius=17 * s, count=64,
    )  # fmt: skip
    organs = [Organ("colon", "bowel", frame, "fat")]
    filled = np.clip(np.cumsum(rng.normal(0, 0.55, 64)) * 0.5 + rng.uniform(-0.6, 0.9), -1, 1)
    for point, amount in zip(frame.points, filled, strict=True):
        if amount > 0 and rng.random() < 0.82:
            r = rng.uniform(8, 19) * s * (0.55 + 0.6 * amount)
            centre = tuple(point + [0, -6, 0] + rng.normal(0, 4, 3))
            organs.append(
                Organ("colonic gas", "gas", Ellipsoid(centre, (r, r * 0.8, r * 0.85), tilt=rng.uniform(-1, 1)), "bowel")
            )
        elif rng.random() < 0.5:
            for _ in range(3):
                r = rng.uniform(2, 5)
                organs.append(
                    Organ("stool gas", "gas", Ellipsoid(tuple(point + rng.normal(0, 8, 3)), (r, r, r)), "bowel")
                )
    for _ in range(rng.integers(5, 16)):
        x, z = rng.uniform(-75, 80) * s, rng.uniform(-260, -120)
        r = rng.uniform(9, 17) * s
        organs.append(
            Organ("small bowel", "bowel", Ellipsoid((x, -40, z), (r * 1.6, r * 1.3, r), tilt=rng.uniform(-1, 1)), "fat")
        )
        if rng.random() < 0.55:
            organs.append(
                Organ(
                    "bowel gas",
                    "gas",
                    Ellipsoid((x, -46, z), (r * 1.2, r * 0.8, r * 0.6), tilt=rng.uniform(-1, 1)),
                    "bowel",
                )
            )
    if rng.random() < 0.8:
        r = rng.uniform(16, 38) * s
        organs.append(
            Organ("gastric gas", "gas", Ellipsoid((62 * s, -48, -42), (r, r * 0.6, r * 0.7), tilt=0.5), "bowel")
        )
    return organs


def _spine(rng: np.random.Generator, s: float) -> list[Organ]:
    organs = []
    bend = rng.normal(0, 5)
    z, step = 262.0, 22.0
    while z > -205:
        grow = np.interp(z, [-200, 0, 250], [1.35, 1.0, 0.72]) * s
        x = bend * np.sin(z / 110)
        y = float(np.interp(z, [-200, -110, 0, 120, 260], [42, 34, 52, 66, 42]))
        organs += [
            Organ("vertebra", "spongiosa", Ellipsoid((x, y, z), (19 * grow, 15 * grow, step * 0.44), power=5)),
            Organ("endplate", "bone", Ellipsoid((x, y, z + step * 0.42), (19 * grow, 14 * grow, 1.3), power=4)),
            Organ("endplate", "bone", Ellipsoid((x, y, z - step * 0.42), (19 * grow, 14 * grow, 1.3), power=4)),
            Organ("spinous process", "bone", Ellipsoid((x, y + 38 * grow, z - 5), (3.4 * grow, 13 * grow, 8 * grow))),
            Organ("canal", "soft", Ellipsoid((x, y + 20 * grow, z), (9 * grow, 7 * grow, step * 0.5), power=4), "soft"),
        ]
        for side in (-1, 1):
            organs.append(
                Organ("pedicle", "bone", Ellipsoid((x + side * 11 * grow, y + 18 * grow, z + 3), (4.2, 7, 5.5)))
            )
            if z < -30:
                tip = (x + side * 38 * s, y + 18, z + 3)
                organs.append(
                    Organ(
                        "transverse process", "bone", line((x + side * 12, y + 18, z), tip, radius=(4.5, 2.5), count=5)
                    )
                )
        z -= step * 0.5
        step = float(np.interp(z, [-200, 0, 250], [36, 27, 20])) * s
        z -= step * 0.5
    return organs


def _ribs(rng: np.random.Generator, s: float) -> list[Organ]:
    organs = []
    drop = rng.uniform(48, 72)
    for number in range(12):
        top = 232 * s - number * 25.5 * s
        wide = np.interp(number, [0, 1, 3, 7, 9, 11], [62, 92, 120, 140, 140, 118]) * s
        deep = np.interp(number, [0, 3, 7, 11], [50, 88, 98, 92]) * s
        sweep = np.interp(number, [0, 1, 9, 10, 11], [2.2, 2.55, 2.5, 1.9, 1.2])
        angle = np.linspace(0.12, sweep, 26)
        tall = top + 8 * np.sin(np.clip(angle, 0, 1.2)) - drop * (angle / 2.6) ** 1.25
        for side in (-1, 1):
            x = side * (16 + (wide - 16) * np.sin(np.clip(angle, 0, np.pi)) ** 0.75)
            points = np.stack([x, deep * np.cos(angle) - 8, tall], axis=1)
            organs.append(Organ("rib", "rib", Tube(points, np.full(26, rng.uniform(5.0, 6.2) * s)), "muscle"))
    organs.append(Organ("sternum", "spongiosa", Ellipsoid((0, -92 * s, 125), (16, 6, 80), power=3)))
    return organs


def _shoulders(rng: np.random.Generator, s: float, width: float) -> list[Organ]:
    organs = []
    raise_mm = rng.uniform(-4, 26)
    for side in (-1, 1):
        outer = side * (width * 0.98)
        organs += [
            Organ("clavicle", "bone", line((side * 14, -62, 205), (side * 70, -52, 213 + raise_mm / 3), (outer, 0, 226 + raise_mm), radius=5.5 * s)),
            Organ("humerus", "bone", line((outer + side * 14, 0, 214 + raise_mm), (outer + side * 34, 0, 80), radius=(19 * s, 11 * s), count=8)),
            Organ("scapular spine", "bone", line((side * 88, 72, 170), (outer, 40, 218 + raise_mm), radius=4.2)),
            Organ("scapular edge", "bone", line((side * 98, 76, 205), (side * 112, 82, 150), (side * 124, 78, 92), radius=3.2)),
            Organ("scapula", "bone", Ellipsoid((side * 116 * s, 76, 155), (26, 2.6, 62), tilt=side * 0.2)),
        ]  # fmt: skip
    return organs


def _pelvis(rng: np.random.Generator, s: float) -> list[Organ]:
    wide = rng.uniform(0.92, 1.12) * s
    organs = [
        Organ("sacrum", "spongiosa", Ellipsoid((0, 55, -245), (46 * s, 16, 46), power=2.6)),
        Organ("coccyx", "bone", Ellipsoid((0, 62, -300), (10, 7, 22))),
        Organ("symphysis", "soft", Ellipsoid((0, -45, -345), (4, 10, 20))),
    ]
    for side in (-1, 1):
        hip = (side * 92 * wide, 0, -318)
        organs += [
            Organ("iliac wing", "bone", Ellipsoid((side * 92 * wide, 22, -232), (52, 9, 66), tilt=side * 0.5, turn=side * 0.5, power=2.6)),
            Organ("iliac crest", "cortex", line((side * 48, 50, -205), (side * 98 * wide, 28, -172), (side * 142 * wide, -12, -225), radius=5.5)),
            Organ("sciatic strut", "bone", line((side * 44, 42, -262), (side * 66 * wide, 25, -285), hip, radius=(8, 17))),
            Organ("superior ramus", "bone", line(hip, (side * 48, -35, -332), (side * 12, -45, -338), radius=(15, 8.5))),
            Organ("inferior ramus", "bone", line((side * 12, -45, -348), (side * 40, -12, -378), (side * 62, 12, -368), radius=(7, 9))),
            Organ("ischium", "bone", line((side * 62, 12, -372), (side * 84 * wide, 12, -335), radius=13)),
            Organ("femoral head", "spongiosa", Ellipsoid((hip[0] + side * 6, -4, -326), (24, 24, 24))),
            Organ("femur", "bone", line((hip[0] + side * 8, -4, -328), (side * 140 * wide, 0, -352), (side * 138 * wide, 0, -440), radius=(15, 17))),
        ]  # fmt: skip
    return organs
