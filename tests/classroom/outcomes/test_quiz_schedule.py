"""Each quiz at its time: before the lesson teaches, after its end, and weeks later."""

from datetime import timedelta

import pytest

from firstread.classroom.database.answers import keep_quiz, keep_survey
from firstread.classroom.outcomes.quiz_schedule import due
from firstread.classroom.service.personal_links import links
from firstread.lessons.questionnaires import quiz_of, survey_of

from ..simulated_results import BEGAN, told


@pytest.fixture
def states(served):
    """What is due for someone who joined at BEGAN, so many minutes later."""
    person, _ = served.store.join("Bea", BEGAN)

    def states(minutes=5.0):
        found = due(served.folder, served.store, person, BEGAN + timedelta(minutes=minutes))
        return (*found.quizzes.values(), found.survey)

    def happens(kind, step=None, **values):
        served.store.record(person.username, [told(kind, BEGAN, step, **values)], BEGAN + timedelta(minutes=4))

    states.happens, states.person, states.served = happens, person, served
    return states


DAY = 24 * 60


def test_at_first_only_the_first_quiz(states):
    assert states() == ("due", "early", "early", "early")
    states.happens("step", "look")
    assert states()[0] == "due"


@pytest.mark.parametrize(("kind", "step"), [("answer", None), ("step", "choose"), ("step", "measure")])
def test_once_the_lesson_has_taught_it_is_too_late_for_before(states, kind, step):
    states.happens(kind, step)
    assert states() == ("late", "early", "early", "early")


@pytest.mark.parametrize(("kind", "step"), [("finish", None), ("step", "own")])
def test_at_the_end_the_second_quiz_and_the_survey(states, kind, step):
    states.happens(kind, step)
    assert states() == ("late", "due", "early", "due")


def test_who_did_not_reach_the_end_is_asked_later_that_day(states):
    assert states(13 * 60) == ("late", "due", "early", "due")


def test_weeks_later_the_last_quiz(states):
    states.happens("finish")
    quiz, survey = quiz_of(states.served.folder.lesson), survey_of(states.served.folder.lesson)
    assert states((quiz.days - 1) * DAY)[2] == "early"
    assert states((quiz.days + 1) * DAY) == ("late", "late", "due", "due"), "too late for the second"
    chosen = dict.fromkeys([item.id for item in quiz.items])
    for occasion in ("post", "retention"):
        keep_quiz(states.served.store, states.person.id, occasion, items=quiz.items, chosen=chosen)
    keep_survey(
        states.served.store, states.person.id, survey=survey, agreed=dict.fromkeys(survey.statements, 3), comment=""
    )
    assert states((quiz.days + 1) * DAY) == ("late", "done", "done", "done")


def test_links_lead_to_what_is_due(served):
    titles = [link["title"] for link in links(served.folder, served.store, served.ana)]
    assert titles == ["Quiz before the lesson", "My page"]
    served.store.record(served.ana.username, [told("finish", BEGAN)])
    found = links(served.folder, served.store, served.ana)
    assert [link["title"] for link in found] == ["Quiz after the lesson", "Short survey", "My page"]
    for link in found:
        answer = served.get(link["address"])
        assert answer.status_code == 200
        assert served.ana.username not in str(answer.url), "a clean address"
    assert "Short survey" in served.get(found[1]["address"]).text
