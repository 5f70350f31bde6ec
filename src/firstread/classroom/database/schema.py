"""What a class remembers, as tables: SQLite by default, PostgreSQL by address."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Short, Word = String(64), String(200)


class Base(DeclarativeBase):
    """All tables of a class."""

    type_annotation_map: ClassVar = {dict[str, Any]: JSON, datetime: DateTime(timezone=True)}


class ClassState(Base):
    """The class itself: one row.

    Attributes:
        door: "open" (anyone with the code may join), "closed" (only those who joined may come back) or "locked" (nobody).
        began: when the plan's first minute was; None before.
        paused: since when the plan stands still; None while it runs.
        pauses_seconds: how long it stood still before.
        step: the step that the instructor called, such as "freeze"; None while everyone goes at their own pace.
        numbers: how many participants were given a number; that of somebody who was forgotten is not given again.
    """

    __tablename__ = "class"
    id: Mapped[int] = mapped_column(primary_key=True)
    door: Mapped[str] = mapped_column(Short, default="open")
    began: Mapped[datetime | None]
    paused: Mapped[datetime | None]
    pauses_seconds: Mapped[float] = mapped_column(default=0.0)
    step: Mapped[str | None] = mapped_column(Short)
    numbers: Mapped[int] = mapped_column(default=0, server_default="0")


class Participant(Base):
    """Someone who joined.

    Attributes:
        username: what the hub calls them; says nothing about who they are.
        number: in the order of joining, from 1; their pseudonym is "Participant 7".
        name: what they want to be called; the same name may come more than once.
        resume_mark: what is kept of their resume word, see `words.mark`.
        arms: the groups that they were assigned.
    """

    __tablename__ = "participant"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(Short, unique=True)
    number: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(Word)
    resume_mark: Mapped[str] = mapped_column(Short, unique=True)
    arms: Mapped[dict[str, Any]]
    joined: Mapped[datetime]
    seen: Mapped[datetime]

    @property
    def pseudonym(self) -> str:
        """For exports."""
        return f"Participant {self.number}"


class Event(Base):
    """Something that happened in a participant's notebook.

    Attributes:
        key: made where it happened; the same event sent twice is kept once.
        kind: see `lessons.telling.Kind`.
        step: of the lesson, at that moment.
        happened, received: by the participant's clock and by the service's.
    """

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("participant_id", "key"), Index("event_of", "participant_id", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(Short)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(Short)
    step: Mapped[str | None] = mapped_column(Short)
    values: Mapped[dict[str, Any]]
    happened: Mapped[datetime]
    received: Mapped[datetime]


class Help(Base):
    """Somebody who asked for help: "waiting", "taken" or "resolved"."""

    __tablename__ = "help"
    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"), index=True)
    asked: Mapped[datetime]
    step: Mapped[str | None] = mapped_column(Short)
    note: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Word)
    notebook: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Short, default="waiting")
    answer: Mapped[str | None] = mapped_column(Text)
    changed: Mapped[datetime]


class Broadcast(Base):
    """A line from the instructor to everyone."""

    __tablename__ = "broadcast"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    sent: Mapped[datetime]


class QuizAnswer(Base):
    """What a participant chose in a quiz: once for each occasion and item.

    Attributes:
        occasion: "pre", "post" or "retention".
        item: of the lesson's test.toml.
        chosen: number of the option as it stands there, from 0; None for "I do not know".
    """

    __tablename__ = "quiz_answer"
    __table_args__ = (UniqueConstraint("participant_id", "occasion", "item"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"))
    occasion: Mapped[str] = mapped_column(Short)
    item: Mapped[str] = mapped_column(Short)
    chosen: Mapped[int | None]
    right: Mapped[bool]
    answered: Mapped[datetime]


class SurveyAnswer(Base):
    """What a participant answered to one statement of the survey, or wrote in it.

    Attributes:
        question: a statement of the lesson's survey.toml, or "comment".
        value: 1, 2, ... from the least to the most agreement; None for the comment.
        text: the comment.
    """

    __tablename__ = "survey_answer"
    __table_args__ = (UniqueConstraint("participant_id", "question"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"))
    question: Mapped[str] = mapped_column(Short)
    value: Mapped[int | None]
    text: Mapped[str | None] = mapped_column(Text)
    answered: Mapped[datetime]
