"""Data for a lesson: what cannot work is refused before anything runs, classes get other names, any two classes do."""

import json

import numpy as np
import pytest
from PIL import Image

from firstread.core.cohort import Cohort
from firstread.core.errors import DataError, SettingError
from firstread.lessons import find_lesson, run_lesson
from firstread.lessons.lesson_data import prepare_data


def make_folder(path, counts, *, size=64, unlabelled_test=0):
    """A folder of images: split -> class -> number; the classes differ in brightness."""
    rng = np.random.default_rng(0)
    for split, classes in counts.items():
        for level, (name, count) in enumerate(classes.items()):
            (path / split / name).mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(60 * level, 60 * level + 100, (size, size)).astype(np.uint8)
                Image.fromarray(pixels).save(path / split / name / f"{split}{index}.png")
    for index in range(unlabelled_test):
        (path / "test").mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 200, (size, size)).astype(np.uint8)).save(path / "test" / f"t{index}.png")
    return path


GOOD = {"train": {"abd": 8, "chst": 8}, "val": {"abd": 6, "chst": 6}}


@pytest.fixture
def no_kernel(monkeypatch):
    """The test fails if a cell would be run."""

    async def execute(*_arguments, **_options):
        pytest.fail("a kernel was started")

    monkeypatch.setattr("firstread.lessons.runner._execute_notebook", execute)


@pytest.mark.usefixtures("no_kernel")
@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"train": {"abd": 8, "chst": 8}}, "too few images in the validation split: abd 0, chst 0"),
        ({"train": {"abd": 8, "chst": 2}, "val": GOOD["val"]}, "too few images in the train split: abd 8, chst 2"),
        ({"train": {"a": 8, "b": 8, "c": 8}, "val": {"a": 2, "b": 2, "c": 2}}, r"3 classes \(a, b, c\).*--classes"),
        ({"train": {"only": 8}, "val": {"only": 3}}, "class"),
    ],
)
def test_data_that_cannot_work_are_refused_before_anything_runs(tmp_path, counts, message):
    with pytest.raises(DataError, match=message):
        run_lesson("hello-world", data=str(make_folder(tmp_path / "data", counts)), folder=tmp_path / "out")


@pytest.mark.usefixtures("no_kernel")
def test_so_are_a_typo_an_empty_folder_tiny_images_and_unknown_classes(tmp_path):
    with pytest.raises(SettingError, match='Did you mean "hello-world"'):
        run_lesson("hello-world", data="hello-wolrd", folder=tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images"):
        run_lesson("hello-world", data=str(tmp_path / "empty"), folder=tmp_path / "out")
    tiny = make_folder(tmp_path / "tiny", GOOD, size=12)
    with pytest.raises(DataError, match="a side of 12 pixels"):
        run_lesson("hello-world", data=str(tiny), folder=tmp_path / "out")
    data = make_folder(tmp_path / "data", GOOD)
    with pytest.raises(SettingError, match='no class "abdo".* Did you mean "abd"'):
        run_lesson("hello-world", data=str(data), classes={"abdo": "abdomen"}, folder=tmp_path / "out")


def test_classes_get_other_names_and_are_joined(tmp_path):
    counts = {"train": {"abd": 8, "chst": 6, "chest2": 6}, "val": {"abd": 2, "chst": 2, "chest2": 2}}
    data = make_folder(tmp_path / "data", counts)
    names = {"abd": "abdomen", "chst": "chest", "chest2": "chest"}
    opened = prepare_data(find_lesson("hello-world"), str(data), classes=names, folder=tmp_path / "out")
    cohort = Cohort.load(opened)
    assert cohort.classes == ("abdomen", "chest")
    assert cohort.train.table["label"].value_counts().to_dict() == {"abdomen": 8, "chest": 12}
    assert cohort[0].image().shape == (64, 64)
    assert cohort.steps[-1].parameters == names


def test_the_lessons_own_data_are_not_touched(tmp_path):
    assert prepare_data(find_lesson("hello-world"), "hello-world", classes={}, folder=tmp_path) == "hello-world"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_lesson_1_goes_through_on_a_folder_of_any_two_classes_with_test_images_that_nobody_labelled(tmp_path):
    data = make_folder(tmp_path / "data", GOOD, unlabelled_test=2)
    summary = run_lesson("hello-world", data=str(data), folder=tmp_path / "out", measure=False)
    assert summary["results"]["my_reading"]["of"] == 10
    assert summary["results"]["evaluation"]["cases"] == 12
    trials = [row["name"] for row in summary["results"]["planted_marker"]["results"]]
    assert trials == ["marker as in training", "no marker", "marker on the other class"]
    notebook = json.loads((tmp_path / "out" / "hello-world.ipynb").read_text())
    said = json.dumps(notebook)
    assert "too few to measure anything" in said
    assert "The positive class is chst" in said
