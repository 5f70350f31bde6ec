"""Which rule becomes of which element: DICOM PS3.15 table E.1-1 with its options, then what the table misses.

Order, first match wins: private, unknown and padding; overlays and curves; elements with an own rule; the option's
column; the row of the table; the value representation; attributes that the object's definition does not have. What is
kept as text is searched for identity values afterwards.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from pydicom.datadict import dictionary_has_tag, dictionary_is_retired, dictionary_VR

from firstread.deidentification.annex_e import annex_by_tag
from firstread.deidentification.iod_attributes import attribute_type, is_described_sequence
from firstread.deidentification.profile import Profile
from firstread.deidentification.safe_private import is_safe_private


class Action(Enum):
    """What is done to an element."""

    KEEP = "keep"
    #: kept text: identity values are cut out
    SEARCH = "search"
    #: kept description: identity values, dates, titles with names are cut out
    CLEAN = "clean"
    REMOVE = "remove"
    EMPTY = "empty"
    DUMMY = "dummy"
    UID = "uid"
    SHIFT = "shift"
    AGE = "age"
    RECURSE = "recurse"
    PATIENT = "patient"


@dataclass(frozen=True)
class Rule:
    """A rule's action and its name in the audit, such as "E.1-1 (0010,0010) Z"."""

    action: Action
    name: str
    #: an empty value is not valid here: what is left empty becomes a dummy
    needs_value: bool = False


_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC", "CS"})
_BYTES = frozenset({"OB", "OB or OW", "UN"})
_TIMES = frozenset({"DA", "DT", "TM"})
_GONE = frozenset({"PN", "UR", "AE", "ST", "LT", "UT", "UC"})
_NUMBERS = frozenset({"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "UV", "SV", "AT"})
_WORDS = frozenset({"OB", "OW", "OL", "OF", "OD", "OV"})
_ACTIONS_OF_KEPT = dict.fromkeys(_TEXT | {"PN"}, Action.SEARCH) | {"AS": Action.AGE}
_ACTIONS_OF_CLEANED = dict.fromkeys(_TEXT, Action.CLEAN) | {
    "DA": Action.SHIFT,
    "DT": Action.SHIFT,
    "TM": Action.KEEP,
}
_PATIENT_TAGS = frozenset({0x00100010, 0x00100020})
#: kept in every object: character set; pixels and their tables of offsets
_ANYWHERE = frozenset({0x00080005, 0x7FE00010, 0x7FE00008, 0x7FE00009, 0x7FE00001, 0x7FE00002})
_TEXT_VALUE = 0x0040A160
#: code value, coding scheme and its version, meaning, long and URN code value
_CODES = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080104, 0x00080119, 0x00080120})
#: UIDs that name a class, a coding scheme or a template of a registry, not an instance
_REGISTERED_UIDS = frozenset(
    {0x00080016, 0x0008001A, 0x0008001B, 0x00080062, 0x0008010C, 0x00080117, 0x00080118, 0x00081150, 0x0008115A}
    | {0x0040DB06}
)
#: attributes that identify (alternative calendars) or describe, and that no edition's table has
_MISSED = {
    0x00100033: Action.REMOVE,
    0x00100034: Action.REMOVE,
    0x00100035: Action.REMOVE,
    0x00281055: Action.CLEAN,
    0x00283003: Action.CLEAN,
}
#: descriptions that are the identity itself: no word of an occupation could stay
_NOT_CLEANED = frozenset({0x00102180})
#: attributes that the output states itself
_STATED = frozenset({0x00120062, 0x00120063, 0x00120064, 0x00280303})
_CODE_SEQUENCES = frozenset({0x00080082, 0x00401101})


@lru_cache(maxsize=1 << 16)
def find_rule(tag: int, vr: str, parent: int | None, sop_class: str, profile: Profile) -> Rule:
    """The rule of a public element.

    Args:
        tag: the element.
        vr: its value representation in the file; "" where the file does not state it.
        parent: tag of the sequence that holds it; None at the top.
        sop_class: UID of the object's SOP class.

    Example:
        >>> find_rule(0x00100030, "DA", None, "1.2.840.10008.5.1.4.1.1.2", Profile()).name
        'E.1-1 (0010,0030) Z'
    """
    return (
        _rule_of_group(tag)
        or _rule_of_table(tag, vr, parent, sop_class, profile)
        or _rule_of_representation(tag, vr, parent, sop_class, profile)
        or _rule_of_definition(tag, parent, sop_class)
    )


def find_private_rule(creator: str, tag: int, vr: str, profile: Profile) -> Rule:
    """The rule of a private element: removed, or kept where the option is on and PS3.15 lists it as safe."""
    if "retain_safe_private" in profile and is_safe_private(creator, tag, vr):
        return Rule(Action.KEEP, "E.1-1 private C")
    return Rule(Action.REMOVE, "private")


