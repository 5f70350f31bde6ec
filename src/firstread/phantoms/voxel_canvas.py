"""Voxels of a phantom while it is painted: Hounsfield units with partial volume, and labels, from signed distances."""

from dataclasses import dataclass

import numpy as np

from firstread.phantoms.smooth_fields import SmoothField

#: voxels of a part of the canvas: slices, rows, columns
Box3D = tuple[slice, slice, slice]
#: a point or a length along each axis: x (to the left), y (to the back), z (to the head)
PointMm = tuple[float, float, float]
#: the warp moves no point further than this
MAX_SHIFT_MM = 9.0


@dataclass(frozen=True, eq=False)
class Warp:
    """Smooth displacement from the scan to the anatomical model, which is drawn without it.

    Attributes:
        fields: displacement along x, y and z in millimetres.
    """

    fields: tuple[SmoothField, SmoothField, SmoothField]

    def to_scan(self, points_mm: np.ndarray) -> np.ndarray:
        """Where points of the model lie in the scan: (N, 3) -> (N, 3) in (x, y, z) millimetres."""
        model = np.asarray(points_mm, np.float64).reshape(-1, 3)
        scan = model.copy()
        for _ in range(3):
            shift = np.stack([field.at_points(scan) for field in self.fields], axis=1)
            scan = model - np.clip(shift, -MAX_SHIFT_MM, MAX_SHIFT_MM)
        return scan


class Canvas:
    """A volume being painted.

    Attributes:
        axes_mm: z, y and x of the voxel centres in the scan.
        x, y, z: (z, y, x) float32: position of each voxel in the model, millimetres.
        width_mm: thickness of the border where a voxel holds two tissues.
        hu: (z, y, x) float32, None where only labels are wanted.
        labels: (z, y, x) uint8.
    """

    def __init__(self, axes_mm: tuple[np.ndarray, np.ndarray, np.ndarray], warp: Warp, *, with_hu: bool = True) -> None:
        self.axes_mm = axes_mm
        shape = tuple(len(axis) for axis in axes_mm)
        shifts = [np.clip(field.on_grid(axes_mm), -MAX_SHIFT_MM, MAX_SHIFT_MM) for field in warp.fields]
        z, y, x = (np.asarray(axis, np.float32) for axis in axes_mm)
        self.x, self.y, self.z = shifts[0] + x, shifts[1] + y[:, None], shifts[2] + z[:, None, None]
        steps = [abs(axis[1] - axis[0]) if len(axis) > 1 else 1.0 for axis in axes_mm]
        self.width_mm = float(np.prod(steps) ** (1 / 3))
        self.hu = np.full(shape, -1000, np.float32) if with_hu else None
        self.labels = np.zeros(shape, np.uint8)

    def box(self, low: PointMm, high: PointMm, *, warped: bool = True) -> Box3D | None:
        """Voxels that a part of the model (x, y, z in millimetres) can reach; None if there are none.

        Args:
            warped: the part is stated in the model; False: in the scan.
        """
        margin = (MAX_SHIFT_MM if warped else 0.0) + self.width_mm
        parts = []
        for axis, start, stop in zip(self.axes_mm, low[::-1], high[::-1], strict=True):
            first, last = np.searchsorted(axis, (start - margin, stop + margin))
            if first >= last:
                return None
            parts.append(slice(int(first), int(last)))
        return parts[0], parts[1], parts[2]

    def scan_axes(self, box: Box3D) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, y and z of a box in the scan, shaped to broadcast."""
        z, y, x = (axis[part].astype(np.float32) for axis, part in zip(self.axes_mm, box, strict=True))
        return x[None, None, :], y[None, :, None], z[:, None, None]

    def paint(self, box: Box3D, inside_mm: np.ndarray, value: float | np.ndarray, *, label: int | None = None) -> None:
        """Blend a value in where the signed distance `inside_mm` is positive, and set the label there.

        Args:
            label: 0 erases labels; None leaves them.
        """
        if label is not None:
            self.labels[box][inside_mm > 0] = label
        if self.hu is not None:
            share = np.clip(inside_mm * np.float32(1 / self.width_mm) + np.float32(0.5), 0, 1)
            self.hu[box] += share * (value - self.hu[box])


def smooth_minimum(first: np.ndarray, second: np.ndarray | float, *, reach_mm: float) -> np.ndarray:
    """Minimum of two signed distances with a rounded edge; lower than both by up to a quarter of the reach."""
    h = np.maximum(reach_mm - np.abs(first - second), 0) * np.float32(1 / reach_mm)
    minimum: np.ndarray = np.minimum(first, second) - h * h * np.float32(reach_mm / 4)
    return minimum


def distance_to_line(
    x: np.ndarray, y: np.ndarray, z: np.ndarray, start: np.ndarray, stop: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distance of voxels to a line segment in millimetres, and where along it (0 to 1) the nearest point lies."""
    dx, dy, dz = (float(value) for value in stop - start)
    squared = max(dx * dx + dy * dy + dz * dz, 1e-6)
    px, py, pz = x - np.float32(start[0]), y - np.float32(start[1]), z - np.float32(start[2])
    t = np.clip((px * np.float32(dx) + py * np.float32(dy) + pz * np.float32(dz)) * np.float32(1 / squared), 0, 1)
    qx, qy, qz = px - t * np.float32(dx), py - t * np.float32(dy), pz - t * np.float32(dz)
    return np.sqrt(qx * qx + qy * qy + qz * qz), t
