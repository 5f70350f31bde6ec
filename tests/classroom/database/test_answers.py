"""What was answered first is kept, whole, and goes with its owner."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from firstread.classroom.database.answers import AnsweredError, keep_quiz, keep_survey, quiz_answers, survey_answers
from firstread.lessons import find_lesson
from firstread.lessons.questionnaires import quiz_of, survey_of

QUIZ, SURVEY = quiz_of(find_lesson("hello-world")), survey_of(find_lesson("hello-world"))
RIGHT = {item.id: item.right for item in QUIZ.items}
NONE = dict.fromkeys(RIGHT)


def test_a_quiz_is_kept_once_for_each_occasion(store):
    ana, _ = store.join("Ana")
    half = {name: (right if place % 2 else None) for place, (name, right) in enumerate(RIGHT.items())}
    assert keep_quiz(store, ana.id, "pre", items=QUIZ.items, chosen=half) == 4
    with pytest.raises(AnsweredError, match="first answers count"):
        keep_quiz(store, ana.id, "pre", items=QUIZ.items, chosen=RIGHT)
    assert sum(answer.right for answer in quiz_answers(store, ana.id)) == 4
    assert keep_quiz(store, ana.id, "post", items=QUIZ.items, chosen=RIGHT) == len(RIGHT)
    assert {answer.chosen for answer in quiz_answers(store, ana.id) if answer.occasion == "pre"} >= {None}


def test_who_sends_twice_at_once_is_counted_once(store):
    ana, _ = store.join("Ana")

    def send(chosen):
        try:
            keep_quiz(store, ana.id, "post", items=QUIZ.items, chosen=chosen)
            return True
        except AnsweredError:
            return False

    with ThreadPoolExecutor(4) as pool:
        kept = list(pool.map(send, [RIGHT, NONE] * 4))
    assert kept.count(True) == 1
    assert len(quiz_answers(store)) == len(RIGHT)
    assert sum(answer.right for answer in quiz_answers(store)) in (0, len(RIGHT)), "whole, not mixed"


def test_a_survey_is_kept_once(store):
    ana, _ = store.join("Ana")
    agreed = dict.fromkeys(SURVEY.statements, 4)
    keep_survey(store, ana.id, survey=SURVEY, agreed=agreed, comment="  more time ")
    with pytest.raises(AnsweredError):
        keep_survey(store, ana.id, survey=SURVEY, agreed=agreed, comment="")
    kept = {answer.question: answer for answer in survey_answers(store, ana.id)}
    assert kept["comment"].text == "more time"
    assert {answer.value for name, answer in kept.items() if name != "comment"} == {4}


def test_answers_go_with_their_owner(store):
    ana, _ = store.join("Ana")
    bea, _ = store.join("Bea")
    for person in (ana, bea):
        keep_quiz(store, person.id, "pre", items=QUIZ.items, chosen=RIGHT)
        keep_survey(store, person.id, survey=SURVEY, agreed=dict.fromkeys(SURVEY.statements, 4), comment="")
    store.forget(ana.username)
    assert {answer.participant_id for answer in quiz_answers(store)} == {bea.id}
    assert {answer.participant_id for answer in survey_answers(store)} == {bea.id}
