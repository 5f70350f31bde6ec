"""Database operations of the instructor: participants by number, recent events, resume words, actions, end of plan."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from firstread.classroom.database.schema import ClassState, Event, Participant, SessionEvent
from firstread.classroom.database.store import AccessError, Store, as_utc, utc_now
from firstread.classroom.join_codes import generate_resume_word, hash_word

_MAX_ATTEMPTS = 20
#: a results page that is opened again within this time counts as the same showing
RESULTS_OPENED_SECONDS = 300.0


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
        if state.began is not None or state.step is not None:
            session.add(SessionEvent(kind="plan", value="ended", happened=utc_now()))
        state.began, state.paused, state.pauses_seconds, state.step = None, None, 0.0, None


def record_results_opened(store: Store) -> None:
    """Record that the instructor has opened the results page, at most once every `RESULTS_OPENED_SECONDS`."""
    now = utc_now()
    last = select(SessionEvent).where(SessionEvent.kind == "results").order_by(SessionEvent.id.desc()).limit(1)
    with Session(store.engine) as session, session.begin():
        previous = session.scalar(last)
        if previous is None or abs((now - as_utc(previous.happened)).total_seconds()) >= RESULTS_OPENED_SECONDS:
            session.add(SessionEvent(kind="results", happened=now))


def load_session_events(store: Store) -> list[SessionEvent]:
    """All actions of the instructor, in the order in which they were recorded."""
    with Session(store.engine, expire_on_commit=False) as session:
        return list(session.scalars(select(SessionEvent).order_by(SessionEvent.id)))
