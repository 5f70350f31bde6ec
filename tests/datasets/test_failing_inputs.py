"""Small published and rebuilt inputs that once failed: the right answer of each."""

import shutil
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstread.core.errors import DataError
from firstread.datasets.dataset import open_dataset


@pytest.fixture
def inputs(shared_data):
    return shared_data / "failing-inputs"


@pytest.fixture
def unpack(inputs, tmp_path):
    def extract(name):
        with tarfile.open(inputs / name / "data.tar.gz") as archive:
            archive.extractall(tmp_path, filter="data")
        return tmp_path / "data"

    return extract


def open_warned(path, **settings):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cohort = open_dataset(path, **settings)
    return cohort, " ".join(str(warning.message) for warning in caught)


def torn_groups(cohort, owner_of):
    splits = {}
    for row in cohort.table.itertuples():
        splits.setdefault(owner_of(Path(row.file)), set()).add(row.split)
    return sum(len(sides) > 1 for sides in splits.values())


@pytest.mark.parametrize(
    ("name", "owner_of", "source"),
    [
        ("11_tiff_stacks_split_across", lambda path: path, "file"),
        ("12_class_patient_folders", lambda path: path.parent.name, "folder"),
        ("14_nifti_same_name", lambda path: path.parent, "folder"),
        ("15_dicom_without_patientid", lambda path: path.name.split("_")[0], "study"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_patients_are_found_and_said(name, owner_of, source, seed, unpack):
    cohort, said = open_warned(unpack(name), seed=seed)
    assert set(cohort.table["split"]) == {"train", "validation", "test"}
    assert torn_groups(cohort, owner_of) == 0
    assert set(cohort.patient_sources) == {source}
    assert "No patient is stated" in said


def test_training_set_and_test_set_are_splits(unpack):
    cohort, _ = open_warned(unpack("17_training_set_test_set"))
    assert cohort.classes == ("a", "b")
    assert set(cohort.table["split"]) == {"train", "test"}


def test_images_of_unknown_formats_are_read_or_named(unpack):
    folder = unpack("18_gif_webp_dropped_silently")
    files = [path for path in folder.rglob("*") if path.is_file()]
    cohort, said = open_warned(folder)
    left_out = len(files) - cohort.table["file"].nunique()
    assert left_out == 0 or f"{left_out} files are no images that firstread reads" in said


@pytest.mark.parametrize(
    "name", ["21_compressed_dicom_cut_is_silently_dropped", "22_bad_codestream_stops_check_and_training"]
)
def test_a_file_that_cannot_be_read_is_set_aside_when_it_is_opened(name, inputs, tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        for index in range(4):
            pixels = np.full((16, 16), 10 * index, np.uint8)
            Image.fromarray(pixels).save(tmp_path / label / f"{index}.png")
    broken = next((inputs / name).glob("*.dcm"))
    shutil.copy(broken, tmp_path / "a" / "broken.dcm")
    cohort, said = open_warned(tmp_path, split="random")
    assert len(cohort) == 8
    assert "1 broken images were left out: a/broken.dcm" in said
    assert cohort.images(16).shape == (8, 16, 16)


@pytest.fixture
def table(inputs, tmp_path):
    (tmp_path / "img").mkdir()
    for index in range(24):
        pixels = np.random.default_rng(index).integers(0, 256, (16, 16), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "img" / f"{index:03d}.png")

    def copy(name):
        return shutil.copy(inputs / "23_tables" / name, tmp_path / "labels.csv")

    return copy


@pytest.mark.parametrize(
    "name",
    [
        "patient_column_mrn.csv",
        "patient_column_participant_id.csv",
        "patient_case_space_differ.csv",
        "patient_007_vs_7_vs_7.0_(Excel).csv",
    ],
)
def test_patients_of_a_table_stay_together(name, table):
    cohort, _ = open_warned(table(name))
    assert set(cohort.table["split"]) == {"train", "validation", "test"}
    assert torn_groups(cohort, lambda path: int(path.stem) // 3) == 0
    assert cohort.patient_sources == {"stated": 24}


def test_a_table_whose_patients_are_missing_in_half_says_so(table):
    cohort, said = open_warned(table("patient_missing_in_half.csv"))
    assert "For 12 cases no patient is known: each case counts as a patient of its own" in said
    assert cohort.steps[-1].name == "split by patient, others at random"


@pytest.mark.parametrize(("name", "classes"), [("case_space_variants.csv", 2), ("labels_1_and_1.0.csv", 2)])
def test_spellings_of_a_class_are_one(name, classes, table):
    cohort, said = open_warned(table(name))
    assert len(cohort.classes) == classes
    assert "Spellings of one class were joined" in said


def test_several_labels_in_a_cell_are_refused_with_what_to_do(table):
    with pytest.raises(DataError, match=r"several labels in one cell, with '\|' between.*for one finding at a time"):
        open_dataset(table("multi_label_pipes.csv"))


@pytest.mark.parametrize("name", ["excel_sep_line.csv", "utf16_excel_unicode_text.csv", "image_id_(Kaggle)_header.csv"])
def test_what_a_spreadsheet_or_a_competition_writes_is_read(name, table):
    cohort, _ = open_warned(table(name))
    assert len(cohort) == 24
    assert cohort.classes == ("a", "b")


def test_a_workbook_that_is_called_csv_is_named(table):
    with pytest.raises(DataError, match="Excel workbook"):
        open_dataset(table("binary_xlsx.csv"))


@pytest.mark.parametrize("seed", range(6))
def test_no_split_is_without_a_lesion(seed, inputs, tmp_path):
    shutil.copy(inputs / "23_tables" / "lesion_slices.csv", tmp_path / "labels.csv")
    lines = (tmp_path / "labels.csv").read_text().splitlines()[1:]
    for line in lines:
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / line.split(",")[0])
    cohort, _ = open_warned(tmp_path, seed=seed)
    assert (cohort.counts() > 0).all().all()
