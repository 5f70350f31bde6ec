"""Reading DICOM images as a reading station shows them.

The order of the transformations is DICOM's (PS3.4 N.2): decode, modality LUT, VOI LUT or window, presentation
(MONOCHROME1 turned over). Decoding is pydicom's with the plugins that come with firstread.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError, SettingError
from firstread.dicom.headers import (
    dicom_errors,
    frames_of,
    open_dicom,
    read_header,
)
from firstread.readers.decoders import decode
from firstread.readers.windows import Window, apply_range, apply_window, check_window, is_named_ct_window

if TYPE_CHECKING:
    from pydicom import Dataset

__all__ = ["count_frames", "read_dicom", "read_header", "read_image"]


def read_dicom(path: str | Path, *, frame: int | None = None, window: Any = "file") -> np.ndarray:
    """Read a DICOM image as 8-bit pixels, the way it would be shown to a radiologist.

    Args:
        path: a file with any name; with or without the 128-byte preamble, compressed or not.
        frame: which frame of a multi-frame file, from 0; None is the first.
        window: how 12 or 16 bits become 8: "file" (what the file says, else the 0.5th to 99.5th percentile), "full",
            the name of a CT window such as "lung", or (center, width); see `firstread.readers.windows`.

    Returns:
        uint8 array, (height, width) for grayscale or (height, width, 3) for colour. Bright is what the file wants shown
        bright: MONOCHROME1 is turned over. Padding is black.

    Raises:
        DataError: the file is no DICOM image, or is broken or cut short; the message names the file, never the patient.
        SettingError: the window makes no sense for this file, or there is no such frame.

    Source: DICOM PS3.3 C.7.6.3, C.11.1, C.11.2; PS3.4 N.2.
    """
    path = Path(path)
    chosen = check_window(window)
    dataset = open_dicom(path)
    with dicom_errors(path):
        index = _check_frame(frame, frames_of(dataset), path)
        modality = dataset.get("Modality")
        if is_named_ct_window(window) and modality not in (None, "", "CT"):
            raise SettingError(
                f'The window "{window}" is for CT, and this image is not a CT',
                where=path,
                expected='"file", "full" or (center, width)',
            )
        raw = decode(dataset, index)
        if raw.ndim == 3:
            return _colour_to_8_bit(raw, dataset)
        if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
            return _palette_to_8_bit(raw, dataset)
        return _gray_to_8_bit(raw, dataset, index=index, window=chosen)


def read_image(path: str | Path, *, frame: int | None = None, window: Any = None) -> np.ndarray:
    """The entry point of the group `firstread.readers`: as `read_dicom`, with no window meaning "file"."""
    return read_dicom(path, frame=frame, window="file" if window is None else window)


def count_frames(path: str | Path) -> int:
    """How many frames a DICOM file holds.

    Raises:
        DataError: as `read_dicom`.
    """
    return int(read_header(path)["frames"])


def _check_frame(frame: int | None, frames: int, path: Path) -> int:
    index = 0 if frame is None else int(frame)
    if not 0 <= index < frames:
        raise DataError(f"There is no frame {index}: the file has {frames}", where=path, expected=f"0 to {frames - 1}")
    return index


def _gray_to_8_bit(raw: np.ndarray, dataset: "Dataset", *, index: int, window: Window) -> np.ndarray:
    padding = _padding(raw, dataset)
    values = _to_units(raw, dataset, index)
    used = ~padding if padding is not None else None
    if window == "full":
        result = apply_range(values, percentiles=False, used=used)
    elif isinstance(window, tuple):
        result = apply_window(values, center=window[0], width=window[1])
    else:
        result = _as_the_file_says(values, dataset, index=index, used=used)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        result = 255 - result
    if padding is not None:
        result = np.where(padding, np.uint8(0), result)
    return np.ascontiguousarray(result)


def _to_units(raw: np.ndarray, dataset: "Dataset", index: int) -> np.ndarray:
    """Modality LUT or rescale: for CT, stored values to Hounsfield units."""
    from pydicom.pixels import apply_modality_lut

    source = _frame_group(dataset, index, "PixelValueTransformationSequence") or dataset
    if "ModalityLUTSequence" in source and not len(source.ModalityLUTSequence):
        return raw
    return apply_modality_lut(raw, source)


def _as_the_file_says(values: np.ndarray, dataset: "Dataset", *, index: int, used: np.ndarray | None) -> np.ndarray:
    source = _frame_group(dataset, index, "FrameVOILUTSequence") or dataset
    if source.get("VOILUTSequence"):
        return _voi_lut_to_8_bit(values, dataset, source)
    center, width = _first(source.get("WindowCenter")), _first(source.get("WindowWidth"))
    function = str(source.get("VOILUTFunction") or "LINEAR").upper()
    if center is not None and width is not None and width > 0:
        return apply_window(values, center=center, width=width, function=function)
    bits = int(dataset.get("BitsStored") or 0)
    if values.dtype == np.uint8 and 2 <= bits <= 8:  # no window and 8 bits: as they are
        return values if bits == 8 else apply_window(values, center=2 ** (bits - 1), width=2**bits)
    return apply_range(values, percentiles=True, used=used)


def _voi_lut_to_8_bit(values: np.ndarray, dataset: "Dataset", source: "Dataset") -> np.ndarray:
    from pydicom.pixels import apply_voi

    table = source.VOILUTSequence[0]
    bits = int(table.LUTDescriptor[2])
    if source is dataset:
        looked_up = apply_voi(np.rint(values).astype(np.int64), dataset)
    else:
        looked_up = apply_voi(np.rint(values).astype(np.int64), source)
    top = int(np.max(looked_up))
    return scale_bits(looked_up, bits if top < 2**bits else 16)


def _colour_to_8_bit(raw: np.ndarray, dataset: "Dataset") -> np.ndarray:
    bits = int(dataset.get("BitsStored") or 8)
    return np.ascontiguousarray(scale_bits(raw[..., :3], bits))


def _palette_to_8_bit(raw: np.ndarray, dataset: "Dataset") -> np.ndarray:
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(raw, dataset)[..., :3]
    return np.ascontiguousarray(scale_bits(colours, colours.dtype.itemsize * 8))


def scale_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """uint8 from unsigned values of `bits` bits."""
    if bits == 8:
        return np.clip(values, 0, 255).astype(np.uint8)
    return np.clip(np.rint(values.astype(np.float64) * (255.0 / (2**bits - 1))), 0, 255).astype(np.uint8)


def _padding(raw: np.ndarray, dataset: "Dataset") -> np.ndarray | None:
    """(H, W) bool: pixels that stand for no image at all (PS3.3 C.7.5.1.1.2); None where the file states none."""
    low = dataset.get("PixelPaddingValue")
    if not isinstance(low, int):
        return None
    high = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((low, high if isinstance(high, int) else low))
    mask = (raw >= low) & (raw <= high)
    return mask if mask.any() and not mask.all() else None


def _frame_group(dataset: "Dataset", index: int, keyword: str) -> "Dataset | None":
    """An item of the functional groups of an enhanced multi-frame image: of this frame, or shared by all."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for group in [*([per_frame[index]] if index < len(per_frame) else []), *shared[:1]]:
        if group.get(keyword):
            return group[keyword][0]
    return None


def _first(value: Any) -> float | None:
    """The first of what may be several windows."""
    from pydicom.multival import MultiValue

    if isinstance(value, (MultiValue, list, tuple)):
        value = value[0] if len(value) else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None
