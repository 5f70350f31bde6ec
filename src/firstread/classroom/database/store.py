"""What is done with a class's tables. Every call is one transaction: it happens whole or not at all."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import create_engine, delete, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, defer, sessionmaker

from firstread.classroom.database.schema import Base, Broadcast, ClassState, Event, Help, Participant
from firstread.classroom.database.schema_upgrade import upgrade
from firstread.classroom.join_codes import clean_name, mark, new_resume_word
from firstread.classroom.randomization import assign
from firstread.core.errors import FirstreadError, SettingError

DOORS = ("open", "closed", "locked")
_TRIES = 20


class DoorError(FirstreadError):
    """Somebody may not come in now."""


class Store:
    """A class's memory.

    Args:
        url: of the database, such as "sqlite:///class.sqlite" or "postgresql+psycopg://host/name".
        key: of the class; without it resume words cannot be found.
        experiments: name -> groups, from lesson.toml.
        seed: of the randomisation.
    """

    def __init__(
        self, url: str, *, key: bytes, experiments: Mapping[str, Sequence[str]] | None = None, seed: int = 0
    ) -> None:
        self.engine = _engine(url)
        self.key, self.experiments, self.seed = key, dict(experiments or {}), seed
        self._session = sessionmaker(self.engine, expire_on_commit=False)

    def create(self) -> None:
        """The tables, as this version of firstread needs them, and the one row of the class; what is there stays."""
        upgrade(self.engine)
        with self._session.begin() as session:
            session.execute(self._insert(ClassState).values(id=1).on_conflict_do_nothing())

    def state(self) -> ClassState:
        """The class now."""
        with self._session() as session:
            return session.get_one(ClassState, 1)

    def set_door(self, door: str) -> None:
        """Open, close or lock the class."""
        if door not in DOORS:
            raise SettingError(f'A class is not "{door}"', expected=", ".join(DOORS))
        with self._session.begin() as session:
            session.get_one(ClassState, 1).door = door

    def begin(self, now: datetime | None = None) -> None:
        """The plan's clock begins, once; after a pause it goes on."""
        now = now or _now()
        with self._session.begin() as session:
            state = session.get_one(ClassState, 1, with_for_update=True)
            if state.began is None:
                state.began = now
            if state.paused is not None:
                state.pauses_seconds += (now - aware(state.paused)).total_seconds()
                state.paused = None

    def pause(self, now: datetime | None = None) -> None:
        """The plan's clock stands still."""
        with self._session.begin() as session:
            state = session.get_one(ClassState, 1, with_for_update=True)
            if state.began is not None and state.paused is None:
                state.paused = now or _now()

    def call_step(self, step: str | None) -> None:
        """Everyone is asked to come to this step; None lets them go at their own pace."""
        with self._session.begin() as session:
            session.get_one(ClassState, 1).step = step

    def minutes_gone(self, now: datetime | None = None) -> float | None:
        """Minutes of the plan, without pauses; None before it began."""
        return minutes_gone(self.state(), now or _now())

    def join(self, name: str, now: datetime | None = None) -> tuple[Participant, str]:
        """Someone new, and their resume word, which is not kept.

        Raises:
            DoorError: the class is closed or locked.
            SettingError: a name that cannot be shown.
        """
        name = clean_name(name)
        for _ in range(_TRIES):
            try:
                return self._join(name, now or _now())
            except IntegrityError:  # another process took the same number a moment ago
                continue
        raise DoorError("Too many people are joining at this moment", do="try again in a few seconds")

    def _join(self, name: str, now: datetime) -> tuple[Participant, str]:
        word = new_resume_word()
        with self._session.begin() as session:
            state = session.get_one(ClassState, 1)
            if state.door != "open":
                raise DoorError(
                    "The class takes nobody new now", do="ask the instructor, or come back with your resume word"
                )
            number = state.numbers = state.numbers + 1
            person = Participant(
                username=f"p{number}-{secrets.token_hex(4)}", number=number, name=name,
                resume_mark=mark(word, key=self.key),
                arms=assign(number - 1, self.experiments, seed=self.seed), joined=now, seen=now,
            )  # fmt: skip
            session.add(person)
        return person, word

    def come_back(self, word: str, now: datetime | None = None) -> Participant:
        """Whose resume word this is.

        Raises:
            DoorError: nobody's, or the class is locked.
        """
        with self._session.begin() as session:
            if session.get_one(ClassState, 1).door == "locked":
                raise DoorError("The class is locked", do="ask the instructor")
            person = session.scalar(select(Participant).where(Participant.resume_mark == mark(word, key=self.key)))
            if person is None:
                raise DoorError("This is nobody's resume word", expected="such as otter-maple-417")
            person.seen = now or _now()
            return person

    def people(self) -> list[Participant]:
        """Everyone, in the order of joining."""
        with self._session() as session:
            return list(session.scalars(select(Participant).order_by(Participant.number)))

    def person(self, username: str) -> Participant | None:
        """The participant whom the hub calls so."""
        with self._session() as session:
            return _find(session, username)

    def shown_names(self) -> dict[int, str]:
        """participant id -> display name; the second Ana is "Ana (2)"."""
        return shown_names(self.people())

    def forget(self, username: str) -> None:
        """Delete a participant and everything that is kept of them."""
        with self._session.begin() as session:
            person = _find(session, username)
            if person is not None:
                for table in (Event, Help):
                    session.execute(delete(table).where(table.participant_id == person.id))
                session.delete(person)

    def notice(self, username: str, now: datetime | None = None) -> None:
        """Their browser has the lesson open."""
        with self._session.begin() as session:
            _known(session, username).seen = now or _now()

    def record(self, username: str, events: Iterable[Mapping[str, Any]], now: datetime | None = None) -> int:
        """Keep what happened in a participant's notebook; what is known already is not kept again.

        Args:
            events: each with `key`, `kind`, `step`, `values` and `happened` (a datetime with its zone).

        Returns:
            How many were new.
        """
        now, rows = now or _now(), list(events)
        with self._session.begin() as session:
            person = _known(session, username)
            if not rows:
                return 0
            person.seen = now
            made = [{**row, "participant_id": person.id, "received": now} for row in rows]
            return len(session.execute(self._insert_new(made)).all())

    def _insert_new(self, rows: list[dict[str, Any]]) -> Any:
        return self._insert(Event).values(rows).on_conflict_do_nothing().returning(Event.id)

    def _insert(self, table: type[Base]) -> Any:
        dialect = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        return dialect.insert(table)

    def events(self, *, after: int = 0, kinds: Sequence[str] | None = None) -> list[Event]:
        """Events in the order in which they were received, from the one after `after`."""
        wanted = select(Event).where(Event.id > after).order_by(Event.id)
        with self._session() as session:
            return list(session.scalars(wanted.where(Event.kind.in_(kinds)) if kinds else wanted))

    def ask_help(
        self,
        username: str,
        note: str,
        *,
        step: str | None = None,
        error: str | None = None,
        notebook: str | None = None,
    ) -> Help:
        """Put a participant into the help queue; who already waits has their note replaced."""
        now = _now()
        with self._session.begin() as session:
            person = _known(session, username)
            waiting = select(Help).where(Help.participant_id == person.id, Help.state != "resolved")
            asked = session.scalar(waiting) or Help(participant_id=person.id, asked=now)
            asked.note, asked.step, asked.error, asked.notebook, asked.changed = note, step, error, notebook, now
            session.add(asked)
        return asked

    def change_help(self, number: int, *, state: str, answer: str | None = None) -> None:
        """Take a request for help, answer it, or resolve it."""
        if state not in ("waiting", "taken", "resolved"):
            raise SettingError(f'A request for help is not "{state}"', expected="waiting, taken or resolved")
        with self._session.begin() as session:
            asked = session.get(Help, number)
            if asked is None:
                raise SettingError("There is no such request for help")
            asked.state, asked.changed = state, _now()
            if answer is not None:
                asked.answer = answer

    def withdraw_help(self, username: str) -> None:
        """They no longer need help; who did not ask is left alone."""
        with self._session.begin() as session:
            person = _known(session, username)
            open_ones = select(Help).where(Help.participant_id == person.id, Help.state != "resolved")
            for asked in session.scalars(open_ones):
                asked.state, asked.changed = "resolved", _now()

    def help_lines(self) -> list[Help]:
        """Every request for help, the oldest first, without the notebooks that came along: those may be large."""
        wanted = select(Help).options(defer(Help.notebook, raiseload=True)).order_by(Help.asked, Help.id)
        with self._session() as session:
            return list(session.scalars(wanted))

    def help_queue(self, *, everything: bool = False) -> list[Help]:
        """Who asked for help and still waits, the longest first."""
        wanted = select(Help).order_by(Help.asked, Help.id)
        with self._session() as session:
            return list(session.scalars(wanted if everything else wanted.where(Help.state != "resolved")))

    def broadcast(self, text: str) -> None:
        """Say something to everyone."""
        with self._session.begin() as session:
            session.add(Broadcast(text=text, sent=_now()))

    def broadcasts(self) -> list[Broadcast]:
        """What was said to everyone."""
        with self._session() as session:
            return list(session.scalars(select(Broadcast).order_by(Broadcast.id)))


