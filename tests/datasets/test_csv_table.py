"""Tables of paths and labels, as people write them."""

import numpy as np
import pytest
from PIL import Image

from firstread.core.errors import DataError
from firstread.datasets.csv_table import open_table
from firstread.datasets.dataset import open_dataset
from readers.dicom_files import save_dicom


@pytest.fixture
def images(tmp_path):
    for number in range(8):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"{number}.png")
    return tmp_path


def table(folder, lines, *, name="labels.csv", encoding="utf-8"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def test_paths_labels_patients_splits_and_facts(images):
    lines = ["File Path,Class,Patient ID,Set,age"]
    lines += [
        f"{n}.png,{'sick' if n % 2 else 'healthy'},p{n // 2},{'train' if n < 6 else 'VAL'},{n + 40}" for n in range(8)
    ]
    cohort = open_table(table(images, lines))
    assert cohort.classes == ("healthy", "sick")
    assert cohort.table["patient"].nunique() == 4
    assert "p1" not in cohort.table["patient"].tolist()
    assert cohort.counts()["validation"].tolist() == [1, 1]
    assert cohort[3].metadata["age"] == "43"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_separators_and_encodings_of_spreadsheets(images, separator, encoding):
    lines = [separator.join(("image", "label"))] + [
        separator.join((f"{n}.png", "müde" if n % 2 else "fit")) for n in range(8)
    ]
    assert open_table(table(images, lines, encoding=encoding)).classes == ("fit", "müde")


def test_missing_labels_are_kept_out_of_every_split(images):
    lines = ["file,label,split"] + [f"{n}.png,{'' if n == 3 else 'ab'[n % 2]},train" for n in range(8)]
    with pytest.warns(UserWarning, match="1 rows have no label"):
        cohort = open_dataset(table(images, lines))
    assert len(cohort) == 8
    assert cohort[3].label is None
    assert cohort[3].split is None


def test_a_few_missing_files_are_left_out_with_their_lines(images):
    lines = ["file,label"] + [f"{n}.png,{'ab'[n % 2]}" for n in range(10)]
    with pytest.warns(UserWarning, match=r"2 files .* not there .*lines 10, 11"):
        cohort = open_dataset(table(images, lines))
    assert len(cohort) == 8
    assert cohort.steps[0].parameters["missing_files_in_lines"] == [10, 11]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["nom,label", "0.png,a"], "no column for the image files"),
        (["file,label", "0.png,", "1.png,"], "Every label in the table is missing"),
        (["file,label", "x/10.png,a", "x/11.png,b"], "2 of the 2 files .* are not there"),
        (["file,label", "0.png,a", "1.png,a"], 'has the class "a"'),
        (["file,label", "0.png,a", "0.png,b", "1.png,b"], "two different labels"),
        (["file,label,split", "0.png,a,later", "1.png,b,train"], "Line 2 has an unknown split"),
        (["file,label", ",a", "1.png,b"], "Line 2 names no file"),
        (["file,label,frame", "0.png,a,first", "1.png,b,2"], "line 2 is not a whole number"),
        ([""], "cannot be read"),
        (["file,label"], "has no rows"),
    ],
)
def test_tables_that_cannot_be_used(images, lines, words):
    with pytest.raises(DataError, match=words):
        open_table(table(images, lines))


def test_a_table_that_is_no_text(images):
    (images / "t.csv").write_bytes(bytes(range(256)) * 20)
    with pytest.raises(DataError):
        open_table(images / "t.csv")


def test_the_same_row_twice_is_one_case(images):
    cohort = open_table(table(images, ["file,label", "0.png,a", "1.png,b", "0.png,a"]))
    assert len(cohort) == 2
    assert cohort.steps[0].parameters["repeated_rows"] == 1


def test_a_folder_of_dicom_with_its_table(tmp_path):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for number in range(4):
        save_dicom(tmp_path / "scans" / f"IM{number}", np.stack([pixels] * 2), PatientID=f"MRN{number}")
    table(tmp_path, ["path,diagnosis"] + [f"scans/IM{n},{'ab'[n % 2]}" for n in range(4)])
    with pytest.warns(UserWarning, match="not divided"):
        cohort = open_dataset(tmp_path)
    assert len(cohort) == 8
    assert cohort.table["patient"].nunique() == 4
    assert cohort.classes == ("a", "b")
    assert "MRN" not in cohort.table.to_csv()


def test_one_frame_of_a_stack_can_be_named(tmp_path):
    pixels = np.stack([np.full((8, 8), value, np.uint8) for value in (10, 20, 30)])
    save_dicom(tmp_path / "cine", pixels)
    cohort = open_table(table(tmp_path, ["file,frame,label", "cine,2,a", "cine,0,b"]))
    assert [cohort[index].image()[0, 0] for index in range(2)] == [30, 10]


def test_two_tables_in_a_folder_are_ambiguous(images):
    for name in ("one.csv", "two.csv"):
        table(images, ["file,label", "0.png,a", "1.png,b"], name=name)
    with pytest.raises(DataError, match="2 tables"):
        open_dataset(images)


def test_columns_that_name_a_person_are_not_taken_along(images):
    lines = ["file,label,patient_name,Last Name,date of birth,age"] + [
        f"{n}.png,{'ab'[n % 2]},DOE^JOHN{n},Doe,1960-01-01,60" for n in range(8)
    ]
    cohort = open_table(table(images, lines))
    text = cohort.table.to_csv() + str(cohort.describe())
    assert not any(word in text for word in ("DOE", "Doe", "1960"))
    assert cohort.table["age"].tolist() == ["60"] * 8
    assert cohort.steps[0].parameters["columns_left_out"] == ["Last Name", "date of birth"]


def test_two_files_that_fit_a_name_equally_well_are_no_match(images):
    for folder in ("x", "y"):
        (images / folder).mkdir()
        Image.new("L", (8, 8)).save(images / folder / "same.png")
    lines = ["file,label", "same,a", *(f"{n},{'ab'[n % 2]}" for n in range(8))]
    with pytest.warns(UserWarning, match=r"1 files that the table names are not there .*lines 2"):
        assert len(open_table(table(images, lines))) == 8


def test_minus_one_is_asked_about(images):
    lines = ["file,label"] + [f"{n}.png,{(-1.0, 0.0, 1.0)[n % 3]}" for n in range(8)]
    with pytest.warns(UserWarning, match="Where -1 means uncertain"):
        assert open_table(table(images, lines)).classes == ("0.0", "1.0", "-1.0")


def test_a_table_without_labels_says_which_columns_could_be_meant(images):
    lines = ["file,Pneumonia,age"] + [f"{n}.png,{n % 2},{50 + n}" for n in range(8)]
    with pytest.warns(UserWarning, match=r"no column of labels.*Columns that could be meant: Pneumonia, age"):
        assert open_table(table(images, lines)).classes == ()
