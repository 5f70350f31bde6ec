"""The pile of lesson 4: CT stacks of invented patients under pseudonyms, with faults as archives hold them.

Every kind of fault occurs several times, more often than in an archive, so that a learner meets each within minutes.
What was planted stands in a table that no tool may read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from firstread.core.geometry import Geometry
from firstread.core.volume import Volume
from firstread.phantoms.abdomen import AbdomenPatient, simulate_ct
from firstread.phantoms.archive.ct_series import (
    ScanGrid,
    add_contrast,
    add_localizer,
    add_stack,
    start_ct,
)
from firstread.phantoms.archive.identities import Identity
from firstread.phantoms.archive.names import Region
from firstread.phantoms.archive.patient_folder import encode
from firstread.phantoms.archive.studies import ARCHIVE_VERSION, ArchivePatient, Series, Study
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.head import make_head, simulate_head_hu
from firstread.phantoms.lesion_table import list_lesions
from firstread.phantoms.smooth_fields import draw_ct_noise

PATIENTS = 24
SEED = 4
#: voxels of each phase: as few as a learner's screen needs
GRID = ScanGrid(matrix=128, slices=32)
#: phases of each patient's CT; all patients have the portal venous one
PHASES_OF: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "portal": tuple(range(PATIENTS)),
        "arterial": (1, 2, 4, 6, 8, 10, 12, 15, 17, 18, 22, 23),
        "unenhanced": (0, 5, 7, 9, 11, 14, 16, 19, 20, 21),
    }
)
#: fault of a stack of slices -> phase -> patients who have it there
FAULTY: Mapping[str, Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "slices missing": {"portal": (2, 15), "arterial": (10, 22)},
        "liver cut off": {"portal": (4, 17), "arterial": (12, 23)},
        "noise": {"portal": (6,), "arterial": (1, 18), "unenhanced": (7,)},
        "unenhanced called venous": {"unenhanced": (0, 9, 19, 21)},
    }
)
#: fault that is a series more -> patients who have it; the last of "twice" has the copy under another pseudonym
FURTHER: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"twice": (5, 11, 16, 3), "other body part": (8, 13, 14, 20), "localizer": (0, 3, 7, 11, 16, 20)}
)
FINE = "fine"
_DESCRIPTIONS = {
    "unenhanced": "Abdomen unenhanced 8.0",
    "arterial": "Abdomen arterial 8.0",
    "portal": "Abdomen portal venous 8.0",
}
#: who is operated: at most so many metastases, younger than this
_OPERABLE_METASTASES, _OPERABLE_AGE = 3, 72
_PROOF_NOT_STATED = (12, 21)
_NOISE_HU = 45.0
_REGION = Region("pseudonymous", ("ISO_IR 100",), ("",), ("",), ("",), ("",), ("",), "", "+0000")
#: elements that de-identification takes away
_REMOVED = [
    "IssuerOfPatientID",
    "OtherPatientNames",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "OtherPatientIDsSequence",
    "NameOfPhysiciansReadingStudy",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "DeviceSerialNumber",
    "OperatorsName",
]
_EMPTIED = ("PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID")


@dataclass(frozen=True)
class PlantedStack:
    """One stack of the pile: whose it is, and what is wrong with it.

    Attributes:
        patient: pseudonym.
        person: number of the invented patient: two pseudonyms may be one person.
        series: UID.
        files: below the pile's folder, in the order of their numbers.
        fault: a key of `FAULTY` or `FURTHER`, or `FINE`.
    """

    patient: str
    person: int
    series: str
    files: tuple[str, ...]
    fault: str


def write_teaching_pile(folder: str | Path) -> Iterator[list[PlantedStack]]:
    """Write the DICOM files of the pile below `folder`; yields the stacks of one patient after another.

    Example:
        >>> from itertools import islice
        >>> stacks = next(islice(write_teaching_pile("pile"), 1))
        >>> [stack.fault for stack in stacks]
        ['fine', 'unenhanced called venous', 'localizer']
    """
    for number in range(PATIENTS):
        yield [stack for study in _make_studies(number) for stack in _write_study(study, number, Path(folder))]


def clinical_rows() -> Iterator[dict[str, object]]:
    """What a hospital's table says of the patients, by pseudonym: true to the phantoms, with gaps as such tables have.

    Who has few metastases and is young enough for an operation has histology; the others are proven by follow-up. Of
    the copy under a second pseudonym it says nothing.
    """
    yield from map(_clinical_row, range(PATIENTS))


def _clinical_row(number: int) -> dict[str, object]:
    rng = np.random.default_rng([ARCHIVE_VERSION, SEED, number, 5])
    sizes = [row.diameter_mm for row in list_lesions(draw_anatomy(number)) if row.kind == "metastasis"]
    age, sex = age_and_sex(number)
    operable = 0 < len(sizes) <= _OPERABLE_METASTASES and age < _OPERABLE_AGE
    proven_by = "histology" if operable and rng.random() < 0.85 else "follow-up"
    return {
        "patient": pseudonym(number),
        "age_years": age,
        "sex": sex,
        "finding": "metastasis" if sizes else "no metastasis",
        "metastases": len(sizes),
        "largest_mm": round(max(sizes), 1) if sizes else None,
        "liver_surgery": bool(rng.random() < 0.15),
        "proven_by": None if number in _PROOF_NOT_STATED else proven_by,
    }


@lru_cache(PATIENTS)
def draw_anatomy(number: int) -> AbdomenPatient:
    """The abdomen of one patient of the pile."""
    return AbdomenPatient.draw(np.random.default_rng([ARCHIVE_VERSION, SEED, number]))


def pseudonym(number: int) -> str:
    """Pseudonym of one patient, in the form that firstread's de-identification gives."""
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    return "P" + "".join(np.random.default_rng([ARCHIVE_VERSION, SEED, number, 1]).choice(list(alphabet), 7))


