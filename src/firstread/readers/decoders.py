"""Compressed pixels: which decoder is trusted with which transfer syntax, and a look at a JPEG before GDCM gets it.

Given the choice, pydicom asks GDCM first, whose C++ ends the whole program over some broken JPEGs. So GDCM decodes
only what nobody else here can, lossless JPEG, and only after the stream's header agrees with the DICOM header.
"""

from typing import TYPE_CHECKING

import numpy as np

from firstread.core.errors import DataError
from firstread.dicom.headers import is_compressed, pixel_keyword, transfer_syntax

if TYPE_CHECKING:
    from pydicom import Dataset

_LOSSLESS_JPEG = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
#: in the order in which they are asked
_PLUGINS = {
    "1.2.840.10008.1.2.4.50": ("pillow",),  # JPEG baseline
    "1.2.840.10008.1.2.4.51": ("pillow",),  # JPEG extended
    **dict.fromkeys(_LOSSLESS_JPEG, ("gdcm",)),
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "gdcm"),
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "gdcm"),
    "1.2.840.10008.1.2.4.90": ("pylibjpeg",),  # JPEG 2000
    "1.2.840.10008.1.2.4.91": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.201": ("pylibjpeg",),  # high-throughput JPEG 2000
    "1.2.840.10008.1.2.4.202": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.203": ("pylibjpeg",),
}


def decode(dataset: "Dataset", index: int) -> np.ndarray:
    """Stored values of one frame: (H, W), or (H, W, 3) as RGB.

    Raises:
        DataError: the pixels are compressed in a way that cannot be decoded, or broken.
    """
    from pydicom.pixels import get_decoder

    if pixel_keyword(dataset) == "PixelData" and "PixelRepresentation" not in dataset:
        dataset.PixelRepresentation = 0
    syntax = transfer_syntax(dataset)
    if str(syntax) in _LOSSLESS_JPEG and not _jpeg_agrees(_frame(dataset, index), dataset):
        raise undecodable(dataset)
    for plugin in _PLUGINS.get(str(syntax), ("",)):
        try:
            decoder = get_decoder(syntax)
            return decoder.as_array(dataset, index=index, allow_excess_frames=False, decoding_plugin=plugin)[0]
        except (RuntimeError, NotImplementedError):
            if not is_compressed(dataset):
                raise
    raise undecodable(dataset)


def undecodable(dataset: "Dataset") -> DataError:
    """The refusal of pixels that no decoder of this installation can make sense of."""
    name = getattr(transfer_syntax(dataset), "name", "an unknown transfer syntax")
    return DataError(
        f"The pixels ({name}, {dataset.get('BitsAllocated')} bits) cannot be decoded: they are broken, "
        "or in a form that no decoder here reads",
        where=getattr(dataset, "filename", None) or "a DICOM file",
        do="export it again without compression, or leave it out",
    )


def _frame(dataset: "Dataset", index: int) -> bytes:
    from pydicom.encaps import get_frame

    frames = int(dataset.get("NumberOfFrames") or 1)
    return get_frame(dataset.PixelData, index, number_of_frames=frames)


def _jpeg_agrees(stream: bytes, dataset: "Dataset") -> bool:
    """Whether the markers of a lossless JPEG up to its scan are sound and say what the DICOM header says, and it ends.

    Source: ISO/IEC 10918-1 Annex B.
    """
    if stream[:2] != b"\xff\xd8" or b"\xff\xd9" not in stream[-4:]:
        return False
    place, agreed = 2, False
    while place + 4 <= len(stream) and stream[place] == 0xFF:
        marker, length = stream[place + 1], int.from_bytes(stream[place + 2 : place + 4], "big")
        segment = stream[place + 4 : place + 2 + length]
        if length < 2 or len(segment) != length - 2 or 0xD0 <= marker <= 0xD9:
            return False
        if marker == 0xDA:  # the scan follows
            return agreed and length == 6 + 2 * int(dataset.SamplesPerPixel)
        if marker == 0xC3:  # a lossless frame
            agreed = _frame_header_agrees(segment, dataset)
        elif (marker == 0xC4 and not _huffman_tables_are_sound(segment)) or marker in (
            0xC0,
            0xC1,
            0xC2,
            *range(0xC5, 0xC8),
            *range(0xC9, 0xD0),
        ):
            return False
        place += 2 + length
    return False


def _frame_header_agrees(segment: bytes, dataset: "Dataset") -> bool:
    samples = int(dataset.SamplesPerPixel)
    if len(segment) != 6 + 3 * samples:
        return False
    precision, components = segment[0], segment[5]
    rows, columns = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    sampling = {segment[7 + 3 * index] for index in range(samples)}
    sizes_agree = (rows, columns, components) == (dataset.Rows, dataset.Columns, samples)
    return sizes_agree and samples in (1, 3) and 2 <= precision <= dataset.BitsAllocated and sampling == {0x11}


def _huffman_tables_are_sound(segment: bytes) -> bool:
    place = 0
    while place + 17 <= len(segment):
        counts = segment[place + 1 : place + 17]
        if segment[place] & 0x0F > 3 or segment[place] >> 4 or sum(counts) > 256:
            return False
        place += 17 + sum(counts)
    return place == len(segment)
