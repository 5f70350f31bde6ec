"""Headers of the files of a series: what is stated, and what is left of a broken file."""

import pytest

from firstread.curation.series_files import age_in_years, read_file, read_files, seconds_of_day

from .ct_files import ramp, write_series


def test_a_file_that_ends_early_keeps_its_place(tmp_path):
    path = write_series(tmp_path, ramp(1))[0]
    whole = read_file(path, root=tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    cut = read_file(path, root=tmp_path)
    assert (whole.row["status"], cut.row["status"]) == ("ok", "broken")
    assert cut.row["series"] == whole.row["series"]
    assert cut.slices[0].plane == whole.slices[0].plane


def test_equal_pixels_have_equal_digests_whatever_the_header_says(tmp_path):
    one = write_series(tmp_path / "a", ramp(1), PatientID="P1")[0]
    other = write_series(tmp_path / "b", ramp(1), PatientID="P2", SeriesDescription="x")[0]
    rows = [read_file(path, root=tmp_path).row for path in (one, other)]
    assert rows[0]["pixel_sha256"] == rows[1]["pixel_sha256"]
    assert rows[0]["sha256"] != rows[1]["sha256"]


def test_an_empty_picture_has_no_digest(tmp_path):
    path = write_series(tmp_path, ramp(1) * 0 - 1024)[0]
    assert read_file(path, root=tmp_path).row["pixel_sha256"] is None


def test_names_are_relative_and_in_their_order(tmp_path):
    paths = write_series(tmp_path / "a" / "b", ramp(3))
    assert [file.row["file"] for file in read_files(reversed(paths), root=tmp_path)] == sorted(
        path.relative_to(tmp_path).as_posix() for path in paths
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("000000", 0), ("235959.99", 86399.99), ("10:15:30", 36930), ("99", None)]
)
def test_times(text, seconds):
    assert seconds_of_day(text) == seconds


@pytest.mark.parametrize(("text", "years"), [("006W", 0), ("090Y", 90), ("104Y", 90), ("", None), ("64", None)])
def test_ages(text, years):
    assert age_in_years(text) == years
