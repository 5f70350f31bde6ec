"""Unused bits of stored pixels, in which overlays with names may lie, beside pixel padding, which may use them too.

Until 2004 an overlay could be a bit plane above the bits of the image (PS3.5 8.1.2, retired); viewers do not show it
unless they are asked, and it stays in the pixels when its description is removed.
"""

from typing import TYPE_CHECKING

import numpy as np

from firstread.dicom.pixel_elements import get_int, pixel_keyword

if TYPE_CHECKING:
    from pydicom import Dataset

_PADDING = ("PixelPaddingValue", "PixelPaddingRangeLimit")


def overlay_bits(dataset: "Dataset") -> frozenset[int]:
    """Positions of bits of the pixels that hold an overlay plane, as the header states them.

    Example:
        >>> from pydicom import Dataset
        >>> image = Dataset()
        >>> image.add_new((0x6000, 0x0100), "US", 16)
        >>> image.add_new((0x6000, 0x0102), "US", 15)
        >>> sorted(overlay_bits(image))
        [15]
    """
    groups = {tag.group for tag in list(dataset.keys()) if 0x6000 <= tag.group <= 0x601E and tag.group % 2 == 0}
    allocated = ((group, _number(dataset, group, 0x0100)) for group in groups)
    return frozenset(_number(dataset, group, 0x0102) or 0 for group, bits in allocated if bits not in (None, 1))


def used_mask(dataset: "Dataset") -> int | None:
    """Mask of the bits that hold the image; None where all are used or the header makes no sense."""
    allocated, stored = (get_int(dataset, name) or 0 for name in ("BitsAllocated", "BitsStored"))
    high = get_int(dataset, "HighBit")
    high = stored - 1 if high is None else high
    if pixel_keyword(dataset) != "PixelData" or not 0 < stored < allocated or not stored - 1 <= high < allocated:
        return None
    return ((1 << stored) - 1) << (high + 1 - stored)


def clear_bits(frames: np.ndarray, dataset: "Dataset", bits: frozenset[int]) -> bool:
    """Clear overlay bits in a writable view of pixels; padding and the sign of negative values stay.

    Returns:
        Whether bits remain set that the header calls unused, so that something else lies there.
    """
    mask = used_mask(dataset)
    if mask is None or frames.dtype.kind not in "iu":
        return bool(bits)
    size = 8 * frames.dtype.itemsize
    unsigned = frames.view(frames.dtype.str.replace("i", "u"))
    unused = unsigned.dtype.type(~mask & ((1 << size) - 1))
    overlay = unsigned.dtype.type(sum(1 << bit for bit in bits if bit < size) & int(unused))
    suspect = (unsigned & unused) != 0
    if frames.dtype.kind == "i":  # a negative value continues in the unused bits above
        sign = unsigned.dtype.type(1 << (mask.bit_length() - 1))
        above = unsigned.dtype.type(int(unused) & ~((1 << mask.bit_length()) - 1))
        suspect &= ((unsigned & sign) == 0) | ((unsigned & unused) != above)
    if not suspect.any():
        return False
    suspect &= ~_is_padding(frames, dataset)
    if overlay:
        cleared = unsigned[suspect] & ~overlay
        if frames.dtype.kind == "i":
            cleared = np.where(cleared & sign, cleared | above, cleared)
        unsigned[suspect] = cleared
        suspect &= (unsigned & unused) != 0
        if frames.dtype.kind == "i":
            suspect &= ((unsigned & sign) == 0) | ((unsigned & unused) != above)
    return bool(suspect.any())


def _is_padding(frames: np.ndarray, dataset: "Dataset") -> np.ndarray:
    """Pixels outside of the reconstruction, such as 63536 in 12-bit CT: padding may use the unused bits."""
    value, limit = (get_int(dataset, name) for name in _PADDING)
    if value is None:
        return np.zeros(frames.shape, bool)
    low, high = sorted((value, value if limit is None else limit))
    wide = frames.astype(np.int64)
    modulus = 1 << (8 * frames.dtype.itemsize)
    shifted = (
        np.where(wide < 0, wide + modulus, wide) if low >= 0 else np.where(wide >= modulus // 2, wide - modulus, wide)
    )
    return (shifted >= low) & (shifted <= high)


def _number(dataset: "Dataset", group: int, element: int) -> int | None:
    from pydicom.tag import Tag

    found = dataset.get(Tag(group, element))
    value = getattr(found, "value", None)
    return int(value) if isinstance(value, int) else None
