"""Faults of real archives that concern who the patient is: ages, ids and character sets."""

from dataclasses import replace

from firstread.phantoms.archive.fault_places import find_phase, find_study, list_datasets, note_fault
from firstread.phantoms.archive.studies import ArchivePatient


def plant_age_over_89(patient: ArchivePatient) -> None:
    """The patient, born as `plan` says, is 92 at the first study."""
    for study in patient.studies:
        note = "case 8: ages over 89 are one class, 90 (deid 303; dcm2niix 966; MIMIC 430)"
        note_fault(study, "age_over_89", None, note)


def plant_one_patient_two_ids(patient: ArchivePatient) -> None:
    """The radiograph was taken in an outpatient clinic that numbers patients by itself."""
    study = find_study(patient, "radiograph")
    changed = f"AMB-{patient.home.patient_id}"
    study.identity = replace(study.identity, patient_id=changed, issuer=f"AMB-{study.identity.region.name.upper()}")
    for dataset in list_datasets(study):
        dataset.PatientID, dataset.IssuerOfPatientID = changed, study.identity.issuer
    note_fault(
        study, "one_patient_two_ids", None, "case 21: same name and birth date under another id (RSNA Anonymizer 18)"
    )


def plant_two_ids_in_one_study(patient: ArchivePatient) -> None:
    """The portal series writes the id without its zeros, or with zeros more."""
    study, series = find_phase(patient, "venous")
    known = study.identity.patient_id
    respelt = known.lstrip("0") if known.startswith("0") else f"00{known}"
    for instance in series.instances:
        instance.dataset.PatientID = respelt
    note = "case 21: two spellings of one id in one study (RSNA Anonymizer 18; shanoir 3160)"
    note_fault(study, "two_ids_in_one_study", series, note)


def plant_blank_patient_id(patient: ArchivePatient) -> None:
    """The radiograph was taken in an emergency: no id."""
    study = find_study(patient, "radiograph")
    study.on_disc = False  # a DICOMDIR needs an id
    for dataset in list_datasets(study):
        dataset.PatientID = ""
    note_fault(study, "blank_patient_id", None, "case 21: no PatientID, never one patient (orthanc-explorer-2 80)")


def plant_misspelt_character_set(patient: ArchivePatient) -> None:
    """SpecificCharacterSet of the radiograph is written with a space or underscores too many."""
    study = find_study(patient, "radiograph")
    study.on_disc = False  # no program that checks it writes such a disc
    wrong = {"ISO_IR 100": "ISO IR 100", "ISO_IR 192": "ISO_IR_192"}
    for series in study.series:
        for instance in series.instances:
            known = list(study.identity.region.character_set)
            broken = [wrong.get(term, term.replace(" ", "_")) for term in known]
            instance.dataset.SpecificCharacterSet = broken
            instance.violations.append("Character invalid for character repertoire")
    note_fault(study, "character_set_misspelt", None, "case 1: misspelt character set (pydicom 736, 279)")
