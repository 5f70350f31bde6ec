"""NIfTI volumes as axial slices.

A volume is brought into the nearest standard orientation and cut across the body: slice 0 is the lowest. Each slice is
shown as a radiologist sees it, front at the top, the patient's right at the left of the picture. Of a volume with a
time or contrast axis the first volume is read.
"""

import gzip
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from firstread.core.errors import DataError, FirstreadError, StorageError
from firstread.core.images import scale_to_8_bit
from firstread.readers.windows import apply_window, check_window

#: volumes of more voxels are refused before they are read
LARGEST_VOXELS = 1_500_000_000
_CHUNK_BYTES = 1 << 22
_PERCENTILES = (0.5, 99.5)


def read_image(path: str | Path, *, frame: int | None = None, window: Any = None) -> np.ndarray:
    """Read one axial slice as 8-bit pixels (entry point of the group `firstread.readers`).

    Args:
        path: .nii or .nii.gz.
        frame: slice, from 0 at the feet; None is the middle one.
        window: "file" or None (the 0.5th to 99.5th percentile of the whole volume, so that slices stay comparable),
            "full", the name of a CT window, or (center, width).

    Returns:
        uint8 array (height, width).

    Raises:
        DataError: the file is broken, cut short or too large, or has no such slice.
    """
    path = Path(path)
    chosen = check_window(window)
    volume, ranges = _volume(path, path.stat().st_mtime_ns if path.is_file() else 0)
    count = volume.shape[2]
    index = count // 2 if frame is None else int(frame)
    if not 0 <= index < count:
        raise DataError(f"There is no slice {index}: the volume has {count}", where=path, expected=f"0 to {count - 1}")
    pixels = np.ascontiguousarray(volume[::-1, ::-1, index].T)
    if isinstance(chosen, tuple):
        return apply_window(pixels, center=chosen[0], width=chosen[1])
    return scale_to_8_bit(pixels, *ranges[chosen])


def count_slices(path: str | Path) -> int:
    """How many axial slices a volume has, after a look whether all of its voxels are there.

    Raises:
        DataError: the file is not a NIfTI volume, or is cut short.
    """
    path = Path(path)
    image = _opened(path)
    needed = int(np.prod([int(n) for n in image.shape])) * image.get_data_dtype().itemsize
    if _bytes_of_content(path, needed) < needed:
        raise _broken(path)
    return int(image.shape[2])


def _bytes_of_content(path: Path, enough: int) -> int:
    """Length of the file, unpacked if it is packed; unpacking stops where there is more than enough."""
    if path.suffix.lower() != ".gz":
        return path.stat().st_size
    total = 0
    try:
        with gzip.open(path) as file:
            while total <= 2 * enough + _CHUNK_BYTES and (chunk := file.read(_CHUNK_BYTES)):
                total += len(chunk)
    except (OSError, EOFError, zlib.error):
        raise _broken(path) from None
    return total


@lru_cache(maxsize=2)
def _volume(path: Path, _changed: int) -> tuple[np.ndarray, dict[str, tuple[float, float]]]:
    """(X, Y, Z) voxels in standard orientation, and what "file" and "full" stretch; the last two volumes are kept."""
    image = _opened(path)
    try:
        data = np.asanyarray(image.dataobj)
    except MemoryError:
        raise StorageError("The volume is too large for this computer's memory", where=path) from None
    except Exception:  # a cut-off gzip stream, a short file, a scale that is no number: all mean a broken file
        raise _broken(path) from None
    if data.dtype.fields:  # RGB volumes: the mean of the colours
        data = np.mean([data[name].astype(np.float32) for name in data.dtype.fields], axis=0)
    data = data.reshape(*data.shape[:3], -1)[..., 0] if data.ndim > 3 else data
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data.ravel()
    if finite.size == 0:
        return data, {"file": (0.0, 1.0), "full": (0.0, 1.0)}
    full = (float(finite.min()), float(finite.max()))
    low, high = np.percentile(finite[:: max(1, finite.size // 1_000_000)], _PERCENTILES)
    return data, {"file": (float(low), float(high)) if low < high else full, "full": full}


def _opened(path: Path) -> Any:
    import nibabel

    try:
        image = nibabel.as_closest_canonical(_three_dimensional(nibabel.load(path), path))
    except FirstreadError:
        raise
    except Exception:  # nibabel raises whatever the broken part makes it raise
        raise _broken(path) from None
    return image


def _three_dimensional(image: Any, path: Path) -> Any:
    shape = image.shape
    if len(shape) == 2:
        raise DataError("The NIfTI file is flat, with two axes", where=path, expected="a volume with three axes")
    if len(shape) < 2 or min(shape) < 1 or np.prod([float(n) for n in shape]) > LARGEST_VOXELS:
        raise DataError(
            "The volume has a size that firstread does not read", where=path, expected=f"1 to {LARGEST_VOXELS:,} voxels"
        )
    return image


def _broken(path: Path) -> DataError:
    return DataError(
        "The NIfTI file is broken or cut short",
        where=path,
        expected="a whole .nii or .nii.gz volume",
        do="copy it again from where it came from, or leave it out",
    )
