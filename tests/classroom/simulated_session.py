"""Simulated session of lesson 1 from its first minute to its last, from a seed, with the instructor's actions."""

import random
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy.orm import Session

from firstread.classroom.database.schema import Broadcast, Event, HelpRequest, SessionEvent
from firstread.lessons.questionnaires import load_quiz

from .simulated_class import ERRORS, SimulatedClass
from .simulated_results import answer_quiz, make_evaluation, make_event

BEGAN = datetime(2026, 10, 1, 9, 0, tzinfo=UTC)
#: minute, kind, value
ACTIONS = (
    *((0, "door", "open"), (2, "plan", "begun"), (2, "step", "hello"), (6, "door", "closed"), (7, "step", "guess")),
    *(
        (12, "step", None),
        (19, "plan", "paused"),
        (23, "plan", "resumed"),
        (23, "step", "unfreeze"),
        (31, "step", None),
    ),
    *(
        (38, "step", "arms"),
        (39, "results", None),
        (44, "step", "threshold"),
        (54, "step", None),
        (56, "plan", "ended"),
    ),
)
MESSAGES = (
    (1, "Welcome! Open the lesson and run the first cell."),
    (11, "Ten images, two minutes. Do not look at your neighbour's screen: we compare afterwards."),
    (19, "A short break. The training goes on without you."),
    (33, "Ana, your figure is the one to look at: please put it on the wall."),
    (52, "Please answer the short quiz on your own page before you leave."),
)
NOTE = "my own words that nobody else may read"


def simulate_session(store, lesson, people, *, seed=1, minutes=57.0, began=BEGAN):
    """Fill a class database with a whole session of `people` participants, who joined from `began` on."""
    rng = random.Random(seed)
    simulated = SimulatedClass(
        store, lesson.steps, people=people, seed=seed, minutes=minutes, now=began + timedelta(minutes=minutes)
    )
    rows = [HelpRequest, SessionEvent, Broadcast]
    with Session(store.engine) as session, session.begin():
        for table in rows:  # those of the simulated class are of now
            session.query(table).delete()
        for minute, kind, value in ACTIONS:
            moment = began + timedelta(minutes=minute, seconds=rng.uniform(0, 40))
            session.add(SessionEvent(kind=kind, value=value, happened=moment))
        for minute, text in MESSAGES:
            session.add(Broadcast(text=text, sent=began + timedelta(minutes=minute, seconds=10)))
        for number, person in enumerate(simulated.people[::4]):
            _add_help(session, person, began + timedelta(minutes=rng.uniform(4, 45)), is_open=number == 2)
        for person in simulated.people:
            _add_error(session, person, began, rng)
    quiz, random_answers = load_quiz(lesson), np.random.default_rng(seed)
    for person in simulated.people[: len(simulated.people) * 4 // 5]:
        for occasion, minute, ability in (("pre", 3, -0.6), ("post", 54, 1.1)):
            moment = began + timedelta(minutes=minute, seconds=rng.uniform(0, 100))
            answer_quiz(store, person, quiz, occasion, ability, random_answers, moment)
        result = make_evaluation(rng.choice((0.925, 0.95, 0.975, 1.0)), 0.99, 0.1)
        moment = began + timedelta(minutes=rng.uniform(30, 38))
        store.record_events(person.username, [make_event("record", moment, name="evaluation", value=result)], moment)
    return simulated


def _add_help(session, person, asked, *, is_open):
    request = HelpRequest(
        participant_id=person.id,
        asked=asked,
        step="look",
        note=NOTE,
        notebook='{"cells": []}',
        state="waiting" if is_open else "resolved",
        answer=None if is_open else "an answer to one person",
        changed=asked if is_open else asked + timedelta(minutes=7),
    )
    session.add(request)
    session.flush()
    for minutes, state in () if is_open else ((2, "taken"), (5, "answered"), (7, "resolved")):
        moment = asked + timedelta(minutes=minutes)
        session.add(SessionEvent(kind="help", value=state, help_id=request.id, happened=moment))


def _add_error(session, person, began, rng):
    error, cell, _ = rng.choices(ERRORS, [share for *_, share in ERRORS])[0]
    moment = began + timedelta(minutes=rng.uniform(5, 40))
    event = make_event("cell", moment, "look", ok=False, error=error, cell=cell, seconds=0.1)
    session.add(Event(**event, participant_id=person.id, received=moment))
