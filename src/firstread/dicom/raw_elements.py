"""Raw DICOM elements: made of text and encoded without pydicom's conversion to values and back, to the same bytes.

Most elements of a file that is read, changed in places and written again stay as they were; converting each costs more
than all the rest. What is not raw is left to `pydicom.filewriter.write_data_element`.
"""

from collections.abc import Iterable, Iterator, Mapping, MutableSequence
from functools import cache
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING

from pydicom import __version__ as pydicom_version
from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag
from pydicom.uid import PYDICOM_IMPLEMENTATION_UID
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from firstread.dicom.pixel_elements import DEFLATED_SYNTAXES

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

Element = DataElement | RawDataElement
_UNDEFINED_LENGTH = 0xFFFFFFFF
_LONGEST_SHORT = 0xFFFF
_EXPLICIT = (False, True)
_CHARACTER_SET = BaseTag(0x00080005)
#: a backslash in them is a character
_SINGLE_TEXTS = frozenset({"ST", "LT", "UT", "UR"})


def raw_element(tag: BaseTag, vr: str, value: bytes, *, encoding: tuple[bool, bool]) -> RawDataElement:
    """A raw element of bytes, padded to an even length.

    Args:
        encoding: implicit value representation, little endian: as `Dataset.original_encoding`.
    """
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    implicit, little = encoding
    return RawDataElement(tag, None if implicit else vr, len(value), value, 0, implicit, little)


def text_element(tag: BaseTag, vr: str, texts: Iterable[str], *, encoding: tuple[bool, bool]) -> RawDataElement | None:
    """A raw element of texts in ASCII; None where one is not, so that a character set has to be asked for.

    Example:
        >>> text_element(BaseTag(0x00080060), "CS", ["SEG"], encoding=(False, True)).value
        b'SEG '
    """
    text = "\\".join(texts)
    return raw_element(tag, vr, text.encode("ascii"), encoding=encoding) if text.isascii() else None


def raw_texts(element: Element, vr: str) -> list[str] | None:
    """Texts of a raw element of ASCII; None where pydicom has to convert it.

    Example:
        >>> raw_texts(text_element(BaseTag(0x00080008), "CS", ["ORIGINAL", "AXIAL"], encoding=(False, True)), "CS")
        ['ORIGINAL', 'AXIAL']
    """
    value = element.value
    if not element.is_raw or not isinstance(value, bytes) or not value.isascii() or b"\x1b" in value:
        return None
    text = value.decode("ascii").rstrip(" \0")
    if not text:
        return []
    return [text] if vr in _SINGLE_TEXTS else [part.strip(" \0") for part in text.split("\\")]


def read_texts(dataset: "Dataset", tag: int) -> list[str]:
    """Texts of an element that are not empty, spaces around them cut; an element of ASCII stays raw.

    Example:
        >>> from pydicom import Dataset
        >>> dataset = Dataset()
        >>> dataset.OtherPatientIDs = ["A1 ", "", "B2"]
        >>> read_texts(dataset, 0x00101000), read_texts(dataset, 0x00100020)
        (['A1', 'B2'], [])
    """
    element = dataset.get_item(tag, keep_deferred=True)
    if element is None:
        return []
    texts = raw_texts(element, element.VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else ""))
    if texts is None:
        value = dataset[tag].value
        values = value if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
        texts = [str(item) for item in values if item is not None]
    return [stripped for text in texts if (stripped := text.strip(" \0"))]


def encode_elements(
    elements: Mapping[BaseTag, Element], *, encoding: tuple[bool, bool], character_set: str | MutableSequence[str]
) -> Iterator[bytes]:
    """Encode elements in the order of their tags, group lengths left out (PS3.5 7.1 and 7.2)."""
    implicit, little = encoding
    short, long, unstated = _headers(little)
    for tag in sorted(elements, key=int):
        element = elements[tag]
        value, vr = element.value, element.VR
        group, number = tag >> 16, tag & 0xFFFF
        if number == 0 and group > 6:
            continue
        if not isinstance(element, RawDataElement) or value is None or element.length == _UNDEFINED_LENGTH:
            yield _encoded_by_pydicom(element, encoding, character_set)
        elif implicit:
            yield unstated.pack(group, number, len(value))
            yield value
        elif vr is None or len(vr) != 2 or (len(value) > _LONGEST_SHORT and vr not in EXPLICIT_VR_LENGTH_32):
            yield _encoded_by_pydicom(element, encoding, character_set)
        else:
            layout = long if vr in EXPLICIT_VR_LENGTH_32 else short
            yield layout.pack(group, number, vr.encode("latin-1"), len(value))
            yield value


