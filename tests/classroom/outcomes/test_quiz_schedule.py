"""Each quiz at its time: before the lesson teaches, after its end, and weeks later."""

from datetime import timedelta

import pytest

from firstread.classroom.database.answers import save_quiz_answers, save_survey_answers
from firstread.classroom.outcomes.quiz_schedule import participant_schedule
from firstread.classroom.service.personal_links import due_links
from firstread.lessons.questionnaires import load_quiz, load_survey

from ..simulated_results import BEGAN, make_event


@pytest.fixture
def states(service_client):
    """What is due for someone who joined at BEGAN, so many minutes later."""
    person, _ = service_client.store.join("Bea", BEGAN)

    def states(minutes=5.0):
        found = participant_schedule(
            service_client.folder, service_client.store, person, BEGAN + timedelta(minutes=minutes)
        )
        return (*found.quizzes.values(), found.survey)

    def happens(kind, step=None, **values):
        service_client.store.record_events(
            person.username, [make_event(kind, BEGAN, step, **values)], BEGAN + timedelta(minutes=4)
        )

    states.happens, states.person, states.service_client = happens, person, service_client
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
    quiz, survey = load_quiz(states.service_client.folder.lesson), load_survey(states.service_client.folder.lesson)
    assert states((quiz.followup_days - 1) * DAY)[2] == "early"
    assert states((quiz.followup_days + 1) * DAY) == ("late", "late", "due", "due"), "too late for the second"
    chosen = dict.fromkeys([item.id for item in quiz.items])
    for occasion in ("post", "retention"):
        save_quiz_answers(states.service_client.store, states.person.id, occasion, items=quiz.items, chosen=chosen)
    save_survey_answers(
        states.service_client.store,
        states.person.id,
        survey=survey,
        ratings=dict.fromkeys(survey.statements, 3),
        comment="",
    )
    assert states((quiz.followup_days + 1) * DAY) == ("late", "done", "done", "done")


def test_links_lead_to_what_is_due(service_client):
    titles = [link["title"] for link in due_links(service_client.folder, service_client.store, service_client.ana)]
    assert titles == ["Quiz before the lesson", "My page"]
    service_client.store.record_events(service_client.ana.username, [make_event("finish", BEGAN)])
    found = due_links(service_client.folder, service_client.store, service_client.ana)
    assert [link["title"] for link in found] == ["Quiz after the lesson", "Short survey", "My page"]
    for link in found:
        answer = service_client.get(link["address"])
        assert answer.status_code == 200
        assert service_client.ana.username not in str(answer.url), "a clean address"
    assert "Short survey" in service_client.get(found[1]["address"]).text
