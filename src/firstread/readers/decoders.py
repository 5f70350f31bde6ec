"""Decoding of compressed DICOM pixel data: decoder plugins by transfer syntax, JPEG validation before GDCM.

By default pydicom tries GDCM first, and some broken JPEGs crash the process in GDCM's C++. So GDCM decodes only what no
other plugin here can, lossless JPEG, and only after the stream's header matches the DICOM header.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError
from firstread.dicom.pixel_elements import is_compressed, number_of_frames, transfer_syntax, transfer_syntax_name
from firstread.readers.jpeg_colors import decode_color_jpeg

if TYPE_CHECKING:
    from pydicom import Dataset

_RLE = "1.2.840.10008.1.2.5"
_JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
_LOSSY_JPEG = ("1.2.840.10008.1.2.4.50", _JPEG_EXTENDED)
_LOSSLESS_JPEG = ("1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70")
#: transfer syntax UID -> pydicom decoding plugins, in the order in which they are tried
_DECODING_PLUGINS = {
    **dict.fromkeys(_LOSSY_JPEG, ("pillow",)),  # baseline and extended
    **dict.fromkeys(_LOSSLESS_JPEG, ("gdcm",)),
    "1.2.840.10008.1.2.4.80": ("pyjpegls", "gdcm"),
    "1.2.840.10008.1.2.4.81": ("pyjpegls", "gdcm"),
    "1.2.840.10008.1.2.4.90": ("pylibjpeg",),  # JPEG 2000
    "1.2.840.10008.1.2.4.91": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.201": ("pylibjpeg",),  # high-throughput JPEG 2000
    "1.2.840.10008.1.2.4.202": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.203": ("pylibjpeg",),
}

# JPEG markers (ISO/IEC 10918-1 Table B.1)
_START_OF_IMAGE, _END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"
_LOSSLESS_FRAME, _HUFFMAN_TABLES, _START_OF_SCAN = 0xC3, 0xC4, 0xDA
_MARKERS_WITHOUT_SEGMENT = range(0xD0, 0xDA)
_OTHER_FRAMES = (0xC0, 0xC1, 0xC2, *range(0xC5, 0xC8), *range(0xC9, 0xD0))


def decode_frame(dataset: "Dataset", index: int) -> np.ndarray:
    """Decode one frame to stored values: (H, W), or (H, W, 3) as RGB.

    Raises:
        DataError: the pixels are compressed in a way that cannot be decoded, or broken.
    """
    from pydicom.pixels import get_decoder

    syntax = transfer_syntax(dataset)
    if str(syntax) in _LOSSLESS_JPEG and not _lossless_jpeg_matches(_encapsulated_frame(dataset, index), dataset):
        raise decoding_error(dataset)
    if str(syntax) in _LOSSY_JPEG and int(dataset.SamplesPerPixel) == 3:
        try:
            return decode_color_jpeg(_encapsulated_frame(dataset, index), dataset)
        except Exception:  # a broken stream can make Pillow raise anything
            raise decoding_error(dataset) from None
    options: dict[str, Any] = {"allow_excess_frames": False}
    for plugin in _DECODING_PLUGINS.get(str(syntax), ("",)):
        try:
            decoder = get_decoder(syntax)
            return decoder.as_array(dataset, index=index, decoding_plugin=plugin, **options)[0]
        except (RuntimeError, NotImplementedError):
            if not is_compressed(dataset):
                raise
    raise decoding_error(dataset)


def decoding_error(dataset: "Dataset") -> DataError:
    """The error for pixel data that no installed decoder can decode: unknown, or broken."""
    name, bits = transfer_syntax_name(dataset), dataset.get("BitsStored")
    syntax, where = str(transfer_syntax(dataset)), getattr(dataset, "filename", None) or "a DICOM file"
    is_known = syntax in _DECODING_PLUGINS or syntax == _RLE
    if not is_known or (syntax == _JPEG_EXTENDED and bits != 8) or dataset.get("BitsAllocated") == 1:
        return DataError(
            f"The pixels are compressed in a form that no decoder here reads: {name} of {bits} bits",
            where=where,
            do="export it again without compression, or leave it out",
        )
    return DataError(
        f"The compressed pixels ({name}, {bits} bits) are broken: they cannot be decoded",
        where=where,
        do="copy or export it again from where it came from, or leave it out",
    )


def _encapsulated_frame(dataset: "Dataset", index: int) -> bytes:
    from pydicom.encaps import get_frame

    return get_frame(dataset.PixelData, index, number_of_frames=number_of_frames(dataset))


def _lossless_jpeg_matches(stream: bytes, dataset: "Dataset") -> bool:
    """Whether a lossless JPEG's segments up to its scan are valid and match the DICOM header, and the stream ends.

    Source: ISO/IEC 10918-1 Annex B.
    """
    if stream[:2] != _START_OF_IMAGE or _END_OF_IMAGE not in stream[-4:]:
        return False
    offset, frame_matches = 2, False
    while offset + 4 <= len(stream) and stream[offset] == 0xFF:
        marker, length = stream[offset + 1], int.from_bytes(stream[offset + 2 : offset + 4], "big")
        segment = stream[offset + 4 : offset + 2 + length]
        if length < 2 or len(segment) != length - 2 or marker in _MARKERS_WITHOUT_SEGMENT:
            return False
        if marker == _START_OF_SCAN:
            return frame_matches and length == 6 + 2 * int(dataset.SamplesPerPixel)
        if marker == _LOSSLESS_FRAME:
            frame_matches = _frame_header_matches(segment, dataset)
        elif marker in _OTHER_FRAMES or (marker == _HUFFMAN_TABLES and not _are_huffman_tables_valid(segment)):
            return False
        offset += 2 + length
    return False


def _frame_header_matches(segment: bytes, dataset: "Dataset") -> bool:
    samples = int(dataset.SamplesPerPixel)
    if len(segment) != 6 + 3 * samples:
        return False
    precision, components = segment[0], segment[5]
    rows, columns = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    sampling = {segment[7 + 3 * index] for index in range(samples)}
    sizes_match = (rows, columns, components) == (dataset.Rows, dataset.Columns, samples)
    return sizes_match and samples in (1, 3) and 2 <= precision <= dataset.BitsAllocated and sampling == {0x11}


def _are_huffman_tables_valid(segment: bytes) -> bool:
    offset = 0
    while offset + 17 <= len(segment):
        counts = segment[offset + 1 : offset + 17]
        if segment[offset] & 0x0F > 3 or segment[offset] >> 4 or sum(counts) > 256:
            return False
        offset += 17 + sum(counts)
    return offset == len(segment)
