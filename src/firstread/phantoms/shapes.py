"""The two shapes that anatomy is made of. Each can be cut by a horizontal plane (CT, MR) and projected (radiograph).

Coordinates are millimetres in the patient: x to the patient's left (image right), y to the back, z to the head.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Plane:
    """A grid of pixel centres.

    Attributes:
        across: (1, W) millimetres: x.
        down: (H, 1) millimetres: y for a slice, z for a radiograph. Need not be increasing.
    """

    across: np.ndarray
    down: np.ndarray

    @classmethod
    def centred(cls, size: int, *, field_mm: float, x: float = 0.0, down: float = 0.0, upward: bool = False) -> "Plane":
        """`size` x `size` pixels over a square of `field_mm`; `upward` puts the largest value in the first row."""
        step = (np.arange(size) + 0.5) / size * field_mm - field_mm / 2
        rows = -step if upward else step
        return cls((x + step)[None, :].astype(np.float32), (down + rows)[:, None].astype(np.float32))

    @property
    def pixel_mm(self) -> float:
        """Distance of neighbouring pixels."""
        return float(abs(self.across[0, 1] - self.across[0, 0]))

    def window(self, x: tuple[float, float], down: tuple[float, float]) -> tuple[slice, slice] | None:
        """The part of the grid within two ranges, or None if it is empty."""
        columns = np.flatnonzero((self.across[0] >= x[0]) & (self.across[0] <= x[1]))
        rows = np.flatnonzero((self.down[:, 0] >= down[0]) & (self.down[:, 0] <= down[1]))
        if not len(columns) or not len(rows):
            return None
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


@dataclass(frozen=True)
class Ellipsoid:
    """A (super)ellipsoid with its axes along the patient's, turned in the frontal and the axial plane.

    Attributes:
        centre, radii: (x, y, z) millimetres.
        tilt: radians in the frontal (x, z) plane.
        turn: radians in the axial (x, y) plane.
        power: 2 is an ellipsoid; more is boxier.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    tilt: float = 0.0
    turn: float = 0.0
    power: float = 2.0

    def cut(self, plane: Plane, z: float) -> tuple[tuple[slice, slice], np.ndarray] | None:
        """Share (0 to 1) of each pixel of an axial plane that lies inside."""
        reach = max(self.radii)
        if abs(z - self.centre[2]) > reach:
            return None
        part = plane.window(*_ranges(self.centre[0], self.centre[1], reach))
        if part is None:
            return None
        x = plane.across[:, part[1]] - self.centre[0]
        y = plane.down[part[0]] - self.centre[1]
        level = z - self.centre[2]
        u = x * np.cos(self.turn) + y * np.sin(self.turn)
        v = -x * np.sin(self.turn) + y * np.cos(self.turn)
        u, w = u * np.cos(self.tilt) + level * np.sin(self.tilt), -u * np.sin(self.tilt) + level * np.cos(self.tilt)
        a, b, c = self.radii
        distance = (np.abs(u / a) ** self.power + np.abs(v / b) ** self.power + np.abs(w / c) ** self.power) ** (
            1 / self.power
        )
        return part, _soft(1 - distance, plane.pixel_mm / min(a, b))

    def project(self, plane: Plane) -> tuple[tuple[slice, slice], np.ndarray] | None:
        """Millimetres of the front-to-back ray that lie inside, for each pixel of a frontal plane."""
        a, b, c = self.radii
        reach = max(a, c)
        part = plane.window(*_ranges(self.centre[0], self.centre[2], reach))
        if part is None:
            return None
        x = plane.across[:, part[1]] - self.centre[0]
        z = plane.down[part[0]] - self.centre[2]
        u = x * np.cos(self.tilt) + z * np.sin(self.tilt)
        w = -x * np.sin(self.tilt) + z * np.cos(self.tilt)
        left = 1 - np.abs(u / a) ** self.power - np.abs(w / c) ** self.power
        return part, 2 * b * np.clip(left, 0, None) ** (1 / self.power)


