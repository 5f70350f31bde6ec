"""Color model of JPEG streams in DICOM files that say RGB and hold YCbCr, as some ultrasound machines write them.

A JPEG says its color model in a JFIF or Adobe marker, or by calling its components R, G and B. pydicom follows these
over the DICOM header. A stream without any of them is what PhotometricInterpretation says; where that is RGB, the
pixels decide, because encoders write YCbCr by default and headers are copied from the image before compression.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

# JPEG markers (ISO/IEC 10918-1 Table B.1)
_JFIF, _ADOBE, _START_OF_SCAN = 0xE0, 0xEE, 0xDA
_FRAMES = (0xC0, 0xC1, 0xC2)
_RED_GREEN_BLUE = (b"RGB", b"rgb")


def convert_unmarked_jpeg(frame: np.ndarray, stream: bytes, dataset: "Dataset") -> np.ndarray:
    """RGB of a decoded frame: converted if its header says RGB, its stream says nothing, and it looks like YCbCr.

    Args:
        frame: uint8 (H, W, 3), as pydicom decodes it.
        stream: the JPEG stream of the frame.
        dataset: with its PhotometricInterpretation.
    """
    from pydicom.pixels import convert_color_space

    if dataset.PhotometricInterpretation != "RGB" or frame.dtype != np.uint8:
        return frame
    states_model, is_subsampled = _read_color_model(stream)
    if states_model or not (is_subsampled or _looks_like_ycbcr(frame)):
        return frame
    converted: np.ndarray = convert_color_space(frame, "YBR_FULL", "RGB")
    return converted


def _looks_like_ycbcr(frame: np.ndarray) -> bool:
    """Whether the second and third component lie nearer to 128, the gray of YCbCr, than to the first, that of RGB."""
    first, second, third = np.moveaxis(frame[..., :3].astype(np.int16), -1, 0)
    from_middle = np.abs(second - 128) + np.abs(third - 128)
    from_first = np.abs(second - first) + np.abs(third - first)
    return float(from_middle.mean()) < float(from_first.mean())


def _read_color_model(stream: bytes) -> tuple[bool, bool]:
    """Whether a JPEG states its color model, and whether its colors have fewer samples than its brightness."""
    offset = 2
    while offset + 4 <= len(stream) and stream[offset] == 0xFF and stream[offset + 1] != _START_OF_SCAN:
        marker, length = stream[offset + 1], int.from_bytes(stream[offset + 2 : offset + 4], "big")
        segment = stream[offset + 4 : offset + 2 + length]
        if (marker == _JFIF and segment[:4] == b"JFIF") or (marker == _ADOBE and segment[:5] == b"Adobe"):
            return True, False
        if marker in _FRAMES:
            components, sampling = segment[6::3][:3], segment[7::3][:3]
            return components in _RED_GREEN_BLUE, len(set(sampling)) > 1
        offset += 2 + max(2, length)
    return False, False
