"""De-identification of one DICOM dataset by the rules of PS3.15 Annex E: pure, elements stay raw until a rule asks."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR, private_dictionary_VR
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID, UID_dictionary

from firstread.core.errors import DataError
from firstread.deidentification.date_shift import (
    DUMMY_DATE,
    DUMMY_DATETIME,
    DUMMY_TIME,
    OLD_AGE,
    OLDEST_AGE_YEARS,
    age_in_years,
    shift_date,
    shift_datetime,
)
from firstread.deidentification.identity import MAX_DEPTH, Identity, nested_identity_values
from firstread.deidentification.pixel_cleaning import clean_pixels
from firstread.deidentification.profile import Profile
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.deidentification.recognizable_features import FACE_KEPT, HELD, may_show_face
from firstread.deidentification.rules import Action, Rule, find_private_rule, find_rule
from firstread.deidentification.storage_classes import (
    is_searched_for_text,
    reason_to_hold_class,
    reason_to_hold_length,
    reason_to_hold_pixels,
)
from firstread.deidentification.value_search import clean_text, encoded_values
from firstread.dicom.headers import convert_dicom_errors
from firstread.dicom.pixel_elements import is_compressed, number_of_frames, transfer_syntax

REMOVED = "REMOVED"
METHOD = ("firstread", "DICOM PS3.15 2024e and 35 rows of 2026c")
_DUMMIES: dict[str, str | int | float | bytes] = {
    "DA": DUMMY_DATE,
    "TM": DUMMY_TIME,
    "DT": DUMMY_DATETIME,
    "AS": "000Y",
    "DS": "0",
    "IS": "0",
    "UR": "urn:removed",
}
_NUMBERS = frozenset({"US", "SS", "UL", "SL", "FL", "FD", "UV", "SV"})
_BYTES = frozenset({"OB", "OW", "OL", "OF", "OD", "OV", "UN"})
_PIXEL_DATA = 0x7FE00010
#: a backslash in them is a character
_SINGLE_TEXTS = frozenset({"ST", "LT", "UT", "UR"})
#: actions that the audit counts always; what is kept or searched is counted where something was cut
_COUNTED = frozenset(Action) - {Action.KEEP, Action.SEARCH, Action.CLEAN, Action.RECURSE}
_MIN_NUMBER = 5
_SIZE_KEYWORDS = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
_VALUES_IN_PIXELS = "The pixel data hold a value that names the patient, in a comment or behind the last row"
#: bytes that values of these representations are made of; what holds others is no such value
_STRINGS_OF_DIGITS = {
    "DS": b"0123456789eE+-. \\\0",
    "IS": b"0123456789+- \\\0",
    "TM": b"0123456789:.- \\\0",
    "DA": b"0123456789.-/ \\\0",
    "DT": b"0123456789.+- \\\0",
    "UI": b"0123456789. \\\0",
}


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
    sop_class = str(dataset.get("SOPClassUID") or "")
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
    if "clean_pixel_data" in profile:
        cleaned = clean_pixels(dataset, known.values, search=is_searched_for_text(dataset, sop_class))
        if cleaned.dataset is None:
            return Deidentified(None, cleaned.held)
        dataset, pixel_actions = cleaned.dataset, cleaned.actions
    run = _Run(sop_class, profile, keys, identity, known.searched_values(profile.options))
    output = run.convert(dataset, parent=None, depth=0)
    run.actions.update(pixel_actions)
    if run.values_in_pixels:
        return Deidentified(None, _VALUES_IN_PIXELS, dict(run.actions))
    if shows_face:
        run.actions[FACE_KEPT] += 1
        output.RecognizableVisualFeatures = "YES"
    _state_method(output, profile)
    output.file_meta = _new_file_meta(dataset, output, sop_class)
    output.preamble = bytes(128)
    return Deidentified(output, None, dict(run.actions))


@dataclass
class _Run:
    """One pass over a dataset and its sequences."""

    sop_class: str
    profile: Profile
    keys: PseudonymKeys
    identity: Identity
    values: frozenset[tuple[str, str]]
    actions: Counter[str] = field(default_factory=Counter)
    #: comments of compressed frames, or bytes behind the last row, hold identity values
    values_in_pixels: bool = False

    def convert(self, dataset: Dataset, *, parent: int | None, depth: int) -> Dataset:
        output = Dataset(parent_encoding=dataset.original_character_set)
        implicit, little = dataset.original_encoding
        output.set_original_encoding(implicit, little, dataset.original_character_set)
        creators = _private_creators(dataset) if "retain_safe_private" in self.profile else {}
        used_creators = set()
        for tag in list(dataset.keys()):
            element = dataset.get_item(tag, keep_deferred=True)
            rule = self._rule(tag, element, parent, creators)
            if (converted := self._apply(rule, dataset, tag, element, depth)) is not None:
                output[tag] = converted
                if tag.is_private:
                    used_creators.add((tag.group, tag.element >> 8))
            if rule.action in _COUNTED:
                self.actions[rule.name] += 1
        for group, block in used_creators:
            output[group, block] = DataElement((group, block), "LO", creators[group, block])
        return output

    def _rule(self, tag: BaseTag, element: Any, parent: int | None, creators: Mapping[tuple[int, int], str]) -> Rule:
        vr = element.VR or ""
        if tag.is_private:
            creator = creators.get((tag.group, tag.element >> 8), "")
            return find_private_rule(creator, int(tag), _private_vr(tag, vr, creator), self.profile)
        return find_rule(int(tag), vr, parent, self.sop_class, self.profile)

    def _apply(self, rule: Rule, dataset: Dataset, tag: BaseTag, element: Any, depth: int) -> Any:
        """The element under a rule: as it was, another one, or None where it is removed."""
        action, vr = rule.action, _known_vr(tag, element)
        if action is Action.KEEP:
            return self._kept(dataset, tag, element, vr)
        if action is Action.REMOVE:
            return None
        if action is Action.RECURSE:
            return self._sequence(dataset, tag, depth)
        if action is Action.EMPTY:
            return DataElement(tag, vr, Sequence() if vr == "SQ" else None)
        if action is Action.DUMMY:
            return self._dummy(dataset, tag, vr)
        return self._changed(rule, dataset, tag, element)

    def _kept(self, dataset: Dataset, tag: BaseTag, element: Any, vr: str) -> Any:
        """An element that stays; digits that are an identifier of the patient, and words among numbers, do not."""
        value = element.value
        if vr in _STRINGS_OF_DIGITS:
            value = dataset[tag].value if value is None else value
            text = value if isinstance(value, bytes) else "\\".join(_texts(value)).encode("latin-1", "replace")
            if text.translate(None, _STRINGS_OF_DIGITS[vr]) or text.strip(b" \0") in self._numbers:
                self.actions["value search: cut"] += 1
                return DataElement(tag, vr, None)
        elif vr in _BYTES and tag.group != 0x7FE0 and self._holds_value(dataset[tag].value):
            self.actions["value search: cut"] += 1
            return None
        loaded = dataset.get_item(tag) if element.is_raw and element.value is None else element
        if tag == _PIXEL_DATA and self._holds_value(_bytes_beside_pixels(dataset, loaded.value)):
            self.values_in_pixels = True
        return loaded

    @cached_property
    def _numbers(self) -> frozenset[bytes]:
        kinds = ("id", "accession", "study_id", "birth_date")
        return frozenset(value.encode() for kind, value in self.values if kind in kinds and len(value) >= _MIN_NUMBER)

    def _holds_value(self, data: object) -> bool:
        return isinstance(data, bytes) and any(form in data for form in encoded_values(self.values))

    def _changed(self, rule: Rule, dataset: Dataset, tag: BaseTag, element: Any) -> Any:
        """An element whose texts are replaced one by one; raw as it was where none changes."""
        vr = _known_vr(tag, element)
        texts = _ascii_texts(element, vr)
        if texts is None:
            value = dataset[tag].value
            if isinstance(value, (bytes, Sequence)):
                return self._dummy(dataset, tag, vr) if rule.needs_value else None
            texts = _texts(value)
        changed = [self._text(rule.action, vr, text) for text in texts]
        if rule.action is Action.PATIENT:
            changed = [self.keys.patient(self.identity.key)]
        if changed == texts:
            return dataset.get_item(tag) if element.is_raw and element.value is None else element
        if rule.action in (Action.SEARCH, Action.CLEAN):
            self.actions["value search: cut"] += 1
        if rule.needs_value and not any(changed):
            return self._dummy(dataset, tag, vr)
        return DataElement(tag, vr, changed[0] if len(changed) == 1 else changed)

    def _text(self, action: Action, vr: str, text: str) -> str:
        """One value in its new form; empty where it is not what its element holds."""
        if action is Action.UID:
            return text if text in UID_dictionary else self.keys.uid(text)
        if action is Action.AGE:
            years = age_in_years(text)
            is_old = self.identity.over_89 or (years is not None and years >= OLDEST_AGE_YEARS + 1)
            return OLD_AGE if is_old else "" if years is None else text
        if action is Action.SHIFT:
            shift = shift_date if vr == "DA" else shift_datetime
            return shift(text, self.keys.shift_days(self.identity.key)) or ""
        cleaned = clean_text(text, self.values, descriptions=action is Action.CLEAN)
        return "" if vr == "CS" and cleaned != text else cleaned  # half a code is no code

    def _sequence(self, dataset: Dataset, tag: BaseTag, depth: int) -> DataElement | None:
        element = dataset[tag]
        if depth >= MAX_DEPTH or not isinstance(element.value, Sequence):
            return None
        items = [self.convert(item, parent=int(tag), depth=depth + 1) for item in element.value]
        return DataElement(tag, "SQ", Sequence(items))

    def _dummy(self, dataset: Dataset, tag: BaseTag, vr: str) -> DataElement:
        if vr == "SQ":
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "0", "99FIRSTREAD", REMOVED
            return DataElement(tag, vr, Sequence([item]))
        if vr == "UI":
            return DataElement(tag, vr, self.keys.uid(str(dataset[tag].value)))
        if vr in _NUMBERS:
            return DataElement(tag, vr, 0)
        return DataElement(tag, vr, b"\0\0" if vr in _BYTES else _DUMMIES.get(vr, REMOVED))


def _ascii_texts(element: Any, vr: str) -> list[str] | None:
    """Texts of a raw element of ASCII, without pydicom's conversion; None where that is needed."""
    value = element.value
    if not element.is_raw or not isinstance(value, bytes) or not value.isascii() or b"\x1b" in value:
        return None
    text = value.decode("ascii").rstrip(" \0")
    if not text:
        return []
    return [text] if vr in _SINGLE_TEXTS else [part.strip(" \0") for part in text.split("\\")]