@dataclass(frozen=True)
class Tube:
    """A round tube along a line of points: a rib, a vessel, a catheter, a long bone.

    Attributes:
        points: (n, 3) millimetres.
        radii: (n,) millimetres.
    """

    points: np.ndarray
    radii: np.ndarray
    _: None = field(default=None, repr=False)

    def cut(self, plane: Plane, z: float) -> tuple[tuple[slice, slice], np.ndarray] | None:
        """Share of each pixel of an axial plane that lies inside: round cross-sections where the tube meets the plane."""
        height = self.points[:, 2]
        reach = float(self.radii.max())
        near = np.flatnonzero(np.abs(height - z) <= reach + np.abs(np.diff(height, append=height[-1])).max())
        if not len(near):
            return None
        points = _fine(self.points, self.radii)
        points = points[np.abs(points[:, 2] - z) < points[:, 3]]
        if not len(points):
            return None
        part = plane.window(
            (points[:, 0].min() - reach, points[:, 0].max() + reach),
            (points[:, 1].min() - reach, points[:, 1].max() + reach),
        )
        if part is None:
            return None
        inside = np.zeros((part[0].stop - part[0].start, part[1].stop - part[1].start), np.float32)
        x, y = plane.across[:, part[1]], plane.down[part[0]]
        for px, py, pz, radius in points:
            here = np.sqrt(radius**2 - (pz - z) ** 2)
            distance = np.sqrt((x - px) ** 2 + (y - py) ** 2)
            np.maximum(inside, np.clip((here - distance) / plane.pixel_mm + 0.5, 0, 1), out=inside)
        return part, inside

    def project(self, plane: Plane) -> tuple[tuple[slice, slice], np.ndarray] | None:
        """Millimetres of the front-to-back ray inside, longer where the tube runs along the ray."""
        reach = float(self.radii.max()) + plane.pixel_mm
        x, z = self.points[:, 0], self.points[:, 2]
        part = plane.window((x.min() - reach, x.max() + reach), (z.min() - reach, z.max() + reach))
        if part is None:
            return None
        shape = (part[0].stop - part[0].start, part[1].stop - part[1].start)
        whole = np.zeros(shape, np.float32)
        inner = Plane(plane.across[:, part[1]], plane.down[part[0]])
        for start, stop, radius in zip(
            self.points[:-1], self.points[1:], (self.radii[:-1] + self.radii[1:]) / 2, strict=True
        ):
            box = inner.window(
                (min(start[0], stop[0]) - radius, max(start[0], stop[0]) + radius),
                (min(start[2], stop[2]) - radius, max(start[2], stop[2]) + radius),
            )
            if box is None:
                continue
            distance, slant = _to_segment(inner.across[:, box[1]], inner.down[box[0]], start, stop)
            chord = 2 * np.sqrt(np.clip(radius**2 - distance**2, 0, None)) * min(slant, 3.0)
            np.maximum(whole[box], chord, out=whole[box])
        return part, whole


Shape = Ellipsoid | Tube


def line(*points: tuple[float, float, float], radius: float | tuple[float, float], count: int = 12) -> Tube:
    """A tube along a smooth curve through a few points; a pair of radii is its beginning and end."""
    from scipy.interpolate import make_interp_spline

    given = np.asarray(points, float)
    order = min(3, len(given) - 1)
    curve = make_interp_spline(np.linspace(0, 1, len(given)), given, k=order)(np.linspace(0, 1, count))
    first, last = (radius, radius) if isinstance(radius, (int, float)) else radius
    return Tube(curve, np.linspace(first, last, count))


def _ranges(x: float, down: float, reach: float) -> tuple[tuple[float, float], tuple[float, float]]:
    return (x - reach, x + reach), (down - reach, down + reach)


def _soft(inside: np.ndarray, width: float) -> np.ndarray:
    return np.clip(inside / max(width, 1e-6) + 0.5, 0, 1).astype(np.float32)


def _fine(points: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """(m, 4) points closer together than half their radius, with their radius."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    count = max(len(points), int(length[-1] / max(0.5 * radii.min(), 0.5)) + 1)
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, column) for column in (*points.T, radii)], axis=1)


def _to_segment(x: np.ndarray, z: np.ndarray, start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, float]:
    dx, dy, dz = stop - start
    flat = dx * dx + dz * dz
    t = np.clip(((x - start[0]) * dx + (z - start[2]) * dz) / max(flat, 1e-6), 0, 1)
    distance = np.sqrt((x - start[0] - t * dx) ** 2 + (z - start[2] - t * dz) ** 2)
    return distance, float(np.sqrt((flat + dy * dy) / max(flat, 1e-6)))
