"""Black boxes drawn into stored pixels, whatever their form: gray, colour, palette, by pixel or by plane, compressed.

Pixels that are not compressed are changed where they lie, so that all others keep their bytes. Compressed ones are
decoded and stored without compression: gray and palette as they were, colour as RGB. A loss that a compression had
made before stays stated.
"""

from collections.abc import Iterator
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError
from firstread.deidentification.text_detector import Box
from firstread.dicom.pixel_elements import (
    PIXEL_TAGS,
    get_int,
    is_compressed,
    number_of_frames,
    photometric_interpretation,
    pixel_keyword,
    transfer_syntax,
)
from firstread.readers.decoders import decode_frame
from firstread.readers.dicom_pixels import palette_to_8_bit

if TYPE_CHECKING:
    from pydicom import Dataset

_LOSSY_SYNTAXES = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
_YBR_BLACK = {"YBR_FULL": (0, 128, 128), "YBR_PARTIAL_422": (16, 128, 128), "YBR_FULL_422": (0, 128, 128)}
_HALF_CHROMA = ("YBR_FULL_422", "YBR_PARTIAL_422")
#: of compressed pixels only, and wrong once they are not
_COMPRESSED_ONLY = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_FORM = "The pixels are stored in a form in which no box can be drawn"


def paint_boxes(dataset: "Dataset", boxes: tuple[Box, ...]) -> "Dataset":
    """A copy of a dataset with black boxes in all of its frames; pixels outside of them as they were or decoded.

    Raises:
        DataError: the pixels cannot be decoded, or are stored in a form in which no box can be drawn.
    """
    output = copy_dataset(dataset)
    if is_compressed(dataset):
        _store_decoded(output, dataset)
    keyword = pixel_keyword(output)
    if keyword is None:
        raise DataError(_FORM)
    stored = bytearray(output[keyword].value)
    frames = frame_view(stored, output)
    if keyword == "PixelData" and int(output.BitsAllocated) == 1:
        stored = _paint_bits(stored, output, boxes)
    elif photometric_interpretation(output) in _HALF_CHROMA:
        _paint_pairs(frames, boxes, _YBR_BLACK[str(photometric_interpretation(output))])
    else:
        _paint(frames, boxes, _black(output, frames))
    output[keyword].value = bytes(stored)
    return output