def age_and_sex(number: int) -> tuple[int, str]:
    """Age at the CT in years, and sex."""
    rng = np.random.default_rng([ARCHIVE_VERSION, SEED, number, 2])
    return int(np.clip(rng.normal(64, 11), 31, 88)), "FM"[int(rng.integers(2))]


def _make_studies(number: int) -> Iterator[tuple[Study, list[tuple[Series, str]]]]:
    """Studies of one patient, each with its series and their faults."""
    patient = _make_patient(number)
    study = patient.open_study("ct", _when(patient), "CT abdomen")
    frame = study.make_uid("frame of reference")
    copied = number in FURTHER["twice"]
    made = []
    for phase, numbers in PHASES_OF.items():
        if number in numbers:
            fault = _fault_of(number, phase)
            series = _add_phase(study, _simulate(patient.anatomy, phase, fault, number), phase, fault, frame)
            made.append((series, "twice" if copied and phase == "portal" else fault))
    if number in FURTHER["localizer"]:
        whole = simulate_ct(patient.anatomy, geometry=GRID.geometry(patient.anatomy))
        made.append((add_localizer(study, whole, frame_of_reference=frame), "localizer"))
        made[-1][0].description = "Scout"
    if copied and number != FURTHER["twice"][-1]:
        made.append((_copy(study, made[0][0]), "twice"))
    yield study, made
    if number in FURTHER["other body part"]:
        again = patient.open_study("head", _when(patient) + timedelta(days=11), "CT abdomen")
        yield again, [(_add_head(again, number), "other body part")]
    if number == FURTHER["twice"][-1]:
        other = _make_patient(PATIENTS, age_of=number).open_study("ct", _when(patient), "CT abdomen")
        yield other, [(_copy(other, made[0][0]), "twice")]


def _fault_of(number: int, phase: str) -> str:
    """What is wrong with one phase of one patient."""
    return next((fault for fault, phases in FAULTY.items() if number in phases.get(phase, ())), FINE)


def _make_patient(number: int, *, age_of: int | None = None) -> ArchivePatient:
    """A patient whose identity is a pseudonym; `age_of` is the person's number where it is another one."""
    person = number if age_of is None else age_of
    age, sex = age_and_sex(person)
    name = pseudonym(number)
    site = f"Site {'AB'[person % 2]}"
    identity = Identity(
        number=number,
        region=_REGION,
        family=(name,),
        given=("",),
        patient_id=name,
        issuer="",
        birth_date=date(2020, 6, 30) - timedelta(days=round(365.25 * (age + 0.5))),
        sex=sex,
        other_id="",
        address="",
        phone="",
        hospital=site,
        physician="",
        radiologist="",
        operator="",
        station=f"CT-{'AB'[person % 2]}",
        serial_number="",
        ward="",
    )
    return ArchivePatient(identity, identity, SEED, draw_anatomy(person))


def _when(patient: ArchivePatient) -> datetime:
    """The begin of a study, in the year in which every patient has the stated age."""
    rng = patient.random("clock")
    return datetime(2020, 6, 30, 8) + timedelta(days=int(rng.integers(-150, 150)), minutes=int(rng.integers(500)))


