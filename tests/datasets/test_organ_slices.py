"""Slices of an organ: pictures of the organ alone, labelled by the segmentation of the same scan, patients kept."""

import numpy as np
import pytest

from firstread.core.errors import DataError
from firstread.core.images import read_image
from firstread.core.provenance import Origin
from firstread.core.tasks import Classification
from firstread.core.volume import Volume
from firstread.datasets.organ_slices import OrganSlices, cut_organ_slices
from firstread.datasets.stack_files import StackFiles, open_stacks
from firstread.readers.dicom_reader import read_volume
from firstread.readers.dicom_seg import write_segmentation
from readers.dicom_files import save_series
from readers.test_dicom_seg import STUDY

SETTINGS = OrganSlices(smallest_organ_mm2=20, smallest_finding_mm2=2, size=32)
LIVER_HU, LESION_HU = 100, 40


@pytest.fixture
def scan(tmp_path):
    """Five slices: none of the liver, a corner of it, two with liver alone, one with a lesion; bone beside it."""
    labels = np.zeros((5, 24, 24), np.uint8)
    labels[1, 4, 4] = 1
    labels[2:, 4:14, 4:14] = 1
    labels[4, 8:12, 8:12] = 2
    values = np.where(labels == 1, LIVER_HU, np.where(labels == 2, LESION_HU, 0)).astype(np.int16)
    values[:, 18:22, 18:22] = 900
    files = save_series(tmp_path / "ct", values, **STUDY)
    names = ("Liver", "Lesion 1")
    segmentation = write_segmentation(
        tmp_path / "seg.dcm", Volume(labels, read_volume(files).geometry), names, files[::-1]
    )
    facts = {"patient": "P1", "component": "C1", "patient_source": "stated", "split": "test"}
    stacks = [StackFiles("ct", tuple(files), None, facts)]
    return open_stacks(stacks, task=Classification(()), origin=Origin("scans", "")), segmentation


def test_each_slice_with_enough_of_the_organ_is_a_case_of_its_patient(tmp_path, scan):
    cohort, segmentation = scan
    slices = cut_organ_slices(cohort, {"ct": [segmentation]}, tmp_path / "out", settings=SETTINGS)
    table = slices.table
    assert table["case"].tolist() == ["ct/3", "ct/4", "ct/5"]
    assert table["label"].tolist() == ["no lesion", "no lesion", "with lesion"]
    assert slices.classes == ("no lesion", "with lesion"), "the finding is the positive class"
    assert set(table["patient"]) == {"P1"}
    assert set(table["split"]) == {"test"}
    cases = slices.tables.cases
    assert set(cases["component"].to_pylist()) == {"C1"}
    assert set(cases["parent"].to_pylist()) == {"ct"}
    assert set(cases["unit"].to_pylist()) == {"frame"}


def test_a_picture_shows_the_organ_and_nothing_around_it(tmp_path, scan):
    cohort, segmentation = scan
    slices = cut_organ_slices(cohort, {"ct": [segmentation]}, tmp_path / "out", settings=SETTINGS)
    plain, with_lesion = (read_image(path) for path in slices.table["file"].iloc[[0, 2]])
    assert plain.shape == (32, 32)
    assert len(np.unique(plain)) == 1, "liver, and its median in place of bone and air"
    middle = float(plain[0, 0])
    darkest = float(with_lesion.min())
    assert middle - darkest == pytest.approx((LIVER_HU - LESION_HU) / SETTINGS.width_hu * 255, abs=2)


def test_a_finding_too_small_to_be_seen_is_neither_class(tmp_path, scan):
    cohort, segmentation = scan
    coarse = OrganSlices(smallest_organ_mm2=20, smallest_finding_mm2=1_000, size=32)
    slices = cut_organ_slices(cohort, {"ct": [segmentation]}, tmp_path / "out", settings=coarse)
    assert slices.table["case"].tolist() == ["ct/3", "ct/4"]


def test_a_volume_without_a_segmentation_that_fits_is_listed_with_the_reason(tmp_path, scan):
    cohort, segmentation = scan
    other = save_series(tmp_path / "other", np.zeros((3, 8, 8), np.int16), **STUDY)
    grid = read_volume(other).geometry
    foreign = write_segmentation(
        tmp_path / "foreign.dcm", Volume(np.ones((3, 8, 8), np.uint8), grid), ("Liver",), other
    )
    stomach = write_segmentation(
        tmp_path / "stomach.dcm", Volume(np.ones((3, 8, 8), np.uint8), grid), ("Stomach",), other
    )
    for files, reason in (((), "has no segmentation"), ((stomach,), "no segment of the Liver")):
        with pytest.raises(DataError, match=reason):
            cut_organ_slices(cohort, {"ct": files}, tmp_path / "none", settings=SETTINGS)
    found = cut_organ_slices(cohort, {"ct": [stomach, foreign, segmentation]}, tmp_path / "out", settings=SETTINGS)
    assert len(found) == 3, "the first that fits counts"