def _rule_of_group(tag: int) -> Rule | None:
    """What is removed whatever it is: private, padding, curves, overlays, elements that no dictionary has."""
    group, element = tag >> 16, tag & 0xFFFF
    if 0x5000 <= group <= 0x50FF and group % 2 == 0:
        return Rule(Action.REMOVE, "E.1-1 (50XX,XXXX) X")
    if 0x6000 <= group <= 0x60FF and group % 2 == 0:
        return Rule(Action.REMOVE, "E.1-1 (60XX,3000) X")
    removed = (
        (group % 2 == 1, "private"),
        (element == 0, "group length"),
        (tag in _STATED, "stated anew"),
        (group < 8 or not (tag in annex_by_tag() or dictionary_has_tag(tag)), "unknown element"),
    )
    return next((Rule(Action.REMOVE, name) for applies, name in removed if applies), None)


def _rule_of_table(tag: int, vr: str, parent: int | None, sop_class: str, profile: Profile) -> Rule | None:
    """The option's column, else the basic profile's code."""
    row = annex_by_tag().get(tag)
    if row is None:
        return None
    known = dictionary_VR(tag) if dictionary_has_tag(tag) else vr
    codes = {code for option, code in row.options.items() if option in profile}
    codes -= {"C"} if tag in _NOT_CLEANED else set()
    code = "C" if "C" in codes else "K" if "K" in codes else row.basic_profile
    name = f"E.1-1 {row.tag} {code}"
    kind = attribute_type(sop_class, parent, tag) or ""
    if tag in _PATIENT_TAGS and not codes:
        return Rule(Action.PATIENT, name)
    needs_value = kind.startswith("1") or "D" in row.basic_profile
    if code in ("K", "C") and vr not in ("", "UN") and not _may_stand_for(vr, known):
        code = row.basic_profile
    action = _action_of_sequence(code, tag, kind) if known == "SQ" else _action_of_code(code, known, kind)
    return Rule(action, name, needs_value)


def _action_of_code(code: str, vr: str, kind: str) -> Action:
    """What a code means for an element that is no sequence."""
    if code == "K":
        return _ACTIONS_OF_KEPT.get(vr, Action.KEEP)
    if code == "C" and vr in _ACTIONS_OF_CLEANED:
        return _ACTIONS_OF_CLEANED[vr]
    if vr == "UI" and code != "X":
        return Action.UID
    if "D" in code or (kind.startswith("1") and code != "U"):
        return Action.DUMMY
    return Action.EMPTY if "Z" in code or kind.startswith("2") else Action.REMOVE


def _action_of_sequence(code: str, tag: int, kind: str) -> Action:
    if code in ("K", "C", "X/Z/U*"):
        return Action.RECURSE
    if "D" in code:
        return Action.DUMMY if tag in _CODE_SEQUENCES else Action.RECURSE
    return Action.EMPTY if "Z" in code and kind.startswith("2") else Action.REMOVE


def _rule_of_representation(tag: int, vr: str, parent: int | None, sop_class: str, profile: Profile) -> Rule | None:
    """What a value representation means where the table does not have the element."""
    known = dictionary_VR(tag)
    kind = attribute_type(sop_class, parent, tag) or ""
    gone = Action.DUMMY if kind.startswith("1") else Action.EMPTY if kind.startswith("2") else Action.REMOVE
    if tag in _MISSED:
        return Rule(_MISSED[tag], "missed by E.1-1")
    if vr not in ("", "UN") and not _may_stand_for(vr, known):
        return Rule(Action.REMOVE, f"VR {vr} where {known} belongs")
    if tag in _CODES or (tag == _TEXT_VALUE and "clean_structured_content" in profile):
        return Rule(Action.SEARCH if tag in _CODES else Action.CLEAN, "value search", needs_value=True)
    if known == "UI":
        kept = tag in _REGISTERED_UIDS or "retain_uids" in profile
        return Rule(Action.KEEP if kept else Action.UID, "VR UI")
    if known in _TIMES:
        return Rule(_action_of_time(known, gone, profile), f"VR {known}")
    return Rule(gone, f"VR {known}") if known in _GONE else None


def _rule_of_definition(tag: int, parent: int | None, sop_class: str) -> Rule:
    """What the object's definition does not have goes; numbers stay, because they may describe the pixels."""
    known = dictionary_VR(tag)
    kind = attribute_type(sop_class, parent, tag)
    described = parent is None or is_described_sequence(parent)
    may_go = kind is None and known in _TEXT | _BYTES | {"SQ", "AS"} and tag not in _ANYWHERE
    if may_go and (described or dictionary_is_retired(tag)):
        return Rule(Action.REMOVE, "not in the object's definition")
    if known == "SQ":
        return Rule(Action.RECURSE, "sequence")
    if known in _TEXT:
        action = Action.SEARCH if known == "CS" else Action.CLEAN
        return Rule(action, "value search", needs_value=kind in ("1", "1C"))
    return Rule(Action.AGE if known == "AS" else Action.KEEP, "kept")


def _action_of_time(vr: str, gone: Action, profile: Profile) -> Action:
    if "retain_full_dates" in profile:
        return Action.KEEP
    if "retain_modified_dates" in profile:
        return Action.KEEP if vr == "TM" else Action.SHIFT
    return gone


def _may_stand_for(vr: str, known: str) -> bool:
    """Whether a file's VR is a usual stand-in for the dictionary's (text for text, number for number)."""
    kinds = known.split(" or ")
    stated = vr.split(" or ", maxsplit=1)[0]
    return stated in kinds or any(stated in alike and kinds[0] in alike for alike in (_TEXT, _NUMBERS, _WORDS))
