"""The wall of the abdomen and lower chest of a volume phantom: skin, fat, muscle, ribs, diaphragm and lungs.

The model's origin lies in the middle of the body at the height of the right dome of the diaphragm; x to the left, y to
the back, z to the head, all in millimetres.
"""

from dataclasses import dataclass

import numpy as np

from firstread.phantoms.voxel_canvas import Canvas

_EXPONENT = 2.35
#: distance of neighbouring ribs along z, and how far a rib falls from the spine to the side of the body
_RIB_STEP_MM, _RIB_FALL_MM = 27.0, 122.0


@dataclass(frozen=True)
class BodyWall:
    """Sizes of one patient's body wall, millimetres.

    Attributes:
        scale: of the skeleton and organs; 1 is an average adult.
        half_width_mm, half_depth_mm: of the body at its skin.
        fat_mm: subcutaneous fat at the side.
        muscle_mm: thickness of the muscular wall at the side.
        left_dome_mm: height of the left dome; the right one is 0.
        rib_phase_mm: height of the ribs.
    """

    scale: float
    half_width_mm: float
    half_depth_mm: float
    fat_mm: float
    muscle_mm: float
    left_dome_mm: float
    rib_phase_mm: float

    @classmethod
    def draw(cls, rng: np.random.Generator, *, scale: float) -> "BodyWall":
        """Draw a wall: thin to stout, around an organ size that is given."""
        fat = float(np.clip(rng.lognormal(np.log(14), 0.42), 5, 40))
        muscle = float(np.clip(rng.normal(15, 1.6), 11, 20)) * scale
        visceral = float(rng.uniform(-3, 7)) + 0.25 * (fat - 14)  # fat around the organs
        return cls(
            scale=scale,
            half_width_mm=131 * scale + visceral + fat + muscle,
            half_depth_mm=103 * scale + 0.6 * visceral + fat + 0.6 * muscle,
            fat_mm=fat,
            muscle_mm=muscle,
            left_dome_mm=float(rng.normal(-7, 5)),
            rib_phase_mm=float(rng.uniform(0, _RIB_STEP_MM)),
        )

    def depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Distance of points from the skin in millimetres, positive inside; exact to the first order."""
        u = np.abs(x) * np.float32(1 / self.half_width_mm) + np.float32(1e-4)
        v = np.abs(y) * np.float32(1 / self.half_depth_mm) + np.float32(1e-4)
        pu, pv = u ** np.float32(_EXPONENT), v ** np.float32(_EXPONENT)
        total = pu + pv
        radius = total ** np.float32(1 / _EXPONENT)
        slope = (
            radius
            / total
            * np.hypot(pu / (u * np.float32(self.half_width_mm)), pv / (v * np.float32(self.half_depth_mm)))
        )
        depth: np.ndarray = (1 - radius) / slope
        groove = np.exp(-((x[..., :1, :] / 15) ** 2)) * np.clip(y[..., :, :1] / 60, 0, 1)  # over the spine
        return depth - np.float32(9) * groove

    def layers(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Depth at which muscle begins, and at which the cavity begins: thinner at the side, thicker behind."""
        front = np.clip(-y / np.float32(self.half_depth_mm), 0, 1)
        back = np.clip(y / np.float32(self.half_depth_mm), 0, 1)
        fat = np.float32(self.fat_mm) * (1 + 0.35 * front + 0.05 * back)
        middle = np.exp(-((x / 30) ** 2)) * front  # linea alba
        wall = np.float32(self.muscle_mm) * (1 - 0.42 * front + 0.55 * back * back - 0.15 * middle)
        return fat, fat + wall

    def diaphragm(self, x: np.ndarray, y: np.ndarray, cavity_mm: np.ndarray) -> np.ndarray:
        """Height of the diaphragm: two domes with the heart between, falling steeply near the wall."""
        left = np.clip((x + 5) / 70, 0, 1)
        top = self.left_dome_mm * left - 7 * np.exp(-(((x - 12) / 34) ** 2))
        back = np.clip((y + 60) / 130, 0, 1)
        fall = (6 + 62 * back) * np.exp(-np.maximum(cavity_mm, 0) / (7 + 6 * back))
        aside = np.maximum(np.abs(x) - 52, 0)
        bowl = 20 * (aside / 60) ** 2 + 17 * ((y + 12) / 80) ** 2
        height: np.ndarray = top - fall - bowl
        return height


