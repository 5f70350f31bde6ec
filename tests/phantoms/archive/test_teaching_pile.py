"""The pile of lesson 4: the same every time, nobody is named in it, and each fault is what its name says."""

from collections import Counter
from itertools import islice

import numpy as np
import pydicom
import pytest

from firstread.phantoms.archive import teaching_pile, teaching_slices
from firstread.phantoms.archive.teaching_pile import (
    FAULTY,
    FINE,
    FURTHER,
    PATIENTS,
    PHASES_OF,
    clinical_rows,
    pseudonym,
    write_teaching_pile,
)


@pytest.fixture(scope="module")
def pile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pile")
    stacks = [one for found in islice(write_teaching_pile(folder), 4) for one in found]
    return folder, stacks


def read(folder, stack):
    return [pydicom.dcmread(folder / file) for file in stack.files]


def named(stacks, fault):
    return [one for one in stacks if one.fault == fault]


def test_sixty_series_and_each_fault_four_times_or_more():
    count = sum(map(len, PHASES_OF.values())) + sum(map(len, FURTHER.values()))
    assert count == 60
    for fault, phases in FAULTY.items():
        assert sum(map(len, phases.values())) == 4, fault
        for phase, numbers in phases.items():
            assert set(numbers) <= set(PHASES_OF[phase])
    venous = [number for phases in FAULTY.values() for number in phases.get("portal", ())]
    assert len(set(venous) | set(FURTHER["twice"])) == len(venous) + len(FURTHER["twice"]), "one fault a series"


def test_the_same_bytes_every_time(pile, tmp_path):
    folder, stacks = pile
    again = next(iter(write_teaching_pile(tmp_path)))
    assert again == stacks[: len(again)]
    for file in (again[0].files[0], again[-1].files[0]):
        assert (tmp_path / file).read_bytes() == (folder / file).read_bytes()


def test_nobody_is_named(pile):
    folder, stacks = pile
    for stack in stacks:
        dataset = read(folder, stack)[0]
        assert dataset.PatientID == dataset.PatientName == stack.patient
        assert dataset.PatientIdentityRemoved == "YES"
        for keyword in ("PatientBirthDate", "AccessionNumber", "ReferringPhysicianName", "StudyID"):
            assert dataset.get(keyword) in ("", None)
        for keyword in ("PatientAddress", "OperatorsName", "OtherPatientIDsSequence", "DeviceSerialNumber"):
            assert keyword not in dataset
        assert stack.files[0].startswith(stack.patient)


def test_an_unenhanced_series_says_venous_and_names_a_contrast_agent(pile):
    folder, stacks = pile
    (stack,) = named(stacks, "unenhanced called venous")
    dataset = read(folder, stack)[16]
    assert dataset.SeriesDescription == "Abdomen portal venous 8.0"
    assert dataset.ContrastBolusAgent
    fine = next(one for one in named(stacks, FINE) if one.patient == stack.patient)
    enhanced = read(folder, fine)[16]
    assert enhanced.pixel_array.mean() > dataset.pixel_array.mean() + 3


def test_missing_slices_leave_a_gap_in_the_positions(pile):
    folder, stacks = pile
    (stack,) = named(stacks, "slices missing")
    heights = np.sort([float(one.ImagePositionPatient[2]) for one in read(folder, stack)])
    steps = np.diff(heights)
    assert np.isclose(np.median(steps), 8.0, atol=0.01)
    assert (steps > 8.1).sum() == 1
    assert round(steps.max() / 8) - 1 == 32 - len(heights)


def test_a_copy_has_other_uids_and_the_same_pixels(pile):
    folder, stacks = pile
    first, second = named(stacks, "twice")
    assert first.person == second.person
    assert first.patient != second.patient, "the copy came under a pseudonym of its own"
    for one, other in zip(read(folder, first), read(folder, second), strict=True):
        assert one.PixelData == other.PixelData
        assert one.SOPInstanceUID != other.SOPInstanceUID
        assert one.StudyInstanceUID != other.StudyInstanceUID


def test_a_cut_off_liver_and_a_head(tmp_path, monkeypatch):
    monkeypatch.setattr(teaching_pile, "PATIENTS", 1)
    monkeypatch.setattr(teaching_pile, "FAULTY", {"liver cut off": {"portal": (0,)}})
    monkeypatch.setattr(teaching_pile, "FURTHER", {"twice": (9,), "other body part": (0,), "localizer": ()})
    monkeypatch.setattr(teaching_pile, "PHASES_OF", {"portal": (0,)})
    ((liver, head),) = write_teaching_pile(tmp_path)
    assert Counter((liver.fault, head.fault)) == Counter(("liver cut off", "other body part"))
    assert 12 < len(liver.files) < 20
    dataset = read(tmp_path, head)[10]
    assert dataset.BodyPartExamined == "ABDOMEN"
    assert dataset.pixel_array.max() - 1024 > 700, "bone of the skull"


def test_the_clinical_table_is_true_to_the_pile():
    rows = list(islice(clinical_rows(), 4))
    assert [row["patient"] for row in rows] == [pseudonym(number) for number in range(4)]
    for row in rows:
        assert (row["finding"] == "metastasis") == (row["metastases"] > 0) == (row["largest_mm"] is not None)
        if row["proven_by"] == "histology":
            assert row["metastases"] > 0, "nobody operates on a healthy liver"
    assert len({pseudonym(number) for number in range(PATIENTS + 1)}) == PATIENTS + 1


def test_liver_slices_state_what_is_in_them(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setattr(teaching_slices, "DEPARTMENT", 3)
    monkeypatch.setattr(teaching_slices, "CLEAN", 1)
    images = [one for found in teaching_slices.write_liver_slices(tmp_path) for one in found]
    assert {one.part for one in images} == {"department", "clean"}
    assert not any(one.twice or one.phase == "unenhanced" for one in images if one.part == "clean")
    assert all(one.lesion_mm == 0 for one in images if one.phase == "unenhanced")
    for one in images:
        with Image.open(tmp_path / one.file) as picture:
            assert picture.size == (teaching_slices.SIZE,) * 2
