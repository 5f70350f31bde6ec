"""The invented patient of lesson 3: one visit as DICOM files, her identity in each place where archives hold one."""

from datetime import date, datetime
from pathlib import Path

import numpy as np

from firstread.phantoms.abdomen import AbdomenPatient
from firstread.phantoms.archive.clinical import report_text
from firstread.phantoms.archive.ct_series import ScanGrid, add_phase
from firstread.phantoms.archive.documents import add_pdf
from firstread.phantoms.archive.drawn_text import TextLine
from firstread.phantoms.archive.hidden_places import HIDERS
from firstread.phantoms.archive.identities import Identity
from firstread.phantoms.archive.names import Region
from firstread.phantoms.archive.overlay_planes import add_overlay
from firstread.phantoms.archive.patient_folder import WrittenFile, write_patient
from firstread.phantoms.archive.radiographs import RadiographSettings, add_radiograph
from firstread.phantoms.archive.screens import add_dose_screen
from firstread.phantoms.archive.studies import ARCHIVE_VERSION, ArchivePatient, Series, Study
from firstread.phantoms.archive.ultrasound import UltrasoundSettings, add_ultrasound

#: voxels of the CT: few slices, as fine as a learner's screen needs
GRID = ScanGrid(matrix=256, slices=12)
SEED = 3
_REGION = Region(
    "Ireland",
    ("ISO_IR 100",),
    ("Byrne", "Kavanagh", "O'Sullivan"),
    ("Siobhán", "Gráinne"),
    ("Colm", "Pádraig"),
    ("Galway, Quay Lane 4",),
    ("Saint Gobnait's Hospital",),
    "+353",
    "+0000",
)
_WHEN = datetime(2024, 3, 14, 9, 41, 17)
#: the slice of the CT that the lesson opens: all ways of hiding an identity are in it
OPENED_SLICE = 6


def write_teaching_patient(folder: str | Path) -> list[WrittenFile]:
    """Write the files of one invented patient below `folder`, named as a hospital names them.

    A portal venous CT of twelve slices (one holds identities in all places of `hidden_places.HIDERS` and an overlay),
    its dose screen and a letter; a chest radiograph and an ultrasound with her name in the pixels.

    Returns:
        The files with what must happen to each, for tests.

    Example:
        >>> files = write_teaching_patient("patient")
        >>> len(files), files[0].path.split("/")[0]
        (16, 'Kavanagh-Byrne_Siobhan_0047118')
    """
    patient = _make_patient()
    _add_ct(patient)
    _add_radiograph(patient)
    _add_ultrasound(patient)
    return list(write_patient(patient, Path(folder)))


def _make_patient() -> ArchivePatient:
    identity = Identity(
        number=0,
        region=_REGION,
        family=("Kavanagh-Byrne",),
        given=("Siobhán",),
        patient_id="0047118",
        issuer="HIS-GOBNAIT",
        birth_date=date(1957, 8, 2),
        sex="F",
        other_id="X5530271",
        address=_REGION.cities[0],
        phone="+353 91 555012",
        hospital=_REGION.hospitals[0],
        physician="O'Sullivan^Padraig",
        radiologist="Gallagher^Aoife",
        operator="Moran^Colm",
        station="IRLCT02",
        serial_number="SN730118",
        ward="St. Brigid",
    )
    anatomy = AbdomenPatient.draw(np.random.default_rng([ARCHIVE_VERSION, SEED]))
    return ArchivePatient(identity, identity, SEED, anatomy)


def _add_ct(patient: ArchivePatient) -> None:
    study = patient.open_study("ct", _WHEN, "CT abdomen with contrast")
    add_phase(
        study, patient.anatomy, grid=GRID, phase="portal", frame_of_reference=study.make_uid("frame of reference")
    )
    series = _describe(study, "Abdomen venous 5.0")
    opened = series.instances[OPENED_SLICE]
    for hide in HIDERS.values():
        hide(opened, study)
    who = patient.identity
    add_overlay(opened, TextLine(f"{who.latin_family} {who.birth_date:%d.%m.%Y}", size_px=12))
    add_dose_screen(study, note="lesson 3: a captured screen")
    add_pdf(study, report_text(patient, study))
    _describe(study, "Letter")


def _add_radiograph(patient: ArchivePatient) -> None:
    study = patient.open_study("radiograph", _WHEN.replace(day=16, hour=11), "Chest radiograph")
    who = patient.identity
    lines = (TextLine(f"{who.latin_family.upper()}, {who.latin_given}", size_px=16), TextLine(f"ID {who.patient_id}"))
    settings = RadiographSettings(digital=True)
    add_radiograph(study, settings, lines=lines, burned_in="NO", note="lesson 3: the header denies it")
    _describe(study, "Chest p.a. standing")


def _add_ultrasound(patient: ArchivePatient) -> None:
    study = patient.open_study("ultrasound", _WHEN.replace(day=20, hour=14), "Ultrasound abdomen")
    who = patient.identity
    texts = (f"{who.latin_family.upper()}, {who.latin_given}", f"{who.birth_date:%d.%m.%Y}", f"ID {who.patient_id}")
    lines = tuple(TextLine(text, size_px=16) for text in texts)
    add_ultrasound(study, UltrasoundSettings(regions=False), lines=lines, note="lesson 3: a name in the pixels")
    _describe(study, "Liver")


def _describe(study: Study, description: str) -> Series:
    """Give the last series of a study a description in the language of its hospital."""
    series = study.series[-1]
    series.description = description
    for instance in series.instances:
        instance.dataset.SeriesDescription = description
    return series
