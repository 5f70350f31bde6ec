"""Solids of the volume phantoms: ellipsoids, tubes and a spine, painted with partial volume."""

from dataclasses import dataclass

import numpy as np

from firstread.phantoms.voxel_canvas import Box3D, Canvas, PointMm, distance_to_line, smooth_minimum


@dataclass(frozen=True)
class Blob:
    """An ellipsoid with a wavy surface.

    Attributes:
        center, radii: (x, y, z) millimetres.
        turns: rotation in radians in the axial (x, y) and the frontal (x, z) plane.
        waves_mm: height of the waves on its surface.
        phase: of the waves.
    """

    center: PointMm
    radii: PointMm
    turns: tuple[float, float] = (0.0, 0.0)
    waves_mm: float = 0.0
    phase: float = 0.0

    def inside(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Signed distance from the surface in millimetres, positive inside."""
        px, py, pz = (axis - np.float32(c) for axis, c in zip((x, y, z), self.center, strict=True))
        if self.turns[0]:
            cos, sin = np.float32(np.cos(self.turns[0])), np.float32(np.sin(self.turns[0]))
            px, py = px * cos + py * sin, py * cos - px * sin
        if self.turns[1]:
            cos, sin = np.float32(np.cos(self.turns[1])), np.float32(np.sin(self.turns[1]))
            px, pz = px * cos + pz * sin, pz * cos - px * sin
        a, b, c = (np.float32(radius) for radius in self.radii)
        ux, uy, uz = px / a, py / b, pz / c
        length = np.sqrt(ux * ux + uy * uy + uz * uz) + np.float32(1e-4)
        slope = np.sqrt((ux / a) ** 2 + (uy / b) ** 2 + (uz / c) ** 2) / length + np.float32(1e-4)
        distance: np.ndarray = (1 - length) / np.maximum(slope, 1 / max(self.radii))
        if self.waves_mm:
            wave = np.sin(px * np.float32(2.6 / a) + self.phase) * np.cos(pz * np.float32(2.9 / c) - self.phase)
            distance += np.float32(self.waves_mm) * (wave + np.sin(py * np.float32(3.3 / b) + 2 * self.phase))
        return distance

    @property
    def reach_mm(self) -> float:
        """Furthest distance of the surface from the center."""
        return max(self.radii) + 2 * abs(self.waves_mm)

    def box(self, canvas: Canvas) -> Box3D | None:
        """Voxels that the blob can reach."""
        low, high = (tuple(c + side * self.reach_mm for c in self.center) for side in (-1, 1))
        return canvas.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


@dataclass(frozen=True, eq=False)
class Pipe:
    """A round tube along a polyline: a vessel or a loop of bowel.

    Attributes:
        points_mm: (n, 3): drawn in the model, and moved into the scan before they are painted.
        radii_mm: (n,).
    """

    points_mm: np.ndarray
    radii_mm: np.ndarray

    @classmethod
    def through(cls, *points: PointMm, radius: float | tuple[float, float], count: int = 8) -> "Pipe":
        """Spline through a few points; a pair of radii is its first and last one."""
        from scipy.interpolate import make_interp_spline

        knots = np.asarray(points, float)
        spline = make_interp_spline(np.linspace(0, 1, len(knots)), knots, k=min(2, len(knots) - 1))
        first, last = radius if isinstance(radius, tuple) else (radius, radius)
        return cls(spline(np.linspace(0, 1, count)), np.linspace(first, last, count))

    def inside(self, canvas: Canvas) -> tuple[Box3D, np.ndarray] | None:
        """Box and signed distance from the surface in millimetres, positive inside; distances stop at -20 mm."""
        points, reach = self.points_mm, float(self.radii_mm.max())
        low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
        box = canvas.box(tuple(low), tuple(high), warped=False)
        if box is None:
            return None
        distance = np.full([part.stop - part.start for part in box], -20, np.float32)
        for index in range(len(points) - 1):
            self._add_segment(canvas, box, distance, points[index : index + 2], self.radii_mm[index : index + 2])
        return box, distance

    @staticmethod
    def _add_segment(canvas: Canvas, box: Box3D, distance: np.ndarray, ends: np.ndarray, radii: np.ndarray) -> None:
        low, high = ends.min(axis=0) - radii.max(), ends.max(axis=0) + radii.max()
        part = canvas.box(tuple(low), tuple(high), warped=False)
        if part is None:
            return
        x, y, z = canvas.scan_axes(part)
        gap, t = distance_to_line(x, y, z, ends[0], ends[1])
        inner = tuple(slice(p.start - b.start, p.stop - b.start) for p, b in zip(part, box, strict=True))
        inside = np.float32(radii[0]) + t * np.float32(radii[1] - radii[0]) - gap
        np.maximum(distance[inner], inside, out=distance[inner])


Solid = Blob | Pipe


def measure(solid: Solid, canvas: Canvas) -> tuple[Box3D, np.ndarray] | None:
    """Box and signed distance of a solid, None where it lies outside the canvas."""
    if isinstance(solid, Pipe):
        return solid.inside(canvas)
    box = solid.box(canvas)
    return None if box is None else (box, solid.inside(canvas.x[box], canvas.y[box], canvas.z[box]))


def within(inside_mm: np.ndarray, room_mm: np.ndarray, *, reach_mm: float = 6.0) -> np.ndarray:
    """A solid kept within a room, with a rounded edge where they meet."""
    return smooth_minimum(inside_mm, room_mm, reach_mm=reach_mm)
