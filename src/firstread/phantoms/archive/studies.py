"""Studies of a phantom archive while they are made: patient, study, series and instances with what is true of them."""

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
from pydicom.uid import UID, ExplicitVRLittleEndian

from firstread.phantoms.abdomen import AbdomenPatient
from firstread.phantoms.archive.identities import Identity, IdentityValue
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.archive.truth import Action, Fault, Stack

#: incremented whenever a seed gives other files than before
ARCHIVE_VERSION = 1


@dataclass
class Instance:
    """One DICOM file before it is written.

    Attributes:
        dataset: without its file meta information.
        transfer_syntax: that it is written in; compressed pixel data are already encapsulated.
        actions: what must happen to its pixels and to what lies outside its data set.
        cases: tag path -> case of a real archive, with its public source.
        kept: keyword -> words of a descriptor that must stay.
        preamble, trailing: bytes before and behind the data set.
        meta: keyword -> value of further file meta information.
        cut: share of its bytes that is written; less than 1 is a truncated file.
        name: of the file; empty is the patient's usual one.
        needs_person: its class waits for a person's yes: documents, captured screens, ultrasound without regions.
        violations: parts of the errors that dciodvfy rightly reports.
    """

    dataset: TemplateDataset
    transfer_syntax: UID = ExplicitVRLittleEndian
    actions: list[Action] = field(default_factory=list)
    cases: dict[str, str] = field(default_factory=dict)
    kept: dict[str, tuple[str, ...]] = field(default_factory=dict)
    preamble: bytes = bytes(128)
    trailing: bytes = b""
    meta: dict[str, str] = field(default_factory=dict)
    cut: float = 1.0
    name: str = ""
    needs_person: bool = False
    violations: list[str] = field(default_factory=list)


@dataclass
class Series:
    """Instances of one series, and the stacks that they form."""

    uid: str
    number: int
    modality: str
    description: str
    instances: list[Instance] = field(default_factory=list)
    stacks: list[Stack] = field(default_factory=list)


@dataclass
class Study:
    """One visit of a patient to one machine.

    Attributes:
        patient: whose it is.
        key: name of the study among the patient's, such as "ct" or "ultrasound"; UIDs are drawn from it.
        uid, study_id, accession: of the study.
        identity: as its files state it.
        when: its begin, on the clock of the hospital.
        description: StudyDescription.
        series: in the order of their numbers.
        faults: planted in it.
        on_disc: its files came on a disc with a DICOMDIR.
    """

    patient: "ArchivePatient"
    key: str
    uid: str
    when: datetime
    description: str
    study_id: str
    accession: str
    identity: Identity
    series: list[Series] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    on_disc: bool = False

    def identity_values(self) -> tuple[IdentityValue, ...]:
        """Every value that names the patient, in all identities that one patient's files may state."""
        identities = (self.patient.home, self.patient.identity, self.identity)
        return tuple(dict.fromkeys(value for identity in identities for value in identity.values()))

    def make_uid(self, *parts: object) -> str:
        """A UID of this study, the same in every run."""
        return self.patient.make_uid(self.key, *parts)

    def random(self, *parts: object) -> np.random.Generator:
        """Random numbers of one part of this study, the same in every run."""
        return self.patient.random(self.key, *parts)

    def open_series(self, modality: str, description: str) -> Series:
        """A new series of this study, numbered behind the last."""
        number = len(self.series) + 1
        series = Series(self.make_uid("series", number), number, modality, description)
        self.series.append(series)
        return series


@dataclass
class ArchivePatient:
    """A patient of the archive: identity, seed and studies.

    Attributes:
        home: who it is; the folder is named after it.
        identity: as the files of the next studies state it.
        seed: of the archive.
        anatomy, later_anatomy: the abdomen at the first CT and at the follow-up, if there is one.
    """

    home: Identity
    identity: Identity
    seed: int
    anatomy: AbdomenPatient
    later_anatomy: AbdomenPatient | None = None
    response: str = ""
    studies: list[Study] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Name of the patient in the truth."""
        return self.home.key

    def make_uid(self, *parts: object) -> str:
        """A UID of this patient from a hash of its place in the archive (PS3.5 B.2, UUID-derived)."""
        text = "/".join(map(str, (ARCHIVE_VERSION, self.seed, self.home.number, *parts)))
        return f"2.25.{uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4).int}"

    def random(self, *parts: object) -> np.random.Generator:
        """Random numbers of one part of this patient, the same in every run."""
        text = "/".join(map(str, parts))
        number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
        return np.random.default_rng([ARCHIVE_VERSION, self.seed, self.home.number, number])

    def open_study(self, key: str, when: datetime, description: str) -> Study:
        """A new study of this patient."""
        rng = self.random("study", key)
        accession = f"{when.year % 100:02d}{key[:2].upper()}{int(rng.integers(10**6, 10**7))}"
        study_id = f"{int(rng.integers(10**5, 10**6))}"
        study = Study(self, key, self.make_uid("study", key), when, description, study_id, accession, self.identity)
        self.studies.append(study)
        return study

    def first_day(self) -> date:
        """Day of the patient's first study."""
        rng = self.random("first day")
        return date(2019, 1, 7) + timedelta(days=int(rng.integers(0, 1700)))


def age_text(birth_date: date, day: date) -> str:
    """PatientAge in whole years, such as "064Y"."""
    years = day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))
    return f"{years:03d}Y"
