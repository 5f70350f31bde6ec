"""The class database: one transaction for each call, committed as a whole or rolled back."""

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from sqlite3 import OperationalError
from typing import Any

from sqlalchemy import create_engine, delete, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from firstread.classroom.database.schema import (
    Base,
    Broadcast,
    ClassState,
    Event,
    HelpRequest,
    Participant,
    SessionEvent,
)
from firstread.classroom.database.schema_upgrade import upgrade
from firstread.classroom.join_codes import clean_name, generate_resume_word, hash_word
from firstread.classroom.randomization import assign_arms
from firstread.core.errors import FirstreadError, SettingError

DOOR_STATES = ("open", "closed", "locked")
_MAX_ATTEMPTS = 20


DEFAULT_MAX_PARTICIPANTS = 200


class AccessError(FirstreadError):
    """Joining or resuming is refused, or the participant does not exist."""


class Store:
    """Access to the class database.

    Args:
        url: of the database, such as "sqlite:///class.sqlite" or "postgresql+psycopg://host/name".
        key: HMAC key of the class; without it resume words cannot be looked up.
        experiments: name -> arms, from lesson.toml.
        seed: of the randomization.
        max_participants: how many may join; each has a server, so a stranger with the code could fill the machine.
    """

    def __init__(
        self,
        url: str,
        *,
        key: bytes,
        experiments: Mapping[str, Sequence[str]] | None = None,
        seed: int = 0,
        max_participants: int = DEFAULT_MAX_PARTICIPANTS,
    ) -> None:
        self.engine, self.max_participants = _create_engine(url), max_participants
        self.key, self.experiments, self.seed = key, dict(experiments or {}), seed
        self.session_factory = sessionmaker(self.engine, expire_on_commit=False)

    def create(self) -> None:
        """Create or upgrade the schema, and insert the class row; existing data stay."""
        upgrade(self.engine)
        with self.session_factory.begin() as session:
            session.execute(self._insert(ClassState).values(id=1).on_conflict_do_nothing())

    def state(self) -> ClassState:
        """Current state of the class: door, plan clock and called step."""
        with self.session_factory() as session:
            return session.get_one(ClassState, 1)

    def set_door(self, door: str) -> None:
        """Set who may join (the door): "open", "closed" (resume only) or "locked"."""
        if door not in DOOR_STATES:
            raise SettingError(f'A class is not "{door}"', expected=", ".join(DOOR_STATES))
        with self.session_factory.begin() as session:
            session.get_one(ClassState, 1).door = door
            session.add(SessionEvent(kind="door", value=door, happened=utc_now()))

    def start_plan(self, now: datetime | None = None) -> None:
        """Start the plan clock, or resume it after a pause."""
        now = now or utc_now()
        with self.session_factory.begin() as session:
            state = session.get_one(ClassState, 1, with_for_update=True)
            if state.began is None:
                state.began = now
                session.add(SessionEvent(kind="plan", value="begun", happened=now))
            if state.paused is not None:
                state.pauses_seconds += (now - as_utc(state.paused)).total_seconds()
                state.paused = None
                session.add(SessionEvent(kind="plan", value="resumed", happened=now))

    def pause_plan(self, now: datetime | None = None) -> None:
        """Pause the plan clock."""
        now = now or utc_now()
        with self.session_factory.begin() as session:
            state = session.get_one(ClassState, 1, with_for_update=True)
            if state.began is not None and state.paused is None:
                state.paused = now
                session.add(SessionEvent(kind="plan", value="paused", happened=now))

    def set_called_step(self, step: str | None) -> None:
        """Call everyone to a step; None ends the call, and everyone goes at their own pace."""
        with self.session_factory.begin() as session:
            session.get_one(ClassState, 1).step = step
            session.add(SessionEvent(kind="step", value=step, happened=utc_now()))

    def elapsed_minutes(self, now: datetime | None = None) -> float | None:
        """Elapsed minutes of the plan without pauses; None before it began."""
        return elapsed_minutes(self.state(), now or utc_now())

    def join(self, name: str, now: datetime | None = None) -> tuple[Participant, str]:
        """Add a participant; returns them and their resume word, of which only a hash is stored.

        Raises:
            AccessError: the class is full, closed or locked.
            SettingError: a name that cannot be shown.
        """
        name = clean_name(name)
        for _ in range(_MAX_ATTEMPTS):
            try:
                return self._join(name, now or utc_now())
            except IntegrityError:  # another process took the same number a moment ago
                continue
        raise AccessError("Too many people are joining at this moment", do="try again in a few seconds")

    def _join(self, name: str, now: datetime) -> tuple[Participant, str]:
        word = generate_resume_word()
        with self.session_factory.begin() as session:
            state = session.get_one(ClassState, 1)
            if state.door != "open":
                raise AccessError(
                    "The class takes nobody new now", do="ask the instructor, or come back with your resume word"
                )
            if (session.scalar(select(func.count()).select_from(Participant)) or 0) >= self.max_participants:
                raise AccessError(
                    f"The class is full: {self.max_participants} have joined", do="ask the instructor to let more in"
                )
            number = state.numbers = state.numbers + 1
            participant = Participant(
                username=f"p{number}-{secrets.token_hex(4)}",
                number=number,
                name=name,
                resume_mark=hash_word(word, key=self.key),
                arms=assign_arms(number - 1, self.experiments, seed=self.seed),
                joined=now,
                seen=now,
            )
            session.add(participant)
        return participant, word

    def resume(self, word: str, now: datetime | None = None) -> Participant:
        """Find the participant who has this resume word.

        Raises:
            AccessError: no participant has this word, or the class is locked.
        """
        with self.session_factory.begin() as session:
            if session.get_one(ClassState, 1).door == "locked":
                raise AccessError("The class is locked", do="ask the instructor")
            participant = session.scalar(
                select(Participant).where(Participant.resume_mark == hash_word(word, key=self.key))
            )
            if participant is None:
                raise AccessError("This is nobody's resume word", expected="such as otter-maple-cloud-417")
            participant.seen = now or utc_now()
            return participant

    def participants(self) -> list[Participant]:
        """All participants in the order of joining."""
        with self.session_factory() as session:
            return list(session.scalars(select(Participant).order_by(Participant.number)))

    def find_participant(self, username: str) -> Participant | None:
        """Find a participant by hub username; None if there is none."""
        with self.session_factory() as session:
            return _find_participant(session, username)

    def display_names(self) -> dict[int, str]:
        """Map participant id to a unique display name; the second Ana is "Ana (2)"."""
        return display_names(self.participants())

    def delete_participant(self, username: str) -> None:
        """Delete a participant's rows in all tables."""
        with self.session_factory.begin() as session:
            participant = _find_participant(session, username)
            if participant is not None:
                for table in (Event, HelpRequest):
                    session.execute(delete(table).where(table.participant_id == participant.id))
                session.delete(participant)

    def truncate_log(self) -> None:
        """Empty SQLite's write-ahead log, which would hold deleted rows for a while."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def mark_seen(self, username: str, now: datetime | None = None) -> None:
        """Update the time when a participant was last seen."""
        with self.session_factory.begin() as session:
            require_participant(session, username).seen = now or utc_now()

    def record_events(self, username: str, events: Iterable[Mapping[str, Any]], now: datetime | None = None) -> int:
        """Insert events of a participant's notebook; events with a known key are skipped.

        Args:
            events: each with `key`, `kind`, `step`, `values` and `happened` (a datetime with its zone).

        Returns:
            Number of events that were new.
        """
        now, rows = now or utc_now(), list(events)
        with self.session_factory.begin() as session:
            participant = require_participant(session, username)
            if not rows:
                return 0
            participant.seen = now
            values = [{**row, "participant_id": participant.id, "received": now} for row in rows]
            return len(session.execute(self._insert_events(values)).all())

    def _insert_events(self, rows: list[dict[str, Any]]) -> Any:
        return self._insert(Event).values(rows).on_conflict_do_nothing().returning(Event.id)

    def _insert(self, table: type[Base]) -> Any:
        dialect = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        return dialect.insert(table)

    def events(self, *, after: int = 0, kinds: Sequence[str] | None = None) -> list[Event]:
        """Events with an id above `after`, in the order in which they were received."""
        query = select(Event).where(Event.id > after).order_by(Event.id)
        with self.session_factory() as session:
            return list(session.scalars(query.where(Event.kind.in_(kinds)) if kinds else query))

    def add_broadcast(self, text: str) -> None:
        """Send a message to all participants."""
        with self.session_factory.begin() as session:
            session.add(Broadcast(text=text, sent=utc_now()))

    def broadcasts(self) -> list[Broadcast]:
        """All broadcast messages, the oldest first."""
        with self.session_factory() as session:
            return list(session.scalars(select(Broadcast).order_by(Broadcast.id)))


def display_names(participants: Iterable[Participant]) -> dict[int, str]:
    """Map participant id to a unique display name, in the order of joining; the second Ana is "Ana (2)"."""
    names: dict[int, str] = {}
    counts: dict[str, int] = {}
    for participant in participants:
        count = counts[participant.name.casefold()] = counts.get(participant.name.casefold(), 0) + 1
        names[participant.id] = participant.name if count == 1 else f"{participant.name} ({count})"
    return names


def elapsed_minutes(state: ClassState, now: datetime) -> float | None:
    """Elapsed minutes of the plan without pauses; None before it began."""
    if state.began is None:
        return None
    until = as_utc(state.paused) if state.paused else now
    return max(0.0, (until - as_utc(state.began)).total_seconds() - state.pauses_seconds) / 60


def _find_participant(session: Session, username: str) -> Participant | None:
    return session.scalar(select(Participant).where(Participant.username == username))


def require_participant(session: Session, username: str) -> Participant:
    """Find a participant by hub username.

    Raises:
        AccessError: there is no such participant.
    """
    participant = _find_participant(session, username)
    if participant is None:
        raise AccessError("There is no such participant", do="join the class again")
    return participant


def _create_engine(url: str) -> Engine:
    engine = create_engine(url, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def set_pragmas(connection: Any, _: Any) -> None:
            _enable_wal(connection)
            for pragma in ("busy_timeout=10000", "synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
                connection.execute(f"PRAGMA {pragma}")

    return engine


def _enable_wal(connection: Any, timeout_seconds: float = 10) -> None:
    """Set SQLite's write-ahead log; tried again, because busy_timeout does not hold for a change of the journal."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def utc_now() -> datetime:
    """Current time with its time zone."""
    return datetime.now(UTC)


def as_utc(moment: datetime) -> datetime:
    """Attach UTC to a naive datetime; SQLite stores no time zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
