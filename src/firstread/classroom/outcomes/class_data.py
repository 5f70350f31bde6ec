"""Data of a class that its results are computed from, loaded from the class database at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from firstread.classroom.database.answers import load_quiz_answers, load_survey_answers
from firstread.classroom.database.schema import Event, Participant, QuizAnswer, SurveyAnswer
from firstread.classroom.database.store import Store, as_utc

#: kinds of events that results are computed from; those of cells are many, and not loaded
_EVENT_KINDS = ("record", "step", "finish", "download")
_RECORD_NAMES = ("arms", "evaluation")


@dataclass(frozen=True)
class ClassData:
    """Rows of the class database that results are computed from.

    Attributes:
        events: rows of participant_id, kind, step, values, received, in order; kinds record, step, finish, download.
        first_received, last_received: participant id -> time of the first and of the last event of their notebook.
    """

    participants: Sequence[Participant]
    events: Sequence[Any]
    first_received: dict[int, datetime]
    last_received: dict[int, datetime]
    quiz_answers: Sequence[QuizAnswer]
    survey_answers: Sequence[SurveyAnswer]


def load_class_data(store: Store) -> ClassData:
    """Load the data of a class."""
    columns = select(Event.participant_id, Event.kind, Event.step, Event.values, Event.received)
    first_and_last = select(Event.participant_id, func.min(Event.received), func.max(Event.received))
    is_needed = or_(Event.kind != "record", Event.values["name"].as_string().in_(_RECORD_NAMES))
    with Session(store.engine) as session:
        events = session.execute(columns.where(Event.kind.in_(_EVENT_KINDS), is_needed).order_by(Event.id)).all()
        times = session.execute(first_and_last.where(Event.kind != "download").group_by(Event.participant_id)).all()
    return ClassData(
        participants=store.participants(),
        events=events,
        first_received={participant_id: as_utc(first) for participant_id, first, _ in times},
        last_received={participant_id: as_utc(last) for participant_id, _, last in times},
        quiz_answers=load_quiz_answers(store),
        survey_answers=load_survey_answers(store),
    )


def data_version(store: Store) -> tuple[Any, ...]:
    """Version of the data, equal as long as the data are: newest id and number of rows of each table."""
    with Session(store.engine) as session:
        version: list[Any] = []
        for table in (Participant, QuizAnswer, SurveyAnswer, Event):
            query = select(func.max(table.id), func.count()).select_from(table)
            query = query.where(Event.kind.in_(_EVENT_KINDS)) if table is Event else query
            version.append(tuple(session.execute(query).one()))
        return tuple(version)
