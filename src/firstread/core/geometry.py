"""Geometry of a volume: its size, and the affine from voxel indices to millimetres in the patient (LPS).

Axes. Arrays are indexed (z, y, x), as numpy and PyTorch hold them: slice, row, column. Positions are millimetres in the
patient coordinate system of DICOM: x to the patient's **L**eft, y to **P**osterior, z to **S**uperior (PS3.3
C.7.6.2.1.1). NIfTI's x and y run the other way (RAS); they are turned at the door, in `firstread.readers`, and nowhere
else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from firstread.core.errors import DataError, SettingError

#: how far two positions may lie apart and still be the same, as a share of the smallest spacing
_TOLERANCE = 0.01
#: cosine of the angle between two axes above which they count as sheared (0.06 degrees)
_SHEAR_COSINE = 1e-3


@dataclass(frozen=True, eq=False)
class Geometry:
    """Size and position of a voxel grid in the patient.

    Attributes:
        size_zyx: number of slices, rows and columns.
        affine_lps: (4, 4) float64, read-only; maps the index (z, y, x, 1) of a voxel's centre to millimetres
            (L, P, S, 1). A tilted gantry is a sheared affine.

    Raises:
        SettingError: no positive size, or an affine that is not finite or flattens the volume.

    Example:
        >>> grid = Geometry.from_spacing((30, 512, 512), spacing_mm_zyx=(5, 0.8, 0.8))
        >>> grid.spacing_mm_zyx
        (5.0, 0.8, 0.8)
        >>> grid.to_mm([[1, 0, 0]]).tolist()
        [[0.0, 0.0, 5.0]]

    Source: DICOM PS3.3 C.7.6.2.1.1.
    """

    size_zyx: tuple[int, int, int]
    affine_lps: np.ndarray

    def __post_init__(self) -> None:
        size = tuple(int(count) for count in self.size_zyx)
        affine = np.array(self.affine_lps, dtype=np.float64)
        if len(size) != 3 or min(size) < 1:
            raise SettingError(f"size_zyx={self.size_zyx!r} is not possible", expected="three numbers from 1")
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-12:
            raise SettingError(
                "The affine is not one of a volume", expected="(4, 4) finite numbers, with three independent axes"
            )
        affine.setflags(write=False)
        object.__setattr__(self, "size_zyx", size)
        object.__setattr__(self, "affine_lps", affine)

    @classmethod
    def from_spacing(
        cls,
        size_zyx: Sequence[int],
        *,
        spacing_mm_zyx: Sequence[float],
        origin_mm_lps: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> "Geometry":
        """Axial slices from the feet up, rows to posterior, columns to the left, as most scanners store them."""
        affine = np.eye(4)
        z, y, x = (float(value) for value in spacing_mm_zyx)
        affine[:3, :3] = [[0, 0, x], [0, y, 0], [z, 0, 0]]
        affine[:3, 3] = origin_mm_lps
        slices, rows, columns = size_zyx
        return cls((slices, rows, columns), affine)

    @property
    def spacing_mm_zyx(self) -> tuple[float, float, float]:
        """Distance of neighbouring voxel centres along each axis, in millimetres."""
        z, y, x = (float(length) for length in np.linalg.norm(self.affine_lps[:3, :3], axis=0).round(9))
        return z, y, x

    @property
    def origin_mm_lps(self) -> tuple[float, float, float]:
        """Position of the centre of voxel (0, 0, 0)."""
        left, posterior, superior = (float(value) for value in self.affine_lps[:3, 3])
        return left, posterior, superior

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of a voxel in millilitres, of a sheared one too."""
        return float(abs(np.linalg.det(self.affine_lps[:3, :3])) / 1000)

    @property
    def is_sheared(self) -> bool:
        """Whether the axes are not perpendicular: slices of a tilted gantry."""
        axes = self.affine_lps[:3, :3] / np.linalg.norm(self.affine_lps[:3, :3], axis=0)
        return bool(np.abs(axes.T @ axes - np.eye(3)).max() > _SHEAR_COSINE)

    @property
    def orientation_zyx(self) -> str:
        """Letter of the direction to which each axis mostly runs: "SPL" for ordinary axial slices from the feet up."""
        axes = self.affine_lps[:3, :3] / np.linalg.norm(self.affine_lps[:3, :3], axis=0)
        letters = []
        for column in axes.T:
            axis = int(np.abs(column).argmax())
            letters.append("LPS"[axis] if column[axis] > 0 else "RAI"[axis])
        return "".join(letters)

    def to_mm(self, indices_zyx: ArrayLike) -> np.ndarray:
        """Positions of voxel indices: (N, 3) in (z, y, x), fractions allowed -> (N, 3) millimetres, LPS."""
        indices = np.asarray(indices_zyx, dtype=np.float64)
        positions: np.ndarray = indices @ self.affine_lps[:3, :3].T + self.affine_lps[:3, 3]
        return positions

    def to_indices(self, positions_mm_lps: ArrayLike) -> np.ndarray:
        """Voxel indices of positions: (N, 3) millimetres, LPS -> (N, 3) in (z, y, x), with fractions."""
        offsets = np.asarray(positions_mm_lps, dtype=np.float64) - self.affine_lps[:3, 3]
        indices: np.ndarray = offsets @ np.linalg.inv(self.affine_lps[:3, :3]).T
        return indices

    def corners_mm(self) -> np.ndarray:
        """Positions of the eight outermost voxel centres: (8, 3) millimetres, LPS."""
        ends = np.meshgrid(*[(0, count - 1) for count in self.size_zyx], indexing="ij")
        return self.to_mm(np.array(ends).reshape(3, 8).T)

    def cropped(self, start_zyx: Sequence[int], size_zyx: Sequence[int]) -> "Geometry":
        """The grid of a part of the volume that begins at voxel `start_zyx`; it may lie outside (padding)."""
        affine = self.affine_lps.copy()
        affine[:3, 3] = self.to_mm(np.asarray([start_zyx]))[0]
        slices, rows, columns = size_zyx
        return Geometry((slices, rows, columns), affine)

    def resampled(self, spacing_mm_zyx: Sequence[float]) -> "Geometry":
        """A grid over the same part of the patient with another spacing; the outer faces stay within half a voxel."""
        old, new = np.array(self.spacing_mm_zyx), np.asarray(spacing_mm_zyx, float)
        if new.shape != (3,) or not np.isfinite(new).all() or (new <= 0).any():
            raise SettingError(f"spacing_mm_zyx={spacing_mm_zyx!r} is not possible", expected="three lengths above 0")
        size = np.maximum(1, np.rint(np.array(self.size_zyx) * old / new).astype(int))
        affine = self.affine_lps.copy()
        affine[:3, :3] = self.affine_lps[:3, :3] * (new / old)
        faces = (np.array(self.size_zyx) - size * new / old) / 2  # centre the new grid in the old one
        affine[:3, 3] = self.to_mm((faces - 0.5 + 0.5 * new / old)[None])[0]
        return Geometry((int(size[0]), int(size[1]), int(size[2])), affine)

    def describe(self) -> str:
        """Size, spacing, origin and orientation in words, for messages."""
        size = " x ".join(map(str, self.size_zyx))
        spacing = " x ".join(f"{value:g}" for value in np.round(self.spacing_mm_zyx, 3))
        origin = ", ".join(f"{value:.1f}" for value in self.origin_mm_lps)
        return f"{size} voxels (z, y, x) of {spacing} mm, from ({origin}) mm, axes {self.orientation_zyx}"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return self.size_zyx == other.size_zyx and np.array_equal(self.affine_lps, other.affine_lps)

    def __hash__(self) -> int:
        return hash((self.size_zyx, self.affine_lps.tobytes()))

    def __repr__(self) -> str:
        return f"Geometry({self.describe()})"


def same_grid(first: Geometry, second: Geometry, *, names: tuple[str, str] = ("first", "second")) -> None:
    """Refuse two geometries whose voxels are not the same places in the patient.

    Every corner must agree within a hundredth of the smallest spacing.

    Args:
        names: of the two in the message, such as ("scan", "mask").

    Raises:
        DataError: the grids differ; the message names both sizes, spacings and origins, and what differs.

    Example:
        >>> scan = Geometry.from_spacing((3, 4, 4), spacing_mm_zyx=(5, 1, 1))
        >>> same_grid(scan, scan)
    """
    if first.size_zyx != second.size_zyx:
        what = "have different numbers of voxels"
    else:
        distance = float(np.linalg.norm(first.corners_mm() - second.corners_mm(), axis=1).max())
        if distance <= _TOLERANCE * min(first.spacing_mm_zyx + second.spacing_mm_zyx):
            return
        what = f"lie up to {distance:.1f} mm apart"
    raise DataError(
        f"The {names[0]} and the {names[1]} {what}",
        where=f"{names[0]}: {first.describe()}; {names[1]}: {second.describe()}",
        expected="the same voxel grid",
        do="take the two files that belong together, or resample one onto the grid of the other",
    )
