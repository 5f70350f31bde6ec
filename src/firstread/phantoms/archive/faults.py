"""Faults of real archives, planted into the studies of a phantom patient after they are made.

Each function changes the objects of one patient and notes the fault in the study that it concerns. Where a fault has a
public report, it stands in the note; the number of the case is that of docs/explanation/phantom-archive.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from types import MappingProxyType

import numpy as np

from firstread.phantoms.archive.ct_series import list_uids
from firstread.phantoms.archive.fault_places import find_phase, note_fault
from firstread.phantoms.archive.header_modules import join_time, split_time
from firstread.phantoms.archive.identity_faults import (
    plant_age_over_89,
    plant_blank_patient_id,
    plant_misspelt_character_set,
    plant_one_patient_two_ids,
    plant_two_ids_in_one_study,
)
from firstread.phantoms.archive.image_faults import (
    plant_images_under_two_ids,
    plant_low_coverage,
    plant_noise,
    plant_overlapping_slices,
    plant_truncated_field_of_view,
    plant_wrong_body_part,
)
from firstread.phantoms.archive.studies import ArchivePatient, Instance, Series

#: offset of a pass of a contrast series that was started anew
PASS_SHIFT_MM = 0.6
TILT_DEGREES = 16.0


def plant_missing_slices(patient: ArchivePatient) -> None:
    """Slices of the arterial phase did not arrive."""
    study, series = find_phase(patient, "arterial")
    count = len(series.instances)
    first, last = count // 3, count // 3 + max(2, count // 8)
    lost = series.instances[first:last]
    series.instances = series.instances[:first] + series.instances[last:]
    series.stacks = [replace(series.stacks[0], missing_slices=len(lost), sop_instance_uids=list_uids(series))]
    note_fault(study, "missing_slices", series, f"case 25: {len(lost)} slices are missing (dcm2niix 468)")


def plant_localizer_among_axials(patient: ArchivePatient) -> None:
    """The scout view has the UID and number of the portal series."""
    study, series = find_phase(patient, "venous")
    scout = next(other for other in study.series if other.stacks and other.stacks[0].kind == "localizer")
    for instance in scout.instances:
        _join_series(instance, series)
    series.instances[:0] = scout.instances
    series.stacks.append(scout.stacks[0])
    study.series.remove(scout)
    note_fault(
        study, "localizer_among_axials", series, "case 27: a localiser among axial slices (dcm2niix 140, 404, 894)"
    )


def plant_unenhanced_called_venous(patient: ArchivePatient) -> None:
    """The unenhanced series is called portal venous, contrast medium included."""
    study, series = find_phase(patient, "unenhanced")
    for instance in series.instances:
        instance.dataset.SeriesDescription = "Abdomen ven 4.0"
        instance.dataset.ContrastBolusAgent = "Iohexol 350"
    note_fault(study, "unenhanced_called_venous", series, "SeriesDescription and contrast agent say portal venous")


def plant_several_passes(patient: ArchivePatient) -> None:
    """All three phases in one series: with AcquisitionNumber, without it, or with one pass shifted by 0.6 mm."""
    study, series = find_phase(patient, "venous")
    passes = [find_phase(patient, phase)[1] for phase in ("arterial", "unenhanced")]
    variant = ("numbered", "unnumbered", "shifted")[patient.home.number % 3]
    for other in passes:
        for instance in other.instances:
            _join_series(instance, series)
            if variant == "shifted" and other is passes[1]:
                _move(instance, PASS_SHIFT_MM)
        series.instances[:0] = other.instances
        series.stacks[:0] = other.stacks
        study.series.remove(other)
    for number, instance in enumerate(series.instances, start=1):
        if instance.dataset.InstanceNumber is not None:
            instance.dataset.InstanceNumber = number
        if variant == "unnumbered":
            instance.dataset.AcquisitionNumber = None
    note = f"case 24: three passes in one series, {variant} (vtk-dicom 220; Slicer 4801; monai-deploy 532)"
    note_fault(study, "several_passes", series, note)


def plant_gantry_tilt(patient: ArchivePatient) -> None:
    """The unenhanced series was acquired with a tilted gantry: slices are turned, not resampled."""
    study, series = find_phase(patient, "unenhanced")
    cos, sin = np.cos(np.radians(TILT_DEGREES)), np.sin(np.radians(TILT_DEGREES))
    for instance in series.instances:
        instance.dataset.ImageOrientationPatient = [1, 0, 0, 0, round(float(cos), 8), round(float(-sin), 8)]
        instance.dataset.GantryDetectorTilt = TILT_DEGREES
    series.stacks = [
        replace(stack, gantry_tilt_deg=TILT_DEGREES) if stack.phase == "unenhanced" else stack
        for stack in series.stacks
    ]
    note_fault(study, "gantry_tilt", series, "a sheared stack (dcm2niix 259, 232, 253)")


def plant_truncated_file(patient: ArchivePatient) -> None:
    """One file of the arterial phase ends in its pixel data."""
    study, series = find_phase(patient, "arterial")
    instance = series.instances[len(series.instances) // 2]
    instance.cut = 0.6
    instance.violations += ["Seek failed", "Dicom dataset read failed", "</PixelData(7fe0,0010)> - Missing"]
    note_fault(study, "truncated_file", series, "the file ends within its pixel data", instance)


def plant_duplicate_same_content(patient: ArchivePatient) -> None:
    """One slice lies in the archive twice, byte for byte."""
    study, series = find_phase(patient, "venous")
    instance = series.instances[3]
    series.instances.append(replace(instance, name="copy of a slice.dcm"))
    note_fault(
        study, "duplicate_same_content", series, "case 23: same UID, same content (dcm4chee 4754, 4518)", instance
    )


def plant_duplicate_other_content(patient: ArchivePatient) -> None:
    """Two files have one SOP Instance UID and different pixels."""
    study, series = find_phase(patient, "venous")
    instance = series.instances[5]
    other = replace(instance, dataset=instance.dataset.branch(), name="resent.dcm", actions=list(instance.actions))
    other.dataset.PixelData = other.dataset.PixelData[:-2] + b"\x34\x02"
    other.dataset["PixelData"].VR = "OW"
    series.instances.append(other)
    note = "case 23: same UID, other content (dcm4chee 4754; healthcare-api-dicomweb 153)"
    note_fault(study, "duplicate_other_content", series, note, instance)


def plant_duplicate_position(patient: ArchivePatient) -> None:
    """Two slices of the arterial phase lie at one position."""
    study, series = find_phase(patient, "arterial")
    again = series.instances[1]
    dataset = again.dataset.branch()
    dataset.SOPInstanceUID = study.make_uid("duplicate position")
    dataset.InstanceNumber = len(series.instances) + 1
    series.instances.append(replace(again, dataset=dataset, actions=list(again.actions)))
    note_fault(study, "duplicate_position", series, "case 25: a position twice (dcm2niix 287)", series.instances[-1])


def plant_instance_number_absent(patient: ArchivePatient) -> None:
    """Slices of the unenhanced phase carry no number."""
    study, series = find_phase(patient, "unenhanced")
    for instance in series.instances:
        instance.dataset.InstanceNumber = None
    note_fault(study, "instance_number_absent", series, "case 25: InstanceNumber is empty (dcm2niix 287)")


def plant_varying_exposure(patient: ArchivePatient) -> None:
    """The tube current follows the thickness of the body, as automatic exposure control does."""
    study, series = find_phase(patient, "venous")
    for number, instance in enumerate(series.instances):
        instance.dataset.XRayTubeCurrent = 180 + 7 * (number % 13)
        instance.dataset.Exposure = 90 + 3 * (number % 13)
    note_fault(study, "exposure_varies", series, "case 25: one series, not one for each exposure (dcm2niix 468)")


def plant_derived_same_number(patient: ArchivePatient) -> None:
    """Coronal reformations have number, protocol and description of the series that they were made from."""
    study, series = find_phase(patient, "venous")
    derived = next(other for other in study.series if other.stacks and other.stacks[0].kind == "derived")
    for instance in derived.instances:
        instance.dataset.SeriesNumber = series.number
        instance.dataset.AcquisitionNumber = series.number
    note_fault(
        study,
        "derived_same_number",
        derived,
        "case 28: a derived series with the original's number (heudiconv 813, 624)",
    )


def plant_split_study(patient: ArchivePatient) -> None:
    """The console was started anew: the unenhanced phase has another StudyInstanceUID."""
    study, series = find_phase(patient, "unenhanced")
    uid = study.make_uid("after the restart")
    for instance in series.instances:
        instance.dataset.StudyInstanceUID = uid
    note = f"case 29: one session, two StudyInstanceUIDs, the other is {uid} (heudiconv 377, 490)"
    note_fault(study, "split_study", series, note)


def plant_over_midnight(patient: ArchivePatient) -> None:
    """The arterial phase was acquired before midnight, the portal one after it."""
    study, series = find_phase(patient, "venous")
    day = study.when.date()
    offset = study.identity.region.utc_offset
    before = datetime.combine(day, time(23, 59, 30, 500_000))
    for other in study.series:
        late = other is series
        when = before + timedelta(seconds=35) if late else before
        for instance in other.instances:
            dataset = instance.dataset
            if "AcquisitionDate" in dataset:
                dataset.AcquisitionDate, dataset.AcquisitionTime = split_time(when)
                dataset.AcquisitionDateTime = join_time(when, offset)
                dataset.ContentDate, dataset.ContentTime = split_time(when)
                instance.cases["(0008,00"] = (
                    "case 7: DA, TM and DT over midnight (dcmjs 507; z-rad 282; adit 286; mmiv 13)"
                )
    note_fault(study, "over_midnight", series, "case 7: acquired at 00:00:05 of the next day")


def plant_long_value(patient: ArchivePatient) -> None:
    """A description of 300 characters, and a comment of 200,000."""
    study, series = find_phase(patient, "arterial")
    instance = series.instances[0]
    dataset = instance.dataset.branch()
    who = study.identity
    dataset.StudyDescription = "CT abdomen, " + "liver, " * 40 + who.latin_family
    dataset.ImageComments = "no finding. " * 17_000 + who.latin_family
    instance.dataset = dataset
    instance.kept["StudyDescription"] = ("CT abdomen",)
    instance.kept["ImageComments"] = ()
    instance.violations.append("Value invalid for this VR")
    note_fault(study, "value_too_long", series, "case 35: LO over 64 characters, LT over 10,240", instance)


def plant_faults(patient: ArchivePatient, kinds: frozenset[str]) -> None:
    """Plant the faults of one patient, always in the same order."""
    for kind, plant in PLANTERS.items():
        if kind in kinds:
            plant(patient)


#: fault -> what plants it; that of one id for two patients needs the other one: see `plan`. Passes are joined last.
PLANTERS: Mapping[str, Callable[[ArchivePatient], None]] = MappingProxyType(
    {
        "low_coverage": plant_low_coverage,
        "truncated_field_of_view": plant_truncated_field_of_view,
        "noise": plant_noise,
        "wrong_body_part": plant_wrong_body_part,
        "missing_slices": plant_missing_slices,
        "overlapping_slices": plant_overlapping_slices,
        "instance_number_absent": plant_instance_number_absent,
        "exposure_varies": plant_varying_exposure,
        "gantry_tilt": plant_gantry_tilt,
        "unenhanced_called_venous": plant_unenhanced_called_venous,
        "truncated_file": plant_truncated_file,
        "duplicate_position": plant_duplicate_position,
        "value_too_long": plant_long_value,
        "age_over_89": plant_age_over_89,
        "one_patient_two_ids": plant_one_patient_two_ids,
        "two_ids_in_one_study": plant_two_ids_in_one_study,
        "blank_patient_id": plant_blank_patient_id,
        "character_set_misspelt": plant_misspelt_character_set,
        "over_midnight": plant_over_midnight,
        "derived_same_number": plant_derived_same_number,
        "split_study": plant_split_study,
        "images_under_two_ids": plant_images_under_two_ids,
        "duplicate_same_content": plant_duplicate_same_content,
        "duplicate_other_content": plant_duplicate_other_content,
        "localizer_among_axials": plant_localizer_among_axials,
        "several_passes": plant_several_passes,
    }
)


def _join_series(instance: Instance, series: Series) -> None:
    """Make an instance one of another series, by its header."""
    instance.dataset.SeriesInstanceUID = series.uid
    instance.dataset.SeriesNumber = series.number
    instance.dataset.SeriesDescription = series.description


def _move(instance: Instance, millimetres: float) -> None:
    x, y, z = instance.dataset.ImagePositionPatient
    instance.dataset.ImagePositionPatient = [x, y, round(float(z) + millimetres, 4)]
    instance.dataset.SliceLocation = round(float(z) + millimetres, 4)
