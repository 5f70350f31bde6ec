"""De-identification by hand: what was ticked is gone, what is left is found wherever it stands."""

import re

import pytest

from firstread.deidentification.value_search import clean_text
from firstread.lessons.identity_traces import GONE, KINDS
from firstread.lessons.notes import NotYetError
from firstread.lessons.patient_files import PatientFiles
from firstread.phantoms.archive.hidden_places import HIDERS


@pytest.fixture
def by_hand(teaching_patient):
    patient = PatientFiles.open(teaching_patient)
    return patient.deidentify_by_hand(patient.image())


def test_nothing_is_searched_before_anything_is_removed(by_hand):
    with pytest.raises(NotYetError, match="Not yet: nothing is removed.*tick the boxes above"):
        by_hand.search()


def test_what_is_removed_is_found_no_more(by_hand):
    by_hand.remove("patient's name, PatientID")
    places = {trace.place for trace in by_hand.search().traces}
    assert not {"(0010,0010)", "(0010,0020)"} & places
    assert "(0010,1001)" in places


@pytest.mark.parametrize(
    "place",
    [
        "name of the file",
        "before the header",
        "(0002,0016)",
        "(0008,103E)",
        "(0009,1010)",
        "(0029,1103)",
        "(0010,0033)",
        "(0040,0275) > (0032,1064) > (0010,1100) > (0400,0561) > (0400,0550) > (0010,0010)",
        "(5254,4941)",
        "(6000,1500)",
        "(FFFC,FFFC)",
    ],
)
def test_each_way_of_hiding_is_found(by_hand, place):
    assert len(HIDERS) == 9, "a new way of hiding needs a place here"
    by_hand.remove("PatientName")
    assert place in {trace.place for trace in by_hand.search().traces if trace.kind == "identity"}


def test_everything_offered_removed_still_leaves_traces(by_hand):
    by_hand.remove(", ".join(line.keyword for line in by_hand.lines))
    found = by_hand.search()
    assert found.counts["identity"] >= 10
    assert "SOPClassUID" in found.needed
    assert "cannot be read or measured any more" in found._repr_html_()


def test_dates_and_identifiers_are_counted_apart(by_hand):
    by_hand.remove("PatientName")
    counts = by_hand.search().counts
    assert set(counts) == set(KINDS)
    assert (counts["date"], counts["uid"], counts["drawing"]) == (12, 4, 1)


def test_the_rules_stand_beside_the_hand(by_hand):
    by_hand.remove("PatientID")
    lines = {line.name: line for line in by_hand.compare() if line.kind == "identity"}
    assert lines["Patient ID"].by_hand == GONE
    assert lines["Patient's Name"].by_hand == "Kavanagh-Byrne^Siobhán"
    assert lines["Series Description"].by_rules == "CT post op"
    values = by_hand.values
    assert all(clean_text(line.by_rules, values, descriptions=False) == line.by_rules for line in lines.values())


def test_what_is_typed_is_forgiven(by_hand):
    note = by_hand.remove("patient name; PATIENTID\nInstitution Name")
    assert note.text == f"3 of {len(by_hand.lines)} lines will be removed."


def test_a_line_that_is_not_there(by_hand):
    with pytest.raises(NotYetError, match='the header has no line "PatientNme"'):
        by_hand.remove("PatientNme")
    with pytest.raises(NotYetError, match="nothing was typed"):
        by_hand.remove(" ")


def test_the_original_is_not_changed(by_hand):
    before = by_hand.image.path.read_bytes()
    by_hand.remove("PatientName")
    by_hand.search()
    by_hand.compare()
    assert by_hand.image.path.read_bytes() == before


def test_the_record_holds_numbers_alone(by_hand):
    by_hand.remove("PatientName")
    assert not re.search("Kavanagh|0047118|Gobnait", str(by_hand.search().to_json()))


def test_the_report_names_nobody(by_hand, tmp_path):
    import firstread as fr

    by_hand.remove("PatientName")
    result = fr.deidentify(by_hand.root, tmp_path / "out", quiet=True)
    page = by_hand.write_report(result, tmp_path).read_text(encoding="utf-8")
    assert "What was held back" in page
    assert "names, numbers, addresses" in page
    assert not re.search("Kavanagh|0047118|Gobnait", page)


def test_what_was_ticked_is_there_when_the_lesson_is_opened_again(teaching_patient):
    kept = []
    patient = PatientFiles.open(teaching_patient, on_change=kept.append)
    patient.deidentify_by_hand(patient.image()).remove("PatientName")
    again = PatientFiles.open(teaching_patient, kept=[*kept[-1], "NotInThisFile"])
    assert again.deidentify_by_hand(again.image()).removed == {"PatientName"}
