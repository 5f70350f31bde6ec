"""Image folders: which files are images, which folders are classes, and the error messages."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import dcmread

from firstread.core.errors import DataError
from firstread.datasets import folder_contents
from firstread.datasets.dataset import open_dataset
from firstread.datasets.image_folder import open_folder
from readers.dicom_files import save_dicom, save_series

PIXELS = np.random.default_rng(0).integers(0, 255, (16, 16)).astype(np.uint8)


def picture(path, pixels=PIXELS):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def test_all_formats_may_be_mixed(tmp_path):
    for number, ending in enumerate(("png", "jpg", "tif", "bmp")):
        picture(tmp_path / "a" / f"{number}.{ending}")
    save_dicom(tmp_path / "b" / "IM0001", PIXELS.astype(np.uint16))
    save_dicom(tmp_path / "b" / "IM0002.dcm", np.stack([PIXELS] * 3).astype(np.uint16))
    cohort = open_folder(tmp_path)
    assert cohort.classes == ("a", "b")
    assert len(cohort) == 4 + 1 + 3
    assert cohort.table["frame"].tolist()[-3:] == [0, 1, 2]
    assert cohort.table["case"].is_unique
    assert cohort.images(8).shape == (8, 8, 8)


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "Valid", "Testing")])
def test_split_folders_are_known_by_their_usual_names(tmp_path, names):
    for split in names:
        for label in ("x", "y"):
            picture(tmp_path / split / label / "1.png")
    picture(tmp_path / names[2] / "loose.png")
    cohort = open_folder(tmp_path)
    assert cohort.counts().loc["x", ["train", "validation", "test"]].tolist() == [1, 1, 1]
    assert cohort.table["label"].isna().sum() == 1


def test_split_folders_inside_class_folders_are_known_too(tmp_path):
    for label in ("x", "y"):
        for split in ("train", "test"):
            picture(tmp_path / label / split / "1.png")
    assert open_folder(tmp_path).counts()["train"].tolist() == [1, 1]


def test_files_are_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 9, 100, 1):
        picture(tmp_path / "a" / f"slice{number}.png")
        picture(tmp_path / "b" / f"slice{number}.png")
    assert open_folder(tmp_path).table["case"].tolist()[:4] == ["a/slice1", "a/slice9", "a/slice10", "a/slice100"]


def test_dicom_slices_follow_their_instance_number(tmp_path):
    for label in ("a", "b"):
        for name, instance in (("z", 1), ("m", 2), ("c", 3)):
            save_dicom(tmp_path / label / name, PIXELS, InstanceNumber=instance, SeriesInstanceUID=f"1.{ord(label)}")
    table = open_folder(tmp_path).table
    assert table["case"].tolist() == ["a/z", "a/m", "a/c", "b/z", "b/m", "b/c"]
    assert "SECRET" not in table.to_csv()


def test_folders_of_patients_are_not_taken_for_classes(tmp_path):
    for number in range(4):
        for name in "xy":
            save_dicom(tmp_path / f"folder{number}" / name, PIXELS, PatientID=f"p{number}")
    with pytest.warns(UserWarning, match="not taken for classes"):
        cohort = open_folder(tmp_path)
    assert cohort.classes == ()
    assert cohort.table["patient"].nunique() == 4


def test_stray_files_are_left_out_and_counted(tmp_path):
    for label in ("a", "b"):
        picture(tmp_path / label / "1.png")
        (tmp_path / label / ".DS_Store").write_bytes(b"x")
    (tmp_path / "__MACOSX" / "a").mkdir(parents=True)
    (tmp_path / "__MACOSX" / "a" / "._1.png").write_bytes(b"x")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "README.txt").write_text("hello")
    cohort = open_folder(tmp_path)
    assert cohort.classes == ("a", "b")
    assert cohort.steps[0].parameters["stray_files"] == 4
    assert cohort.steps[0].parameters["other_files"] == ["README.txt"]


def test_broken_images_are_left_out_and_told(tmp_path):
    for number in range(10):
        picture(tmp_path / "a" / f"{number}.png")
        picture(tmp_path / "b" / f"{number}.png")
    (tmp_path / "a" / "letter.png").write_text("not an image at all")
    whole = (tmp_path / "b" / "3.png").read_bytes()
    (tmp_path / "b" / "3.png").write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=r"2 broken images were left out: a/letter.png, b/3.png"):
        cohort = open_folder(tmp_path)
    assert len(cohort) == 19
    left_out = cohort.steps[0].parameters["left_out"]
    assert "cut short" in left_out["b/3.png"]
    assert "not an image" in left_out["a/letter.png"]


def test_mostly_broken_is_an_error_that_names_the_first(tmp_path):
    picture(tmp_path / "a" / "good.png")
    for number in range(3):
        path = tmp_path / "b" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_text("text")
    with pytest.raises(DataError, match=r"3 of 4 images cannot be read.*0\.png"):
        open_folder(tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "holds no images"),
        (["a/1.png", "b/"], "class folder holds no images"),
        (["a/1.png", "a/2.png"], 'only one class, "a"'),
        (["train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/"], "class folder holds no images"),
        (["train/a/1.png", "test/a/1.png", "test/aa/1.png"], '"aa" has no images to train on'),
    ],
)
def test_folders_that_cannot_be_learned_from(tmp_path, files, words):
    for name in files:
        if name.endswith("/"):
            (tmp_path / "mine" / name).mkdir(parents=True)
        else:
            picture(tmp_path / "mine" / name)
    (tmp_path / "mine").mkdir(exist_ok=True)
    with pytest.raises(DataError, match=words):
        open_dataset(tmp_path / "mine")


def test_a_class_with_nothing_but_broken_images_is_named(tmp_path):
    for number in range(9):
        picture(tmp_path / "a" / f"{number}.png")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.png").write_text("text")
    with pytest.raises(DataError, match='No image of the class "b"'):
        open_folder(tmp_path)


def test_a_folder_around_the_folder_does_not_matter(tmp_path):
    for label in ("a", "b"):
        picture(tmp_path / "download" / "MyData" / label / "1.png")
    assert open_folder(tmp_path / "download").classes == ("a", "b")


def test_a_link_in_a_circle_and_a_whole_disk_do_not_hang(tmp_path, monkeypatch):
    for label in ("a", "b"):
        picture(tmp_path / label / "1.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(open_folder(tmp_path)) == 2
    monkeypatch.setattr(folder_contents, "MAX_FILES", 1)
    with pytest.raises(DataError, match="more than 1 files"):
        open_folder(tmp_path)


@pytest.mark.parametrize(("link", "target"), [("c", "a"), ("a0", "b")])
def test_two_class_folders_that_are_one_are_named(link, target, tmp_path):
    for label in ("a", "b"):
        picture(tmp_path / label / "1.png")
    (tmp_path / link).symlink_to(tmp_path / target, target_is_directory=True)
    with pytest.raises(DataError, match=r"are one folder, by a link"):
        open_folder(tmp_path)


def test_pictures_with_masks_are_no_two_classes(tmp_path):
    for folder in ("images", "masks"):
        picture(tmp_path / folder / "1.png")
    with pytest.raises(DataError, match='"masks" seems to hold masks'):
        open_folder(tmp_path)


@pytest.mark.parametrize("names", [("Pneumonia", "pneumonia "), ("1", "1.0"), ("caf\u00e9", "cafe\u0301")])
def test_folders_of_one_class_are_joined_and_said(names, tmp_path):
    for number, name in enumerate((*names, "normal")):
        picture(tmp_path / name / f"{number}.png")
    with pytest.warns(UserWarning, match="Spellings of one class were joined"):
        cohort = open_folder(tmp_path)
    assert len(cohort.classes) == 2


def test_reports_among_the_dicom_are_no_fault(tmp_path, shared_data):
    for label in ("a", "b"):
        save_dicom(tmp_path / label / "IM1", PIXELS)
    (tmp_path / "a" / "SR1").write_bytes((shared_data / "highdicom-tests/data/test_files/sr_document.dcm").read_bytes())
    with pytest.warns(UserWarning, match="1 DICOM files hold no image .*: a/SR1"):
        cohort = open_folder(tmp_path)
    assert cohort.steps[0].parameters["no_images"] == ["a/SR1"]
    assert len(cohort) == 2


WHOLE = {}


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1), ending=st.sampled_from(["png", "jpg", "tif"]))
def test_a_picture_cut_anywhere_is_an_image_or_a_sentence(tmp_path, share, ending):
    from firstread.core.errors import FirstreadError
    from firstread.core.images import read_image

    if ending not in WHOLE:
        WHOLE[ending] = picture(tmp_path / f"whole.{ending}").read_bytes()
    path = tmp_path / f"cut.{ending}"
    path.write_bytes(WHOLE[ending][: int(share * len(WHOLE[ending]))])
    try:
        said = str(read_image(path).dtype)
    except FirstreadError as error:
        said = str(error)
    assert said == "uint8" or path.name in said


def test_slices_are_in_the_order_of_their_place_whatever_their_numbers_say(tmp_path):
    values = np.zeros((8, 8, 8), np.int16)
    order = [3, 1, 0, 2, 7, 5, 6, 4]
    positions = [(0, 0, 5.0 * place) for place in order]
    save_series(tmp_path / "a", values, positions=positions, per_slice=[{"InstanceNumber": 1}] * 8)
    save_series(tmp_path / "b", values, positions=positions[::-1], SeriesInstanceUID="1.2.9")
    cohort = open_folder(tmp_path)
    for label in ("a", "b"):
        files = [row.file for row in cohort.table.itertuples() if row.label == label]
        assert [dcmread(file).ImagePositionPatient[2] for file in files] == [5 * place for place in range(8)]
