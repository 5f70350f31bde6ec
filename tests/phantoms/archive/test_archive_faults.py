"""Faults of real archives are in the files as the truth says, as many as were asked for."""

import numpy as np
import pytest
from pydicom import dcmread

from firstread.core.errors import SettingError
from firstread.phantoms.archive import FAULT_RATES
from firstread.phantoms.archive.archive_settings import ArchiveSettings, count_faults


def of_kind(archive, kind):
    faults = archive.table("faults")
    row = faults[faults.kind == kind].iloc[0]
    stacks = archive.table("studies")
    return row, stacks[stacks.series == row.series]


def headers(archive, row, **criteria):
    """Headers of a patient's files in the series of a fault."""
    files = archive.files[archive.files.patient == row.patient].index
    for file in files:
        if file.endswith("DICOMDIR"):
            continue
        dataset = dcmread(archive.dicom / file, stop_before_pixels=True, force=True)
        wanted = {"SeriesInstanceUID": row.series} if row.series else {"StudyInstanceUID": row.study}
        if all(dataset.get(name) == value for name, value in {**wanted, **criteria}.items()):
            yield dataset


@pytest.mark.parametrize("kind", FAULT_RATES)
def test_each_fault_is_planted_once_in_a_small_archive(archive, kind):
    faults = archive.table("faults")
    assert faults[faults.kind == kind].patient.nunique() == 1


def test_slices_are_missing(archive):
    row, stacks = of_kind(archive, "missing_slices")
    stack = stacks[stacks.phase == "arterial"].iloc[0]
    assert stack.missing_slices >= 2
    slices = [d for d in headers(archive, row) if d.SOPInstanceUID in set(stack.sop_instance_uids)]
    heights = sorted(float(d.ImagePositionPatient[2]) for d in slices)
    assert np.diff(heights).max() == pytest.approx(stack.spacing_mm * (stack.missing_slices + 1), abs=0.01)


def test_an_unenhanced_series_is_called_venous(archive):
    row, stacks = of_kind(archive, "unenhanced_called_venous")
    uids = set(stacks[stacks.phase == "unenhanced"].iloc[0].sop_instance_uids)
    names = {d.SeriesDescription for d in headers(archive, row) if d.SOPInstanceUID in uids}
    assert any("ven" in name for name in names)


def test_several_passes_share_a_series(archive):
    _, stacks = of_kind(archive, "several_passes")
    assert [*stacks[stacks.kind == "original"].phase] == ["unenhanced", "arterial", "venous"]


def test_a_localizer_lies_among_axial_slices(archive):
    row, stacks = of_kind(archive, "localizer_among_axials")
    assert {"original", "localizer"} <= set(stacks.kind)
    assert len({tuple(d.ImageOrientationPatient) for d in headers(archive, row)}) > 1


def test_a_tilted_gantry_shears_the_stack(archive):
    row, stacks = of_kind(archive, "gantry_tilt")
    stack = stacks[stacks.gantry_tilt_deg > 0].iloc[0]
    dataset = next(d for d in headers(archive, row) if d.SOPInstanceUID in set(stack.sop_instance_uids))
    normal = np.cross(dataset.ImageOrientationPatient[:3], dataset.ImageOrientationPatient[3:])
    assert np.degrees(np.arccos(normal[2])) == pytest.approx(stack.gantry_tilt_deg, abs=0.01)


def test_a_file_is_cut_off(archive):
    row, _ = of_kind(archive, "truncated_file")
    whole = archive.dicom / row.file
    with pytest.raises(Exception, match=r"bytes|length|pixel data"):
        _ = dcmread(whole).pixel_array
    assert archive.actions[archive.actions.file == row.file].empty


@pytest.mark.parametrize(("kind", "equal"), [("duplicate_same_content", True), ("duplicate_other_content", False)])
def test_a_uid_lies_in_two_files(archive, kind, equal):
    row, _ = of_kind(archive, kind)
    uid = archive.files.loc[row.file].sop_instance_uid
    first, second = archive.files[archive.files.sop_instance_uid == uid].index
    assert ((archive.dicom / first).read_bytes() == (archive.dicom / second).read_bytes()) is equal


def test_derived_images_carry_the_number_of_the_original(archive):
    row, stacks = of_kind(archive, "derived_same_number")
    assert [*stacks.kind] == ["derived"]
    derived = next(headers(archive, row))
    assert derived.ImageType[0] == "DERIVED"


def test_a_study_is_split_over_two_uids(archive):
    row, _ = of_kind(archive, "split_study")
    stacks = archive.table("studies").query("patient == @row.patient and phase == 'unenhanced'")
    unenhanced = set(stacks.iloc[0].sop_instance_uids)
    files = archive.files[archive.files.sop_instance_uid.isin(unenhanced)].index
    uids = {dcmread(archive.dicom / file, stop_before_pixels=True).StudyInstanceUID for file in files}
    assert len(uids) == 1
    assert uids != {row.study}


def test_an_acquisition_runs_over_midnight(archive):
    row, _ = of_kind(archive, "over_midnight")
    late = next(d for d in headers(archive, row) if "AcquisitionDateTime" in d and d.AcquisitionTime < "01")
    assert late.AcquisitionDate > late.StudyDate
    assert late.AcquisitionDateTime.startswith(late.AcquisitionDate + late.AcquisitionTime[:6])


def test_ages_over_89(archive):
    row, _ = of_kind(archive, "age_over_89")
    assert next(headers(archive, row)).PatientAge > "089Y"


def test_two_people_under_one_id(archive):
    row, _ = of_kind(archive, "two_patients_one_id")
    dataset = next(headers(archive, row))
    clinical = archive.files[archive.files.patient != row.patient].index
    others = [dcmread(archive.dicom / f, stop_before_pixels=True) for f in clinical if not f.endswith("DICOMDIR")]
    sharing = [other for other in others if other.get("PatientID") == dataset.PatientID]
    assert sharing
    assert sharing[0].PatientBirthDate != dataset.PatientBirthDate


def test_one_person_under_two_ids(archive):
    row, _ = of_kind(archive, "one_patient_two_ids")
    files = [f for f in archive.files[archive.files.patient == row.patient].index if not f.endswith("DICOMDIR")]
    ids = {str(dcmread(archive.dicom / f, stop_before_pixels=True).PatientID).strip() for f in files}
    assert any(one.startswith("AMB-") for one in ids)
    assert len(ids) > 1


def test_a_side_marker_is_wrong(archive):
    row, _ = of_kind(archive, "wrong_laterality")
    marks = archive.actions[(archive.actions.file == row.file) & (archive.actions.action == "pixels_retained")]
    assert "L" in set(marks.value)
    assert dcmread(archive.dicom / row.file).PatientOrientation == ["L", "F"]


def test_sixty_of_each_fault_can_be_dealt():
    counts = count_faults(dict.fromkeys(FAULT_RATES, 60), 80)
    settings = ArchiveSettings(80, 0, 32, 8, counts)
    dealt = [settings.faults_of(number) for number in range(80)]
    assert {kind: sum(kind in faults for faults in dealt) for kind in FAULT_RATES} == counts


@pytest.mark.parametrize("faults", [{"truncated_file": 4}, {"truncated_file": 1.5}, {"truncated_file": -1}])
def test_impossible_numbers_are_refused(faults):
    with pytest.raises(SettingError, match="cannot be planted"):
        count_faults(faults, 3)


def test_an_unknown_fault_gets_a_suggestion():
    with pytest.raises(SettingError, match='Did you mean "truncated_file"'):
        count_faults({"truncated_files": 1}, 3)
