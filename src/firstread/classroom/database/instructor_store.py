"""What only the instructor does with a class's memory: the line of calls for help, a new resume word, the end of the plan."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from firstread.classroom.database.schema import ClassState, Event, Help, Participant
from firstread.classroom.database.store import DoorError, Store
from firstread.classroom.join_codes import mark, new_resume_word
from firstread.core.errors import SettingError

_TRIES = 20


def calls_for_help(store: Store) -> Sequence[Row[Any]]:
    """Who asked for help and still waits, the longest first; of the notebook that came along only whether there is one.

    The board looks twice a second, and a notebook may be large.
    """
    columns = (
        Help.id, Help.participant_id, Help.asked, Help.step, Help.note, Help.error, Help.state, Help.answer,
        Help.notebook.is_not(None).label("has_copy"),
    )  # fmt: skip
    with Session(store.engine) as session:
        return session.execute(select(*columns).where(Help.state != "resolved").order_by(Help.asked, Help.id)).all()


def call_for_help(store: Store, number: int) -> Help:
    """One call for help with everything that came along.

    Raises:
        SettingError: there is none of this number.
    """
    with Session(store.engine, expire_on_commit=False) as session:
        asked = session.get(Help, number)
    if asked is None:
        raise SettingError("There is no such request for help")
    return asked


def participant(store: Store, number: int) -> Participant:
    """Who joined as this number.

    Raises:
        DoorError: nobody, or they were removed.
    """
    with Session(store.engine, expire_on_commit=False) as session:
        person = session.scalar(select(Participant).where(Participant.number == number))
    if person is None:
        raise DoorError("There is no such participant")
    return person


def events_of(store: Store, person: Participant, *, most: int = 400) -> list[Event]:
    """The last things that happened in one participant's notebook, in order."""
    wanted = select(Event).where(Event.participant_id == person.id, Event.kind.in_(("step", "cell", "finish")))
    with Session(store.engine, expire_on_commit=False) as session:
        return list(session.scalars(wanted.order_by(Event.id.desc()).limit(most)))[::-1]


def new_word(store: Store, number: int) -> tuple[Participant, str]:
    """A new resume word for somebody who lost theirs; the old one is worth nothing from now on, and the new one is not kept.

    Raises:
        DoorError: there is no such participant.
    """
    person = participant(store, number)
    for _ in range(_TRIES):
        word = new_resume_word()
        try:
            with Session(store.engine) as session, session.begin():
                session.get_one(Participant, person.id).resume_mark = mark(word, key=store.key)
            return person, word
        except IntegrityError:  # somebody else has this word
            continue
    raise DoorError("No new word was found", do="try again")


def end_plan(store: Store) -> None:
    """The plan's clock is put away, as before it began; everyone goes at their own pace."""
    with Session(store.engine) as session, session.begin():
        state = session.get_one(ClassState, 1, with_for_update=True)
        state.began, state.paused, state.pauses_seconds, state.step = None, None, 0.0, None
