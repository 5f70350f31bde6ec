"""A form is each participant's own, and says nothing about what is right."""

from collections import Counter

import pytest

from firstread.classroom.outcomes.forms import NOT_KNOWN, parse_quiz_form, parse_survey_form, questions_for
from firstread.lessons import find_lesson
from firstread.lessons.questionnaires import load_quiz, load_survey

QUIZ, SURVEY = load_quiz(find_lesson("hello-world")), load_survey(find_lesson("hello-world"))


def shown(who, occasion="pre", typed=None):
    return questions_for(QUIZ, username=who, occasion=occasion, form=typed)


def order(questions):
    return [(question.item.id, tuple(words for words, _ in question.options)) for question in questions]


def test_the_order_is_ones_own_and_stays():
    assert order(shown("p1")) == order(shown("p1"))
    assert order(shown("p1")) != order(shown("p2"))
    assert order(shown("p1")) != order(shown("p1", "post"))


def test_place_and_value_tell_nothing_of_the_right_answer():
    places = Counter()
    for number in range(200):
        for question in shown(f"p{number}"):
            right = question.item.options[question.item.correct_index]
            places[next(value for words, value in question.options if words == right)] += 1
    assert set(places) == {"0", "1", "2", "3"}
    assert all(0.2 < count / sum(places.values()) < 0.3 for count in places.values())


def test_what_was_chosen_is_found_again_whatever_the_order():
    for who in ("p1", "p2", "p3"):
        typed = {}
        for question in shown(who):
            right = question.item.options[question.item.correct_index]
            typed[question.name] = next(value for words, value in question.options if words == right)
        chosen, missing = parse_quiz_form(shown(who, typed=typed))
        assert chosen == {item.id: item.correct_index for item in QUIZ.items}
        assert missing == []


@pytest.mark.parametrize("wrong", ["", "9", "-1", "x ", "0\n", "zero", "<script>"])
def test_what_is_no_option_is_no_answer(wrong):
    typed = {f"q{number}": NOT_KNOWN for number in range(1, len(QUIZ.items) + 1)}
    chosen, missing = parse_quiz_form(shown("p1", typed=typed | {"q3": wrong}))
    assert missing == ["q3"]
    assert set(chosen.values()) == {None}


def test_a_survey_says_what_is_missing():
    full = {name: "5" for name in SURVEY.statements}
    agreed, comment, missing = parse_survey_form(SURVEY, full | {"comment": "a\r\nb"})
    assert (set(agreed.values()), comment, missing) == ({5}, "a\nb", [])
    first = next(iter(full))
    for wrong in ("0", "6", "-1", "five", ""):
        assert parse_survey_form(SURVEY, full | {first: wrong})[2] == [first]
    assert parse_survey_form(SURVEY, full | {"comment": "x" * 501})[2] == ["comment"]
