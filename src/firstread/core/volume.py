"""Volume: voxel values in real units, with their geometry in the patient."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from firstread.core.errors import SettingError
from firstread.core.geometry import Geometry
from firstread.core.windows import WindowLike, show_values


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume, or one image as a volume of one slice.

    Attributes:
        values: (z, y, x), float32 or int16 for an image, any integer type for a mask, bool; or (z, y, x, 3) in colour,
            uint8. What a file states: Hounsfield units for CT.
        geometry: place of each voxel in the patient.
        unit: "HU", "SUV", another unit that the file states, or "" where it states none.

    Raises:
        SettingError: the values do not have the geometry's size.

    Example:
        >>> import numpy as np
        >>> grid = Geometry.from_spacing((2, 4, 4), spacing_mm_zyx=(5, 1, 1))
        >>> water = Volume(np.zeros((2, 4, 4), np.int16), grid, unit="HU")
        >>> water.shown("abdomen").dtype
        dtype('uint8')
    """

    values: np.ndarray
    geometry: Geometry
    unit: str = ""

    def __post_init__(self) -> None:
        if self.values.shape[:3] != self.geometry.size_zyx or self.values.ndim not in (3, 4):
            raise SettingError(
                f"The values have the shape {self.values.shape}",
                expected=f"{self.geometry.size_zyx}, or that with three colours",
            )

    @property
    def is_color(self) -> bool:
        """Whether each voxel has red, green and blue."""
        return self.values.ndim == 4

    def shown(self, window: WindowLike = None) -> np.ndarray:
        """8-bit picture of every slice, for people and for networks that want it: uint8 (z, y, x) or (z, y, x, 3).

        Args:
            window: see `firstread.core.windows`; None or "file" spreads the 0.5th to the 99.5th percentile of the whole
                volume, so that slices stay comparable.
        """
        return self.values if self.is_color else show_values(self.values, window, unit=self.unit)

    def labelled(self, numbers: Collection[int]) -> "Volume":
        """Mask of a label map: bool, True where it has one of the numbers; without any number, where it is not 0."""
        if not numbers:
            return replace(self, values=self.values != 0, unit="")
        if len(numbers) == 1:
            return replace(self, values=self.values == next(iter(numbers)), unit="")
        return replace(self, values=np.isin(self.values, list(numbers)), unit="")

    def cropped(self, start_zyx: Sequence[int], size_zyx: Sequence[int]) -> "Volume":
        """A part of the volume that lies within it; a view of the same values."""
        start, size = np.asarray(start_zyx, int), np.asarray(size_zyx, int)
        if (start < 0).any() or (size < 1).any() or (start + size > self.geometry.size_zyx).any():
            raise SettingError(
                f"The part from {tuple(start.tolist())} of size {tuple(size.tolist())} is not within the volume",
                expected=f"within {self.geometry.size_zyx}",
            )
        part = tuple(slice(int(a), int(a + n)) for a, n in zip(start, size, strict=True))
        return replace(self, values=self.values[part], geometry=self.geometry.cropped(start.tolist(), size.tolist()))

    def resampled(self, geometry: Geometry, *, order: int = 1, outside: float | None = None) -> "Volume":
        """The values at the voxels of another grid, interpolated in the patient.

        Args:
            geometry: of the result; see `Geometry.resampled` for another spacing.
            order: of the spline: 0 (nearest, for masks), 1 (linear), 3 (cubic).
            outside: value beyond this volume's outermost voxels; None repeats them.

        Returns:
            Volume of the same type of values; integers are rounded. Coarser grids are not smoothed first.
        """
        from scipy.ndimage import affine_transform

        if self.is_color:
            raise SettingError("A colour volume cannot be resampled", do="take one of its channels")
        matrix = np.linalg.inv(self.geometry.affine_lps) @ geometry.affine_lps  # index of the result -> index here
        kind = self.values.dtype
        values = affine_transform(
            self.values.astype(np.float32 if order else kind, copy=False),
            matrix[:3, :3],
            matrix[:3, 3],
            output_shape=geometry.size_zyx,
            order=order,
            mode="nearest" if outside is None else "constant",
            cval=0.0 if outside is None else outside,
        )
        if order and kind.kind in "iub":
            limits = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
            values = np.clip(np.rint(values), *limits)
        return replace(self, values=values.astype(kind, copy=False), geometry=geometry)
