"""Record of a session: what happened when, as counts in frames of time and a list of entries, without names.

A record outlives the class and is sent on, so it holds less than the dashboard shows. No participant is in it under any
name or number, no note, no answer to a note and nothing out of a notebook. The smaller the class, the coarser it is
(`record_resolution.resolution_of`), because in a small class a count is a person.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from firstread.classroom.outcomes.record_resolution import MIN_CLASS, Resolution, resolution_of
from firstread.classroom.outcomes.session_data import SessionData, SessionInterval, largest_session
from firstread.classroom.outcomes.session_entries import RecordEntry
from firstread.classroom.outcomes.session_replay import SessionReplay
from firstread.classroom.progress.dashboard_values import BROADCAST_SECONDS
from firstread.lessons.lesson_info import LessonInfo

#: the replayed page must stay small, whatever was sent
MAX_ENTRIES = 1500


@dataclass(frozen=True)
class ClassMoment:
    """State of the class at one moment of a record.

    Attributes:
        at_place: number of participants at each place.
        waiting, taken: help requests that wait, and that somebody has taken.
        call: title of the step that all are called to; empty if everyone goes at their own pace.
        plan: "before", "running", "paused" or "ended".
        message: latest message to everyone, for as long as it stands on the projector; else empty.
    """

    at_place: tuple[int, ...]
    waiting: int
    taken: int
    call: str
    plan: str
    message: str


@dataclass(frozen=True)
class SessionRecord:
    """Record of a session.

    Attributes:
        began: start of the first frame.
        seconds: length of the session.
        participants: number of participants; None if there were fewer than `MIN_CLASS`.
        frames: number of participants at each place, at each multiple of `frame_seconds`.
        queue: number of waiting and of taken help requests, at the same times.
        entries: in the order of time.
        omitted: number of entries beyond `MAX_ENTRIES`.
    """

    lesson: str
    began: datetime
    seconds: int
    participants: int | None
    resolution: Resolution
    frames: tuple[tuple[int, ...], ...]
    queue: tuple[tuple[int, int], ...]
    entries: tuple[RecordEntry, ...]
    omitted: int

    def state_at(self, seconds: float) -> ClassMoment:
        """State of the class so many seconds after the start; record.js computes the same."""
        frame = int(min(max(seconds, 0), self.seconds) // self.resolution.frame_seconds)
        call, plan, message, sent = "", "before", "", -math.inf
        for entry in self.entries:
            if entry.seconds > seconds:
                break
            if entry.kind == "step":
                call = entry.value
            elif entry.kind == "plan":
                plan, call = _PLAN_STATES[entry.value], "" if entry.value == "ended" else call
            elif entry.kind == "message":
                message, sent = entry.value, entry.seconds
        counts = self.frames[frame] if self.frames else ()
        waiting, taken = self.queue[frame] if self.queue else (0, 0)
        shown = message if seconds - sent < BROADCAST_SECONDS else ""
        return ClassMoment(counts, waiting, taken, call, plan, shown)

    @cached_property
    def last(self) -> ClassMoment:
        """State at the end."""
        return self.state_at(self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """What the page replays, ready for JSON."""
        return {
            "began": self.began.isoformat(),
            "seconds": self.seconds,
            "frame_seconds": self.resolution.frame_seconds,
            "message_seconds": BROADCAST_SECONDS,
            "places": self.resolution.places,
            "frames": self.frames,
            "queue": self.queue,
            "states": [(entry.seconds, entry.kind, entry.value) for entry in self.entries if entry.kind in _STATES],
        }


#: kinds of entries that the state of the class depends on
_STATES = ("step", "plan", "message")
_PLAN_STATES = {"begun": "running", "paused": "paused", "resumed": "running", "ended": "ended"}


def build_session_record(
    data: SessionData, lesson: LessonInfo, session: SessionInterval | None = None
) -> SessionRecord | None:
    """Build the record of a session, by default of the one in which most took part; None if nothing has happened."""
    session = session or largest_session(data)
    if session is None:
        return None
    began = session.began.replace(second=0, microsecond=0)
    length = math.ceil((session.ended - began).total_seconds())
    count = len(session.participants)
    resolution = resolution_of(count, lesson.steps, length)
    seconds = max(1, math.ceil(length / resolution.frame_seconds)) * resolution.frame_seconds
    replay = SessionReplay(data, lesson, replace(session, began=began), resolution, seconds)
    entries = sorted(replay.entries(), key=lambda entry: entry.seconds)
    return SessionRecord(
        lesson=lesson.title,
        began=began,
        seconds=seconds,
        participants=count if count >= MIN_CLASS else None,
        resolution=resolution,
        frames=replay.frames(),
        queue=replay.queue(),
        entries=tuple(entries[:MAX_ENTRIES]),
        omitted=max(0, len(entries) - MAX_ENTRIES),
    )
