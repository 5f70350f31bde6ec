"""Data of a class that the record of a session is computed from, loaded from the class database at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from firstread.classroom.database.answers import load_quiz_answers
from firstread.classroom.database.forum import list_posts
from firstread.classroom.database.help_requests import list_help_requests
from firstread.classroom.database.instructor_store import load_session_events
from firstread.classroom.database.schema import Broadcast, Event, HelpRequest, Participant, QuizAnswer, SessionEvent
from firstread.classroom.database.store import Store, as_utc

#: a class in which nothing happens for longer has ended; what comes after is another session
SESSION_GAP = timedelta(hours=2)
_RECORD_NAMES = ("arms", "evaluation")


@dataclass(frozen=True)
class SessionData:
    """Rows of the class database that the record of a session is computed from.

    Attributes:
        events: rows of participant_id, kind, step, values, received; kinds step, finish and record.
        failed_cells: rows of participant_id, step, error, cell, received.
        actions: of the instructor.
        plan_began: when the plan clock started, of a class whose actions were not recorded.
        forum_posts: times of posts in the forum.
    """

    participants: Sequence[Participant]
    events: Sequence[Any]
    failed_cells: Sequence[Any]
    help_requests: Sequence[HelpRequest]
    actions: Sequence[SessionEvent]
    broadcasts: Sequence[Broadcast]
    quiz_answers: Sequence[QuizAnswer]
    plan_began: datetime | None = None
    forum_posts: Sequence[datetime] = ()


@dataclass(frozen=True)
class SessionInterval:
    """Time from the first to the last activity of a session, both included, and the participants who took part."""

    began: datetime
    ended: datetime
    participants: tuple[Participant, ...]

    def __contains__(self, moment: datetime) -> bool:
        return self.began <= as_utc(moment) <= self.ended


def load_session_data(store: Store) -> SessionData:
    """Load the data of a class; notes, answers, notebooks and outputs are not read."""
    progress = select(Event.participant_id, Event.kind, Event.step, Event.values, Event.received).where(
        Event.kind.in_(("step", "finish"))
        | ((Event.kind == "record") & Event.values["name"].as_string().in_(_RECORD_NAMES))
    )
    error, cell = (Event.values[name].as_string().label(name) for name in ("error", "cell"))
    failed = select(Event.participant_id, Event.step, error, cell, Event.received).where(
        Event.kind == "cell", error.is_not(None)
    )
    with Session(store.engine) as session:
        events = session.execute(progress.order_by(Event.id)).all()
        failed_cells = session.execute(failed.order_by(Event.id)).all()
    return SessionData(
        participants=store.participants(),
        events=events,
        failed_cells=failed_cells,
        help_requests=list_help_requests(store),
        actions=load_session_events(store),
        broadcasts=store.broadcasts(),
        quiz_answers=load_quiz_answers(store),
        plan_began=store.state().began,
        forum_posts=[as_utc(post.posted) for post in list_posts(store) if post.audience == "everyone"],
    )


def find_sessions(data: SessionData) -> list[SessionInterval]:
    """Sessions of a class in the order of time: activity without a gap longer than `SESSION_GAP`."""
    signs = [(as_utc(one.joined), one.id) for one in data.participants]
    signs += [(as_utc(row.received), row.participant_id) for row in (*data.events, *data.failed_cells)]
    signs += [(as_utc(one.asked), one.participant_id) for one in data.help_requests]
    signs += [(as_utc(one.happened), 0) for one in data.actions]
    signs += [(as_utc(one.sent), 0) for one in data.broadcasts]
    signs += [(as_utc(moment), 0) for moment in data.forum_posts]
    groups: list[list[tuple[datetime, int]]] = []
    for sign in sorted(signs):
        if not groups or sign[0] - groups[-1][-1][0] > SESSION_GAP:
            groups.append([])
        groups[-1].append(sign)
    return [_interval(group, data.participants) for group in groups]


def largest_session(data: SessionData) -> SessionInterval | None:
    """The session in which most participants took part, the first of equals; None of a class without any activity."""
    return max(find_sessions(data), key=lambda one: len(one.participants), default=None)


def _interval(signs: Sequence[tuple[datetime, int]], participants: Sequence[Participant]) -> SessionInterval:
    active = {id_ for _, id_ in signs}
    return SessionInterval(signs[0][0], signs[-1][0], tuple(one for one in participants if one.id in active))