def shown_names(people: Iterable[Participant]) -> dict[int, str]:
    """participant id -> display name, of people in the order of joining; the second Ana is "Ana (2)"."""
    shown, seen = {}, {}
    for person in people:
        times = seen[person.name.casefold()] = seen.get(person.name.casefold(), 0) + 1
        shown[person.id] = person.name if times == 1 else f"{person.name} ({times})"
    return shown


def minutes_gone(state: ClassState, now: datetime) -> float | None:
    """Minutes of the plan, without pauses; None before it began."""
    if state.began is None:
        return None
    until = aware(state.paused) if state.paused else now
    return max(0.0, (until - aware(state.began)).total_seconds() - state.pauses_seconds) / 60


def _find(session: Session, username: str) -> Participant | None:
    return session.scalar(select(Participant).where(Participant.username == username))


def _known(session: Session, username: str) -> Participant:
    person = _find(session, username)
    if person is None:
        raise DoorError("There is no such participant", do="join the class again")
    return person


def _engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def settings(connection: Any, _: Any) -> None:
            for line in (
                "busy_timeout=10000",
                "journal_mode=WAL",
                "synchronous=NORMAL",
                "foreign_keys=ON",
                "secure_delete=ON",
            ):
                connection.execute(f"PRAGMA {line}")

    return engine


def _now() -> datetime:
    return datetime.now(UTC)


def aware(moment: datetime) -> datetime:
    """SQLite forgets the zone; it was UTC."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
