"""A DICOM file as a lesson shows it: every element has a line, whatever it is, and values have their unit."""

import pytest
from pydicom.data import get_testdata_file

from firstread.core.errors import DataError, SettingError
from firstread.lessons.dicom_file import SHOWN_CHARACTERS, DicomFile


@pytest.fixture(scope="module")
def small_ct():
    return DicomFile(get_testdata_file("CT_small.dcm"))


def test_every_element_of_every_sequence_has_a_line(teaching_patient):
    opened = DicomFile(next(teaching_patient.glob("*/*/S001/CT^0007.dcm")))
    lines = opened.header().lines
    assert max(line.depth for line in lines) == 5
    names = [line for line in lines if line.keyword == "PatientName"]
    assert len(names) == 5
    assert names[-1].value == "Kavanagh-Byrne^Siobhán"
    assert lines[0].place == "(0002,0000)", "the file meta information comes first"


def test_text_behind_the_end_of_a_file_is_a_line(teaching_patient):
    opened = DicomFile(next(teaching_patient.glob("*/*/S001/CT^0007.dcm")))
    (behind,) = opened.header("text behind the end").lines
    assert "KAVANAGH-BYRNE" in behind.value


def test_lines_are_found_by_tag_name_and_value(small_ct):
    by_tag, by_name, by_value = small_ct.header("0010,0010"), small_ct.header("patient's name"), small_ct.header("SAMPLES^ct1")
    assert by_tag.lines == by_name.lines == by_value.lines
    assert by_tag.summary.startswith("1 of ")


def test_pixels_and_long_values_are_named_not_shown(small_ct):
    table = small_ct.header()
    assert "32,768 bytes" in repr(table)
    assert max(len(line.excerpt) for line in table.lines) <= SHOWN_CHARACTERS


def test_a_header_is_text_and_never_markup(tmp_path, small_ct):
    dataset = small_ct.dataset()
    dataset.StudyDescription = "<script>alert(1)</script>"
    dataset.save_as(tmp_path / "hostile.dcm")
    html = DicomFile(tmp_path / "hostile.dcm").header("description")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_stored_values_become_hounsfield_units(small_ct):
    table = small_ct.values([(0, 0), (64, 64)])
    assert list(table["unit"]) == ["HU", "HU"]
    assert [float(row.value) - row.stored for row in table.itertuples()] == [-1024.0, -1024.0]


def test_a_point_outside_of_the_picture(small_ct):
    with pytest.raises(SettingError, match=r"The point \(500, 2\) lies outside of the picture.*row 0 to 127"):
        small_ct.values([(500, 2)])


def test_a_picture_in_color_stores_three_numbers():
    table = DicomFile(get_testdata_file("examples_rgb_color.dcm")).values()
    assert set(table["unit"]) == {"red, green, blue"}
    assert [len(str(value).split(", ")) for value in table["stored"]] == [3, 3, 3]


def test_a_window_of_ct_is_for_ct():
    title = DicomFile(get_testdata_file("MR_small.dcm")).show("liver").axes[0].get_title()
    assert title == 'window of the file ("liver" is one of CT)'


def test_a_file_that_is_no_dicom(tmp_path):
    (tmp_path / "note.txt").write_text("Doe, Jane")
    with pytest.raises(DataError) as raised:
        DicomFile(tmp_path / "note.txt").header()
    assert "Jane" not in str(raised.value)