def _simulate(anatomy: AbdomenPatient, phase: str, fault: str, number: int) -> Volume:
    """The voxels of one phase, with the faults that voxels have."""
    volume = simulate_ct(anatomy, phase=phase, geometry=GRID.geometry(anatomy))
    if fault == "noise":
        rng = np.random.default_rng([ARCHIVE_VERSION, SEED, number, 3])
        noise = draw_ct_noise(rng, volume.geometry, sd_hu=_NOISE_HU, broad_share=0.2)
        return Volume(np.clip(volume.values + noise, -1024, 3071).astype(np.int16), volume.geometry, "HU")
    if fault == "liver cut off":
        z = volume.geometry.to_mm([[index, 0, 0] for index in range(len(volume.values))])[:, 2]
        return _crop(volume, z < anatomy.middle_mm[2] + 4 if number % 2 else z > anatomy.middle_mm[2] - 4)
    return volume


def _crop(volume: Volume, kept: np.ndarray) -> Volume:
    """The slices of a volume that are kept, which follow one another."""
    first = int(np.flatnonzero(kept)[0])
    values = volume.values[kept]
    origin = volume.geometry.to_mm([[first, 0, 0]])[0].tolist()
    geometry = Geometry.from_spacing(values.shape, spacing_mm_zyx=volume.geometry.spacing_mm_zyx, origin_mm_lps=origin)
    return Volume(values, geometry, volume.unit)


def _add_phase(study: Study, volume: Volume, phase: str, fault: str, frame: str) -> Series:
    """A series of axial slices, with the faults that headers and files have."""
    said = "portal" if fault == "unenhanced called venous" else phase
    series = study.open_series("CT", _DESCRIPTIONS[said])
    template = start_ct(study, series, frame_of_reference=frame)
    template.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    add_contrast(template, study, phase=said)
    add_stack(study, series, volume, template)
    if fault == "slices missing":  # some in the middle did not arrive
        number = study.identity.number
        first = 10 + number % 5
        del series.instances[first : first + 3 + number % 3]
    return series


def _copy(study: Study, original: Series) -> Series:
    """The same images once more, under other UIDs, as a second import of a disc makes them."""
    series = study.open_series(original.modality, original.description)
    for number, instance in enumerate(original.instances, start=1):
        dataset = instance.dataset.branch()
        dataset.SeriesInstanceUID, dataset.SeriesNumber = series.uid, series.number
        dataset.SOPInstanceUID = study.make_uid("instance", series.number, number)
        dataset.StudyInstanceUID = study.uid
        dataset.PatientID = dataset.PatientName = study.identity.patient_id
        series.instances.append(type(instance)(dataset))
    return series


def _add_head(study: Study, number: int) -> Series:
    """A head that was scanned under the protocol of the abdomen."""
    rng = np.random.default_rng([ARCHIVE_VERSION, SEED, number, 4])
    head, size, field_mm = make_head(rng), GRID.matrix, 250.0
    heights = np.arange(-24, 90, 5.0)
    values = np.stack([simulate_head_hu(head, rng, z=float(z), size=size, field_mm=field_mm) for z in heights])
    pixel = field_mm / size
    geometry = Geometry.from_spacing(values.shape, spacing_mm_zyx=(5.0, pixel, pixel), origin_mm_lps=(-125, -125, 0))
    series = study.open_series("CT", _DESCRIPTIONS["unenhanced"])
    template = start_ct(study, series, frame_of_reference=study.make_uid("frame of reference"))
    template.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    add_stack(study, series, Volume(values.astype(np.int16), geometry, "HU"), template)
    return series


def _write_study(made: tuple[Study, list[tuple[Series, str]]], person: int, folder: Path) -> Iterator[PlantedStack]:
    study, all_series = made
    name = study.identity.patient_id
    for series, fault in all_series:
        place = Path(name, f"ST{study.uid[-6:]}", f"SE{series.number:03d}")
        (folder / place).mkdir(parents=True, exist_ok=True)
        files = []
        for index, instance in enumerate(series.instances, start=1):
            _deidentify(instance.dataset, series)
            file = place / f"I{index:04d}.dcm"
            (folder / file).write_bytes(encode(instance))
            files.append(file.as_posix())
        yield PlantedStack(name, person, series.uid, tuple(files), fault)


def _deidentify(dataset: TemplateDataset, series: Series) -> None:
    """Take away what names somebody: all of it is empty or a pseudonym already."""
    for keyword in (*_REMOVED, *_EMPTIED):
        if keyword in dataset:
            delattr(dataset, keyword)
    for keyword in _EMPTIED:
        setattr(dataset, keyword, "")
    dataset.PatientName = dataset.PatientID
    dataset.SeriesDescription = series.description
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "invented"
