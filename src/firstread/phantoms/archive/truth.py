"""Truth of a phantom archive: what a de-identifier must do to each element, file and box of pixels.

Actions are named as in MIDI-B, the benchmark of de-identification (Rutherford et al. 2021,
https://doi.org/10.1038/s41597-021-00967-y). They assume the Basic Application Confidentiality Profile of PS3.15 with the
options named in `option`; rows without an option hold under every profile.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import UID

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
#: options of PS3.15 that a row may depend on
DESCRIPTORS, DATES, CHARACTERISTICS, STRUCTURED = (
    "clean descriptors",
    "retain longitudinal temporal information with modified dates",
    "retain patient characteristics",
    "clean structured content",
)

_DICTIONARY = pa.dictionary(pa.int32(), pa.string())
ACTION_SCHEMA = pa.schema(
    {
        "patient": _DICTIONARY,
        "file": _DICTIONARY,
        "sop_instance_uid": _DICTIONARY,
        "tag_path": _DICTIONARY,
        "keyword": _DICTIONARY,
        "action": _DICTIONARY,
        "value": pa.string(),
        "scope": _DICTIONARY,
        "option": _DICTIONARY,
        "box": pa.list_(pa.int32()),
        "frame": pa.int32(),
        "contrast": pa.int32(),
        "font": _DICTIONARY,
        "font_px": pa.int32(),
        "note": _DICTIONARY,
    }
)
IDENTITY_SCHEMA = pa.schema({"patient": pa.string(), "kind": pa.string(), "value": pa.string(), "character_set": pa.string()})
FAULT_SCHEMA = pa.schema(
    {
        "patient": pa.string(),
        "kind": pa.string(),
        "file": pa.string(),
        "series": pa.string(),
        "study": pa.string(),
        "note": pa.string(),
    }
)
FILE_SCHEMA = pa.schema(
    {
        "patient": pa.string(),
        "file": pa.string(),
        "sop_instance_uid": pa.string(),
        "sop_class_uid": pa.string(),
        "transfer_syntax": pa.string(),
        "modality": pa.string(),
        "needs_person": pa.bool_(),
        "violations": pa.list_(pa.string()),
    }
)
STACK_SCHEMA = pa.schema(
    {
        "patient": pa.string(),
        "study": pa.string(),
        "series": pa.string(),
        "stack": pa.int32(),
        "modality": pa.string(),
        "kind": pa.string(),
        "plane": pa.string(),
        "phase": pa.string(),
        "instances": pa.int32(),
        "missing_slices": pa.int32(),
        "spacing_mm": pa.float64(),
        "gantry_tilt_deg": pa.float64(),
        "day": pa.int32(),
        "sop_instance_uids": pa.list_(pa.string()),
        "note": pa.string(),
    }
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


#: elements whose text must go, by keyword; names (PN), UIDs and dates are known by their VR
_REMOVED = frozenset(
    """AccessionNumber InstitutionName InstitutionAddress InstitutionalDepartmentName StationName StudyID DeviceSerialNumber
    OtherPatientIDs PatientAddress PatientTelephoneNumbers EthnicGroup Occupation AdditionalPatientHistory
    PatientComments CurrentPatientLocation PatientInstitutionResidence IssuerOfPatientID AdmissionID
    PatientBirthDateInAlternativeCalendar PatientBirthTime PatientReligiousPreference MilitaryRank RequestingService
    RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID PerformedLocation PerformedStationName
    PerformedStationAETitle PersonIdentificationCodeSequence MedicalRecordLocator CountryOfResidence
    InterpretationText TextValue UnformattedTextValue OverlayComments""".split()
)
#: keyword -> option under which its text is kept ("" is always)
_RETAINED: Mapping[str, str] = {
    **dict.fromkeys(
        """Modality ImageType Rows Columns BitsStored PhotometricInterpretation PixelSpacing ImagerPixelSpacing SliceThickness KVP
        ImageOrientationPatient ImagePositionPatient RescaleSlope RescaleIntercept SeriesNumber InstanceNumber
        BodyPartExamined PatientPosition Manufacturer EchoTime RepetitionTime NumberOfFrames SOPClassUID
        Laterality ImageLaterality ViewPosition PatientOrientation AcquisitionNumber SegmentLabel""".split(),
        "",
    ),
    **dict.fromkeys(("PatientSex", "PatientAge", "PatientWeight", "PatientSize"), CHARACTERISTICS),
    **dict.fromkeys(
        ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "TimezoneOffsetFromUTC"),
        DATES,
    ),
}
_DESCRIPTORS = frozenset(
    """StudyDescription SeriesDescription ProtocolName ImageComments DerivationDescription RequestedProcedureDescription
    PerformedProcedureStepDescription ReasonForStudy AdmittingDiagnosesDescription ContrastBolusAgent
    AcquisitionProtocolDescription""".split()
)
_NOT_NULL = frozenset(("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality", "SOPClassUID"))
_SCOPES = {"StudyInstanceUID": "study", "SeriesInstanceUID": "series", "PatientID": "patient"}
#: separates the parts of a descriptor that must go from the words that must stay, while a data set is made
_TEXT_VRS = frozenset("LO SH LT ST UT UC PN CS AE DA DT TM AS UR".split())


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
        return [str(value) for value in values if value is not None and str(value)]
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
    if keyword in _RETAINED and element.VR != "UI":
        values = ["\\".join(values)] if values else []
    for value in values:
        for action in maker(keyword, value, truth):
            yield Action(path, keyword, action[0], action[1], _SCOPES.get(keyword, "instance"), action[2], note=note)
    if "." in path:
        return
    if keyword == "PatientID" and values:
        yield Action(path, keyword, "patid_consistent", values[0], "patient", note=note)
    if keyword in _NOT_NULL:
        yield Action(path, keyword, "text_notnull", scope=_SCOPES.get(keyword, "instance"), note=note)


_Rows = Iterator[tuple[str, str, str]]


def _uid_actions(keyword: str, value: str, truth: Truth) -> _Rows:
    if UID(value).name == value:  # not in the registry of PS3.6: of an instance
        yield "uid_changed", value, ""
        yield "uid_consistent", value, ""
    elif keyword in _RETAINED:
        yield "text_retained", value, ""


def _name_actions(keyword: str, value: str, truth: Truth) -> _Rows:
    yield "text_removed", value, ""


def _date_actions(keyword: str, value: str, truth: Truth) -> _Rows:
    if keyword in ("PatientBirthDate", "PatientDeathDateInAlternativeCalendar"):
        yield "text_removed", value, ""
    else:
        yield "date_shifted", value, DATES


def _text_actions(keyword: str, value: str, truth: Truth) -> _Rows:
    if keyword == "PatientID":
        yield "text_removed", value, ""
    elif keyword == "PatientAge" and value > "089Y":
        yield "text_removed", value, ""
    elif keyword in _REMOVED:
        yield "text_removed", value, ""
    elif keyword in _RETAINED:
        yield "text_retained", value, _RETAINED[keyword]
    else:
        for text in truth.identity_values:
            if truth.contains(value, text):
                yield "text_removed", text, ""
        kept = truth.kept.get(keyword, (value,) if keyword in _DESCRIPTORS and not _holds(value, truth) else ())
        for text in kept:
            if text in value:
                yield "text_retained", text, DESCRIPTORS


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
