"""Which studies each patient of a phantom archive has."""

from dataclasses import replace
from datetime import datetime, time, timedelta

import numpy as np

from firstread.phantoms.abdomen import AbdomenPatient
from firstread.phantoms.archive.clinical import sum_of_diameters
from firstread.phantoms.archive.ct_series import add_localizer, add_phase
from firstread.phantoms.archive.identities import draw_identity
from firstread.phantoms.archive.radiographs import RadiographSettings, add_radiograph
from firstread.phantoms.archive.settings import ArchiveSettings
from firstread.phantoms.archive.studies import ARCHIVE_VERSION, ArchivePatient, Study
from firstread.phantoms.lesion_table import list_lesions


def make_patient(settings: ArchiveSettings, number: int) -> ArchivePatient:
    """Make one patient with all studies; nothing depends on the other patients."""
    identity = draw_identity(settings.seed, number, version=ARCHIVE_VERSION)
    anatomy = AbdomenPatient.draw(np.random.default_rng([ARCHIVE_VERSION, settings.seed, number, 3]))
    patient = ArchivePatient(identity, identity, settings.seed, anatomy)
    study = patient.open_study("ct", _when(patient, days=0), "CT Abdomen mit KM")
    frame = study.make_uid("frame of reference")
    volume = add_phase(study, anatomy, grid=settings.grid, phase="portal", frame_of_reference=frame)
    add_localizer(study, volume, frame_of_reference=frame)
    xray = patient.open_study("radiograph", _when(patient, days=1), "Röntgen Thorax" )
    add_radiograph(xray, RadiographSettings())
    return patient


def _when(patient: ArchivePatient, *, days: int) -> datetime:
    rng = patient.random("clock", days)
    start = datetime.combine(patient.first_day(), time(7, 30)) + timedelta(days=days)
    return start + timedelta(minutes=int(rng.integers(0, 600)), seconds=int(rng.integers(0, 60)))
