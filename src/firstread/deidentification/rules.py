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
_LONG_TEXT = frozenset({"ST", "LT", "UT", "UC"})
_BYTES = frozenset({"OB", "OB or OW", "UN"})
_TIMES = frozenset({"DA", "DT", "TM"})
_DATES = frozenset({"DA", "DT"})
_PATIENT_TAGS = frozenset({0x00100010, 0x00100020})
_PIXELS = frozenset({0x7FE00010, 0x7FE00008, 0x7FE00009, 0x7FE00001, 0x7FE00002})
_CHARACTER_SET = 0x00080005
_TEXT_VALUE = 0x0040A160
#: UIDs that name a class, a coding scheme or a template of a registry, not an instance
_REGISTERED_UIDS = frozenset(
    {0x00080016, 0x0008001A, 0x0008001B, 0x00080062, 0x0008010C, 0x00080117, 0x00080118, 0x00081150, 0x0008115A}
    | {0x00020002, 0x00020010, 0x00041510, 0x00041512, 0x0040DB06, 0x00080011}
)
#: attributes that identify and that no edition's table has (24 of 24 names, alternative calendars)
_MISSED = {0x00100033: "X", 0x00100034: "X", 0x00100035: "X", 0x00281055: "C", 0x00283003: "C"}
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
    group, element = tag >> 16, tag & 0xFFFF
    if group % 2:
        return Rule(Action.REMOVE, "private")
    if element == 0:
        return Rule(Action.REMOVE, "group length")
    if 0x5000 <= group <= 0x50FF:
        return Rule(Action.REMOVE, "E.1-1 (50XX,XXXX) X")
    if 0x6000 <= group <= 0x60FF:
        return Rule(Action.REMOVE, "E.1-1 (60XX,3000) X")
    if tag in _STATED:
        return Rule(Action.REMOVE, "stated anew")
    if tag in annex_by_tag():
        known = dictionary_VR(tag) if dictionary_has_tag(tag) else vr
        return _rule_of_table(tag, known, parent, sop_class, profile)
    if not dictionary_has_tag(tag) or group < 8:
        return Rule(Action.REMOVE, "unknown element")
    return _rule_of_representation(tag, vr, parent, sop_class, profile)


def find_private_rule(creator: str, tag: int, vr: str, profile: Profile) -> Rule:
    """The rule of a private element: removed, or kept where the option is on and PS3.15 lists it as safe."""
    if "retain_safe_private" in profile and is_safe_private(creator, tag, vr):
        return Rule(Action.KEEP, "E.1-1 private C")
    return Rule(Action.REMOVE, "private")


def _rule_of_table(tag: int, vr: str, parent: int | None, sop_class: str, profile: Profile) -> Rule:
    row = annex_by_tag()[tag]
    codes = {code for option, code in row.options.items() if option in profile}
    code = "C" if "C" in codes else "K" if "K" in codes else row.basic_profile
    name = f"E.1-1 {row.tag} {code}"
    kind = attribute_type(sop_class, parent, tag) or ""
    if tag in _PATIENT_TAGS and not codes:
        return Rule(Action.PATIENT, name)
    needs_value = kind.startswith("1") or "D" in row.basic_profile
    return Rule(_action_of_code(code, tag, vr, kind), name, needs_value)


def _action_of_code(code: str, tag: int, vr: str, kind: str) -> Action:
    if vr == "SQ":
        return _action_of_sequence(code, tag)
    if code == "K":
        return Action.AGE if vr == "AS" else Action.SEARCH if vr in _TEXT or vr == "PN" else Action.KEEP
    if code == "C":
        if vr in _DATES:
            return Action.SHIFT
        if vr == "TM":
            return Action.KEEP
        return Action.CLEAN if vr in _TEXT else Action.REMOVE if kind in ("", "3") else Action.EMPTY
    if vr == "UI" and code != "X":
        return Action.UID
    if "D" in code or (kind.startswith("1") and code != "U"):
        return Action.DUMMY
    return Action.EMPTY if "Z" in code or kind.startswith("2") else Action.REMOVE


def _action_of_sequence(code: str, tag: int) -> Action:
    if code in ("K", "C", "X/Z/U*"):
        return Action.RECURSE
    if "D" in code:
        return Action.DUMMY if tag in _CODE_SEQUENCES else Action.RECURSE
    return Action.EMPTY if "Z" in code else Action.REMOVE


def _rule_of_representation(tag: int, vr: str, parent: int | None, sop_class: str, profile: Profile) -> Rule:
    known = dictionary_VR(tag)
    kind = attribute_type(sop_class, parent, tag)
    if tag in _MISSED:
        return Rule(Action.CLEAN if _MISSED[tag] == "C" else Action.REMOVE, "missed by E.1-1")
    if vr not in ("", "UN", known) and not _may_stand_for(vr, known):
        return Rule(Action.REMOVE, f"VR {vr} where {known} belongs")
    gone = Action.DUMMY if kind in ("1", "1C") else Action.EMPTY if kind in ("2", "2C") else Action.REMOVE
    if known == "PN":
        return Rule(gone, "VR PN")
    if known in _TIMES:
        return Rule(_action_of_time(known, gone, profile), f"VR {known}")
    if known == "UI":
        kept = tag in _REGISTERED_UIDS or "retain_uids" in profile
        return Rule(Action.KEEP if kept else Action.UID, "VR UI")
    if tag == _TEXT_VALUE and "clean_structured_content" in profile:
        return Rule(Action.CLEAN, "structured content", needs_value=True)
    if known in _LONG_TEXT or known in ("UR", "AE"):
        return Rule(gone, f"VR {known}")
    if tag == _CHARACTER_SET:
        return Rule(Action.SEARCH, "character set")
    if known == "SQ":
        outside = kind is None and (parent is None or is_described_sequence(parent))
        return Rule(Action.REMOVE, "not in the object's definition") if outside else Rule(Action.RECURSE, "sequence")
    if known in _TEXT or known == "AS":
        if kind is None and not _belongs(tag, parent):
            return Rule(Action.REMOVE, "not in the object's definition")
        action = Action.AGE if known == "AS" else Action.SEARCH if known == "CS" else Action.CLEAN
        return Rule(action, "value search", needs_value=kind in ("1", "1C"))
    if known in _BYTES and tag not in _PIXELS and kind is None:
        return Rule(Action.REMOVE, "not in the object's definition")
    return Rule(Action.KEEP, "kept")


def _action_of_time(vr: str, gone: Action, profile: Profile) -> Action:
    if "retain_full_dates" in profile:
        return Action.KEEP
    if "retain_modified_dates" in profile:
        return Action.KEEP if vr == "TM" else Action.SHIFT
    return gone


def _belongs(tag: int, parent: int | None) -> bool:
    """Whether an attribute that the tables do not list may stand here: in a sequence that they do not describe."""
    return parent is not None and not is_described_sequence(parent) and not dictionary_is_retired(tag)


def _may_stand_for(vr: str, known: str) -> bool:
    """Whether a file's VR is a usual stand-in for the dictionary's (text for text, number for number)."""
    if vr in known.split(" or "):
        return True
    numbers = {"DS", "IS", "US", "SS", "UL", "SL", "FL", "FD", "UV", "SV", "AT"}
    words = {"OB", "OW", "OL", "OF", "OD", "OV"}
    return any(vr in kinds and known.split(" or ")[0] in kinds for kinds in (_TEXT, numbers, words))