def copy_dataset(dataset: "Dataset") -> "Dataset":
    """A dataset of the same elements, all of them loaded, that can be changed without changing the first one."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

    output = Dataset(parent_encoding=dataset.original_character_set)
    for tag in list(dataset.keys()):
        output[tag] = copy(dataset.get_item(tag))
    implicit, little = dataset.original_encoding
    output.set_original_encoding(implicit, little, dataset.original_character_set)
    output.file_meta = FileMetaDataset()
    for element in getattr(dataset, "file_meta", None) or ():
        output.file_meta[element.tag] = copy(element)
    output.file_meta.TransferSyntaxUID = transfer_syntax(dataset)
    return output


def frame_view(stored: bytearray, dataset: "Dataset") -> np.ndarray:
    """Writable view of uncompressed pixels: (frames, rows, columns[, samples]), halved colour as (..., columns / 2, 4).

    Bytes behind the last row stay outside of the view. Single bits are not seen as pixels: an empty view.

    Raises:
        DataError: no such view exists.
    """
    keyword = pixel_keyword(dataset) or "PixelData"
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword) or int(dataset.BitsAllocated)
    if bits == 1 and keyword == "PixelData":
        return np.zeros((0, 0, 0), np.uint8)
    rows, columns, frames = int(dataset.Rows), int(dataset.Columns), number_of_frames(dataset)
    samples = get_int(dataset, "SamplesPerPixel") or 1
    is_halved = photometric_interpretation(dataset) in _HALF_CHROMA
    is_swapped = not _is_little_endian(dataset) and bits == 8  # words of two pixels each, in the file's byte order
    if bits not in (8, 16, 32, 64) or samples not in (1, 3, 4) or (is_halved and columns % 2) or is_swapped:
        raise DataError(_FORM)
    kind = ("i" if get_int(dataset, "PixelRepresentation") == 1 else "u") if keyword == "PixelData" else "f"
    dtype = np.dtype(f"{'<' if _is_little_endian(dataset) else '>'}{kind}{bits // 8}")
    length = frames * rows * columns * (2 if is_halved else samples) * dtype.itemsize
    if len(stored) < length:
        raise DataError(_FORM)
    flat = np.frombuffer(stored, dtype, length // dtype.itemsize)
    if is_halved:
        return flat.reshape(frames, rows, columns // 2, 4)
    if samples == 1:
        return flat.reshape(frames, rows, columns)
    if get_int(dataset, "PlanarConfiguration") == 1:
        return np.moveaxis(flat.reshape(frames, samples, rows, columns), 1, -1)
    return flat.reshape(frames, rows, columns, samples)


def _is_little_endian(dataset: "Dataset") -> bool:
    return bool(transfer_syntax(dataset).is_little_endian)


def _paint(frames: np.ndarray, boxes: tuple[Box, ...], black: Any) -> None:
    for box in boxes:
        frames[:, box.y0 : box.y1, box.x0 : box.x1] = black


def _paint_pairs(pairs: np.ndarray, boxes: tuple[Box, ...], black: tuple[int, int, int]) -> None:
    """Two pixels share their colour: a box that begins or ends between them takes both."""
    for box in boxes:
        pairs[:, box.y0 : box.y1, box.x0 // 2 : -(-box.x1 // 2)] = (black[0], *black)


def _paint_bits(stored: bytearray, dataset: "Dataset", boxes: tuple[Box, ...]) -> bytearray:
    rows, columns, frames = int(dataset.Rows), int(dataset.Columns), number_of_frames(dataset)
    bits = np.unpackbits(np.frombuffer(stored, np.uint8), bitorder="little")
    if bits.size < rows * columns * frames:
        raise DataError(_FORM)
    view = bits[: rows * columns * frames].reshape(frames, rows, columns)
    _paint(view, boxes, int(photometric_interpretation(dataset) == "MONOCHROME1"))
    return bytearray(np.packbits(bits, bitorder="little").tobytes())


def _black(dataset: "Dataset", frames: np.ndarray) -> Any:
    """The stored value, or three of them, that is shown black."""
    photometric = str(photometric_interpretation(dataset))
    if photometric == "PALETTE COLOR":
        return _darkest_index(dataset, frames.dtype)
    if frames.ndim == 4:
        black = _YBR_BLACK.get(photometric, (0, 0, 0))
        return np.array([*black, *(0 for _ in range(frames.shape[-1] - 3))], frames.dtype)
    is_inverted = photometric == "MONOCHROME1"
    if frames.dtype.kind == "u":
        bits = get_int(dataset, "BitsStored") or 8 * frames.dtype.itemsize
        return 2 ** min(bits, 8 * frames.dtype.itemsize) - 1 if is_inverted else 0
    return frames.max() if is_inverted else frames.min()


def _darkest_index(dataset: "Dataset", dtype: np.dtype[Any]) -> int:
    """The index of a palette whose colour is darkest."""
    descriptor = dataset.RedPaletteColorLookupTableDescriptor
    entries, first = int(descriptor[0]) or 1 << 16, int(descriptor[1])
    indices = np.arange(first, min(first + entries, np.iinfo(dtype).max + 1))
    colours = palette_to_8_bit(indices[None].astype(dtype.newbyteorder("=")), dataset)
    return int(indices[int(colours[0].astype(int).sum(axis=-1).argmin())])


def _store_decoded(output: "Dataset", dataset: "Dataset") -> None:
    """Replace compressed pixels by decoded ones, and what the header says of them."""
    from pydicom.uid import ExplicitVRLittleEndian

    data = bytearray()
    frame = np.zeros(0, np.uint8)
    for frame in decoded_frames(dataset):
        data += frame.astype(frame.dtype.newbyteorder("<"), copy=False).tobytes()
    if len(data) % 2:
        data += b"\0"
    output.add_new(PIXEL_TAGS["PixelData"], "OB" if frame.dtype.itemsize == 1 else "OW", bytes(data))
    output.BitsAllocated = 8 * frame.dtype.itemsize
    if frame.ndim == 3:
        output.PhotometricInterpretation, output.SamplesPerPixel, output.PlanarConfiguration = "RGB", 3, 0
    for keyword in _COMPRESSED_ONLY:
        if keyword in output:
            delattr(output, keyword)
    if str(transfer_syntax(dataset)) in _LOSSY_SYNTAXES:
        output.LossyImageCompression = "01"
    output.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def decoded_frames(dataset: "Dataset") -> Iterator[np.ndarray]:
    """Each frame as stored values: (H, W), or (H, W, 3) as RGB."""
    for index in range(number_of_frames(dataset)):
        yield decode_frame(dataset, index)
