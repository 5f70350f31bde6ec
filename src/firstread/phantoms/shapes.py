"""Geometric primitives of the phantoms: ellipsoids and tubes, intersected (CT, MR) and projected (radiograph).

Coordinates are millimetres in the patient: x to the patient's left (image right), y to the back, z to the head.
"""

from dataclasses import dataclass

import numpy as np

Point = tuple[float, float, float]
#: rows and columns of a part of the pixel grid
Box = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Plane:
    """A grid of pixel centers in an axial (CT, MR) or frontal (radiograph) plane.

    Attributes:
        columns_mm: (1, W) millimetres: x of each column.
        rows_mm: (H, 1) millimetres of each row: y for a slice, z for a radiograph. Need not be increasing.
    """

    columns_mm: np.ndarray
    rows_mm: np.ndarray

    @classmethod
    def centered(
        cls, size: int, *, field_mm: float, x_mm: float = 0.0, row_mm: float = 0.0, upward: bool = False
    ) -> "Plane":
        """Grid of `size` x `size` pixels over a square of `field_mm` with the given center.

        Args:
            size: pixels on each side.
            field_mm: field of view.
            x_mm, row_mm: center of the columns and of the rows.
            upward: the first row has the largest value.
        """
        offsets = (np.arange(size) + 0.5) / size * field_mm - field_mm / 2
        row_offsets = -offsets if upward else offsets
        return cls((x_mm + offsets)[None, :].astype(np.float32), (row_mm + row_offsets)[:, None].astype(np.float32))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the grid: (H, W)."""
        return np.broadcast_shapes(self.columns_mm.shape, self.rows_mm.shape)

    @property
    def pixel_spacing_mm(self) -> float:
        """Distance between neighbouring pixel centers."""
        return float(abs(self.columns_mm[0, 1] - self.columns_mm[0, 0]))

    def find_box(self, x_range: tuple[float, float], row_range: tuple[float, float]) -> Box | None:
        """Bounding box of the pixels within two ranges in millimetres, None if there are none."""
        columns = np.flatnonzero((self.columns_mm[0] >= x_range[0]) & (self.columns_mm[0] <= x_range[1]))
        rows = np.flatnonzero((self.rows_mm[:, 0] >= row_range[0]) & (self.rows_mm[:, 0] <= row_range[1]))
        if not len(columns) or not len(rows):
            return None
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


@dataclass(frozen=True)
class Ellipsoid:
    """A superellipsoid with axes along the patient's, rotated in the frontal and the axial plane.

    Attributes:
        center, radii: (x, y, z) millimetres.
        tilt_radians: rotation in the frontal (x, z) plane.
        rotation_radians: rotation in the axial (x, y) plane.
        exponent: 2 is an ellipsoid; more is boxier.
    """

    center: Point
    radii: Point
    tilt_radians: float = 0.0
    rotation_radians: float = 0.0
    exponent: float = 2.0

    def intersect(self, plane: Plane, z: float) -> tuple[Box, np.ndarray] | None:
        """Fraction (0 to 1) of each pixel of an axial plane that lies inside."""
        reach = max(self.radii)
        if abs(z - self.center[2]) > reach:
            return None
        box = plane.find_box(*_ranges(self.center[0], self.center[1], reach))
        if box is None:
            return None
        x = plane.columns_mm[:, box[1]] - self.center[0]
        y = plane.rows_mm[box[0]] - self.center[1]
        height = z - self.center[2]
        cos, sin = np.cos(self.tilt_radians), np.sin(self.tilt_radians)
        u = x * np.cos(self.rotation_radians) + y * np.sin(self.rotation_radians)
        v = -x * np.sin(self.rotation_radians) + y * np.cos(self.rotation_radians)
        u, w = u * cos + height * sin, -u * sin + height * cos
        a, b, c = self.radii
        n = self.exponent
        distance = (np.abs(u / a) ** n + np.abs(v / b) ** n + np.abs(w / c) ** n) ** (1 / n)
        return box, _antialias(1 - distance, plane.pixel_spacing_mm / min(a, b))

    def project(self, plane: Plane) -> tuple[Box, np.ndarray] | None:
        """Chord length in millimetres of the front-to-back ray through each pixel of a frontal plane."""
        a, b, c = self.radii
        reach = max(a, c)
        box = plane.find_box(*_ranges(self.center[0], self.center[2], reach))
        if box is None:
            return None
        x = plane.columns_mm[:, box[1]] - self.center[0]
        z = plane.rows_mm[box[0]] - self.center[2]
        u = x * np.cos(self.tilt_radians) + z * np.sin(self.tilt_radians)
        w = -x * np.sin(self.tilt_radians) + z * np.cos(self.tilt_radians)
        remainder = 1 - np.abs(u / a) ** self.exponent - np.abs(w / c) ** self.exponent
        return box, 2 * b * np.clip(remainder, 0, None) ** (1 / self.exponent)


@dataclass(frozen=True, eq=False)
class Tube:
    """A round tube along a polyline: a rib, a vessel, a catheter, a long bone.

    Attributes:
        points: (n, 3) millimetres.
        radii: (n,) millimetres.
    """

    points: np.ndarray
    radii: np.ndarray

    def intersect(self, plane: Plane, z: float) -> tuple[Box, np.ndarray] | None:
        """Fraction of each pixel of an axial plane that lies inside: round cross-sections where tube and plane meet."""
        heights = self.points[:, 2]
        reach = float(self.radii.max())
        near = np.flatnonzero(np.abs(heights - z) <= reach + np.abs(np.diff(heights, append=heights[-1])).max())
        if not len(near):
            return None
        points = _resample(self.points, self.radii)
        points = points[np.abs(points[:, 2] - z) < points[:, 3]]
        if not len(points):
            return None
        box = plane.find_box(
            (points[:, 0].min() - reach, points[:, 0].max() + reach),
            (points[:, 1].min() - reach, points[:, 1].max() + reach),
        )
        if box is None:
            return None
        inside = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start), np.float32)
        x, y = plane.columns_mm[:, box[1]], plane.rows_mm[box[0]]
        for px, py, pz, radius in points:
            section_radius = np.sqrt(radius**2 - (pz - z) ** 2)
            distance = np.sqrt((x - px) ** 2 + (y - py) ** 2)
            np.maximum(inside, np.clip((section_radius - distance) / plane.pixel_spacing_mm + 0.5, 0, 1), out=inside)
        return box, inside

    def project(self, plane: Plane) -> tuple[Box, np.ndarray] | None:
        """Chord length in millimetres of the front-to-back ray, longer where the tube runs along the ray."""
        reach = float(self.radii.max()) + plane.pixel_spacing_mm
        x, z = self.points[:, 0], self.points[:, 2]
        box = plane.find_box((x.min() - reach, x.max() + reach), (z.min() - reach, z.max() + reach))
        if box is None:
            return None
        chords = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start), np.float32)
        cropped = Plane(plane.columns_mm[:, box[1]], plane.rows_mm[box[0]])
        mean_radii = (self.radii[:-1] + self.radii[1:]) / 2
        for start, stop, radius in zip(self.points[:-1], self.points[1:], mean_radii, strict=True):
            segment_box = cropped.find_box(
                (min(start[0], stop[0]) - radius, max(start[0], stop[0]) + radius),
                (min(start[2], stop[2]) - radius, max(start[2], stop[2]) + radius),
            )
            if segment_box is None:
                continue
            segment_x, segment_z = cropped.columns_mm[:, segment_box[1]], cropped.rows_mm[segment_box[0]]
            distance, slant = _distance_to_segment(segment_x, segment_z, start, stop)
            chord = 2 * np.sqrt(np.clip(radius**2 - distance**2, 0, None)) * min(slant, 3.0)
            np.maximum(chords[segment_box], chord, out=chords[segment_box])
        return box, chords


Shape = Ellipsoid | Tube


def make_tube(*points: Point, radius: float | tuple[float, float], point_count: int = 12) -> Tube:
    """Make a tube along a spline through a few points; a pair of radii is its first and last radius."""
    from scipy.interpolate import make_interp_spline

    knots = np.asarray(points, float)
    degree = min(3, len(knots) - 1)
    curve = make_interp_spline(np.linspace(0, 1, len(knots)), knots, k=degree)(np.linspace(0, 1, point_count))
    first, last = (radius, radius) if isinstance(radius, (int, float)) else radius
    return Tube(curve, np.linspace(first, last, point_count))


def _ranges(x: float, row: float, reach: float) -> tuple[tuple[float, float], tuple[float, float]]:
    return (x - reach, x + reach), (row - reach, row + reach)


def _antialias(inside: np.ndarray, width: float) -> np.ndarray:
    return np.clip(inside / max(width, 1e-6) + 0.5, 0, 1).astype(np.float32)


def _resample(points: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Resample a polyline to steps below half of the radius: (m, 4) of x, y, z, radius."""
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    count = max(len(points), int(lengths[-1] / max(0.5 * radii.min(), 0.5)) + 1)
    positions = np.linspace(0, lengths[-1], count)
    return np.stack([np.interp(positions, lengths, column) for column in (*points.T, radii)], axis=1)


def _distance_to_segment(x: np.ndarray, z: np.ndarray, start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, float]:
    """Distance to a projected line segment, and how many times longer the segment is than its projection."""
    dx, dy, dz = stop - start
    squared = dx * dx + dz * dz
    t = np.clip(((x - start[0]) * dx + (z - start[2]) * dz) / max(squared, 1e-6), 0, 1)
    distance = np.sqrt((x - start[0] - t * dx) ** 2 + (z - start[2] - t * dz) ** 2)
    return distance, float(np.sqrt((squared + dy * dy) / max(squared, 1e-6)))
