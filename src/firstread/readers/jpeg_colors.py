"""Color model of JPEG streams in DICOM files: red, green and blue, or YCbCr.

A JPEG says its color model in an Adobe or JFIF marker, or by calling its components R, G and B; that counts more than
the DICOM header, which is often copied from the image before compression. A stream without any of them is what
PhotometricInterpretation says. Some ultrasound machines say RGB there and store YCbCr, which encoders write by default:
where the header says RGB, the pixels decide.
"""

import io
from enum import Enum, auto
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom import Dataset

# JPEG markers (ISO/IEC 10918-1 Table B.1)
_JFIF, _ADOBE, _START_OF_SCAN = 0xE0, 0xEE, 0xDA
_FRAMES = (0xC0, 0xC1, 0xC2)
_RED_GREEN_BLUE = (b"RGB", b"rgb")


class _ColorModel(Enum):
    """What a stream says of its components; Pillow knows by itself how to make RGB of ADOBE and NAMED ones."""

    ADOBE = auto()
    NAMED = auto()
    JFIF = auto()
    SUBSAMPLED = auto()
    UNSTATED = auto()


def decode_color_jpeg(stream: bytes, dataset: "Dataset") -> np.ndarray:
    """Decode a color JPEG to RGB: uint8 (H, W, 3).

    Raises:
        ValueError: the stream is no color JPEG of 8 bits, or of another size than the header says; OSError: broken.
    """
    from PIL import Image
    from pydicom.pixels import convert_color_space

    model = _read_color_model(stream)
    with Image.open(io.BytesIO(stream), formats=("JPEG",)) as image:
        if image.size != (dataset.Columns, dataset.Rows) or image.mode != "RGB":
            raise ValueError("another picture than the header describes")
        if model in (_ColorModel.ADOBE, _ColorModel.NAMED):
            return np.asarray(image)
        image.draft("YCbCr", image.size)  # the components as they are stored
        components = np.asarray(image)
    is_stated = model is not _ColorModel.UNSTATED or dataset.PhotometricInterpretation != "RGB"
    if not is_stated and not _looks_like_ycbcr(components):
        return components
    converted: np.ndarray = convert_color_space(components, "YBR_FULL", "RGB")
    return converted


def _looks_like_ycbcr(components: np.ndarray) -> bool:
    """Whether the second and third component lie nearer to 128, the gray of YCbCr, than to the first, that of RGB."""
    first, second, third = np.moveaxis(components.astype(np.int16), -1, 0)
    from_middle = np.abs(second - 128) + np.abs(third - 128)
    from_first = np.abs(second - first) + np.abs(third - first)
    return float(from_middle.mean()) < float(from_first.mean())


def _read_color_model(stream: bytes) -> _ColorModel:
    """The model that the markers state, an Adobe marker before all others, else what the frame's header shows."""
    offset, stated = 2, _ColorModel.UNSTATED
    while offset + 4 <= len(stream) and stream[offset] == 0xFF and stream[offset + 1] != _START_OF_SCAN:
        marker, length = stream[offset + 1], int.from_bytes(stream[offset + 2 : offset + 4], "big")
        segment = stream[offset + 4 : offset + 2 + length]
        if marker == _ADOBE and segment[:5] == b"Adobe":
            return _ColorModel.ADOBE
        if marker == _JFIF and segment[:4] == b"JFIF":
            stated = _ColorModel.JFIF
        if marker in _FRAMES and stated is _ColorModel.UNSTATED:
            if segment[6::3][:3] in _RED_GREEN_BLUE:
                stated = _ColorModel.NAMED
            elif len(set(segment[7::3][:3])) > 1:
                stated = _ColorModel.SUBSAMPLED
        offset += 2 + max(2, length)
    return stated
