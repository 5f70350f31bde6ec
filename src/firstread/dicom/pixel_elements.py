"""What a DICOM header states of its pixels: element, compression, number of frames, photometric interpretation."""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom import Dataset

PIXEL_TAGS = {"PixelData": 0x7FE00010, "FloatPixelData": 0x7FE00008, "DoubleFloatPixelData": 0x7FE00009}
DEFLATED_SYNTAXES = ("1.2.840.10008.1.2.1.99",)
#: names of transfer syntaxes that pydicom does not know yet (PS3.6 Table A-1)
_NEWER_SYNTAXES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}


def transfer_syntax(dataset: "Dataset") -> Any:
    """Transfer syntax UID of a dataset: as stated in the file meta information, else as detected by pydicom."""
    meta = getattr(dataset, "file_meta", None)
    stated = meta.get("TransferSyntaxUID") if meta is not None else None
    if stated:
        return stated
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = dataset.original_encoding
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def transfer_syntax_name(dataset: "Dataset") -> str:
    """Name of the transfer syntax for a message, or its number where it has none."""
    syntax = transfer_syntax(dataset)
    return _NEWER_SYNTAXES.get(str(syntax), str(getattr(syntax, "name", syntax))[:80])


def is_compressed(dataset: "Dataset") -> bool:
    """Whether each frame is compressed; a deflated file is not, an unknown transfer syntax is taken as compressed."""
    syntax = transfer_syntax(dataset)
    try:
        return bool(syntax.is_compressed) and str(syntax) not in DEFLATED_SYNTAXES
    except ValueError:  # pydicom does not know this transfer syntax
        return True


def pixel_keyword(dataset: "Dataset") -> str | None:
    """Keyword of the pixel data element: PixelData, FloatPixelData or DoubleFloatPixelData; None without one."""
    return next((keyword for keyword, tag in PIXEL_TAGS.items() if tag in dataset), None)


def number_of_frames(dataset: "Dataset") -> int:
    """NumberOfFrames, 1 where it is missing."""
    return get_int(dataset, "NumberOfFrames") or 1


def photometric_interpretation(dataset: "Dataset") -> str | None:
    """PhotometricInterpretation in capitals and without spaces around it, as the standard spells it; None if missing.

    Source: DICOM PS3.3 C.7.6.3.1.2; a Code String (PS3.5 6.2) has capitals only, but files differ.
    """
    stated = get_str(dataset, "PhotometricInterpretation")
    return " ".join(stated.upper().split()) or None if stated else None


def is_color(dataset: "Dataset") -> bool:
    """Whether a pixel has red, green and blue, stored or looked up."""
    return (get_int(dataset, "SamplesPerPixel") or 1) > 1 or photometric_interpretation(dataset) == "PALETTE COLOR"


def bytes_per_frame(dataset: "Dataset", keyword: str) -> float:
    """Length of an uncompressed frame; not whole for frames of single bits."""
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(keyword) or get_int(dataset, "BitsAllocated") or 8
    samples = get_int(dataset, "SamplesPerPixel") or 1
    is_subsampled = photometric_interpretation(dataset) == "YBR_FULL_422"
    return int(dataset.Rows) * int(dataset.Columns) * (2 if is_subsampled else samples) * bits / 8


def get_numbers(dataset: "Dataset", keyword: str) -> tuple[float, ...]:
    """All values of an element as floats; () where it is missing, empty, damaged or one is no finite number."""
    try:
        value = dataset.get(keyword)
        values = [value] if isinstance(value, int | float | str) else list(value or ())
        numbers = tuple(float(number) for number in values)
    except Exception:  # a damaged element makes pydicom raise anything
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


def get_str(dataset: "Dataset", keyword: str) -> str | None:
    """Text of an element, None where it is missing or empty."""
    value = dataset.get(keyword)
    return str(value) if value not in (None, "") else None


def get_int(dataset: "Dataset", keyword: str) -> int | None:
    """Number of an element, None where it is missing or no number."""
    value = dataset.get(keyword)
    if isinstance(value, (str, bytes)) or value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None
