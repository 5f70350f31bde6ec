"""Quiz and survey of every lesson."""

import shutil
from collections import Counter

import pytest

from firstread.core.errors import DataError
from firstread.lessons import find_lessons
from firstread.lessons.lesson_info import LessonInfo
from firstread.lessons.questionnaires import load_quiz, load_survey

LESSONS = find_lessons()
by_lesson = pytest.mark.parametrize("info", LESSONS, ids=lambda info: info.name)


@by_lesson
def test_a_quiz_asks_what_the_lesson_teaches_and_nothing_that_it_gives_away(info):
    quiz, taught = load_quiz(info), info.questions()
    assert 6 <= len(quiz.items) <= 10
    assert {item.concept for item in quiz.items} == set(taught), "each concept of the lesson, and no other"
    assert not {item.text for item in quiz.items} & {question["text"] for question in taught.values()}
    assert quiz.closing_step in [step["id"] for step in info.steps]
    assert 14 <= quiz.followup_days <= 180


@by_lesson
def test_items_are_well_made(info):
    items = load_quiz(info).items
    assert len({item.id for item in items}) == len(items)
    for item in items:
        assert item.text.endswith(("?", "."))
        assert len(item.text) <= 300
        assert len(item.explanation) > 40
        assert len(item.options) == len(set(item.options)) == 4
        assert not any("above" in option.lower() for option in item.options), "options are shuffled"
        assert "do not know" not in " ".join(item.options).lower(), "that is offered with every item"
        lengths = [len(option) for option in item.options]
        others = max(length for place, length in enumerate(lengths) if place != item.correct_index)
        assert lengths[item.correct_index] <= 1.5 * others, "the right answer is not to be known by its length"
        assert "except" not in item.text.lower(), "nothing is asked by its opposite"
    assert max(Counter(item.correct_index for item in items).values()) <= len(items) // 2
    longest = sum(len(item.options[item.correct_index]) == max(map(len, item.options)) for item in items)
    assert longest <= len(items) // 2, "the longest option is not the right one more often than it must be"


@by_lesson
def test_a_survey_is_short(info):
    survey = load_survey(info)
    assert 5 <= len(survey.statements) <= 7
    assert len(survey.scale) == 5
    assert "comment" not in survey.statements, "this is the free answer's name"
    for text in survey.statements.values():
        assert text.endswith(".")
        assert len(text) <= 120


@pytest.mark.parametrize("broken", ['answer = "z"', 'answer = "d"', "answer = 7", ""])
def test_a_broken_quiz_ends_in_a_sentence(tmp_path, broken):
    folder = tmp_path / "lesson"
    shutil.copytree(LESSONS[0].folder, folder)
    (folder / "test.toml").write_text(
        'closes = "look"\ndays = 21\n[[items]]\nid = "a"\nconcept = "b"\ntext = "c"\nbecause = "d"\n'
        'options = ["1", "2", "3"]\n' + broken
    )
    with pytest.raises(DataError, match=r"quiz cannot be used.*test\.toml"):
        load_quiz(LessonInfo(folder, LESSONS[0].values))
    (folder / "survey.toml").write_text("scale = 7")
    with pytest.raises(DataError, match="survey cannot be used"):
        load_survey(LessonInfo(folder, LESSONS[0].values))


def test_a_lesson_may_have_neither(tmp_path):
    info = LessonInfo(tmp_path, LESSONS[0].values)
    assert load_quiz(info) is None
    assert load_survey(info) is None
