"""SQLAlchemy models of the class database: SQLite by default, PostgreSQL by URL."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

String64, String200 = String(64), String(200)


class Base(DeclarativeBase):
    """Declarative base of all tables."""

    type_annotation_map: ClassVar = {dict[str, Any]: JSON, datetime: DateTime(timezone=True)}


class ClassState(Base):
    """State of the class; the table has one row.

    Attributes:
        door: "open" (anyone with the code may join), "closed" (participants may resume) or "locked" (neither).
        began: when the plan clock started; None before.
        paused: when the current pause began; None while the plan clock runs.
        pauses_seconds: total length of earlier pauses.
        step: the step that the instructor called, such as "freeze"; None while everyone goes at their own pace.
        numbers: count of assigned participant numbers; the number of a deleted participant is not assigned again.
    """

    __tablename__ = "class"
    id: Mapped[int] = mapped_column(primary_key=True)
    door: Mapped[str] = mapped_column(String64, default="open")
    began: Mapped[datetime | None]
    paused: Mapped[datetime | None]
    pauses_seconds: Mapped[float] = mapped_column(default=0.0)
    step: Mapped[str | None] = mapped_column(String64)
    numbers: Mapped[int] = mapped_column(default=0, server_default="0")


class Participant(Base):
    """A participant of the class.

    Attributes:
        username: of the hub; random, so that it does not identify them.
        number: in the order of joining, from 1; the pseudonym is "Participant 7".
        name: display name that they chose; not unique.
        resume_mark: hash of the resume word, see `join_codes.hash_word`.
        arms: assigned arms of the experiments.
        seen: when their browser or their notebook was last active.
    """

    __tablename__ = "participant"
    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(String64, unique=True)
    number: Mapped[int] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(String200)
    resume_mark: Mapped[str] = mapped_column(String64, unique=True)
    arms: Mapped[dict[str, Any]]
    joined: Mapped[datetime]
    seen: Mapped[datetime]

    @property
    def pseudonym(self) -> str:
        """Name in exports and results."""
        return f"Participant {self.number}"


class Event(Base):
    """An event of a participant's notebook.

    Attributes:
        key: created with the event; an event that is sent twice is stored once.
        kind: see `lessons.events.EventKind`.
        step: of the lesson, at that moment.
        happened, received: by the participant's clock and by the service's.
    """

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("participant_id", "key"), Index("event_of", "participant_id", "id"))
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String64)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String64)
    step: Mapped[str | None] = mapped_column(String64)
    values: Mapped[dict[str, Any]]
    happened: Mapped[datetime]
    received: Mapped[datetime]


class HelpRequest(Base):
    """A help request; its `state` is "waiting", "taken" or "resolved"."""

    __tablename__ = "help"
    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"), index=True)
    asked: Mapped[datetime]
    step: Mapped[str | None] = mapped_column(String64)
    note: Mapped[str] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(String200)
    notebook: Mapped[str | None] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String64, default="waiting")
    answer: Mapped[str | None] = mapped_column(Text)
    changed: Mapped[datetime]


class Broadcast(Base):
    """A message of the instructor to all participants."""

    __tablename__ = "broadcast"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    sent: Mapped[datetime]


class SessionEvent(Base):
    """An action of the instructor, with its time; rows are only added, so that the session can be replayed.

    `ClassState` and `HelpRequest` hold the latest state alone. Messages to all are in `Broadcast`.

    Attributes:
        kind: "door", "plan", "step", "help" or "results".
        value: new state of the door; "begun", "paused", "resumed" or "ended"; step id or None (everyone at their own
            pace); "waiting", "taken", "answered", "resolved" or "withdrawn"; None for results that were opened.
        help_id: the help request; the row is deleted with it.
    """

    __tablename__ = "session_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String64)
    value: Mapped[str | None] = mapped_column(String64)
    help_id: Mapped[int | None] = mapped_column(ForeignKey("help.id", ondelete="CASCADE"), index=True)
    happened: Mapped[datetime]


class QuizAnswer(Base):
    """A participant's answer to one item of a quiz, once for each occasion.

    Attributes:
        occasion: "pre", "post" or "retention".
        item: of the lesson's test.toml.
        chosen: index of the option in the lesson's order, from 0; None for "I do not know".
    """

    __tablename__ = "quiz_answer"
    __table_args__ = (UniqueConstraint("participant_id", "occasion", "item"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"))
    occasion: Mapped[str] = mapped_column(String64)
    item: Mapped[str] = mapped_column(String64)
    chosen: Mapped[int | None]
    right: Mapped[bool]
    answered: Mapped[datetime]


class SurveyAnswer(Base):
    """A participant's rating of one statement of the survey, or their comment.

    Attributes:
        question: a statement of the lesson's survey.toml, or "comment".
        value: 1, 2, ... from the least to the most agreement; None for the comment.
        text: the comment.
    """

    __tablename__ = "survey_answer"
    __table_args__ = (UniqueConstraint("participant_id", "question"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"))
    question: Mapped[str] = mapped_column(String64)
    value: Mapped[int | None]
    text: Mapped[str | None] = mapped_column(Text)
    answered: Mapped[datetime]


class Forum(Base):
    """Settings of the forum; the table has one row.

    Attributes:
        mode: "open", "approval" (posts wait until the instructor shows them) or "closed" (nothing new).
        version: counts the changes of the forum.
        projected: id of the post on the projector; None without one.
    """

    __tablename__ = "forum"
    id: Mapped[int] = mapped_column(primary_key=True)
    mode: Mapped[str] = mapped_column(String64, default="open")
    version: Mapped[int] = mapped_column(default=0)
    projected: Mapped[int | None]


class ForumPost(Base):
    """A post of the forum: a line of text, a picture, or both.

    Attributes:
        key: created with the post; a post that is sent twice is stored once.
        participant_id: of the author; None for the instructor.
        parent_id: the post that this one answers; None for one that begins a thread.
        audience: "everyone" or "instructor" (seen by the author and the instructor only).
        state: "shown", "waiting" (for approval) or "hidden".
    """

    __tablename__ = "forum_post"
    # an id is not assigned again: the projector and the notebooks know posts by it
    __table_args__ = (UniqueConstraint("participant_id", "key"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String64)
    participant_id: Mapped[int | None] = mapped_column(ForeignKey("participant.id", ondelete="CASCADE"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("forum_post.id", ondelete="CASCADE"), index=True)
    audience: Mapped[str] = mapped_column(String64)
    state: Mapped[str] = mapped_column(String64)
    text: Mapped[str] = mapped_column(Text)
    posted: Mapped[datetime]


class ForumPicture(Base):
    """The picture of a post, encoded anew by the class; in the database, which every way of hosting keeps.

    Attributes:
        name: random, part of its URL.
        media_type: "image/png" or "image/jpeg"; the preview is always a JPEG.
        size_bytes: of the picture and its preview together.
    """

    __tablename__ = "forum_picture"
    id: Mapped[int] = mapped_column(primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("forum_post.id", ondelete="CASCADE"), unique=True)
    name: Mapped[str] = mapped_column(String64, unique=True)
    media_type: Mapped[str] = mapped_column(String64)
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)
    preview: Mapped[bytes] = mapped_column(LargeBinary)