def _bytes_beside_pixels(dataset: Dataset, data: object) -> bytes:
    """Bytes of pixel data that are no pixels: all of compressed frames, with their comments, else what is too long."""
    if not isinstance(data, bytes):
        return b""
    if is_compressed(dataset):
        return data
    rows, columns, samples, bits = (int(dataset.get(keyword) or 1) for keyword in _SIZE_KEYWORDS)
    return data[rows * columns * samples * number_of_frames(dataset) * bits // 8 :]


def _private_creators(dataset: Dataset) -> dict[tuple[int, int], str]:
    return {
        (tag.group, tag.element): str(dataset[tag].value).strip()
        for tag in list(dataset.keys())
        if tag.is_private_creator
    }


def _private_vr(tag: BaseTag, vr: str, creator: str) -> str:
    """VR of a private element; in implicit files, which do not state it, from pydicom's dictionary of makers."""
    try:
        return vr or private_dictionary_VR(tag, creator)
    except KeyError:
        return ""


def _known_vr(tag: BaseTag, element: Any) -> str:
    vr = dictionary_VR(tag) if dictionary_has_tag(tag) else element.VR or "UN"
    return vr if " or " not in vr else element.VR if element.VR and element.VR != "UN" else vr.split(" or ")[0]


def _texts(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return (
        [str(item) for item in value] if isinstance(value, (list, tuple)) or hasattr(value, "append") else [str(value)]
    )


def _reason_to_hold_instance(dataset: Dataset) -> str | None:
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        if not dataset.get(keyword):
            return f"{keyword} is missing, without which nothing can refer to the object"
    return None


def _state_method(output: Dataset, profile: Profile) -> None:
    output.PatientIdentityRemoved = "YES"
    output.DeidentificationMethod = list(METHOD)
    output.LongitudinalTemporalInformationModified = profile.temporal_information()
    items = []
    for value, meaning in profile.codes():
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    output.DeidentificationMethodCodeSequence = Sequence(items)


def _new_file_meta(dataset: Dataset, output: Dataset, sop_class: str) -> Any:
    from pydicom.dataset import FileMetaDataset

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = output.SOPInstanceUID
    meta.TransferSyntaxUID = transfer_syntax(dataset)
    return meta
