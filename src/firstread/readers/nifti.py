"""NIfTI reader: axial slices of a volume as 8-bit pixels.

A volume is reoriented to the nearest canonical (RAS+) orientation and sliced axially: slice 0 is the lowest. Slices are
in radiological orientation: anterior at the top, the patient's right at the left of the image. Of a volume with a time
or contrast axis the first volume is read.
"""

import gzip
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.errors import DataError, FirstreadError, StorageError
from firstread.core.windows import WindowLike, apply_window, check_window, scale_to_8_bit

#: larger volumes are refused before they are read
MAX_VOXELS = 1_500_000_000
_CHUNK_BYTES = 1 << 22
_PERCENTILES = (0.5, 99.5)


def read_nifti_slice(path: str | Path, *, frame: int | None = None, window: WindowLike = None) -> np.ndarray:
    """Read one axial slice as 8-bit pixels (entry point of the group `firstread.readers`).

    Args:
        path: .nii or .nii.gz.
        frame: index of the slice, 0 is the lowest; None is the middle one.
        window: "file" or None (the 0.5th to 99.5th percentile of the whole volume, so that slices stay comparable),
            "full", the name of a CT window, or (center, width).

    Returns:
        uint8 array (height, width).

    Raises:
        DataError: the file is broken, cut short or too large, or has no such slice.
    """
    path = Path(path)
    checked_window = check_window(window)
    volume, ranges = _load_volume(path, path.stat().st_mtime_ns if path.is_file() else 0)
    count = volume.shape[2]
    index = count // 2 if frame is None else int(frame)
    if not 0 <= index < count:
        raise DataError(f"There is no slice {index}: the volume has {count}", where=path, expected=f"0 to {count - 1}")
    pixels = np.ascontiguousarray(volume[::-1, ::-1, index].T)
    if isinstance(checked_window, tuple):
        return apply_window(pixels, center=checked_window[0], width=checked_window[1])
    return scale_to_8_bit(pixels, *ranges[checked_window])


def count_slices(path: str | Path) -> int:
    """Count the axial slices of a volume, after checking that the file is long enough for all voxels.

    Raises:
        DataError: the file is not a NIfTI volume, or is cut short.
    """
    path = Path(path)
    image = _open_image(path)
    needed_bytes = int(np.prod([int(n) for n in image.shape])) * image.get_data_dtype().itemsize
    if _count_bytes(path, needed_bytes) < needed_bytes:
        raise _broken_file_error(path)
    return int(image.shape[2])


def _count_bytes(path: Path, needed_bytes: int) -> int:
    """Count the bytes of the file, uncompressed; decompression stops well past `needed_bytes`."""
    if path.suffix.lower() != ".gz":
        return path.stat().st_size
    total = 0
    try:
        with gzip.open(path) as file:
            while total <= 2 * needed_bytes + _CHUNK_BYTES and (chunk := file.read(_CHUNK_BYTES)):
                total += len(chunk)
    except (OSError, EOFError, zlib.error):
        raise _broken_file_error(path) from None
    return total


@lru_cache(maxsize=2)
def _load_volume(path: Path, _modified_ns: int) -> tuple[np.ndarray, dict[str, tuple[float, float]]]:
    """(X, Y, Z) voxels in canonical orientation, and the ranges of "file" and "full"; the last two are cached."""
    image = _open_image(path)
    try:
        data = np.asanyarray(image.dataobj)
    except MemoryError:
        raise StorageError("The volume is too large for this computer's memory", where=path) from None
    except Exception:  # truncated gzip stream, short file, scale that is not a number: the file is broken
        raise _broken_file_error(path) from None
    if data.dtype.fields:  # RGB volumes: mean of the channels
        data = np.mean([data[name].astype(np.float32) for name in data.dtype.fields], axis=0)
    data = data.reshape(*data.shape[:3], -1)[..., 0] if data.ndim > 3 else data
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data.ravel()
    if finite.size == 0:
        return data, {"file": (0.0, 1.0), "full": (0.0, 1.0)}
    full = (float(finite.min()), float(finite.max()))
    low, high = np.percentile(finite[:: max(1, finite.size // 1_000_000)], _PERCENTILES)
    return data, {"file": (float(low), float(high)) if low < high else full, "full": full}


def _open_image(path: Path) -> Any:
    import nibabel

    as_closest_canonical: Callable[[Any], Any] = nibabel.as_closest_canonical
    try:
        image = as_closest_canonical(_check_shape(nibabel.load(path), path))
    except FirstreadError:
        raise
    except Exception:  # a broken file can make nibabel raise anything
        raise _broken_file_error(path) from None
    return image


def _check_shape(image: Any, path: Path) -> Any:
    shape = image.shape
    if len(shape) == 2:
        raise DataError("The NIfTI file is flat, with two axes", where=path, expected="a volume with three axes")
    if len(shape) < 2 or min(shape) < 1 or np.prod([float(n) for n in shape]) > MAX_VOXELS:
        raise DataError(
            "The volume has a size that firstread does not read", where=path, expected=f"1 to {MAX_VOXELS:,} voxels"
        )
    return image


def _broken_file_error(path: Path) -> DataError:
    return DataError(
        "The NIfTI file is broken or cut short",
        where=path,
        expected="a whole .nii or .nii.gz volume",
        do="copy it again from where it came from, or leave it out",
    )
