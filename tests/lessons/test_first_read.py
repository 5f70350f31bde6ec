"""The learner's own reading: typed in many ways, clicked, scored only when whole, compared with a network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.core.errors import SettingError
from firstread.core.predictions import Predictions
from firstread.lessons.first_read import ImageReading
from firstread.lessons.notes import NotYetError


class Reading:
    """A reading of the first images of a cohort, and what it told."""

    def __init__(self, cohort, count=5, classes=None, answers=None):
        self.cases, self.changes, self.scores = [cohort[index] for index in range(count)], [], []
        self.reading = ImageReading(
            self.cases,
            classes or cohort.classes,
            answers=answers or {},
            on_change=lambda answers: self.changes.append(dict(answers)),
            on_score=self.scores.append,
        )


@pytest.fixture
def made(tiny_cohort):
    return Reading(tiny_cohort)


TRUTH = ["dark", "bright", "dark", "bright", "dark"]


@pytest.mark.parametrize(
    "typed",
    ["d b d b d", "dbdbd", "D,B,D,B,D", "dark, bright, dark, bright, dark", "DARK bright d b 1", "1 2 1 2 1", "12121", "d;b;d;b;d"],
)
def test_letters_words_numbers_commas_and_capitals_are_a_reading(made, typed):
    assert made.reading.read(typed).good
    assert list(made.reading.answers.values()) == TRUTH
    assert made.reading.score().text.startswith("You read 5 of 5 correctly")
    assert made.scores == [5]


@pytest.mark.parametrize("typed", ["", "? ? ? ? ?", "d b d", "d b d b d b", "x b d b d", "dark bright", "3 1 1 1 1"])
def test_what_is_no_reading_is_refused_and_nothing_is_recorded(made, typed):
    with pytest.raises(NotYetError, match=r'not a reading of 5 images.*"d" for dark and "b" for bright'):
        made.reading.read(typed)
    assert made.reading.answers == {}
    assert made.scores == []


@given(st.lists(st.sampled_from(["dark", "bright"]), min_size=5, max_size=5), st.sampled_from([" ", ", ", ";", "\n"]))
def test_what_is_typed_is_what_is_taken(answers, between):
    class Case:
        def __init__(self, name):
            self.case, self.label = name, "dark"

    taken = ImageReading(
        [Case(name) for name in "abcde"], ["dark", "bright"], answers={}, on_change=len, on_score=lambda _: None
    )
    taken.read(between.join(answers))
    assert list(taken.answers.values()) == answers


def test_a_beginning_that_two_classes_share_is_no_answer(tiny_cohort):
    made = Reading(tiny_cohort, 2, classes=("normal", "nodule"))
    with pytest.raises(NotYetError, match="n is none of the classes"):
        made.reading.read("n n")
    made.reading.read("nor nod")
    assert list(made.reading.answers.values()) == ["normal", "nodule"]


def test_an_unfinished_reading_stops_what_depends_on_it(made):
    made.reading.answers = {made.cases[0].case: "dark"}
    for step in (made.reading.score, lambda: made.reading.compare(predictions(made, TRUTH))):
        with pytest.raises(NotYetError, match=r"Not yet: you have read 1 of 5 images.*images 2, 3, 4, 5"):
            step()
    assert made.scores == []


def test_an_earlier_reading_is_taken_up_and_that_of_other_images_is_not(tiny_cohort):
    made = Reading(tiny_cohort, 2, answers={"image00": "dark", "image01": "nonsense", "other": "bright"})
    assert made.reading.answers == {"image00": "dark"}


def predictions(made, answers):
    import numpy as np
    import pandas as pd

    rows = pd.DataFrame({"case": [case.case for case in made.cases], "label": [case.label for case in made.cases]})
    scores = np.array([[answer == "dark", answer == "bright"] for answer in answers], float)
    return Predictions.from_scores(rows, scores, classes=("dark", "bright"))


def test_the_network_stands_beside_the_learner(made):
    made.reading.read("bbdbd")
    text = made.reading.compare(predictions(made, ["dark", "bright", "dark", "dark", "dark"])).text
    assert "you 4 of 5, the network 4 of 5" in text
    assert "Image 1 is dark: you said bright, the network dark." in text
    assert "Image 4 is bright: you said bright, the network dark." in text
    assert "Image 2" not in text
    with pytest.raises(SettingError, match="other images than you read"):
        made.reading.compare(predictions(Reading_of_one(made), ["dark"]))


def Reading_of_one(made):
    class One:
        cases = made.cases[:1]

    return One


def test_buttons_take_the_answer_and_may_be_pressed_again(made):
    widgets = pytest.importorskip("ipywidgets")
    box = made.reading._make_widget()
    buttons = [one for one in descendants(box) if isinstance(one, widgets.Button)]
    assert [one.description for one in buttons] == ["dark", "bright"] * 5
    assert buttons[3].tooltip == "image 2: bright"
    buttons[3].click()
    assert buttons[3].description == "✓ bright"
    buttons[2].click()
    assert [one.description for one in buttons[2:4]] == ["✓ dark", "bright"]
    assert made.changes[-1] == {"image01": "dark"}
    for index in range(0, 10, 2):
        buttons[index].click()
    assert made.reading.is_complete
    assert "All 5 are read" in "".join(one.value for one in descendants(box) if isinstance(one, widgets.HTML))
    assert "✓" not in made.reading._repr_html_() and "dark" in made.reading._repr_html_()


def descendants(widget):
    for child in getattr(widget, "children", ()):
        yield child
        yield from descendants(child)


def test_each_image_has_a_text_that_does_not_give_the_answer_away(made):
    shown = made.reading._repr_html_()
    assert shown.count('alt="image ') == 5
    assert "bright" not in shown
