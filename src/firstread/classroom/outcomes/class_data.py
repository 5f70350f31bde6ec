"""Data of a class that its results are computed from, loaded from the class database at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from firstread.classroom.database.answers import load_quiz_answers, load_survey_answers
from firstread.classroom.database.schema import Event, Participant, QuizAnswer, SurveyAnswer
from firstread.classroom.database.store import Store, as_utc
from firstread.classroom.outcomes.quiz_schedule import LESSON_ENDED_AFTER_HOURS

#: kinds of events that results are computed from; those of cells are many, and not loaded
_EVENT_KINDS = ("record", "step", "finish", "download", "visit")
_RECORD_NAMES = ("arms", "evaluation")


class Sign(NamedTuple):
    """Sign that a participant was active after the session.

    Attributes:
        kind: of an event, or "quiz" and "survey" for answers.
        page: personal page that was opened; empty for other kinds.
    """

    moment: datetime
    kind: str
    page: str = ""


@dataclass(frozen=True)
class ClassData:
    """Rows of the class database that results are computed from.

    Attributes:
        events: rows of participant_id, kind, step, values, received, in order; kinds record, step, finish, download and
            visit.
        later_signs: participant id -> signs of activity after the session is over for them.
    """

    participants: Sequence[Participant]
    events: Sequence[Any]
    later_signs: dict[int, list[Sign]]
    quiz_answers: Sequence[QuizAnswer]
    survey_answers: Sequence[SurveyAnswer]


def load_class_data(store: Store) -> ClassData:
    """Load the data of a class."""
    columns = select(Event.participant_id, Event.kind, Event.step, Event.values, Event.received)
    is_needed = or_(Event.kind != "record", Event.values["name"].as_string().in_(_RECORD_NAMES))
    with Session(store.engine) as session:
        events = session.execute(columns.where(Event.kind.in_(_EVENT_KINDS), is_needed).order_by(Event.id)).all()
    participants, quiz_answers, survey_answers = (
        store.participants(),
        load_quiz_answers(store),
        load_survey_answers(store),
    )
    return ClassData(
        participants=participants,
        events=events,
        later_signs=_load_later_signs(store, participants, quiz_answers, survey_answers),
        quiz_answers=quiz_answers,
        survey_answers=survey_answers,
    )


def session_end(participant: Participant) -> datetime:
    """Time at which the session counts as over for a participant, also if they did not reach its end."""
    return as_utc(participant.joined) + timedelta(hours=LESSON_ENDED_AFTER_HOURS)


def _load_later_signs(
    store: Store,
    participants: Sequence[Participant],
    quiz_answers: Sequence[QuizAnswer],
    survey_answers: Sequence[SurveyAnswer],
) -> dict[int, list[Sign]]:
    """Participant id -> signs after the session; an event that only arrived later, because of a cut line, is none."""
    ends = {one.id: session_end(one) for one in participants}
    if not ends:
        return {}
    earliest = min(ends.values())
    page = Event.values["page"].as_string().label("page")
    columns = select(Event.participant_id, Event.kind, page, Event.happened, Event.received)
    with Session(store.engine) as session:
        late = session.execute(columns.where(Event.received > earliest, Event.happened > earliest)).all()
    found = [
        (row.participant_id, min(as_utc(row.happened), as_utc(row.received)), as_utc(row.received), row.kind, row.page)
        for row in late
    ]
    for kind, answers in (("quiz", quiz_answers), ("survey", survey_answers)):
        for answer in answers:
            moment = as_utc(answer.answered)
            found.append((answer.participant_id, moment, moment, kind, None))
    signs: dict[int, list[Sign]] = {}
    for participant_id, happened, received, kind, name in found:
        if participant_id in ends and happened > ends[participant_id]:
            signs.setdefault(participant_id, []).append(
                Sign(received, kind, str(name or "") if kind == "visit" else "")
            )
    return signs


def data_version(store: Store) -> tuple[Any, ...]:
    """Version of the data, equal as long as the data are: newest id and number of rows of each table."""
    with Session(store.engine) as session:
        version: list[Any] = []
        for table in (Participant, QuizAnswer, SurveyAnswer, Event):
            query = select(func.max(table.id), func.count()).select_from(table)
            query = query.where(Event.kind.in_(_EVENT_KINDS)) if table is Event else query
            version.append(tuple(session.execute(query).one()))
        return tuple(version)
