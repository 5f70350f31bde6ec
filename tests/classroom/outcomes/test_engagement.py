"""Engagement after the session: counted by a stated rule, and not known where nothing can be known."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.database.answers import save_quiz_answers
from firstread.classroom.outcomes.class_data import load_class_data
from firstread.classroom.outcomes.class_summary import summarize_class
from firstread.classroom.outcomes.engagement import (
    MIN_VISIT,
    VISIT_GAP,
    class_engagement,
    compare_retention,
    summarize_engagement,
    visits_of,
    went_on_before_last_quiz,
)
from firstread.classroom.outcomes.export import class_tables
from firstread.classroom.outcomes.session_report import write_session_report
from firstread.lessons import find_lesson
from firstread.lessons.questionnaires import load_quiz

from ..simulated_results import BEGAN, answer_quiz, make_event

LESSON = find_lesson("hello-world")
QUIZ = load_quiz(LESSON)
MONTHS_LATER = BEGAN + timedelta(days=100)


def record(store, person, *kinds_and_minutes):
    """Record events of these kinds, so many minutes after the class began."""
    for kind, minute in kinds_and_minutes:
        moment = BEGAN + timedelta(minutes=minute)
        store.record_events(person.username, [make_event(kind, moment, page="")], moment)


def engagement_of(store, now=MONTHS_LATER):
    return class_engagement(load_class_data(store), LESSON, now)


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_visits_are_signs_without_a_long_gap(seconds):
    moments = [BEGAN + timedelta(seconds=one) for one in seconds]
    visits = visits_of(moments)
    assert all(any(begin <= moment <= end for begin, end in visits) for moment in moments)
    assert all(end - begin >= MIN_VISIT for begin, end in visits)
    gaps = np.diff(sorted(seconds))
    assert len(visits) == (sum(gaps > VISIT_GAP.total_seconds()) + 1 if seconds else 0)
    assert visits_of(reversed(moments)) == visits, "the order of arrival does not count"


def test_visits_and_their_length(store):
    ana, _ = store.join("Ana", BEGAN)
    hours = 60 * 13
    record(store, ana, ("cell", 5), ("visit", 30))  # in the session
    record(store, ana, ("visit", hours), ("cell", hours + 8), ("cell", hours + 17), ("visit", hours + 60))
    found = engagement_of(store)[0]
    assert (found.visits, found.minutes) == (2, pytest.approx(18))
    assert (found.opened_page, found.reopened_notebook, found.downloads) == (True, True, 0)
    assert (found.opened_instructions, found.other_lesson, found.retention_quiz) == (False, False, False)


def test_before_the_session_is_over_nothing_is_known(store):
    ana, _ = store.join("Ana", BEGAN)
    record(store, ana, ("cell", 5), ("download", 50))
    found = engagement_of(store, BEGAN + timedelta(hours=2))[0]
    assert found.downloads == 1, "that is known at once"
    others = ("opened_page", "opened_instructions", "reopened_notebook", "other_lesson", "retention_quiz", "minutes")
    assert {getattr(found, name) for name in others} == {None}
    rows = summarize_engagement([found], least=3)["rows"]
    assert [(row["total"], row["not_known"]) for row in rows] == [(1, 0)] + [(0, 1)] * 6


def test_the_last_quiz_counts_of_those_for_whom_it_is_due(store):
    people = [store.join(f"P{number}", BEGAN + timedelta(days=number))[0] for number in range(3)]
    rng = np.random.default_rng(0)
    answer_quiz(store, people[2], QUIZ, "retention", 1, rng, BEGAN + timedelta(days=1))  # by a wrong clock
    found = engagement_of(store, BEGAN + timedelta(days=QUIZ.followup_days, hours=1))
    assert [one.retention_quiz for one in found] == [False, None, True]


def test_what_only_arrives_later_is_no_visit(store):
    """The line was cut: events of the session arrive when the notebook's server starts again."""
    ana, _ = store.join("Ana", BEGAN)
    event = make_event("cell", BEGAN + timedelta(minutes=30))
    store.record_events(ana.username, [event], BEGAN + timedelta(days=1))
    assert engagement_of(store)[0].visits == 0


