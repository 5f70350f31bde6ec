"""What was answered first is kept, whole, and goes with its owner."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from firstread.classroom.database.answers import (
    AlreadyAnsweredError,
    load_quiz_answers,
    load_survey_answers,
    save_quiz_answers,
    save_survey_answers,
)
from firstread.lessons import find_lesson
from firstread.lessons.questionnaires import load_quiz, load_survey

QUIZ, SURVEY = load_quiz(find_lesson("hello-world")), load_survey(find_lesson("hello-world"))
RIGHT = {item.id: item.correct_index for item in QUIZ.items}
NONE = dict.fromkeys(RIGHT)


def test_a_quiz_is_kept_once_for_each_occasion(store):
    ana, _ = store.join("Ana")
    half = {name: (right if place % 2 else None) for place, (name, right) in enumerate(RIGHT.items())}
    assert save_quiz_answers(store, ana.id, "pre", items=QUIZ.items, chosen=half) == 4
    with pytest.raises(AlreadyAnsweredError, match="first answers count"):
        save_quiz_answers(store, ana.id, "pre", items=QUIZ.items, chosen=RIGHT)
    assert sum(answer.right for answer in load_quiz_answers(store, ana.id)) == 4
    assert save_quiz_answers(store, ana.id, "post", items=QUIZ.items, chosen=RIGHT) == len(RIGHT)
    assert {answer.chosen for answer in load_quiz_answers(store, ana.id) if answer.occasion == "pre"} >= {None}


def test_who_sends_twice_at_once_is_counted_once(store):
    ana, _ = store.join("Ana")

    def send(chosen):
        try:
            save_quiz_answers(store, ana.id, "post", items=QUIZ.items, chosen=chosen)
            return True
        except AlreadyAnsweredError:
            return False

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(send, [RIGHT, NONE] * 4))
    assert kept.count(True) == 1
    assert len(load_quiz_answers(store)) == len(RIGHT)
    assert sum(answer.right for answer in load_quiz_answers(store)) in (0, len(RIGHT)), "whole, not mixed"


def test_a_survey_is_kept_once(store):
    ana, _ = store.join("Ana")
    agreed = dict.fromkeys(SURVEY.statements, 4)
    save_survey_answers(store, ana.id, survey=SURVEY, ratings=agreed, comment="  more time ")
    with pytest.raises(AlreadyAnsweredError):
        save_survey_answers(store, ana.id, survey=SURVEY, ratings=agreed, comment="")
    kept = {answer.question: answer for answer in load_survey_answers(store, ana.id)}
    assert kept["comment"].text == "more time"
    assert {answer.value for name, answer in kept.items() if name != "comment"} == {4}


def test_answers_go_with_their_owner(store):
    ana, _ = store.join("Ana")
    bea, _ = store.join("Bea")
    for person in (ana, bea):
        save_quiz_answers(store, person.id, "pre", items=QUIZ.items, chosen=RIGHT)
        save_survey_answers(store, person.id, survey=SURVEY, ratings=dict.fromkeys(SURVEY.statements, 4), comment="")
    store.delete_participant(ana.username)
    assert {answer.participant_id for answer in load_quiz_answers(store)} == {bea.id}
    assert {answer.participant_id for answer in load_survey_answers(store)} == {bea.id}
