"""Elements of a dataset under their rules: one pass over it and its sequences; what no rule changes stays raw."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR, private_dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID_dictionary

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
from firstread.deidentification.identity import MAX_DEPTH, Identity
from firstread.deidentification.profile import Profile
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.deidentification.rules import Action, Rule, find_private_rule, find_rule
from firstread.deidentification.value_search import clean_text, encoded_values
from firstread.dicom.pixel_elements import is_compressed, number_of_frames
from firstread.dicom.raw_elements import Element, encode_item, raw_element, raw_texts, text_element

REMOVED = "REMOVED"
_DUMMIES: dict[str, str | int | float | bytes] = {
    "DA": DUMMY_DATE,
    "TM": DUMMY_TIME,
    "DT": DUMMY_DATETIME,
    "AS": "000Y",
    "DS": "0",
    "IS": "0",
    "UR": "urn:removed",
}
#: representation -> bytes of one number
_NUMBERS = {"US": 2, "SS": 2, "AT": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "UV": 8, "SV": 8}
_BYTES = frozenset({"OB", "OW", "OL", "OF", "OD", "OV", "UN"})
_PIXEL_DATA = 0x7FE00010
_CHARACTER_SET = 0x00080005
#: bytes of a sequence that is kept to be recognized
_LONGEST_REPEATED = 4096
#: actions that the audit counts always; what is kept or searched is counted where something was cut
_COUNTED = frozenset(Action) - {Action.KEEP, Action.SEARCH, Action.CLEAN, Action.RECURSE}
_MIN_NUMBER = 5
_SIZE_KEYWORDS = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
#: bytes that values of these representations are made of; what holds others is no such value
_STRINGS_OF_DIGITS = {
    "DS": b"0123456789eE+-. \\\0",
    "IS": b"0123456789+- \\\0",
    "TM": b"0123456789:.- \\\0",
    "DA": b"0123456789.-/ \\\0",
    "DT": b"0123456789.+- \\\0",
    "UI": b"0123456789. \\\0",
}


#: tag, depth, value representation, character set and bytes of a sequence
_Bytes = tuple[int, int, str | None, str, bytes]


class _Known(NamedTuple):
    """The rule of an element, and the value representation that it has by the dictionary."""

    rule: Rule
    vr: str
    #: stays whatever its value is
    as_it_is: bool
    #: the audit counts it
    counted: bool

    @classmethod
    def of(cls, rule: Rule, tag: int, stated_vr: str) -> "_Known":
        vr = _known_vr(tag, stated_vr)
        searched = vr in _STRINGS_OF_DIGITS or vr in _BYTES or vr in _NUMBERS or tag == _PIXEL_DATA
        return cls(rule, vr, rule.action is Action.KEEP and not searched, rule.action in _COUNTED)


@dataclass
class DatasetConverter:
    """One pass over a dataset and its sequences."""

    sop_class: str
    profile: Profile
    keys: PseudonymKeys
    identity: Identity
    #: (kind, text) of the identity values that are searched for
    values: frozenset[tuple[str, str]]
    #: implicit value representation and little endian, of the file
    encoding: tuple[bool, bool]
    actions: Counter[str] = field(default_factory=Counter)
    #: sequences that were converted before, and what was counted in them
    repeated: dict[_Bytes, tuple[RawDataElement | None, Counter[str]]] = field(default_factory=dict, repr=False)
    #: comments of compressed frames, or bytes behind the last row, hold identity values
    values_in_pixels: bool = False

    def convert(self, dataset: Dataset) -> Dataset:
        """The dataset without identity; the one given is not changed."""
        return self._dataset(self._elements(dataset, None, 0), dataset)

    def _dataset(self, elements: dict[BaseTag, Element], original: Dataset) -> Dataset:
        implicit, little = original.original_encoding
        raw = {tag: element for tag, element in elements.items() if element.is_raw}
        output = Dataset(raw, parent_encoding=original.original_character_set)
        output.set_original_encoding(implicit, little, original.original_character_set)
        for tag, element in elements.items():
            if not element.is_raw:
                output[tag] = element
        return output

    def _elements(self, dataset: Dataset, parent: int | None, depth: int) -> dict[BaseTag, Element]:
        """Elements that stay, in their new form."""
        creators = _private_creators(dataset) if "retain_safe_private" in self.profile else {}
        used_creators, known_elements = set(), _known_elements(self.sop_class, self.profile)
        output: dict[BaseTag, Element] = {}
        for tag, element in list(dataset.items()):
            if tag & 0x10000:
                known = self._private(tag, element, creators)
            else:
                if element.VR == "UN":
                    element = dataset[tag]  # noqa: PLW2901 - pydicom gives it the VR of the dictionary
                key = int(tag), element.VR or "", parent
                known = known_elements.get(key) or known_elements.setdefault(key, self._public(*key))
            if known.counted:
                self.actions[known.rule.name] += 1
            if known.as_it_is and element.value is not None:
                output[tag] = element
            elif (converted := self._apply(known, dataset, tag, element, depth)) is not None:
                output[tag] = converted
            else:
                continue
            if tag & 0x10000:
                used_creators.add((tag.group, tag.element >> 8))
        for group, block in used_creators:
            creator = DataElement((group, block), "LO", creators[group, block])
            output[creator.tag] = creator
        return output

    def _public(self, tag: int, vr: str, parent: int | None) -> _Known:
        return _Known.of(find_rule(tag, vr, parent, self.sop_class, self.profile), tag, vr)

    def _private(self, tag: BaseTag, element: Any, creators: Mapping[tuple[int, int], str]) -> _Known:
        creator, vr = creators.get((tag.group, tag.element >> 8), ""), element.VR or ""
        rule = find_private_rule(creator, int(tag), _private_vr(tag, vr, creator), self.profile)
        return _Known.of(rule, int(tag), vr)

    def _apply(self, known: _Known, dataset: Dataset, tag: BaseTag, element: Any, depth: int) -> Element | None:
        """The element under a rule: as it was, another one, or None where it is removed."""
        action, vr = known.rule.action, known.vr
        if action is Action.REMOVE:
            return None
        if action is Action.KEEP:
            return self._kept(dataset, tag, element, vr)
        if action is Action.RECURSE:
            return self._sequence(dataset, tag, depth)
        if action is Action.EMPTY:
            return DataElement(tag, vr, Sequence()) if vr == "SQ" else self._new(tag, vr, [])
        if action is Action.DUMMY:
            return self._dummy(dataset, tag, vr)
        return self._changed(known, dataset, tag, element)

    def _kept(self, dataset: Dataset, tag: BaseTag, element: Any, vr: str) -> Element | None:
        """An element that stays; digits that are an identifier of the patient, and words among numbers, do not."""
        if vr in _STRINGS_OF_DIGITS:
            value = dataset[tag].value if element.value is None else element.value
            text = value if isinstance(value, bytes) else "\\".join(_texts(value)).encode("latin-1", "replace")
            if text.translate(None, _STRINGS_OF_DIGITS[vr]) or text.strip(b" \0") in self._identifiers:
                self.actions["value search: cut"] += 1
                return self._new(tag, vr, [])
        elif vr in _NUMBERS:
            if isinstance(element.value, bytes) and self._is_no_number(element.value, _NUMBERS[vr]):
                self.actions["value search: cut"] += 1
                return None
        elif vr in _BYTES and tag >> 16 != 0x7FE0 and self._holds_value(dataset[tag].value):
            self.actions["value search: cut"] += 1
            return None
        loaded = self._loaded(dataset, tag, element)
        if tag == _PIXEL_DATA and self._holds_value(_bytes_beside_pixels(dataset, loaded.value)):
            self.values_in_pixels = True
        return loaded

    def _loaded(self, dataset: Dataset, tag: BaseTag, element: Element) -> Element:
        """The element as it is; read, where it is still on disk."""
        return dataset[tag] if element.is_raw and element.value is None else element

    def _is_no_number(self, value: bytes, size: int) -> bool:
        """Whether bytes are of no whole number of numbers, or hold a text: a wrong length swallows what follows."""
        return bool(len(value) % size) or (len(value) >= _MIN_NUMBER and self._holds_value(value))

    @cached_property
    def _identifiers(self) -> frozenset[bytes]:
        kinds = ("id", "accession", "study_id", "birth_date")
        return frozenset(value.encode() for kind, value in self.values if kind in kinds and len(value) >= _MIN_NUMBER)

    def _holds_value(self, data: object) -> bool:
        return isinstance(data, bytes) and any(form in data for form in encoded_values(self.values))

    def _changed(self, known: _Known, dataset: Dataset, tag: BaseTag, element: Any) -> Element | None:
        """An element whose texts are replaced one by one; raw as it was where none changes."""
        rule, vr = known.rule, known.vr
        texts = raw_texts(element, vr)
        if texts is None:
            value = dataset[tag].value
            if isinstance(value, (bytes, Sequence)):
                return self._dummy(dataset, tag, vr) if rule.needs_value else None
            texts = _texts(value)
        changed = [self._text(rule.action, vr, text) for text in texts]
        if rule.action is Action.PATIENT:
            changed = [self._pseudonym]
        if changed == texts:
            return self._loaded(dataset, tag, element)
        if rule.action in (Action.SEARCH, Action.CLEAN):
            self.actions["value search: cut"] += 1
        if rule.needs_value and not any(changed):
            return self._dummy(dataset, tag, vr)
        return self._new(tag, vr, changed)

    def _new(self, tag: BaseTag, vr: str, texts: list[str]) -> Element:
        """An element of texts: raw, where they are ASCII."""
        raw = text_element(tag, vr, texts, encoding=self.encoding)
        return raw or DataElement(tag, vr, texts[0] if len(texts) == 1 else texts)

    @cached_property
    def _pseudonym(self) -> str:
        return self.keys.patient(self.identity.key)

    @cached_property
    def _shift_days(self) -> int:
        return self.keys.shift_days(self.identity.key)

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
            return shift(text, self._shift_days) or ""
        cleaned = clean_text(text, self.values, descriptions=action is Action.CLEAN)
        return "" if vr == "CS" and cleaned != text else cleaned  # half a code is no code

    def _sequence(self, dataset: Dataset, tag: BaseTag, depth: int) -> Element | None:
        """A sequence with its items converted; one that repeats the bytes of another, as in frames, only once."""
        element = dataset.get_item(tag, keep_deferred=True)
        if not isinstance(element, RawDataElement) or element.value is None or len(element.value) > _LONGEST_REPEATED:
            return self._converted_sequence(dataset, tag, depth)
        key = (int(tag), depth, element.VR, str(dataset.original_character_set), element.value)
        if known := self.repeated.get(key):
            self.actions.update(known[1])
            return known[0]
        before, self.actions = self.actions, Counter()
        converted = self._converted_sequence(dataset, tag, depth)
        before.update(self.actions)
        if converted is None or isinstance(converted, RawDataElement):  # what can be changed is not shared
            self.repeated[key] = converted, self.actions
        self.actions = before
        return converted

    def _converted_sequence(self, dataset: Dataset, tag: BaseTag, depth: int) -> Element | None:
        items = dataset[tag].value
        if depth >= MAX_DEPTH or not isinstance(items, Sequence):
            return None
        converted = [self._elements(item, int(tag), depth + 1) for item in items]
        if any(item.original_encoding != self.encoding or _CHARACTER_SET in item for item in items):
            datasets = [self._dataset(elements, item) for elements, item in zip(converted, items, strict=True)]
            return DataElement(tag, "SQ", Sequence(datasets))
        value = b"".join(
            encode_item(elements, encoding=self.encoding, character_set=item.original_character_set)
            for elements, item in zip(converted, items, strict=True)
        )
        return raw_element(tag, "SQ", value, encoding=self.encoding)

    def _dummy(self, dataset: Dataset, tag: BaseTag, vr: str) -> Element:
        if vr == "SQ":
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "0", "99FIRSTREAD", REMOVED
            return DataElement(tag, vr, Sequence([item]))
        if vr == "UI":
            return self._new(tag, vr, [self.keys.uid(str(dataset[tag].value))])
        if vr in _NUMBERS and vr != "AT":
            return DataElement(tag, vr, 0)
        if vr in _BYTES:
            return DataElement(tag, vr, b"\0\0")
        return self._new(tag, vr, [str(_DUMMIES.get(vr, REMOVED))])


@lru_cache(maxsize=256)
def _known_elements(sop_class: str, profile: Profile) -> dict[tuple[int, str, int | None], _Known]:
    """Rules that were looked up before, by tag, value representation in the file and parent."""
    return {}


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


def _known_vr(tag: int, stated: str) -> str:
    vr = dictionary_VR(tag) if dictionary_has_tag(tag) else stated or "UN"
    return vr if " or " not in vr else stated if stated and stated != "UN" else vr.split(" or ")[0]


def _texts(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return (
        [str(item) for item in value] if isinstance(value, (list, tuple)) or hasattr(value, "append") else [str(value)]
    )