@dataclass(frozen=True, eq=False)
class Rooms:
    """Signed distances (z, y, x) in millimetres to what the organs fill.

    Attributes:
        depth: from the skin.
        cavity: from the inner wall.
        below: from the diaphragm, downwards.
        abdomen: from wall and diaphragm.
    """

    depth: np.ndarray
    cavity: np.ndarray
    below: np.ndarray
    abdomen: np.ndarray

    @classmethod
    def of(cls, wall: BodyWall, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> "Rooms":
        """Measure the rooms at points of the model."""
        depth = wall.depth(x, y)
        inner = wall.layers(y, x)[1]
        cavity = depth - inner
        below = (wall.diaphragm(x, y, cavity) - z) * np.float32(0.75)  # the domes are steep: nearer than straight up
        return cls(depth, cavity, below, np.minimum(cavity, below))


def paint_wall(canvas: Canvas, wall: BodyWall, rooms: Rooms, hu: dict[str, float], streaks: np.ndarray) -> None:
    """Paint skin, subcutaneous fat, the muscular wall, intraperitoneal fat, ribs, lungs and diaphragm.

    Args:
        streaks: (z, y, x) smooth field of sd 1 that makes fat and muscle uneven.
    """
    whole = (slice(None),) * 3
    fat = hu["fat"] + 5 * streaks
    canvas.paint(whole, rooms.depth, hu["skin"])
    canvas.paint(whole, rooms.depth - 2.2, fat)
    begins, inner = wall.layers(canvas.y, canvas.x)
    flank = np.clip(-(canvas.z + 55) / 45, 0, 1) * np.clip(np.abs(canvas.x) / 60 - 0.6, 0, 1) * (1 - 0.5 * streaks)
    lamella = flank * np.exp(-(((rooms.depth - begins - 0.55 * (inner - begins)) / 1.5) ** 2))
    canvas.paint(whole, rooms.depth - begins, hu["muscle"] - 18 * np.maximum(streaks + 0.3, 0) - 70 * lamella)
    canvas.paint(whole, rooms.cavity, hu["fat"] + 6 + 5 * streaks + 13 * np.maximum(streaks, 0) ** 2)
    _paint_ribs(canvas, wall, rooms, hu)
    lung = np.minimum(rooms.cavity + 1.5, -rooms.below - 1.5)
    canvas.paint(whole, lung, hu["lung"] + 25 * streaks)
    canvas.paint(whole, np.minimum(rooms.cavity, 2.4 - np.abs(rooms.below)), hu["muscle"])


def _paint_ribs(canvas: Canvas, wall: BodyWall, rooms: Rooms, hu: dict[str, float]) -> None:
    """Ribs and their cartilage lie in one shell: how far a voxel is along and across them follows from its angle."""
    shell = np.flatnonzero(np.abs(rooms.cavity.ravel() + 6.5) < 9)
    x, y, z = (axis.ravel()[shell] for axis in (canvas.x, canvas.y, canvas.z))
    angle = np.arctan2(np.abs(x) / wall.half_width_mm, y / wall.half_depth_mm)  # 0 behind, pi in front
    step = _RIB_STEP_MM * wall.scale
    along = np.clip(angle / 1.9, 0, 1)
    rise = np.clip(angle - 2.15, 0, 1) * 95 * wall.scale  # cartilage runs up to the sternum
    height = (z + wall.rib_phase_mm + _RIB_FALL_MM * wall.scale * along**0.8 - rise) / step
    number = np.rint(height)  # 0 lies at the height of the dome behind, the twelfth is number -4
    ends = np.interp(number, [-5, -4, -3, -2], [0, 0.8, 1.5, 2.6], left=0, right=2.6)
    across = (height - number) * step / np.float32(4.4)
    deep = (rooms.cavity.ravel()[shell] + 6.5) / np.float32(2.9)
    inside = (1 - np.sqrt(across**2 + deep**2)) * np.float32(3.0)
    inside = np.minimum(inside, (ends - angle) * 120)
    is_bone = angle < np.interp(number, [-4, -1, 2], [3.2, 2.05, 2.3])
    share = np.clip(inside / canvas.width_mm + 0.5, 0, 1) * (np.abs(x) > 14)
    marrow = np.clip((inside - 1.4) / canvas.width_mm + 0.5, 0, 1)
    value = np.where(is_bone, hu["cortex"] + marrow * (hu["marrow"] - hu["cortex"]), hu["cartilage"])
    if canvas.hu is not None:
        flat = canvas.hu.reshape(-1)
        flat[shell] += share * (value - flat[shell])