def encode_item(
    elements: Mapping[BaseTag, Element], *, encoding: tuple[bool, bool], character_set: str | MutableSequence[str]
) -> bytes:
    """Encode elements as an item of a sequence, with its length (PS3.5 7.5)."""
    content = b"".join(encode_elements(elements, encoding=encoding, character_set=character_set))
    return _headers(encoding[1])[2].pack(0xFFFE, 0xE000, len(content)) + content


def save_dataset(dataset: "Dataset", path: Path) -> None:
    """Write a dataset as a DICOM file, as `Dataset.save_as(path, enforce_file_format=True)` does, raw elements raw."""
    syntax = dataset.file_meta.TransferSyntaxUID
    implicit, little = dataset.original_encoding
    if implicit is None or little is None or not _is_as_read(dataset, syntax):
        dataset.save_as(path, enforce_file_format=True)
        return
    if "PixelData" in dataset:
        dataset["PixelData"].is_undefined_length = syntax.is_compressed
    elements = dict(dataset.items())
    for tag in [tag for tag, element in elements.items() if element.value is None]:  # empty, or still on disk
        elements[tag] = dataset.get_item(tag)
    with open(path, "wb") as file:
        file.write(bytes(128) + b"DICM" + _encoded_meta(dataset.file_meta))
        file.writelines(
            encode_elements(elements, encoding=(implicit, little), character_set=dataset.original_character_set)
        )


def _is_as_read(dataset: "Dataset", syntax: "UID") -> bool:
    """Whether elements that were read can be written as they are: same transfer syntax, same character set."""
    if not syntax.is_transfer_syntax or syntax.is_private or str(syntax) in DEFLATED_SYNTAXES:
        return False
    stated = dataset.get(_CHARACTER_SET)
    character_set = convert_encodings(stated.value) if stated is not None else default_encoding
    as_read = (syntax.is_implicit_VR, syntax.is_little_endian), character_set
    return as_read == (dataset.original_encoding, dataset.original_character_set)


def _encoded_meta(meta: "FileMetaDataset") -> bytes:
    """File meta information with its length, and with pydicom as the implementation of the file (PS3.10 7.1)."""
    elements = _implementation() | dict(meta.items())
    content = b"".join(encode_elements(elements, encoding=_EXPLICIT, character_set=default_encoding))
    return Struct("<HH2sHL").pack(2, 0, b"UL", 4, len(content)) + content


@cache
def _implementation() -> dict[BaseTag, Element]:
    texts = ((0x00020012, "UI", PYDICOM_IMPLEMENTATION_UID), (0x00020013, "SH", f"PYDICOM {pydicom_version}"))
    stated = [raw_element(BaseTag(tag), vr, text.encode(), encoding=_EXPLICIT) for tag, vr, text in texts]
    version = RawDataElement(BaseTag(0x00020001), "OB", 2, b"\0\1", 0, False, True)
    return {element.tag: element for element in (version, *stated)}


def _encoded_by_pydicom(
    element: Element, encoding: tuple[bool, bool], character_set: str | MutableSequence[str]
) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = encoding
    write_data_element(buffer, element, character_set if isinstance(character_set, str) else list(character_set))
    return buffer.getvalue()


@cache
def _headers(little: bool) -> tuple[Struct, Struct, Struct]:
    """Layouts of an element's header: length of two bytes, of four bytes, and without value representation."""
    order = "<" if little else ">"
    return Struct(order + "HH2sH"), Struct(order + "HH2s2xL"), Struct(order + "HHL")
