"""What results are made from, read from a class's memory at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from firstread.classroom.database.answers import quiz_answers, survey_answers
from firstread.classroom.database.schema import Event, Participant, QuizAnswer, SurveyAnswer
from firstread.classroom.database.store import Store, aware

#: the kinds of events that results are made from; cells are many, and only counted
_KINDS = ("record", "step", "finish", "download")
_RECORDS = ("arms", "evaluation")


@dataclass(frozen=True)
class Gathered:
    """A class's memory, as far as results need it.

    Attributes:
        events: participant_id, kind, step, values, received of records, steps, ends and downloads, in order.
        first, last: participant id -> when something was heard of their notebook for the first and for the last time.
    """

    people: Sequence[Participant]
    events: Sequence[Any]
    first: dict[int, datetime]
    last: dict[int, datetime]
    answers: Sequence[QuizAnswer]
    survey: Sequence[SurveyAnswer]


def gather(store: Store) -> Gathered:
    """Read it."""
    wanted = select(Event.participant_id, Event.kind, Event.step, Event.values, Event.received)
    heard = select(Event.participant_id, func.min(Event.received), func.max(Event.received))
    of_use = or_(Event.kind != "record", Event.values["name"].as_string().in_(_RECORDS))
    with Session(store.engine) as session:
        events = session.execute(wanted.where(Event.kind.in_(_KINDS), of_use).order_by(Event.id)).all()
        times = session.execute(heard.where(Event.kind != "download").group_by(Event.participant_id)).all()
    return Gathered(
        people=store.people(), events=events, answers=quiz_answers(store), survey=survey_answers(store),
        first={who: aware(first) for who, first, _ in times}, last={who: aware(last) for who, _, last in times},
    )  # fmt: skip


def version_of(store: Store) -> tuple[Any, ...]:
    """Changes whenever something that results are made from changes; quickly read."""
    with Session(store.engine) as session:
        found = []
        for table in (Participant, QuizAnswer, SurveyAnswer, Event):
            wanted = select(func.max(table.id), func.count()).select_from(table)
            wanted = wanted.where(Event.kind.in_(_KINDS)) if table is Event else wanted
            found.append(tuple(session.execute(wanted).one()))
        return tuple(found)
