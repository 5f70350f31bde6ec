"""Database operations of the instructor: participants by number, recent events, resume words, end of the plan."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from firstread.classroom.database.schema import ClassState, Event, Participant
from firstread.classroom.database.store import AccessError, Store
from firstread.classroom.join_codes import generate_resume_word, hash_word

_MAX_ATTEMPTS = 20


def participant_by_number(store: Store, number: int) -> Participant:
    """Find a participant by number.

    Raises:
        AccessError: there is none, or they were removed.
    """
    with Session(store.engine, expire_on_commit=False) as session:
        participant = session.scalar(select(Participant).where(Participant.number == number))
    if participant is None:
        raise AccessError("There is no such participant")
    return participant


def recent_events(store: Store, participant: Participant, *, limit: int = 400) -> list[Event]:
    """Latest steps, cells and finishes of one participant, the oldest first."""
    query = select(Event).where(Event.participant_id == participant.id, Event.kind.in_(("step", "cell", "finish")))
    with Session(store.engine, expire_on_commit=False) as session:
        return list(session.scalars(query.order_by(Event.id.desc()).limit(limit)))[::-1]


def renew_resume_word(store: Store, number: int) -> tuple[Participant, str]:
    """Replace a lost resume word; the old one becomes invalid, and only a hash of the new one is stored.

    Raises:
        AccessError: there is no such participant.
    """
    participant = participant_by_number(store, number)
    for _ in range(_MAX_ATTEMPTS):
        word = generate_resume_word()
        try:
            with Session(store.engine) as session, session.begin():
                session.get_one(Participant, participant.id).resume_mark = hash_word(word, key=store.key)
            return participant, word
        except IntegrityError:  # somebody else has this word
            continue
    raise AccessError("No new word was found", do="try again")


def end_plan(store: Store) -> None:
    """Reset the plan clock to the state before the start, and end the call to a step."""
    with Session(store.engine) as session, session.begin():
        state = session.get_one(ClassState, 1, with_for_update=True)
        state.began, state.paused, state.pauses_seconds, state.step = None, None, 0.0, None
