"""Truth of a phantom archive: what a de-identifier must do to each element, file and box of pixels.

Actions are named as in MIDI-B, a benchmark of de-identification (https://doi.org/10.1038/s41597-021-00967-y). They
assume the Basic Application Confidentiality Profile of PS3.15 with the option named in `option`; rows without one hold
under every profile.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import UID

from firstread.phantoms.archive.truth_keywords import (
    DATES,
    DESCRIPTOR_KEYWORDS,
    DESCRIPTORS,
    NOT_NULL,
    REMOVED,
    REMOVED_SEQUENCES,
    RETAINED,
    SCOPES,
    STRUCTURE,
)

#: what may be asked for, in the words of MIDI-B
ACTIONS = (
    "tag_retained",
    "text_notnull",
    "text_retained",
    "text_removed",
    "date_shifted",
    "uid_changed",
    "uid_consistent",
    "patid_consistent",
    "pixels_hidden",
    "pixels_retained",
)


@dataclass(frozen=True)
class Action:
    """What must happen to one element or one box of pixels of a file; fields as in actions.parquet."""

    tag_path: str
    keyword: str
    action: str
    value: str = ""
    scope: str = "instance"
    option: str = ""
    box: tuple[int, int, int, int] | None = None
    frame: int | None = None
    contrast: int | None = None
    font: str = ""
    font_px: int | None = None
    note: str = ""


class Fault(NamedTuple):
    """A planted fault of a real archive; file, series and study as far as it concerns them."""

    kind: str
    file: str = ""
    series: str = ""
    study: str = ""
    note: str = ""


@dataclass(frozen=True)
class Stack:
    """Images that belong together: truth of one row of studies.parquet."""

    kind: str
    plane: str = "none"
    phase: str = "unknown"
    missing_slices: int = 0
    spacing_mm: float | None = None
    gantry_tilt_deg: float = 0.0
    sop_instance_uids: tuple[str, ...] = ()
    note: str = ""


_TEXT_VRS = frozenset(["LO", "SH", "LT", "ST", "UT", "UC", "PN", "CS", "AE", "DA", "DT", "TM", "AS", "UR"])


@dataclass(frozen=True)
class Truth:
    """What is known of one file's elements while its actions are listed.

    Attributes:
        identity_values: every text that names the patient or somebody around.
        cases: tag path -> case of a real archive, with its public source; holds for everything below the path too.
        kept: keyword -> words of a descriptor that must stay.
    """

    identity_values: tuple[str, ...]
    cases: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def contains(self, value: str, text: str) -> bool:
        """Whether an identity value stands in a text as a word of its own."""
        return text in value and _word(text).search(value) is not None

    def note(self, path: str) -> str:
        """Case that a tag path belongs to, or nothing."""
        return next((note for case, note in self.cases.items() if path.startswith(case)), "")


def list_actions(dataset: Dataset, truth: Truth, *, prefix: str = "", private: bool = False) -> Iterator[Action]:
    """Actions of every element of a data set, nested and private ones included, in the order of their tags."""
    for element in dataset:
        path = prefix + format_tag(element.tag)
        below_private = private or element.tag.is_private
        if not prefix and element.keyword in STRUCTURE:
            yield Action(path, element.keyword, "tag_retained", note=truth.note(path))
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from list_actions(item, truth, prefix=f"{path}[{number}].", private=below_private)
        elif below_private:
            yield from _private_actions(element, path, truth)
        else:
            yield from _element_actions(element, path, truth)


def format_tag(tag: BaseTag) -> str:
    """Write a tag as it stands in a tag path, such as (0010,0010)."""
    return f"({tag.group:04x},{tag.element:04x})"


def text_values(element: DataElement) -> list[str]:
    """Text of an element, one entry a value; nothing for numbers in binary and bytes."""
    if element.VR == "UI" or element.VR in _TEXT_VRS or element.VR in ("DS", "IS"):
        values = element.value if isinstance(element.value, (MultiValue, list, tuple)) else [element.value]
        return [str(value).strip(" \0") for value in values if value is not None and str(value)]
    return [str(element.value)] if element.VR in ("US", "SS", "UL", "FD", "FL") and element.value is not None else []


def _private_actions(element: DataElement, path: str, truth: Truth) -> Iterator[Action]:
    """Private elements are dropped whole by the Basic Profile."""
    if element.tag.element < 0x100 and element.tag.is_private:
        return
    values = text_values(element)
    if element.VR in ("UN", "OB") and isinstance(element.value, bytes):
        values = [text for text in truth.identity_values if text.isascii() and text.encode() in element.value]
    for value in values:
        yield Action(path, element.keyword, "text_removed", value, note=truth.note(path))


def _element_actions(element: DataElement, path: str, truth: Truth) -> Iterator[Action]:
    keyword, note = element.keyword, truth.note(path)
    maker = _BY_VR.get(element.VR, _text_actions)
    values = text_values(element)
    if keyword in RETAINED and element.VR != "UI":
        values = ["\\".join(values)] if values else []
    is_removed = path.startswith(REMOVED_SEQUENCES)
    for value in values:
        for action, text, option in maker(keyword, value, truth):
            goes = is_removed and action == "date_shifted"
            wanted, condition = ("text_removed", "") if goes else (action, option)
            yield Action(path, keyword, wanted, text, SCOPES.get(keyword, "instance"), condition, note=note)
    if "." in path:
        return
    if keyword == "PatientID" and values:
        yield Action(path, keyword, "patid_consistent", values[0], "patient", note=note)
    if keyword in NOT_NULL:
        yield Action(path, keyword, "text_notnull", scope=SCOPES.get(keyword, "instance"), note=note)


_Rows = Iterator[tuple[str, str, str]]


def _uid_actions(keyword: str, value: str, truth: Truth) -> _Rows:
    if UID(value).name == value:  # not in the registry of PS3.6: of an instance
        yield "uid_changed", value, ""
        yield "uid_consistent", value, ""
    elif keyword in RETAINED:
        yield "text_retained", value, ""


def _name_actions(keyword: str, value: str, truth: Truth) -> _Rows:
    yield "text_removed", value, ""


def _date_actions(keyword: str, value: str, truth: Truth) -> _Rows:
    if keyword in ("PatientBirthDate", "PatientDeathDateInAlternativeCalendar"):
        yield "text_removed", value, ""
    else:
        yield "date_shifted", value, DATES


def _text_actions(keyword: str, value: str, truth: Truth) -> _Rows:
    if keyword == "PatientID" or keyword in REMOVED or (keyword == "PatientAge" and value > "089Y"):
        yield "text_removed", value, ""
    elif keyword in RETAINED:
        yield "text_retained", value, RETAINED[keyword]
    else:
        for text in truth.identity_values:
            if truth.contains(value, text):
                yield "text_removed", text, ""
        kept = truth.kept.get(keyword, (value,) if keyword in DESCRIPTOR_KEYWORDS and not _holds(value, truth) else ())
        for text in kept:
            if text in value:
                yield "text_retained", text, DESCRIPTOR_KEYWORDS.get(keyword, DESCRIPTORS)


def _holds(value: str, truth: Truth) -> bool:
    return any(truth.contains(value, text) for text in truth.identity_values)


@lru_cache(maxsize=4096)
def _word(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){re.escape(text)}(?![^\W_])")


_BY_VR: Mapping[str, Callable[[str, str, Truth], _Rows]] = {
    "UI": _uid_actions,
    "PN": _name_actions,
    "DA": _date_actions,
    "DT": _date_actions,
}
