"""Identity of a patient: the values that name a person, gathered over the patient's files."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from firstread.core.patient_identity import is_placeholder, normalize_patient
from firstread.deidentification.date_shift import OLDEST_AGE_YEARS, age_between, age_in_years
from firstread.dicom.raw_elements import read_texts

if TYPE_CHECKING:
    from pydicom import Dataset

#: keyword -> kind of an identity value; all person names (VR PN) belong to it too
IDENTITY_KEYWORDS = {
    "PatientID": "id",
    "OtherPatientIDs": "id",
    "MedicalRecordLocator": "id",
    "AdmissionID": "id",
    "ServiceEpisodeID": "id",
    "InsurancePlanIdentification": "id",
    "IssuerOfPatientID": "text",
    "CurrentPatientLocation": "text",
    "StudyID": "study_id",
    "AccessionNumber": "accession",
    "PlacerOrderNumberImagingServiceRequest": "accession",
    "FillerOrderNumberImagingServiceRequest": "accession",
    "RequestedProcedureID": "accession",
    "PatientAddress": "text",
    "PatientTelephoneNumbers": "phone",
    "OrderCallbackPhoneNumber": "phone",
    "PersonTelephoneNumbers": "phone",
    "PersonAddress": "text",
    "ReferringPhysicianTelephoneNumbers": "phone",
    "InstitutionName": "institution",
    "InstitutionAddress": "institution",
    "PatientBirthDate": "birth_date",
    "PatientBirthDateInAlternativeCalendar": "text",
    "PatientDeathDateInAlternativeCalendar": "text",
    "StationName": "device",
    "DeviceSerialNumber": "device",
}
_PATIENT_ID, _ISSUER, _BIRTH_DATE, _SEX, _AGE = 0x00100020, 0x00100021, 0x00100030, 0x00100040, 0x00101010
#: of the study, the series, the acquisition
_DAYS = (0x00080020, 0x00080021, 0x00080022)
#: items within items, deeper than any object of the standard
MAX_DEPTH = 32
#: a StudyID is often a small number or a word, which identifies nothing
_MIN_STUDY_DIGITS = 5
#: kinds that an option keeps, so that they are not searched for
_KEPT_BY_OPTION = {"institution": "retain_institution_identity", "device": "retain_device_identity"}


@dataclass(frozen=True)
class Identity:
    """What is known of one patient from all files: how the pseudonym is made, and what must not be found again.

    Args:
        key: issuer and normalized identifier; "" where no patient is stated.
        patient_ids: exact identifiers.
        values: (kind, text) of everything that names the patient or people around them.
        over_89: any study of the patient is of an age over 89.
        conflict: why the files cannot be of one known person; None where they can.
    """

    key: str
    patient_ids: frozenset[str] = frozenset()
    birth_dates: frozenset[str] = frozenset()
    sexes: frozenset[str] = frozenset()
    over_89: bool = False
    values: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    conflict: str | None = None

    @classmethod
    def of(cls, dataset: "Dataset") -> "Identity":
        """Identity as one dataset states it.

        Example:
            >>> from pydicom import Dataset
            >>> dataset = Dataset()
            >>> dataset.PatientID, dataset.PatientAge = "0012 ", "093Y"
            >>> identity = Identity.of(dataset)
            >>> identity.key, identity.over_89
            ('|12', True)
        """
        patient_id, issuer, birth_date, sex = (
            "\\".join(read_texts(dataset, tag)) for tag in (_PATIENT_ID, _ISSUER, _BIRTH_DATE, _SEX)
        )
        stated = bool(patient_id) and not is_placeholder(patient_id)
        issuer = normalize_patient(issuer) if issuer else ""
        return cls(
            key=f"{issuer}|{normalize_patient(patient_id)}" if stated else "",
            patient_ids=frozenset({patient_id} if stated else ()),
            birth_dates=frozenset({birth_date} if birth_date else ()),
            sexes=frozenset({sex} if sex in ("M", "F") else ()),
            over_89=_is_over_89(dataset, birth_date),
            values=frozenset(identity_values(dataset)),
        )

    def merged(self, other: "Identity") -> "Identity":
        """This identity and what another file of the same patient adds."""
        return replace(
            self,
            patient_ids=self.patient_ids | other.patient_ids,
            birth_dates=self.birth_dates | other.birth_dates,
            sexes=self.sexes | other.sexes,
            over_89=self.over_89 or other.over_89,
            values=self.values | other.values,
            conflict=self.conflict or other.conflict,
        )

    def reason_to_hold(self) -> str | None:
        """Why files of this patient are held back; None where the patient is known."""
        if not self.key:
            return "No patient is stated (PatientID is empty or a placeholder): files of nobody are never one patient"
        if len(self.birth_dates) > 1:
            return "One PatientID with different birth dates: say whose files they are, and correct the identifier"
        if len(self.sexes) > 1:
            return "One PatientID with different sexes: say whose files they are, and correct the identifier"
        return self.conflict

    def searched_values(self, options: frozenset[str]) -> frozenset[tuple[str, str]]:
        """Values to search for under the options of a profile."""
        kept = {kind for kind, option in _KEPT_BY_OPTION.items() if option in options}
        return frozenset(pair for pair in self.values if pair[0] not in kept) if kept else self.values


def identity_values(dataset: "Dataset") -> Iterator[tuple[str, str]]:
    """(kind, text) of every identity value at the top of a dataset, with person names of each component."""
    for tag in list(dataset.keys()):
        kind = _kind_of_element(int(tag))
        if kind is None:
            continue
        for value in read_texts(dataset, tag):
            is_number = kind != "study_id" or sum(map(str.isdigit, value)) >= _MIN_STUDY_DIGITS
            if is_number and not is_placeholder(value):
                yield kind, value


@lru_cache(maxsize=1 << 14)
def _kind_of_element(tag: int) -> str | None:
    """Kind of the identity values that an element holds; None where it holds none."""
    from pydicom.datadict import dictionary_VR, keyword_for_tag

    keyword = keyword_for_tag(tag)
    if not keyword:
        return None
    return IDENTITY_KEYWORDS.get(keyword) or ("name" if dictionary_VR(tag) == "PN" else None)


def nested_identity_values(dataset: "Dataset") -> set[tuple[str, str]]:
    """(kind, text) of every identity value of a dataset and of the items of its sequences."""
    found: set[tuple[str, str]] = set()
    pending = [(dataset, 0)]
    while pending:
        current, depth = pending.pop()
        found.update(identity_values(current))
        if depth < MAX_DEPTH:
            pending += [(item, depth + 1) for item in _items(current)]
    return found


def _items(dataset: "Dataset") -> list["Dataset"]:
    from pydicom.sequence import Sequence

    items: list[Dataset] = []
    for tag, element in list(dataset.items()):
        if tag & 0x10000 or (element.VR or _known_vr(int(tag))) not in ("SQ", "UN"):
            continue
        if element.is_raw and element.value is not None and _identity_tags().search(element.value) is None:
            continue  # none of its bytes is the tag of an identity value
        value = dataset[tag].value
        items += list(value) if isinstance(value, Sequence) else []
    return items


@lru_cache(maxsize=1 << 14)
def _known_vr(tag: int) -> str:
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    return dictionary_VR(tag) if dictionary_has_tag(tag) else ""


@cache
def _identity_tags() -> re.Pattern[bytes]:
    """Tags of all elements that hold identity values, as bytes in either order."""
    from pydicom.datadict import DicomDictionary

    tags = [tag for tag in DicomDictionary if _kind_of_element(tag)]
    forms = [struct.pack(order + "HH", tag >> 16, tag & 0xFFFF) for tag in tags for order in "<>"]
    return re.compile(b"|".join(map(re.escape, forms)))


def _is_over_89(dataset: "Dataset", birth_date: str) -> bool:
    ages = [age_in_years("\\".join(read_texts(dataset, _AGE)))]
    ages += [age_between(birth_date, "\\".join(read_texts(dataset, day))) for day in _DAYS]
    return any(age is not None and OLDEST_AGE_YEARS + 1 <= age < 130 for age in ages)
