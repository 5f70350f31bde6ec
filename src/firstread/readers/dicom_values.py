"""Values of DICOM slices in real units: rescale slope and intercept of each slice, int16 where that is exact."""

import itertools
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError, StorageError
from firstread.core.images import MAX_VOXELS
from firstread.core.volume import Volume
from firstread.dicom.headers import convert_dicom_errors, open_dicom
from firstread.dicom.pixel_units import is_rescale_broken, linear_rescale, modality_transform
from firstread.readers.decoders import decode_frame
from firstread.readers.dicom_pixels import apply_modality_transform, color_to_8_bit, palette_to_8_bit
from firstread.readers.dicom_series import SliceStack
from firstread.readers.dicom_slices import no_unit_error

if TYPE_CHECKING:
    from pydicom import Dataset

_INT16 = np.iinfo(np.int16)
#: larger whole slopes and intercepts are applied as real numbers
_MAX_WHOLE = 2**30


def read_stack(stack: SliceStack) -> Volume:
    """Decode the slices of a stack as one volume in real units.

    Returns:
        Volume: int16 if every value of every slice is a whole number in its range, else float32; colour is uint8
        (z, y, x, 3). MONOCHROME1 is not inverted, padding keeps the value that the file gives it.

    Raises:
        DataError: the stack is no volume, or a file is broken; the message says why.
    """
    if stack.problem is not None:
        raise stack.problem
    if stack.geometry is None or np.prod(stack.geometry.size_zyx, dtype=float) > MAX_VOXELS:
        raise DataError(
            "The volume has a size that firstread does not read",
            where=stack.files[0].parent,
            expected=f"1 to {MAX_VOXELS:,} voxels",
        )
    try:
        values = np.empty(stack.geometry.size_zyx, np.int16)
    except MemoryError:
        raise StorageError("The volume is too large for this computer's memory", where=stack.files[0].parent) from None
    by_file = sorted(enumerate(stack.slices), key=lambda pair: str(pair[1].path))
    for path, members in itertools.groupby(by_file, key=lambda pair: pair[1].path):
        dataset = open_dicom(path)
        with convert_dicom_errors(path):
            for index, one in members:
                values = _store(values, index, read_frame_values(dataset, one.frame))
    return Volume(values, stack.geometry, unit=stack.unit)


def _store(values: np.ndarray, index: int, frame: np.ndarray) -> np.ndarray:
    """Put a frame into the volume, which becomes colour or float32 with the first frame that needs it."""
    if frame.ndim == 3 and values.ndim == 3:
        values = np.empty((*values.shape, 3), np.uint8)
    elif frame.dtype == np.float32 and values.dtype == np.int16:
        values = values.astype(np.float32)
    values[index] = frame
    return values


def read_frame_values(dataset: "Dataset", frame: int) -> np.ndarray:
    """Decode one frame in real units: int16 (H, W) where that is exact, else float32; uint8 (H, W, 3) in colour.

    Raises:
        DataError: the pixels cannot be decoded, or the rescale slope is not possible.
    """
    raw = decode_frame(dataset, frame)
    if raw.ndim == 3:
        return color_to_8_bit(raw, dataset)
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        return palette_to_8_bit(raw, dataset)
    if is_rescale_broken(dataset, frame):
        raise no_unit_error(getattr(dataset, "filename", None) or "a DICOM file")
    rescale = linear_rescale(modality_transform(dataset, frame))
    if rescale is None:
        return _narrow(apply_modality_transform(raw, dataset, frame))
    slope, intercept = rescale
    is_whole = slope.is_integer() and intercept.is_integer() and max(abs(slope), abs(intercept)) <= _MAX_WHOLE
    if is_whole and raw.dtype.kind in "iu" and raw.dtype.itemsize <= 4:
        return _narrow(raw.astype(np.int64) * int(slope) + int(intercept))
    return (raw.astype(np.float64) * slope + intercept).astype(np.float32)


def _narrow(values: np.ndarray) -> np.ndarray:
    """int16 for integers in its range, else float32."""
    is_exact = values.dtype.kind in "iub" and values.min() >= _INT16.min and values.max() <= _INT16.max
    return values.astype(np.int16 if is_exact else np.float32)