def test_a_notebook_cannot_pretend_to_be_the_personal_page(store):
    ana, _ = store.join("Ana", BEGAN)
    moment = BEGAN + timedelta(days=1)
    store.record_events(ana.username, [make_event("step", moment, "look", page="at-home")], moment)
    found = engagement_of(store)[0]
    assert (found.opened_page, found.opened_instructions, found.reopened_notebook) == (False, False, True)


def test_how_long_is_shown_from_three_on(store):
    for number in range(3):
        summary = summarize_engagement(engagement_of(store), least=3)
        assert (summary["came_back"], summary["median_minutes"]) == (number, None)
        person, _ = store.join(f"P{number}", BEGAN)
        record(store, person, *(("cell", 60 * 13 + 5 * sign) for sign in range(number + 2)))
    summary = summarize_engagement(engagement_of(store), least=3)
    assert (summary["came_back"], summary["visits"], summary["median_minutes"]) == (3, 3, 10)
    assert list(summary["quartiles"]) == [7.5, 12.5]


def test_who_went_on_is_compared_with_who_did_not(store, tmp_path):
    rng = np.random.default_rng(1)
    people = [store.join(f"P{number}", BEGAN)[0] for number in range(8)]
    for number, person in enumerate(people):
        answer_quiz(store, person, QUIZ, "post", 1, rng, BEGAN + timedelta(hours=1))
        answer_quiz(store, person, QUIZ, "retention", 1, rng, BEGAN + timedelta(days=30))
        if number < 3:
            record(store, person, ("download", 60))
        if number == 3:
            record(store, person, ("cell", 60 * 24 * 3))
        if number == 4:
            record(store, person, ("cell", 60 * 24 * 31))  # after the last quiz
        if number == 5:
            record(store, person, ("visit", 60 * 24 * 3))  # has looked at the page only
    data = load_class_data(store)
    assert went_on_before_last_quiz(data) == {person.id for person in people[:4]}
    groups = summarize_class(data, LESSON, MONTHS_LATER)["quiz"]["retention"]["by_engagement"]
    assert [(label, change.first_count) for label, change in groups] == [("went on before it", 4), ("did not", 4)]
    page = write_session_report(store, LESSON, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "4 who went on before it: " in page
    assert "not the effect of going on" in page


@pytest.mark.parametrize("went_on", [0, 1, 2, 8, 9, 10])
def test_groups_of_fewer_than_three_are_not_shown(went_on):
    shares = pd.Series(np.linspace(0, 1, 10), index=range(10))
    assert compare_retention(shares, shares, set(range(went_on)), least=3) == []


def test_a_deleted_participant_is_in_no_figure_and_the_export_says_what_is_not_known(store):
    ana, bea = (store.join(name, BEGAN)[0] for name in ("Ana", "Bea"))
    store.join("Cem", datetime.now(UTC))
    for person in (ana, bea):
        record(store, person, ("visit", 60 * 13), ("cell", 60 * 14))
    store.delete_participant(ana.username)
    assert [event.participant_id for event in store.events()] == [bea.id, bea.id]
    table = class_tables(store, lesson=LESSON)["engagement"]
    assert list(table["participant"]) == ["Participant 2", "Participant 3"]
    assert bool(table["opened_page"][0])
    assert table.loc[1, ["opened_page", "visits", "minutes", "retention_quiz"]].isna().all()


def test_answers_weeks_later_are_signs_of_a_visit(store):
    ana, _ = store.join("Ana", BEGAN)
    save_quiz_answers(store, ana.id, "retention", items=QUIZ.items, chosen=dict.fromkeys([i.id for i in QUIZ.items]))
    found = class_engagement(load_class_data(store), LESSON, datetime.now(UTC) + timedelta(days=1))[0]
    assert (found.opened_page, found.visits, found.minutes) == (True, 1, 1)
