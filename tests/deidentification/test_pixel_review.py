"""Sheets for a person: every class that waits, boxes drawn, each tile in a table; only then does a class go out."""

import csv

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import RLELossless

from firstread.deidentification import Profile, deidentify, review_class, write_review_sheets
from firstread.deidentification.text_detector import use_detector

from .drawn_images import FakeDetector, bars, colour_image, gray_image
from .identified_files import KEYS, identified_ct, write

CLEANING = Profile().with_options("clean_pixel_data")


@pytest.fixture
def archive(tmp_path):
    for number in range(3):
        image = colour_image(bars(line=number < 2))
        image.SOPInstanceUID = f"1.2.3.{number}"
        image.ManufacturerModelName = "Viewer 7"
        write(image, tmp_path / "in" / f"{number}.dcm")
    gray = gray_image(np.full((50, 60), 90, np.uint8), SOPInstanceUID="1.2.4", Modality="CR")
    write(gray, tmp_path / "in" / "gray.dcm")
    write(identified_ct(ImageType=["ORIGINAL", "PRIMARY"]), tmp_path / "in" / "ct.dcm")
    (tmp_path / "in" / "notes.txt").write_text("Hidden^Harriet")
    return tmp_path / "in"


def sheets_of(archive, profile=CLEANING, **options):
    folder = archive.parent / "sheets"
    with use_detector(FakeDetector()):
        sheets = write_review_sheets(sorted(archive.iterdir()), folder, profile=profile, **options)
    with open(folder / "tiles.csv", encoding="utf-8") as file:
        return sheets, list(csv.DictReader(file))


def test_each_class_has_a_sheet_and_each_tile_a_row(archive):
    sheets, rows = sheets_of(archive)
    assert [sheet.name for sheet in sheets] == ["01-01.png", "02-01.png"]
    assert [row["review_class"] for row in rows] == [
        "CR Secondary Capture Image Storage, 60 x 50",
        *["OT Secondary Capture Image Storage, Viewer 7, 128 x 96"] * 3,
    ]
    assert sorted(row["own_values"] for row in rows) == ["0", "0", "1", "1"]
    assert {row["file"] for row in rows} == {str(archive / f"{name}.dcm") for name in ("0", "1", "2", "gray")}


def test_what_was_found_is_framed_in_red(archive):
    sheets, _ = sheets_of(archive)
    pixels = np.asarray(Image.open(sheets[1]))
    assert (pixels == (255, 40, 40)).all(axis=-1).sum() > 100


def test_a_sample_of_a_class_is_the_same_in_every_run(archive):
    _, first = sheets_of(archive, tiles=2)
    _, again = sheets_of(archive, tiles=2)
    assert first == again
    assert len(first) == 3


def test_a_class_goes_out_when_a_person_has_said_yes_and_others_wait(archive, tmp_path):
    _, rows = sheets_of(archive)
    name = rows[-1]["review_class"]
    with use_detector(FakeDetector()):
        before = deidentify(archive, tmp_path / "before", profile=CLEANING, keys=KEYS)
        reviewed = Profile(CLEANING.options, frozenset({name}))
        after = deidentify(archive, tmp_path / "after", profile=reviewed, keys=KEYS)
        left, _ = sheets_of(archive, reviewed)
    assert (before.written, after.written) == (1, 4)
    assert [file.source.name for file in after.held if "waits for a person" in file.reason] == ["gray.dcm"]
    assert len(left) == 1


def test_a_broken_file_has_a_tile_that_says_so(archive):
    path = archive / "0.dcm"
    image = colour_image(bars(), "YBR_FULL", transfer_syntax=RLELossless)
    image.PixelData = image.PixelData[:40]
    write(image, path)
    _, rows = sheets_of(archive)
    assert [row["held"] for row in rows if row["file"] == str(path)] == ["The pixels cannot be decoded"]


def test_a_review_class_names_no_patient():
    image = colour_image(bars())
    image.Modality, image.ManufacturerModelName = "OT", "Viewer of HIDDEN, 21.03.1970"
    assert review_class(image) == "OT Secondary Capture Image Storage, Viewer of, 128 x 96"
    image.ManufacturerModelName = "Hidden\nHarriet"
    assert "arriet" not in review_class(image)


def test_ultrasound_without_regions_is_a_class_of_its_own():
    image = gray_image(np.zeros((50, 60), np.uint8), SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1", Modality="US")
    assert review_class(image) == "US Ultrasound Image Storage, 60 x 50, without regions"
