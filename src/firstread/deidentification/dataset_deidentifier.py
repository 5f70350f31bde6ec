"""De-identification of one DICOM dataset by the rules of PS3.15 Annex E: pure, elements stay raw until a rule asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag
from pydicom.uid import UID

from firstread.core.errors import DataError
from firstread.deidentification.dataset_converter import DatasetConverter
from firstread.deidentification.identity import Identity, nested_identity_values
from firstread.deidentification.pixel_bits import overlay_bits
from firstread.deidentification.pixel_cleaner import clean_pixels
from firstread.deidentification.profile import Profile
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.deidentification.recognizable_features import FACE_KEPT, HELD, may_show_face
from firstread.deidentification.storage_classes import (
    is_searched_for_text,
    reason_to_hold_class,
    reason_to_hold_length,
    reason_to_hold_pixels,
)
from firstread.dicom.headers import convert_dicom_errors
from firstread.dicom.pixel_elements import transfer_syntax
from firstread.dicom.raw_elements import encode_item, raw_element, read_texts

METHOD = ("firstread", "DICOM PS3.15 2024e and 35 rows of 2026c")
_IDENTITY_REMOVED, _METHOD, _METHOD_CODES, _DATES_MODIFIED = map(
    BaseTag, (0x00120062, 0x00120063, 0x00120064, 0x00280303)
)
_CODE_VALUE, _CODING_SCHEME, _CODE_MEANING = map(BaseTag, (0x00080100, 0x00080102, 0x00080104))
_NEEDED = {
    "SOPClassUID": 0x00080016,
    "SOPInstanceUID": 0x00080018,
    "StudyInstanceUID": 0x0020000D,
    "SeriesInstanceUID": 0x0020000E,
}
_VALUES_IN_PIXELS = "The pixel data hold a value that names the patient, in a comment or behind the last row"


@dataclass(frozen=True)
class Deidentified:
    """A dataset without identity, or the reason why it is held back.

    Args:
        dataset: the new dataset with file meta information; None where it is held back.
        held: a sentence; None where it is not held back.
        actions: rule -> number of elements; no values.
    """

    dataset: Dataset | None = field(repr=False)
    held: str | None = None
    actions: Mapping[str, int] = field(default_factory=dict)


def deidentify_dataset(
    dataset: Dataset, *, profile: Profile, keys: PseudonymKeys, identity: Identity | None = None
) -> Deidentified:
    """De-identify a dataset; the one given is not changed.

    Args:
        dataset: as `pydicom.dcmread` gives it; `defer_size` leaves large elements on disk until they are written.
        identity: what is known of the patient from all of the patient's files; without it, from this dataset alone.

    Example:
        >>> from pydicom import Dataset
        >>> from pydicom.dataset import FileMetaDataset
        >>> from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
        >>> image = Dataset()
        >>> image.file_meta = FileMetaDataset()
        >>> image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        >>> image.SOPClassUID, image.SOPInstanceUID, image.Modality = CTImageStorage, "1.2.3", "CT"
        >>> image.StudyInstanceUID, image.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
        >>> image.Rows, image.Columns, image.BitsAllocated, image.PixelData = 1, 1, 16, bytes(2)
        >>> image.PatientName, image.PatientID, image.StudyDescription = "Doe^Jane", "4711", "Liver of Doe"
        >>> keys = PseudonymKeys.from_secret(bytes(32))
        >>> found = deidentify_dataset(image, profile=Profile(), keys=keys)
        >>> found.dataset.StudyDescription, found.dataset.PatientID == found.dataset.PatientName
        ('Liver of', True)
        >>> found.actions["E.1-1 (0010,0020) Z/D"]
        1
    """
    try:
        with convert_dicom_errors(Path("dataset")):  # no warning or exception of pydicom, which quote values, gets out
            return _deidentify(dataset, profile, keys, identity or Identity.of(dataset))
    except DataError as error:
        return Deidentified(None, error.what)


def _deidentify(dataset: Dataset, profile: Profile, keys: PseudonymKeys, identity: Identity) -> Deidentified:
    sop_class = "\\".join(read_texts(dataset, _NEEDED["SOPClassUID"]))
    held = (
        reason_to_hold_class(sop_class, profile)
        or identity.reason_to_hold()
        or _reason_to_hold_instance(dataset)
        or reason_to_hold_length(dataset, sop_class)
        or reason_to_hold_pixels(dataset, sop_class, profile)
    )
    if held:
        return Deidentified(None, held)
    shows_face = may_show_face(dataset)
    if shows_face and "clean_recognizable_visual_features" in profile:
        return Deidentified(None, HELD)
    known = replace(identity, values=identity.values | nested_identity_values(dataset))
    pixel_actions: Mapping[str, int] = {}
    if (is_chosen := "clean_pixel_data" in profile) or overlay_bits(dataset):  # overlays go with every profile
        search = is_chosen and is_searched_for_text(dataset, sop_class)
        cleaned = clean_pixels(dataset, known.values, search=search)
        if cleaned.dataset is None:
            return Deidentified(None, cleaned.held)
        dataset, pixel_actions = cleaned.dataset, cleaned.actions
    searched = known.searched_values(profile.options)
    encoding = _encoding(dataset)
    converter = DatasetConverter(sop_class, profile, keys, identity, searched, encoding)
    output = converter.convert(dataset)
    converter.actions.update(pixel_actions)
    if converter.values_in_pixels:
        return Deidentified(None, _VALUES_IN_PIXELS, dict(converter.actions))
    if shows_face:
        converter.actions[FACE_KEPT] += 1
        output.RecognizableVisualFeatures = "YES"
    _state_method(output, profile, encoding)
    output.file_meta = _new_file_meta(dataset, output, sop_class)
    output.preamble = bytes(128)
    return Deidentified(output, None, dict(converter.actions))


def _encoding(dataset: Dataset) -> tuple[bool, bool]:
    """Implicit value representation and little endian: as read, else, for a dataset made in memory, as it is to be."""
    implicit, little = dataset.original_encoding
    if implicit is None or little is None:
        syntax = transfer_syntax(dataset)
        return bool(syntax.is_implicit_VR), bool(syntax.is_little_endian)
    return implicit, little


def _reason_to_hold_instance(dataset: Dataset) -> str | None:
    for keyword, tag in _NEEDED.items():
        if not read_texts(dataset, tag):
            return f"{keyword} is missing, without which nothing can refer to the object"
    return None


def _state_method(output: Dataset, profile: Profile, encoding: tuple[bool, bool]) -> None:
    """State in an output what was done to it."""
    for element in _method_elements(profile, encoding):
        output[element.tag] = element


@lru_cache(maxsize=64)
def _method_elements(profile: Profile, encoding: tuple[bool, bool]) -> tuple[RawDataElement, ...]:
    texts = (
        (_IDENTITY_REMOVED, "CS", "YES"),
        (_METHOD, "LO", "\\".join(METHOD)),
        (_DATES_MODIFIED, "CS", profile.temporal_information()),
    )
    stated = [raw_element(tag, vr, text.encode("ascii"), encoding=encoding) for tag, vr, text in texts]
    items = b""
    for value, meaning in profile.codes():
        codes = ((_CODE_VALUE, "SH", value), (_CODING_SCHEME, "SH", "DCM"), (_CODE_MEANING, "LO", meaning))
        elements = {tag: raw_element(tag, vr, text.encode("ascii"), encoding=encoding) for tag, vr, text in codes}
        items += encode_item(elements, encoding=encoding, character_set="iso8859")
    return *stated, raw_element(_METHOD_CODES, "SQ", items, encoding=encoding)


def _new_file_meta(dataset: Dataset, output: Dataset, sop_class: str) -> Any:
    from pydicom.dataset import FileMetaDataset

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = UID("\\".join(read_texts(output, _NEEDED["SOPInstanceUID"])))
    meta.TransferSyntaxUID = transfer_syntax(dataset)
    return meta
