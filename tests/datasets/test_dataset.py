"""`open_dataset` by name and by path, with the mistakes that people make."""

import sys
import types
import warnings

import numpy as np
import pytest
from PIL import Image

from firstread.core.cohort import Cohort
from firstread.core.columns import make_table
from firstread.core.errors import DataError, SettingError
from firstread.core.files import atomic_folder
from firstread.core.provenance import Origin
from firstread.datasets.dataset import open_dataset


@pytest.fixture
def mirrored(shared_data, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_DATA_MIRROR", str(shared_data))


def write_image(path, value=100, size=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size), value, np.uint8)).save(path)
    return path


@pytest.fixture
def two_classes(tmp_path):
    for label in ("abdomen", "chest"):
        for number in range(10):
            write_image(tmp_path / "mine" / label / f"image{number}.png", number)
    return tmp_path / "mine"


def test_openi_keeps_the_published_split_and_the_true_classes(mirrored):
    cohort = open_dataset("hello-world/openi")
    assert cohort.classes == ("abdomen", "chest")
    assert cohort.positive == "chest"
    counts = cohort.counts()
    assert counts.loc["abdomen"].tolist() == [32, 5, 1, 38]
    assert counts.loc["chest"].tolist() == [33, 5, 1, 39]
    labels = dict(zip(cohort.table["case"], cohort.table["label"], strict=True))
    assert labels["val/chst/abd0"] == "chest"  # named abd*, and yet chests
    assert labels["test/abd_test"] == "abdomen"
    assert cohort.table["case"].tolist().index("train/abd/abd2") < cohort.table["case"].tolist().index(
        "train/abd/abd10"
    )
    assert "Lakhani" in cohort.origin.citation


def test_rsna_is_split_at_random_as_published_or_by_file_order(mirrored):
    random, again = open_dataset("mednist/rsna"), open_dataset("mednist/rsna")
    assert random.table.equals(again.table)
    assert not random.table.equals(open_dataset("mednist/rsna", seed=1).table)
    assert random.classes[3:] == ("chest radiograph", "brain MR", "breast MR")
    assert (random.counts()["train"] == 240).all()
    assert random.steps[0].parameters["stray_files"] == 6
    order = open_dataset("mednist/rsna", split="contiguous")
    chests = order.table[order.table["label"] == "chest CT"]
    numbers = chests["case"].str.extract(r"(\d+)$")[0].astype(int)
    assert numbers.is_monotonic_increasing
    assert chests["split"].tolist() == ["train"] * 240 + ["validation"] * 60
    with pytest.raises(DataError, match="nothing says whose they are"):
        open_dataset("mednist/rsna", split="patient")


def test_openi_can_be_divided_anew(mirrored):
    assert open_dataset("hello-world/openi", split="random").counts()["test"].sum() > 2


def test_images_of_the_published_sets_can_be_read(mirrored):
    assert open_dataset("hello-world/openi").where([True] * 5 + [False] * 72).images(32).shape == (5, 32, 32)
    assert open_dataset("mednist/rsna")[0].image().shape == (64, 64)


@pytest.fixture
def phantoms(monkeypatch, tmp_path):
    """Stub of the module that simulates phantoms; records each call."""
    made = []

    def make(folder):
        made.append(folder)
        with atomic_folder(folder) as temporary:
            file = write_image(temporary / "a.png")
            Cohort.from_table(
                make_table([{"file": str(file), "label": "chest"}]), ("abdomen", "chest"), Origin("x")
            ).save(temporary)

    module = types.ModuleType("firstread.phantoms.teaching_sets")
    module.make_hello_world = make
    monkeypatch.setitem(sys.modules, "firstread.phantoms.teaching_sets", module)
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path / "home"))
    return made


def test_phantoms_are_made_once_and_again_when_damaged(phantoms):
    assert len(open_dataset("hello-world")) == len(open_dataset("hello-world")) == 1
    assert len(phantoms) == 1
    (phantoms[0] / "a.png").unlink()
    with pytest.warns(UserWarning, match="made again"):
        open_dataset("hello-world")
    (phantoms[0] / "cases.parquet").write_text("broken")
    with pytest.warns(UserWarning, match="made again"):
        assert len(open_dataset("hello-world")) == 1
    assert len(phantoms) == 3


def test_a_typo_gets_a_suggestion():
    with pytest.raises(SettingError, match='Did you mean "hello-world/openi"'):
        open_dataset("hello-world/open-i")
    with pytest.raises(SettingError, match='Did you mean "contiguous"'):
        open_dataset("mednist/rsna", split="contigous")
    with pytest.raises(SettingError, match='Did you mean "lung"'):
        open_dataset("mednist/rsna", window="lungs")


def test_a_folder_without_split_is_divided_at_random(two_classes):
    cohort = open_dataset(two_classes)
    assert cohort.steps[-1].name == "split at random"
    assert cohort.counts()["train"].tolist() == [8, 8]
    assert open_dataset(str(two_classes), split="contiguous").steps[-1].name == "split by file order"


def test_one_image_a_class_is_opened_but_not_divided(tmp_path):
    write_image(tmp_path / "mine" / "a" / "1.png")
    write_image(tmp_path / "mine" / "b" / "1.png")
    with pytest.warns(UserWarning, match=r"not divided.*1 case, too few"):
        cohort = open_dataset(tmp_path / "mine")
    assert len(cohort) == 2
    assert cohort.table["split"].isna().all()
    with pytest.raises(DataError, match="too few"):
        open_dataset(tmp_path / "mine", split="random")


def test_a_saved_cohort_comes_back(two_classes, tmp_path):
    cohort = open_dataset(two_classes, window="full")
    cohort.save(tmp_path / "saved")
    again = open_dataset(tmp_path / "saved")
    assert again.table["split"].tolist() == cohort.table["split"].tolist()
    assert again.window == "full"
    assert again.steps == cohort.steps or again.describe()["steps"] == cohort.describe()["steps"]


def test_one_file_is_a_cohort_without_classes(tmp_path):
    cohort = open_dataset(write_image(tmp_path / "mine.png"))
    assert (len(cohort), cohort.classes, cohort[0].label) == (1, (), None)


def test_an_archive_is_told_to_be_unpacked(shared_data):
    with pytest.raises(DataError, match=r"ZIP archive.*unpack"):
        open_dataset(shared_data / "mednist-rsna" / "MedNIST.zip")


def test_patients_on_two_sides_are_warned_of(tmp_path):
    from readers.dicom_files import save_dicom

    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for split in ("train", "test"):
        for label in ("a", "b"):
            for number in range(2):
                who = "shared" if label == "a" else f"{split}{number}"
                save_dicom(tmp_path / "mine" / split / label / f"{number}.dcm", pixels, PatientID=who)
    with pytest.warns(UserWarning, match="1 patient on two sides"):
        cohort = open_dataset(tmp_path / "mine")
    assert len(cohort) == 8


def test_opening_is_silent_when_nothing_is_wrong(two_classes):
    rows = [
        f"{path.relative_to(two_classes)},{path.parent.name},P{n}" for n, path in enumerate(two_classes.rglob("*.png"))
    ]
    (two_classes / "labels.csv").write_text("\n".join(["file,label,patient", *rows]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_dataset(two_classes).steps[-1].name == "split by patient"
