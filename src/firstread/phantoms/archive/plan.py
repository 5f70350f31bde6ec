"""Which studies each patient of a phantom archive has, and what is hidden in them: dealt in turn, by patient number."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import numpy as np
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from firstread.core.volume import Volume
from firstread.phantoms.abdomen import AbdomenPatient
from firstread.phantoms.archive.angiography import add_angiography
from firstread.phantoms.archive.archive_settings import ArchiveSettings
from firstread.phantoms.archive.clinical import measure_lesions, report_text, sum_of_diameters, target_lesions
from firstread.phantoms.archive.ct_series import add_localizer, add_phase, add_reformation
from firstread.phantoms.archive.documents import add_cda, add_pdf
from firstread.phantoms.archive.drawn_text import CONTRASTS, FONTS, SIZES_PX, TextLine
from firstread.phantoms.archive.electrocardiogram import add_electrocardiogram
from firstread.phantoms.archive.fault_places import find_phase, find_study
from firstread.phantoms.archive.faults import plant_faults
from firstread.phantoms.archive.hidden_places import HIDERS
from firstread.phantoms.archive.identities import Identity, draw_identity, to_ascii
from firstread.phantoms.archive.measurement_reports import add_measurement_report
from firstread.phantoms.archive.mr_series import add_brain, add_breasts, add_enhanced_brain
from firstread.phantoms.archive.overlay_planes import add_high_bit_overlay, add_overlay
from firstread.phantoms.archive.pixel_data import transfer
from firstread.phantoms.archive.presentation_states import add_presentation_state
from firstread.phantoms.archive.radiographs import RadiographSettings, add_radiograph
from firstread.phantoms.archive.screens import add_dose_screen, add_screenshot
from firstread.phantoms.archive.segmentations import add_segmentation, draw_masks
from firstread.phantoms.archive.structure_sets import add_structure_set
from firstread.phantoms.archive.studies import ARCHIVE_VERSION, ArchivePatient, Study
from firstread.phantoms.archive.truth import Fault
from firstread.phantoms.archive.ultrasound import UltrasoundSettings, add_ultrasound
from firstread.phantoms.head import BRAIN_SIGNAL

_CASE_15 = "case 15: colour ultrasound in several frames (deid 228, 166; RSNA Anonymizer 39)"
_CASE_16 = "case 16: YBR and compressed ultrasound (deid 240; dicompixelanon 11)"
_CASE_17 = "case 17: text in some frames of a run only (Presidio 1731)"
_CASE_18 = "case 18: burned-in text where the header says NO or nothing (CTP 16; pydicom 375)"
#: kinds of ultrasound, dealt in turn: settings, case
_ULTRASOUND = (
    (UltrasoundSettings(), _CASE_18),
    (UltrasoundSettings(frames=3, colour=True, photometric="RGB", burned_in="YES"), _CASE_15),
    (UltrasoundSettings(frames=3, colour=True, photometric="RGB", planar=1), _CASE_15),
    (UltrasoundSettings(colour=True, photometric="YBR_FULL_422", regions=False), _CASE_16),
    (UltrasoundSettings(frames=4, colour=True, photometric="YBR_FULL_422", transfer_syntax=JPEGBaseline8Bit), _CASE_16),
    (UltrasoundSettings(frames=6, burned_in="NO"), _CASE_18),
    (UltrasoundSettings(colour=True, photometric="YBR_FULL", planar=1, transfer_syntax=RLELossless), _CASE_16),
    (UltrasoundSettings(colour=True, photometric="YBR_RCT", transfer_syntax=JPEG2000Lossless, regions=False), _CASE_16),
    (UltrasoundSettings(transfer_syntax=JPEGLSLossless), _CASE_16),
)
#: transfer syntaxes of CT series, dealt in turn
_CT_SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
)
#: what becomes of the metastases -> by which factor they grow
_RESPONSES = {"partial response": 0.6, "stable disease": 0.95, "progressive disease": 1.35}


def make_patient(settings: ArchiveSettings, number: int) -> ArchivePatient:
    """Make one patient with all studies; nothing depends on the other patients but one id that two may share."""
    faults = settings.faults_of(number)
    home = draw_identity(settings.seed, number, version=ARCHIVE_VERSION)
    shared = "two_patients_one_id" in faults
    identity = _with_id_of_neighbour(home, settings, number) if shared else home
    anatomy = AbdomenPatient.draw(np.random.default_rng([ARCHIVE_VERSION, settings.seed, number, 3]))
    patient = ArchivePatient(home, identity, settings.seed, anatomy)
    if "age_over_89" in faults:
        born = date(patient.first_day().year - 92, 1, 3)
        patient.home, patient.identity = replace(home, birth_date=born), replace(identity, birth_date=born)
    _add_ct(patient, settings)
    _add_follow_up(patient, settings)
    _add_radiographs(patient, wrong_side="wrong_laterality" in faults)
    _add_ultrasound(patient)
    for make in _others(number):
        make(patient)
    if shared:
        note = "case 21: the id of another person, with another birth date (shanoir 3160)"
        patient.studies[0].faults.append(Fault("two_patients_one_id", study=patient.studies[0].uid, note=note))
    _hide(patient)
    plant_faults(patient, faults)
    return patient


def _with_id_of_neighbour(home: Identity, settings: ArchiveSettings, number: int) -> Identity:
    other = draw_identity(settings.seed, (number + 1) % settings.patients, version=ARCHIVE_VERSION)
    return replace(home, patient_id=other.patient_id, issuer=other.issuer)


def _add_ct(patient: ArchivePatient, settings: ArchiveSettings) -> None:
    """The first CT: localiser, three phases, reformations, and what refers to them."""
    study = patient.open_study("ct", _when(patient, "ct", days=0), "CT Abdomen mit KM")
    frame = study.make_uid("frame of reference")
    volumes = {
        phase: add_phase(study, patient.anatomy, grid=settings.grid, phase=phase, frame_of_reference=frame)
        for phase in ("unenhanced", "arterial", "portal")
    }
    portal = study.series[-1]
    add_localizer(study, volumes["portal"], frame_of_reference=frame)
    add_reformation(study, volumes["portal"], frame_of_reference=frame, original=portal)
    geometry, rows = volumes["portal"].geometry, measure_lesions(patient.anatomy)
    masks = draw_masks(patient.anatomy, geometry)
    segmentation = add_segmentation(study, masks, geometry, images=portal)
    add_structure_set(study, masks, geometry, images=portal)
    volume_ml = patient.anatomy.liver_volume_ml
    add_measurement_report(study, rows, volume_ml=volume_ml, images=portal, segmentation=segmentation)
    add_presentation_state(study, images=portal)
    add_dose_screen(study, note=_CASE_18)
    if patient.home.number % 3 == 1:
        _add_screenshot(study, volumes["portal"])
    if patient.home.number % 2 == 0:
        add_pdf(study, report_text(patient, study))
    else:
        add_cda(study, report_text(patient, study))


def _add_follow_up(patient: ArchivePatient, settings: ArchiveSettings) -> None:
    """A portal venous CT some months later, for patients with a metastasis: its lesions have grown or shrunk."""
    if not any(lesion.kind == "metastasis" for lesion in patient.anatomy.lesions):
        return
    rng = patient.random("response")
    scale = float(_RESPONSES[str(rng.choice(list(_RESPONSES)))] * rng.uniform(0.95, 1.05))
    # the same anatomy, scanned again: other noise
    patient.later_anatomy = replace(_grow(patient.anatomy, scale), seed=patient.anatomy.seed + 1)
    study = patient.open_study(
        "follow-up", _when(patient, "follow-up", days=int(rng.integers(56, 130))), "CT Abdomen Verlauf"
    )
    frame = study.make_uid("frame of reference")
    volume = add_phase(study, patient.later_anatomy, grid=settings.grid, phase="portal", frame_of_reference=frame)
    portal = study.series[-1]
    masks = draw_masks(patient.later_anatomy, volume.geometry)
    add_segmentation(study, masks, volume.geometry, images=portal)
    patient.response = _response(patient.anatomy, patient.later_anatomy)


def _grow(anatomy: AbdomenPatient, scale: float) -> AbdomenPatient:
    lesions = []
    for lesion in anatomy.lesions:
        factor = scale if lesion.kind == "metastasis" else 1.0
        a, b, c = (radius * factor for radius in lesion.shape.radii)
        shape = replace(lesion.shape, radii=(a, b, c), waves_mm=lesion.shape.waves_mm * factor)
        lesions.append(replace(lesion, shape=shape))
    return replace(anatomy, lesions=tuple(lesions))


def _response(first: AbdomenPatient, later: AbdomenPatient) -> str:
    """Response by the sum of diameters of the target lesions (RECIST 1.1); none without a measurable lesion."""
    targets = [row.lesion for row in target_lesions(measure_lesions(first))]
    before, after = sum_of_diameters(first, targets), sum_of_diameters(later, targets)
    if not targets:
        return ""
    if after >= 1.2 * before and after - before >= 5:
        return "progressive disease"
    return "partial response" if after <= 0.7 * before else "stable disease"


def _add_radiographs(patient: ArchivePatient, *, wrong_side: bool) -> None:
    number = patient.home.number
    study = patient.open_study("radiograph", _when(patient, "radiograph", days=3), "Röntgen Thorax und Abdomen")
    study.description = to_ascii(study.description) if patient.home.region.name != "Germany" else study.description
    chest = RadiographSettings(digital=number % 2 == 0, inverted=number % 4 == 1, wrong_side=wrong_side)
    add_radiograph(study, chest, lines=_lines(study, 2) if number % 3 == 0 else (), burned_in="NO", note=_CASE_18)
    abdomen = RadiographSettings("abdomen", digital=number % 2 == 1)
    add_radiograph(study, abdomen, lines=_lines(study, 3) if number % 3 == 1 else (), note=_CASE_18)
    study.on_disc = number % 3 == 2


def _add_ultrasound(patient: ArchivePatient) -> None:
    """Three kinds of ultrasound a patient; every third is free of names."""
    number = patient.home.number
    study = patient.open_study("ultrasound", _when(patient, "ultrasound", days=9), "Sonographie Abdomen")
    for turn in range(3):
        index = (3 * number + turn) % len(_ULTRASOUND)
        settings, case = _ULTRASOUND[index]
        clean = (number + turn) % 3 == 2
        add_ultrasound(study, settings, lines=_lines(study, 4), clean=clean, note=case)


def _add_mr(patient: ArchivePatient) -> None:
    study = patient.open_study("mr", _when(patient, "mr", days=14), "MRT Schädel" if _german(patient) else "MR Brain")
    add_brain(study, sequence=list(BRAIN_SIGNAL)[patient.home.number % len(BRAIN_SIGNAL)])
    add_enhanced_brain(study)


def _add_breast_mr(patient: ArchivePatient) -> None:
    add_breasts(patient.open_study("breast", _when(patient, "breast", days=20), "MR Mamma"))


def _add_angiography(patient: ArchivePatient) -> None:
    study = patient.open_study("angiography", _when(patient, "angiography", days=30), "DSA Aorta")
    frames = 60 if patient.home.number % 6 < 3 else 20
    add_angiography(study, frames=frames, lines=_lines(study, 2), text_frames=(frames // 2 + 1,), note=_CASE_17)


def _add_ecg(patient: ArchivePatient) -> None:
    add_electrocardiogram(patient.open_study("ecg", _when(patient, "ecg", days=31), "EKG"))


def _others(number: int) -> tuple[Callable[[ArchivePatient], None], ...]:
    """Studies beyond CT, radiograph and ultrasound, dealt in turn."""
    return ((_add_mr,), (_add_angiography, _add_ecg), (_add_breast_mr,))[number % 3]


def _add_screenshot(study: Study, volume: Volume) -> None:
    shown = volume.values[len(volume.values) // 2].astype(float)
    size = 360 // shown.shape[0] or 1
    photograph = np.kron(np.clip((shown + 110) / 320, 0, 1) * 255, np.ones((size, size)))[:360, :400]
    add_screenshot(study, photograph, lines=_lines(study, 3), note=_CASE_18)


def _hide(patient: ArchivePatient) -> None:
    """Hide identities in one or two instances of several series, a third of the ways in each patient."""
    study, portal = find_phase(patient, "venous")
    _, unenhanced = find_phase(patient, "unenhanced")
    number = patient.home.number
    ways = list(HIDERS.values())
    for turn, way in enumerate(ways):
        if (turn + number) % 3 == 0:
            way(unenhanced.instances[2 + turn % 3], study)
    xray = find_study(patient, "radiograph")
    ways[number % len(ways)](xray.series[-1].instances[0], xray)
    line = TextLine(f"{patient.identity.latin_family} {patient.identity.birth_date:%d.%m.%Y}", size_px=9)
    if number % 2 == 0:
        add_overlay(unenhanced.instances[1], line)
    else:
        add_high_bit_overlay(unenhanced.instances[1], line)
    syntax = _CT_SYNTAXES[number % len(_CT_SYNTAXES)]
    for instance in portal.instances:
        transfer(instance, syntax)
    if number % 7 == 2:
        scout = next(series for series in study.series if series.stacks[0].kind == "localizer")
        transfer(scout.instances[0], ExplicitVRBigEndian)


def _lines(study: Study, count: int) -> tuple[TextLine, ...]:
    """Lines that name the patient, with fonts, sizes and contrasts dealt in turn."""
    return tuple(line for line, _ in zip(_make_lines(study), range(count), strict=False))


def _make_lines(study: Study) -> Iterator[TextLine]:
    who = study.identity
    rng = study.random("lines", len(study.series))
    texts = (
        f"{who.latin_family.upper()}, {who.latin_given}",
        f"{who.birth_date:%d.%m.%Y}",
        f"ID {who.patient_id}",
        to_ascii(who.hospital),
        f"{study.when:%Y-%m-%d %H:%M}",
    )
    for text in texts:
        font, size, contrast = (rng.choice(values) for values in (FONTS, SIZES_PX, CONTRASTS))
        yield TextLine(text, font=str(font), size_px=int(size), contrast=int(contrast))


def _german(patient: ArchivePatient) -> bool:
    return patient.home.region.name == "Germany"


def _when(patient: ArchivePatient, key: str, *, days: int) -> datetime:
    rng = patient.random("clock", key)
    start = datetime.combine(patient.first_day(), time(7, 30)) + timedelta(days=days)
    return start + timedelta(minutes=int(rng.integers(0, 600)), seconds=int(rng.integers(0, 60)))
