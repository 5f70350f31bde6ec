"""Windows (VOI LUT): mapping pixels of 12 or 16 bits to the 8 bits that a screen shows and a network is trained on.

A window is one of

- "file": the VOI LUT or the window stated in the file; without one, the 0.5th to 99.5th percentile;
- "full": the darkest to the brightest pixel;
- a name, such as "lung": a CT window in Hounsfield units, see `CT_WINDOWS`;
- (center, width), in Hounsfield units for CT, else in the units of the file.

The window decides what a network can see, so a Cohort stores its window.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from firstread.core.errors import SettingError, suggest

#: what a caller may pass as `window=`: None or "file", "full", the name of a CT window, or (center, width)
WindowLike: TypeAlias = str | Sequence[float] | None

#: name -> (center, width) in Hounsfield units, as set by default on most reading stations
CT_WINDOWS: dict[str, tuple[float, float]] = {
    "abdomen": (50.0, 400.0),
    "liver": (80.0, 150.0),
    "lung": (-600.0, 1500.0),
    "mediastinum": (50.0, 350.0),
    "brain": (40.0, 80.0),
    "stroke": (35.0, 40.0),
    "subdural": (75.0, 215.0),
    "bone": (400.0, 1800.0),
    "spine": (50.0, 250.0),
    "angiography": (300.0, 600.0),
}
_PERCENTILES = (0.5, 99.5)

#: a checked window: "file", "full" or (center, width)
Window = str | tuple[float, float]


def check_window(window: WindowLike) -> Window:
    """Validate a window and convert it to "file", "full" or (center, width).

    Raises:
        SettingError: the window has none of these forms; for a misspelt name the nearest known one is suggested.
    """
    if window is None or window == "file":
        return "file"
    if isinstance(window, str):
        if window == "full":
            return window
        if window in CT_WINDOWS:
            return CT_WINDOWS[window]
        raise SettingError(f'There is no window called "{window}".{suggest(window, ("file", "full", *CT_WINDOWS))}')
    try:
        center, width = (float(value) for value in window)
    except (TypeError, ValueError):
        center = width = float("nan")
    if not np.isfinite([center, width]).all() or width <= 0:
        raise SettingError(
            f"window={window!r} cannot be used",
            expected='"file", "full", the name of a CT window, or (center, width) with a width above 0',
        )
    return center, width


def is_named_ct_window(window: WindowLike) -> bool:
    """Whether the window is named in `CT_WINDOWS`, so that it applies to Hounsfield units only."""
    return isinstance(window, str) and window in CT_WINDOWS


def apply_window(
    pixels: np.ndarray, *, center: float, width: float, function: str = "LINEAR", step: float | None = None
) -> np.ndarray:
    """Apply a window: map pixels onto 0..255 as in DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3.

    The function LINEAR is defined for whole numbers and a width of at least 1: a width of 400 covers 400 of them, from
    center - width/2 to center + width/2 - 1. Files also use it for values that lie nearer than 1 (a small rescale
    slope), with windows that may be narrower than 1. So what is taken off at the top is the distance of the values
    where that is below 1, and a width below 1 is read as LINEAR_EXACT.

    Args:
        pixels: any shape, in the units of the window.
        center: value that becomes mid-gray.
        width: range of values from black to white.
        function: "LINEAR", "LINEAR_EXACT" or "SIGMOID".
        step: distance of neighbouring values, such as the rescale slope; None takes 1 for whole numbers, else 0.

    Returns:
        uint8 array of the same shape.
    """
    if function == "SIGMOID":
        exponent = np.clip(-4.0 * (pixels.astype(np.float64) - center) / width, -60.0, 60.0)
        return np.rint(255.0 / (1.0 + np.exp(exponent))).astype(np.uint8)
    low, high = center - width / 2, center + width / 2
    if function != "LINEAR_EXACT" and width >= 1:
        step = min(1.0, abs(step)) if step is not None else float(_are_whole(pixels))
        if width <= step:  # a width of 1 over whole numbers is a threshold
            return np.where(pixels > center - 0.5, 255, 0).astype(np.uint8)
        high -= step
    return scale_to_8_bit(pixels, low, high)


def _are_whole(pixels: np.ndarray) -> bool:
    """Whether all values are whole numbers, whatever their type; those that are not finite do not count."""
    if pixels.dtype.kind != "f":
        return True
    return bool(((np.rint(pixels) == pixels) | ~np.isfinite(pixels)).all())


def apply_range(pixels: np.ndarray, *, percentiles: bool, mask: np.ndarray | None = None) -> np.ndarray:
    """Stretch the darkest to the brightest pixel (or the 0.5th to the 99.5th percentile) over 0..255.

    Args:
        mask: (same shape) bool, True for pixels that count; padding does not.
    """
    values = pixels[mask] if mask is not None else pixels
    values = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if values.size == 0:
        return np.zeros(pixels.shape, np.uint8)
    low, high = np.percentile(values, _PERCENTILES) if percentiles else (values.min(), values.max())
    if low == high:  # a mask or a nearly empty image: its percentiles are one value
        low, high = values.min(), values.max()
    return scale_to_8_bit(pixels, low, high)


def show_values(values: np.ndarray, window: WindowLike = None, *, unit: str = "") -> np.ndarray:
    """Convert values in real units to the 8 bits that a screen shows: any shape -> uint8 of the same shape.

    Args:
        values: numbers; those that are not finite become black.
        window: "file" or None stretches the 0.5th to the 99.5th percentile, because the file's own window is not at
            hand; else as in this module's list.
        unit: of the values; a named CT window is for Hounsfield units, and for values of no stated unit.

    Raises:
        SettingError: an impossible window, or a CT window for values that are in another unit.
    """
    checked = check_window(window)
    if is_named_ct_window(window) and unit not in ("HU", ""):  # NIfTI states no unit
        raise SettingError(
            f'The window "{window}" is for CT, and these values are in {unit}',
            expected='"file", "full" or (center, width)',
        )
    if isinstance(checked, tuple):
        return apply_window(values, center=checked[0], width=checked[1])
    return apply_range(values, percentiles=checked == "file")


def scale_to_8_bit(pixels: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rescale `low`..`high` linearly to uint8 0..255 and clip; used for windows and for 16-bit PNG and TIFF."""
    span = max(float(high) - float(low), 1e-30)  # low == high: a threshold, without division by zero
    with np.errstate(over="ignore", invalid="ignore"):
        if pixels.dtype.itemsize > 2 and pixels.dtype != np.float32:  # float32 does not hold all of these exactly
            shifted = (pixels.astype(np.float64) - float(low)).astype(np.float32)
        else:
            shifted = pixels.astype(np.float32) - np.float32(low)
        scaled = shifted * np.float32(255.0 / span)
    rounded: np.ndarray = np.rint(np.clip(np.nan_to_num(scaled), 0, 255))
    return rounded.astype(np.uint8)
