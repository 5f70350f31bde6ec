"""NIfTI reader and writer (entry point of the group `firstread.readers`).

For display a volume is reoriented to the nearest canonical (RAS+) orientation and sliced axially: slice 0 is the
lowest. Slices are in radiological orientation: anterior at the top, the patient's right at the left of the image. Of a
volume with a time or contrast axis the first volume is shown. `read_volume` keeps the file's own grid.
"""

import gzip
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError, SettingError, StorageError
from firstread.core.files import write_atomically
from firstread.core.geometry import Geometry
from firstread.core.images import ImageInfo
from firstread.core.volume import Volume
from firstread.core.windows import WindowLike, apply_window, check_window, scale_to_8_bit
from firstread.readers.nifti_header import (
    affine_to_ras,
    broken_file_error,
    check_length,
    geometry_from_ras,
    make_extension,
    open_nifti,
    read_geometry,
    read_unit,
)

if TYPE_CHECKING:
    from nibabel import Nifti1Image

_PERCENTILES = (0.5, 99.5)
_INT16 = np.iinfo(np.int16)
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
_COMPRESSION_LEVEL = 3


def read_image(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read one axial slice as 8-bit pixels.

    Args:
        path: .nii, .nii.gz, or the .hdr of a pair of files.
        frame: index of the slice, 0 is the lowest; None is the middle one.
        window: "file" or None (the 0.5th to 99.5th percentile of the whole volume, so that slices stay comparable),
            "full", the name of a CT window, or (center, width). With the last two, only the slice is read from an
            uncompressed file.

    Returns:
        uint8 array (height, width).

    Raises:
        DataError: the file is broken, cut short or too large, or has no such slice.
    """
    path = Path(path)
    checked_window = check_window(window)
    if isinstance(checked_window, tuple) and path.suffix.lower() == ".nii":
        image = open_nifti(path)
        slab = _mean_of_colors(_read_slab(image, _check_slice(frame, _axial_axis(image)[1], path), path))
        pixels = np.ascontiguousarray(slab[::-1, ::-1, 0].T)
        return apply_window(pixels, center=checked_window[0], width=checked_window[1])
    volume, ranges = _load_volume(path, path.stat().st_mtime_ns if path.is_file() else 0)
    pixels = np.ascontiguousarray(volume[::-1, ::-1, _check_slice(frame, volume.shape[2], path)].T)
    if isinstance(checked_window, tuple):
        return apply_window(pixels, center=checked_window[0], width=checked_window[1])
    return scale_to_8_bit(pixels, *ranges[checked_window])


def read_info(path: str | Path) -> ImageInfo:
    """Read the header, after checking that the file is long enough for all voxels.

    Returns:
        ImageInfo; the geometry is in the file's own grid, the frames are axial slices as `read_image` counts them.

    Raises:
        DataError: the file is not a NIfTI volume, or is cut short.
    """
    path = Path(path)
    image = open_nifti(path)
    check_length(image, path)
    columns, rows, frames = np.array(image.shape[:3])[np.argsort(_orientation(image, path)[:, 0])].tolist()
    try:
        geometry = read_geometry(image, path) if len(_volume_shape(image)) == 3 else None
    except DataError:
        geometry = None
    return ImageInfo(
        format="nifti", frames=frames, rows=rows, columns=columns, geometry=geometry, unit=read_unit(image)
    )


def pixel_aspect(path: str | Path, *, frame: int | None = None) -> float:
    """Height of a pixel of the axial slices divided by its width, by the distances of the voxels.

    Raises:
        DataError: as `read_info`.
    """
    path = Path(path)
    image = open_nifti(path)
    axes = np.argsort(_orientation(image, path)[:, 0])
    lengths = np.linalg.norm(np.asarray(image.affine)[:3, :3], axis=0)[axes]
    return float(lengths[1] / lengths[0])


def count_slices(path: str | Path) -> int:
    """Count the axial slices of a volume, see `read_info`."""
    return read_info(path).frames


def read_volume(paths: Sequence[str | Path], *, frame: int | None = None) -> Volume:
    """Read a volume in its own grid, without reorientation; values with the file's scale applied.

    Args:
        paths: one file.
        frame: index of an axial slice as `read_image` counts and shows them: a volume of one slice with anterior at the
            top; only this slice is read from an uncompressed file.

    Returns:
        Volume: integers stay as the file stores them (a label map); scaled and real numbers become int16 where that is
        exact, else float32; RGB is uint8 (z, y, x, 3).

    Raises:
        DataError: several files; broken or cut short; several volumes in the file (time, contrast); an impossible
            affine.
    """
    if len(paths) != 1:
        raise DataError(f"These are {len(paths)} NIfTI files", where=paths[0], expected="one file for a volume")
    path = Path(paths[0])
    image = open_nifti(path)
    if len(_volume_shape(image)) != 3:
        raise DataError(
            f"The NIfTI file holds {int(np.prod(image.shape[3:]))} volumes, as over time or of a vector",
            where=path,
            expected="one volume",
            do="write each volume to a file of its own; read_image shows the first one",
        )
    grid = read_geometry(image, path)
    if frame is None:
        values = _real_values(_read_voxels(image, path, (slice(None),) * 3))
        return Volume(np.ascontiguousarray(values.swapaxes(0, 2)), grid, unit=read_unit(image))
    index = _check_slice(frame, _axial_axis(image)[1], path)
    values = _real_values(_read_slab(image, index, path))[::-1, ::-1]
    geometry = _slice_geometry(image, index, grid)
    return Volume(np.ascontiguousarray(values.swapaxes(0, 2)), geometry, unit=read_unit(image))


def write_nifti(path: str | Path, volume: Volume) -> Path:
    """Write a volume as NIfTI, atomically; `read_volume` gives the same voxels, geometry and unit back.

    The grid is kept as it is; programs that read the file find the patient's axes in its affine.

    Args:
        path: ends in .nii or .nii.gz.
        volume: in any grid, sheared too; bool is written as uint8.

    Raises:
        SettingError: another extension, or values that NIfTI cannot hold.
        StorageError: the disk is full or the folder cannot be written.

    Example:
        >>> import numpy as np, tempfile
        >>> grid = Geometry.from_spacing((2, 4, 4), spacing_mm_zyx=(5, 0.8, 0.8))
        >>> file = write_nifti(Path(tempfile.mkdtemp()) / "mask.nii.gz", Volume(np.ones((2, 4, 4), np.uint8), grid))
        >>> int(read_volume([file]).values.sum())
        32
    """
    path = Path(path)
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise SettingError(f'"{path.name}" is no name for a NIfTI file', expected="a name that ends in .nii or .nii.gz")
    image = _make_image(volume)

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            if path.suffix.lower() == ".gz":  # without name and time, so that equal volumes are equal files
                with gzip.GzipFile("", "wb", _COMPRESSION_LEVEL, file, mtime=0) as packed:
                    image.to_stream(packed)
            else:
                image.to_stream(file)

    return write_atomically(path, write)


def _make_image(volume: Volume) -> "Nifti1Image":
    import nibabel

    values = volume.values.astype(np.uint8) if volume.values.dtype == bool else volume.values
    if volume.is_color:
        values = np.ascontiguousarray(values.astype(np.uint8)).view(_RGB)[..., 0]
    elif values.dtype.kind not in "iuf" or values.dtype == np.float16:
        raise SettingError(f"NIfTI cannot hold values of the type {values.dtype}", expected="integers or float32")
    affine = affine_to_ras(volume.geometry)
    image = nibabel.Nifti1Image(values.swapaxes(0, 2), affine, dtype=values.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code="scanner")
    if not volume.geometry.is_sheared:
        image.set_qform(affine, code="scanner")
    image.header.extensions.append(make_extension(volume.geometry, volume.unit))
    return image


@lru_cache(maxsize=2)
def _load_volume(path: Path, _modified_ns: int) -> tuple[np.ndarray, dict[str, tuple[float, float]]]:
    """(X, Y, Z) voxels in canonical orientation, and the ranges of "file" and "full"; the last two are cached."""
    import nibabel

    image = open_nifti(path)
    ornt = _orientation(image, path)
    first = (slice(None),) * 3 + (0,) * (len(image.shape) - 3)
    data = _mean_of_colors(nibabel.apply_orientation(_read_voxels(image, path, first), ornt))
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data.ravel()
    if finite.size == 0:
        return data, {"file": (0.0, 1.0), "full": (0.0, 1.0)}
    full = (float(finite.min()), float(finite.max()))
    low, high = np.percentile(finite[:: max(1, finite.size // 1_000_000)], _PERCENTILES)
    return data, {"file": (float(low), float(high)) if low < high else full, "full": full}


def _orientation(image: "Nifti1Image", path: Path) -> np.ndarray:
    """(3, 2): for each axis i, j, k the nearest axis of the patient (0 right, 1 anterior, 2 superior) and its sign."""
    import nibabel

    try:
        ornt: np.ndarray = np.asarray(nibabel.io_orientation(image.affine))
    except Exception:  # an affine that is not finite
        raise broken_file_error(path) from None
    if np.isnan(ornt).any():  # an axis of no length
        raise broken_file_error(path)
    return ornt.astype(int)


def _axial_axis(image: "Nifti1Image") -> tuple[int, int]:
    """The axis of the array that runs from the feet to the head, and its length."""
    axis = int(np.flatnonzero(_orientation(image, Path(image.get_filename() or ""))[:, 0] == 2)[0])
    return axis, int(image.shape[axis])


def _read_slab(image: "Nifti1Image", index: int, path: Path) -> np.ndarray:
    """One axial slice of the first volume in canonical orientation: (X, Y, 1); nothing else is read if possible."""
    import nibabel

    ornt = _orientation(image, path)
    axis, count = _axial_axis(image)
    position = index if ornt[axis, 1] > 0 else count - 1 - index
    slicer: list[Any] = [slice(None)] * 3 + [0] * (len(image.shape) - 3)
    slicer[axis] = slice(position, position + 1)
    slab: np.ndarray = nibabel.apply_orientation(_read_voxels(image, path, tuple(slicer)), ornt)
    return slab


def _read_voxels(image: "Nifti1Image", path: Path, slicer: tuple[Any, ...]) -> np.ndarray:
    """Scaled voxels of a part of the file."""
    try:
        return np.asanyarray(image.dataobj[slicer])
    except MemoryError:
        raise StorageError("The volume is too large for this computer's memory", where=path) from None
    except Exception:  # truncated gzip stream, short file, scale that is not a number: the file is broken
        raise broken_file_error(path) from None


def _mean_of_colors(data: np.ndarray) -> np.ndarray:
    if not data.dtype.fields:
        return data
    mean: np.ndarray = np.mean([data[name].astype(np.float32) for name in data.dtype.fields], axis=0)
    return mean


def _real_values(data: np.ndarray) -> np.ndarray:
    """Values of a type that Volume holds, (i, j, k) or (i, j, k, 3), in the machine's byte order."""
    data = data.reshape(data.shape[:3])
    if data.dtype.fields:
        return np.stack([data[name] for name in list(data.dtype.fields)[:3]], axis=-1).astype(np.uint8)
    if data.dtype.kind in "iub":
        return data.astype(data.dtype.newbyteorder("="), copy=False)
    return _narrow(data)


def _narrow(data: np.ndarray) -> np.ndarray:
    """int16 if all values are whole numbers in its range, as of scaled CT or labels stored as floats, else float32."""
    narrow = np.empty(data.shape, np.int16, order="F")
    for index in range(data.shape[2]):  # a slice at a time: the file's 64-bit values fill the memory already
        whole = np.rint(data[..., index])
        if not ((whole == data[..., index]) & (whole >= _INT16.min) & (whole <= _INT16.max)).all():
            return data.astype(np.float32)
        narrow[..., index] = whole
    return narrow


def _volume_shape(image: "Nifti1Image") -> tuple[int, ...]:
    """Shape without axes of length 1 after the third."""
    extra = tuple(count for count in image.shape[3:] if count > 1)
    return (*image.shape[:3], *extra)


def _check_slice(frame: int | None, count: int, path: Path) -> int:
    index = count // 2 if frame is None else int(frame)
    if not 0 <= index < count:
        raise DataError(f"There is no slice {index}: the volume has {count}", where=path, expected=f"0 to {count - 1}")
    return index


def _slice_geometry(image: "Nifti1Image", index: int, grid: Geometry) -> Geometry:
    """Geometry of an axial slice as it is shown: rows to posterior, columns to the left."""
    import nibabel

    ornt = _orientation(image, Path(image.get_filename() or ""))
    canonical = affine_to_ras(grid) @ nibabel.orientations.inv_ornt_aff(ornt, image.shape[:3])
    columns, rows, _ = np.array(image.shape[:3])[np.argsort(ornt[:, 0])].tolist()
    turned = np.array([[-1, 0, 0, columns - 1], [0, -1, 0, rows - 1], [0, 0, 1, index], [0, 0, 0, 1]], float)
    return geometry_from_ras(canonical @ turned, (columns, rows, 1))
