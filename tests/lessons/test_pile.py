"""A pile of series in a lesson: opened, drawn, looked through by clicking, curated, and compared with what was planted."""

import shutil
from collections import Counter

import numpy as np
import pytest

from firstread.core.errors import DataError, SettingError
from firstread.lessons import pile as pile_module
from firstread.lessons.notes import NotYetError
from firstread.lessons.pile import BUTTON_OF, Pile
from firstread.lessons.pile_curation import PileCuration
from firstread.lessons.pile_marks import PileReading, choose_series
from firstread.lessons.stack_picture import PANEL


@pytest.fixture(scope="module")
def pile(small_pile):
    return Pile.open(small_pile / "dicom")


@pytest.fixture(scope="module")
def curation(pile):
    return PileCuration.of(pile)


def planted(pile, fault):
    return next(one for one in pile.series if one.planted == fault)


class Reading:
    """A reading of some series, and what it told."""

    def __init__(self, series):
        self.scores = []
        self.reading = PileReading(
            series, tuple(BUTTON_OF.values()), answers={}, on_change=dict, on_score=self.scores.append
        )


def test_series_are_told_by_what_their_headers_say(pile):
    assert pile.summary == "10 series of 5 patients, 253 images"
    noisy = planted(pile, "noise")
    assert noisy.caption == "Abdomen arterial 8.0 · 32 images · Iohexol 350"
    assert noisy.heights_mm == sorted(noisy.heights_mm)
    assert planted(pile, "localizer").caption == "Scout · 1 image · no contrast agent"
    assert pile[noisy.number] is noisy
    assert "Abdomen arterial 8.0" in pile._repr_html_()
    with pytest.raises(SettingError, match="There is no series 11"):
        pile[11]


def test_the_order_tells_nothing_and_is_the_same_every_time(pile, small_pile):
    assert [one.series for one in Pile.open(small_pile / "dicom").series] == [one.series for one in pile.series]
    patients = [one.patient for one in pile.series]
    assert patients != sorted(patients)


def test_what_is_missing_is_black_in_the_section(pile):
    fine, missing = planted(pile, "fine").image(), planted(pile, "slices missing").image()
    assert fine.shape == missing.shape == (2 * PANEL + 2,) * 2

    def gap(picture):
        rows = picture[:PANEL, :PANEL].max(axis=1) > 0
        inside = rows[np.flatnonzero(rows)[0] : np.flatnonzero(rows)[-1]]
        return int((~inside).sum())

    assert gap(fine) == 0
    assert gap(missing) >= 8


def test_a_lone_image_is_shown_whole(pile):
    picture = planted(pile, "localizer").image()
    assert picture.shape == (2 * PANEL + 2,) * 2
    assert np.percentile(picture, 90) > 60, "a projection is not lost in the window of the abdomen"


def test_a_learner_gets_each_fault_and_both_of_a_pair():
    class One:
        def __init__(self, number, fault):
            self.planted, self.patient, self.number = fault, f"P{number // 2}", number

    class All:
        has_truth = True
        series = [One(number, fault) for number, fault in enumerate(["twice"] * 4 + [*BUTTON_OF] * 8)]

        def __len__(self):
            return len(self.series)

    for seed in range(5):
        chosen = choose_series(All(), seed=seed)
        counts = Counter(one.planted for one in chosen)
        assert counts == {**dict.fromkeys(BUTTON_OF, 1), "fine": 4, "twice": 2}
        assert len({one.patient for one in chosen if one.planted == "twice"}) == 1
    assert [one.number for one in chosen] == [one.number for one in choose_series(All(), seed=4)]


def test_answers_are_scored_against_what_was_planted(pile):
    made = Reading(pile.series[:4])
    with pytest.raises(NotYetError, match="Not yet: you have read 0 of 4 images"):
        made.reading.score()
    made.reading.answers = {one.series: one.label for one in pile.series[:4]} | {pile.series[0].series: "localizer"}
    text = made.reading.score().text
    assert made.scores == [3]
    assert f"Image 1 is {pile.series[0].label}: you said localizer." in text
    assert "firstread" not in text


def test_the_numbers_of_the_buttons_may_be_typed(pile):
    made = Reading(pile.series[:3])
    made.reading.read("1 8 2")
    assert list(made.reading.answers.values()) == ["fine", "here twice", "slices missing"]


def test_each_picture_has_a_text_that_does_not_give_the_answer_away(pile):
    shown = Reading(pile.series).reading._repr_html_()
    assert shown.count("to be read") == len(pile)
    assert "slices missing" not in shown
    assert "Abdomen portal venous 8.0 · 32 images" in shown


def test_curation_names_what_was_planted_with_its_evidence(pile, curation):
    for fault, words in {
        "slices missing": "of 32 slices are missing",
        "noise": "HU, expected below",
        "unenhanced called venous": "looks unenhanced",
        "localizer": "LOCALIZER",
    }.items():
        one = planted(pile, fault)
        assert curation.answers(one) == (one.label,)
        assert words in curation.evidence(one)
    assert curation.answers(planted(pile, "fine")) == ("fine",)
    assert curation.evidence(planted(pile, "fine")) == ""


def test_both_of_a_pair_are_named_by_their_numbers(pile, curation):
    pair = [one for one in pile.series if one.planted == "twice"]
    for one, other in (pair, pair[::-1]):
        assert curation.answers(one) == ("here twice",)
        assert f"series {other.number}" in curation.evidence(one)
        assert other.series not in curation.evidence(one), "no UIDs before a learner's eyes"


def test_the_learner_stands_beside_the_curation(pile, curation):
    made = Reading(pile.series[:4])
    made.reading.answers = {one.series: "localizer" for one in pile.series[:4]}
    compared = made.reading.compare(curation)
    mine, found = compared.correct
    assert mine == sum(one.label == "localizer" for one in pile.series[:4])
    assert compared.summary == f"As planted: you {mine} of 4, firstread {found} of 4."
    assert compared.to_json() == {"of": 4, "mine": mine, "curation": found}


def test_without_a_truth_nobody_is_right(small_pile, tmp_path):
    shutil.copytree(small_pile / "dicom", tmp_path / "own")
    own = Pile.open(tmp_path / "own")
    assert not own.has_truth
    made = Reading(choose_series(own, seed=0))
    made.reading.answers = {one.series: "fine" for one in made.reading.cases}
    assert "Nobody knows" in made.reading.score().text
    assert made.scores == []
    curation = PileCuration.of(own)
    assert list(curation.counts.columns) == ["", "found"]
    compared = made.reading.compare(curation)
    assert "say the same of" in compared.summary
    assert "planted" not in compared._repr_html_()


def test_a_folder_without_images(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(DataError, match="no DICOM file with an image"):
        Pile.open(tmp_path)


def test_an_archive_of_many_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pile_module, "MAX_FILES", 1)
    for number in range(2):
        (tmp_path / f"{number}.dcm").write_bytes(b"")
    with pytest.raises(DataError, match="There are more than 1 files here"):
        Pile.open(tmp_path)
