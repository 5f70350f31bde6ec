"""Faces in CT and MR of the head: said in the file, the result and the report; held back where removal is asked for."""

import pytest

from firstread.deidentification import Profile, deidentify, deidentify_dataset
from firstread.deidentification.recognizable_features import may_show_face

from .identified_files import KEYS, identified_ct, write


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("BodyPartExamined", "HEAD"),
        ("StudyDescription", "MRT Schädel mit KM"),
        ("SeriesDescription", "t1 mprage brain"),
        ("ProtocolName", "Sinus CT"),
    ],
)
def test_a_head_is_known_by_body_part_and_descriptions(keyword, value):
    assert may_show_face(identified_ct(**{keyword: value}))
    assert not may_show_face(identified_ct(**{keyword: "ABDOMEN"}))


def test_a_radiograph_of_the_skull_shows_no_face():
    assert not may_show_face(identified_ct(BodyPartExamined="SKULL", SOPClassUID="1.2.840.10008.5.1.4.1.1.1"))


def test_a_head_is_written_with_a_warning(tmp_path):
    write(identified_ct(BodyPartExamined="HEAD"), tmp_path / "in" / "a.dcm")
    result = deidentify(tmp_path / "in", tmp_path / "out", keys=KEYS)
    assert (result.written, result.faces) == (1, 1)
    page = result.report().write(tmp_path / "report.html").read_text(encoding="utf-8")
    for said in (page, repr(result), result._repr_html_()):
        assert "A face can be drawn from them" in said


def test_the_file_says_so():
    output = deidentify_dataset(identified_ct(BodyPartExamined="HEAD"), profile=Profile(), keys=KEYS).dataset
    assert output.RecognizableVisualFeatures == "YES"


def test_the_option_holds_a_head_back_since_nothing_removes_it_here():
    profile = Profile().with_options("clean_recognizable_visual_features")
    assert (
        "cannot remove it"
        in deidentify_dataset(identified_ct(BodyPartExamined="HEAD"), profile=profile, keys=KEYS).held
    )
    assert deidentify_dataset(identified_ct(), profile=profile, keys=KEYS).held is None
