"""The liver of a volume phantom: what the right upper quadrant leaves over, its eight segments and its vessels."""

from dataclasses import dataclass, replace

import numpy as np

from firstread.phantoms.body_wall import Rooms
from firstread.phantoms.smooth_fields import SmoothField
from firstread.phantoms.solids import Blob, Pipe
from firstread.phantoms.viscera import Viscus
from firstread.phantoms.voxel_canvas import Canvas, smooth_minimum

#: median and spread (of the logarithm) of adult liver volumes, and what is refused as no adult's
MEDIAN_ML, SPREAD, LOWEST_ML, HIGHEST_ML = 1500.0, 0.21, 700.0, 2600.0
#: Couinaud's segments by their number in `segment_map`
SEGMENTS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII")
_EDGE_MM = 9.0


def draw_volume_ml(rng: np.random.Generator) -> float:
    """Draw a liver volume from the adult distribution: 5, 50 and 95 % are about 1,060, 1,500 and 2,120 ml."""
    while True:
        volume = float(rng.lognormal(np.log(MEDIAN_ML), SPREAD))
        if LOWEST_ML <= volume <= HIGHEST_ML:
            return volume


@dataclass(frozen=True, eq=False)
class Liver:
    """One patient's liver in the model.

    Attributes:
        scale: of the patient's organs.
        level_mm: where its lower and left edge lie, set so that the volume is the drawn one.
        volume_ml: the drawn volume.
        unevenness: low-frequency waves of its lower surface, millimetres.
        angles: of the planes of the right, middle and left hepatic vein around the vena cava, radians from the front,
            positive to the left.
        portal_mm: height of the plane of the portal vein.
        kidney, gallbladder: that the liver makes room for.
    """

    scale: float
    level_mm: float
    volume_ml: float
    unevenness: SmoothField
    angles: tuple[float, float, float]
    portal_mm: float
    kidney: Blob
    gallbladder: Blob

    @classmethod
    def draw(cls, rng: np.random.Generator, *, scale: float, volume_ml: float, kidney: Blob) -> "Liver":
        """Draw a liver whose edge is not set yet: see `sized`."""
        angles = tuple(float(a) for a in rng.normal((-1.32, -0.38, 0.27), (0.08, 0.06, 0.05)))
        center = (-50 * scale + rng.normal(0, 5), -50 * scale, -104 * scale + rng.normal(0, 5))
        radii = (rng.uniform(11, 17), rng.uniform(18, 27), rng.uniform(22, 32))
        gallbladder = Blob(center, radii, turns=(float(rng.normal(-0.2, 0.2)), float(rng.normal(0.3, 0.15))))
        unevenness = SmoothField.draw(rng, sd=2.2, step_mm=26.0)
        portal = -70 * scale + float(rng.normal(0, 4))
        return cls(scale, 0.0, volume_ml, unevenness, (angles[0], angles[1], angles[2]), portal, kidney, gallbladder)

    @property
    def hilum(self) -> np.ndarray:
        """Where the portal vein divides: (x, y, z)."""
        return np.array([-27 * self.scale, -14 * self.scale, self.portal_mm])

    def cava_axis(self, z: np.ndarray) -> tuple[float, np.ndarray]:
        """x and y of the vena cava's middle at height z."""
        s = self.scale
        return -21 * s, s * (1 + 13 * np.exp(-(((z / s + 38) / 48) ** 2)))

    def sized(self, canvas: Canvas, rooms: Rooms) -> "Liver":
        """The liver with the edge that gives it its volume, measured on a coarse canvas that holds all of it."""
        height = np.sort(
            self._surfaces(canvas.x, canvas.y, canvas.z, self.unevenness.on_grid(canvas.axes_mm), rooms)[1], axis=None
        )
        count = round(self.volume_ml * 1000 / canvas.width_mm**3)
        return replace(self, level_mm=float(height[-count]))

    def inside(self, canvas: Canvas, rooms: Rooms, box: tuple[slice, slice, slice]) -> np.ndarray:
        """Signed distance from the surface in a box of the canvas, millimetres, positive inside."""
        axes = tuple(axis[part] for axis, part in zip(canvas.axes_mm, box, strict=True))
        wave = self.unevenness.on_grid((axes[0], axes[1], axes[2]))
        part = Rooms(rooms.depth[box], rooms.cavity[box], rooms.below[box], rooms.abdomen[box])
        room, height = self._surfaces(canvas.x[box], canvas.y[box], canvas.z[box], wave, part)
        inside: np.ndarray = np.minimum(room, height - np.float32(self.level_mm))
        return inside

    def _surfaces(
        self, x: np.ndarray, y: np.ndarray, z: np.ndarray, wave: np.ndarray, rooms: Rooms
    ) -> tuple[np.ndarray, np.ndarray]:
        """Room left by wall, diaphragm and neighbours; and the level up to which a voxel belongs to the liver.

        The edge between room and lower surface is rounded by a soft minimum, solved for the lower surface's level.
        """
        room = smooth_minimum(rooms.abdomen - 1.5, self._neighbours(x, y, z), reach_mm=8)
        ratio = np.maximum(room, 1e-3) * np.float32(1 / _EDGE_MM)
        height = self._lower_surface(x, y, z) + wave + np.float32(_EDGE_MM) * np.log(-np.expm1(-ratio))
        return room, np.where(room > 0, height, np.float32(-1e4))

    def _lower_surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Level of the lower and left surface; larger is further in."""
        s = self.scale
        front = np.clip(-y / (90 * s), 0, 1)
        low = (z - s * (-126 + np.float32(0.42) * (x / s + 110)) + 14 * s * front) / np.float32(1.09)
        left_lobe = np.float32(-0.66) * x - np.float32(0.75) * y - 4 * s
        right_lobe = -x - np.float32(0.2) * (y - 10 * s) - 26 * s
        side = -smooth_minimum(-left_lobe, -right_lobe, reach_mm=14)
        return smooth_minimum(low * np.float32(0.62), side * np.float32(1.2), reach_mm=22)

    def _neighbours(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Distance from what the liver makes room for: cava, spine, kidney, gallbladder, fissures, hilum."""
        s = self.scale
        cava_x, cava_y = self.cava_axis(z)
        away = np.minimum(
            np.hypot((x - cava_x) / np.float32(1.15), y - cava_y) - 11 * s, np.hypot(x, y - 40 * s) - 37 * s
        )
        hilum = Blob(tuple(self.hilum + [4 * s, 2 * s, -12 * s]), (17 * s, 8 * s, 17 * s), turns=(0.3, 0.0))
        for blob, gap in ((self.kidney, 5), (self.gallbladder, 0.8), (hilum, 0)):
            away = np.minimum(away, -blob.inside(x, y, z) - gap)
        falciform = (
            np.abs(np.float32(0.93) * x + np.float32(0.37) * y + 24 * s + 2 * np.sin(y / 9))
            - 0.5
            - 0.035 * np.maximum(-z - 48 * s, 0)
        )
        falciform = np.maximum(falciform, np.maximum((z + 48 * s) * 0.3, y + 58 * s + (z + 48 * s) * 0.9))
        venosum = np.abs(np.float32(0.25) * x + np.float32(0.97) * y + 13 * s) - 1.3
        venosum = np.maximum(venosum, np.maximum(np.abs(x + 1 * s) - 21 * s, np.abs(z + 52 * s) - 26 * s))
        return np.minimum(away, np.minimum(falciform, venosum))

    def segments(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Couinaud segment of points: 1 to 8, by the planes of the three hepatic veins and of the portal vein.

        Source: Couinaud's numbering as used by radiology; II lies above III, VIII above V, VII above VI.
        """
        cava_x, cava_y = self.cava_axis(z)
        angle = np.arctan2(x - cava_x, cava_y - y)
        right, middle, left = self.angles
        angle = np.where(angle > 2.2, angle - 2 * np.pi, angle)  # behind the vena cava is the right posterior sector
        above = z > self.portal_mm
        above_left = z > self.portal_mm + 14 * self.scale  # the left branch rises to the falciform ligament
        number = np.where(angle > left, np.where(above_left, 2, 3), 4)
        number = np.where(angle < middle, np.where(above, 8, 5), number)
        number = np.where(angle < right, np.where(above, 7, 6), number)
        s = self.scale
        caudate = (0.25 * x + 0.97 * y > -12 * s) & (x > -33 * s) & (np.abs(z + 56 * s) < 36 * s)
        return np.where(caudate, 1, number).astype(np.uint8)

    def direction(self, angle: float) -> np.ndarray:
        """Unit vector in the axial plane, at an angle around the vena cava."""
        return np.array([np.sin(angle), -np.cos(angle), 0.0])


@dataclass(frozen=True, eq=False)
class Vessel:
    """A vessel: a pipe and the blood in it ("portal vein" or "hepatic vein")."""

    pipe: Pipe
    tissue: str


def draw_liver_vessels(rng: np.random.Generator, liver: Liver) -> tuple[Vessel, ...]:
    """Hepatic veins in their planes, portal branches to the middle of the segments; both branch twice."""
    return (*_hepatic_veins(rng, liver), *_portal_branches(rng, liver))


def _hepatic_veins(rng: np.random.Generator, liver: Liver) -> list[Vessel]:
    s = liver.scale
    cava_x, cava_y = liver.cava_axis(np.array(-20.0 * s))
    top = np.array([cava_x, float(cava_y), -20.0 * s])
    vessels = []
    for angle, length in zip(liver.angles, (95, 88, 72), strict=True):
        end = top + liver.direction(angle) * length * s + [0, 0, -68 * s]
        vessels += _tree(rng, top, end, radius=5.8 * s, tissue="hepatic vein")
    return vessels


def _portal_branches(rng: np.random.Generator, liver: Liver) -> list[Vessel]:
    s, hilum, (right, middle, left) = liver.scale, liver.hilum, liver.angles
    fork, bend = hilum + [-22 * s, 2 * s, 4 * s], hilum + [22 * s, -26 * s, 14 * s]
    turn = hilum + [8 * s, -14 * s, 9 * s]
    stems = (
        Pipe.through(tuple(hilum), tuple(fork), radius=(6.5 * s, 5.5 * s), count=4),
        Pipe.through(tuple(hilum), tuple(turn), tuple(bend), radius=(5.8 * s, 4.8 * s)),
    )
    vessels = [Vessel(stem, "portal vein") for stem in stems]
    anterior, posterior, medial = (middle + right) / 2, right - 0.5, (left + middle) / 2 - 0.3
    to_the_right = ((anterior, 74, 38), (anterior, 70, -30), (posterior, 66, 32), (posterior, 70, -34))
    to_the_left = ((left + 0.5, 48, 22), (left + 0.35, 44, -14), (medial, 36, -4))
    for start, branches in ((fork, to_the_right), (bend, to_the_left)):
        for angle, length, rise in branches:
            end = start + liver.direction(angle) * length * s + [0, 0, rise * s]
            vessels += _tree(rng, start, end, radius=4.5 * s, tissue="portal vein")
    return vessels


def _tree(rng: np.random.Generator, start: np.ndarray, end: np.ndarray, *, radius: float, tissue: str) -> list[Vessel]:
    """A stem with four branches."""
    bent = (start + end) / 2 + rng.normal(0, 5, 3)
    stem = Pipe.through(tuple(start), tuple(bent), tuple(end), radius=(radius, 1.6), count=7)
    vessels = [Vessel(stem, tissue)]
    for index, side in ((2, 1), (3, -1), (4, 1), (5, -1)):
        root = stem.points_mm[index]
        along = end - start
        across = np.cross(along, rng.normal(0, 1, 3)) / np.linalg.norm(along)
        tip = root + 0.28 * along + side * across * rng.uniform(10, 17)
        branch = Pipe.through(tuple(root), tuple(tip), radius=(0.62 * float(stem.radii_mm[index]), 1.1), count=3)
        vessels.append(Vessel(branch, tissue))
    return vessels


def make_liver_neighbours(liver: Liver) -> tuple[Viscus, ...]:
    """Vena cava, portal vein up to where it divides, and gallbladder."""
    s, heights = liver.scale, np.linspace(-260, 12, 20)
    cava_x, cava_y = liver.cava_axis(heights)
    line = np.stack([np.full(20, float(cava_x)), cava_y, heights], axis=1)
    porta = Pipe.through((-4 * s, -10 * s, -106 * s), tuple(liver.hilum), radius=7 * s, count=4)
    return (
        Viscus(Pipe(line, np.full(20, 10.0 * s)), "vena cava", "vena cava", room="cavity", streaks_hu=0),
        Viscus(porta, "portal vein", "portal vein", streaks_hu=0),
        Viscus(liver.gallbladder, "bile", "gallbladder", streaks_hu=0),
    )
