"""DICOM pixel reader: DICOM images as 8-bit pixels, displayed as on a reading station.

The order of the transformations is that of DICOM (PS3.4 N.2): decoding, modality LUT, VOI LUT or window, presentation
(MONOCHROME1 is inverted). pydicom decodes, with the plugins chosen in `firstread.readers.decoders`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError, SettingError
from firstread.core.windows import Window, WindowLike, apply_range, apply_window, check_window, is_named_ct_window
from firstread.dicom.functional_groups import functional_group
from firstread.dicom.headers import convert_dicom_errors, open_dicom, read_header
from firstread.dicom.pixel_elements import get_numbers, number_of_frames, transfer_syntax
from firstread.dicom.pixel_units import is_rescale_broken, linear_rescale, modality_transform
from firstread.readers.decoders import decode_frame

if TYPE_CHECKING:
    from pydicom import Dataset

_PALETTE_TABLES = tuple(f"{color}PaletteColorLookupTableData" for color in ("Red", "Green", "Blue"))

__all__ = ["count_frames", "read_dicom", "read_header"]


def read_dicom(path: str | Path, *, frame: int | None = None, window: WindowLike = "file") -> np.ndarray:
    """Read a DICOM image as 8-bit pixels, as a reading station displays it.

    Args:
        path: a DICOM file of any name, with or without the 128-byte preamble, compressed or not.
        frame: which frame of a multi-frame file, from 0; None is the first.
        window: how 12 or 16 bits become 8: "file" (as the file states, else the 0.5th to 99.5th percentile), "full",
            the name of a CT window such as "lung", or (center, width); see `firstread.core.windows`.

    Returns:
        uint8 array, (height, width) for grayscale or (height, width, 3) for colour. MONOCHROME1 is inverted; padding is
        black.

    Raises:
        DataError: the file is not a DICOM image, is broken or cut short, or has no such frame; the message names the
            file, never the patient.
        SettingError: the window does not apply to this file.

    Source: DICOM PS3.3 C.7.6.3, C.11.1, C.11.2; PS3.4 N.2.

    Example:
        >>> from pydicom.data import get_testdata_file
        >>> pixels = fr.read_dicom(get_testdata_file("CT_small.dcm"), window="abdomen")
        >>> pixels.shape, pixels.dtype
        ((128, 128), dtype('uint8'))
    """
    path = Path(path)
    checked_window = check_window(window)
    dataset = open_dicom(path)
    with convert_dicom_errors(path):
        index = _check_frame(frame, number_of_frames(dataset), path)
        _check_unit(dataset, index, window, path)
        return make_picture(decode_frame(dataset, index), dataset, index=index, window=checked_window)


def make_picture(raw: np.ndarray, dataset: "Dataset", *, index: int, window: Window = "file") -> np.ndarray:
    """The 8-bit picture of a decoded frame, or of a part of it: uint8 (H, W) or (H, W, 3)."""
    if raw.ndim == 3:
        return color_to_8_bit(raw, dataset)
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        return palette_to_8_bit(raw, dataset)
    return _gray_to_8_bit(raw, dataset, index=index, window=window)


def count_frames(path: str | Path) -> int:
    """Count the frames of a DICOM file.

    Raises:
        DataError: as `read_dicom`.
    """
    return int(read_header(path)["frames"])


def _check_unit(dataset: "Dataset", index: int, window: WindowLike, path: Path) -> None:
    """Refuse a window in Hounsfield units for values that are in none."""
    modality = dataset.get("Modality")
    if is_named_ct_window(window) and modality not in (None, "", "CT"):
        raise SettingError(
            f'The window "{window}" is for CT, and this image is not a CT',
            where=path,
            expected='"file", "full" or (center, width)',
        )
    is_in_hounsfield = isinstance(check_window(window), tuple) and (is_named_ct_window(window) or modality == "CT")
    if is_in_hounsfield and is_rescale_broken(dataset, index):
        raise DataError(
            "The rescale slope or intercept is missing, zero or no number, so no window in Hounsfield units fits",
            where=path,
            expected='"file" or "full" as the window',
            do="read it as a picture with one of these, or leave it out",
        )


def _check_frame(frame: int | None, frames: int, path: Path) -> int:
    index = 0 if frame is None else int(frame)
    if not 0 <= index < frames:
        raise DataError(f"There is no frame {index}: the file has {frames}", where=path, expected=f"0 to {frames - 1}")
    return index


def _gray_to_8_bit(raw: np.ndarray, dataset: "Dataset", *, index: int, window: Window) -> np.ndarray:
    padding = _padding_mask(raw, dataset)
    values = apply_modality_transform(raw, dataset, index)
    mask = ~padding if padding is not None else None
    if window == "full":
        result = apply_range(values, percentiles=False, mask=mask)
    elif isinstance(window, tuple):
        step = _step(raw, dataset, index)
        result = apply_window(values, center=window[0], width=window[1], step=step)
    else:
        result = _apply_file_window(values, dataset, index=index, mask=mask, step=_step(raw, dataset, index))
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        result = 255 - result
    if padding is not None:
        result = np.where(padding, np.uint8(0), result)
    return np.ascontiguousarray(result)


def apply_modality_transform(raw: np.ndarray, dataset: "Dataset", index: int) -> np.ndarray:
    """Apply modality LUT or rescale slope and intercept: for CT, stored values to Hounsfield units.

    A slope and intercept that cannot be used are ignored, as dcmtk does.
    """
    from pydicom.pixels import apply_modality_lut

    transform = modality_transform(dataset, index)
    if transform.get("ModalityLUTSequence"):
        return apply_modality_lut(raw, transform)
    rescale = linear_rescale(transform)
    return raw if rescale is None else raw.astype(np.float64) * rescale[0] + rescale[1]


def _step(raw: np.ndarray, dataset: "Dataset", index: int) -> float | None:
    """Distance of neighbouring values after the modality transform; None where it has to be seen from the values."""
    rescale = linear_rescale(modality_transform(dataset, index))
    return abs(rescale[0]) if rescale and raw.dtype.kind in "iub" else None


def _apply_file_window(
    values: np.ndarray, dataset: "Dataset", *, index: int, mask: np.ndarray | None, step: float | None
) -> np.ndarray:
    source = functional_group(dataset, index, "FrameVOILUTSequence") or dataset
    if source.get("VOILUTSequence"):
        return _voi_lut_to_8_bit(values, source)
    center, width = get_numbers(source, "WindowCenter")[:1], get_numbers(source, "WindowWidth")[:1]
    function = str(source.get("VOILUTFunction") or "LINEAR").strip().upper()
    if center and width and width[0] > 0:
        return apply_window(values, center=center[0], width=width[0], function=function, step=step)
    bits = int(dataset.get("BitsStored") or 0)
    if values.dtype == np.uint8 and 2 <= bits <= 8:  # 8 bits without a window need no mapping
        return values if bits == 8 else apply_window(values, center=2 ** (bits - 1), width=2**bits)
    return apply_range(values, percentiles=True, mask=mask)


def _voi_lut_to_8_bit(values: np.ndarray, source: "Dataset") -> np.ndarray:
    from pydicom.pixels import apply_voi

    lut = source.VOILUTSequence[0]
    bits = int(lut.LUTDescriptor[2])
    output = apply_voi(np.rint(values).astype(np.int64), source)
    return scale_bits(output, bits if int(np.max(output)) < 2**bits else 16)


def color_to_8_bit(raw: np.ndarray, dataset: "Dataset") -> np.ndarray:
    """Scale red, green and blue to 8 bits: (H, W, 3 or 4) -> uint8 (H, W, 3)."""
    bits = int(dataset.get("BitsStored") or 8)
    return np.ascontiguousarray(scale_bits(raw[..., :3], bits))


def palette_to_8_bit(raw: np.ndarray, dataset: "Dataset") -> np.ndarray:
    """Look palette colours up: (H, W) -> uint8 (H, W, 3)."""
    from pydicom.pixels import apply_color_lut

    palette = _native_palette(dataset)
    colors = apply_color_lut(raw, palette)[..., :3]
    tables = [palette.get(name, b"") for name in _PALETTE_TABLES]
    largest = max((int(np.frombuffer(table, colors.dtype).max()) for table in tables if table), default=1 << 16)
    return np.ascontiguousarray(scale_bits(colors, 8 if largest < 256 else 16))  # 8 bits may be stored in 16


def _native_palette(dataset: "Dataset") -> "Dataset":
    """The palette with its 16-bit tables in the machine's byte order; pydicom leaves them in the file's."""
    from pydicom.uid import ExplicitVRBigEndian

    if transfer_syntax(dataset) != ExplicitVRBigEndian:
        return dataset
    palette: Dataset = dataset.group_dataset(0x0028)
    entries = int(palette.RedPaletteColorLookupTableDescriptor[0]) or 1 << 16
    for name in _PALETTE_TABLES:
        table = palette.get(name, b"")
        if len(table) >= 2 * entries:  # added anew: elements are shared with the dataset, and not to be changed
            palette.add_new(name, "OW", np.frombuffer(table, ">u2").astype("=u2").tobytes())
    return palette


def scale_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Scale unsigned values of `bits` bits to uint8."""
    scaled = values if bits == 8 else np.rint(values.astype(np.float64) * (255.0 / (2**bits - 1)))
    clipped: np.ndarray = np.clip(scaled, 0, 255)
    return clipped.astype(np.uint8)


def _padding_mask(raw: np.ndarray, dataset: "Dataset") -> np.ndarray | None:
    """Mask of padding pixels (PS3.3 C.7.5.1.1.2), (H, W) bool; None without padding, or if all pixels are padding."""
    low = dataset.get("PixelPaddingValue")
    if not isinstance(low, int):
        return None
    high = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((low, high if isinstance(high, int) else low))
    mask = (raw >= low) & (raw <= high)
    return mask if mask.any() and not mask.all() else None
