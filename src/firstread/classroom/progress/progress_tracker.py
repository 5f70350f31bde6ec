"""Progress of each participant through the lesson, and detection of those who are stuck."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Literal

from firstread.classroom.database.schema import Event, Participant
from firstread.classroom.database.store import as_utc

#: a participant counts as slow after this time at a step at the earliest
MIN_SLOW_SECONDS = 90.0
#: slow: beyond this multiple of the others' median, or, with fewer than `MIN_DURATIONS` of them, of the planned time
SLOW_BY_MEDIAN, SLOW_BY_PLAN, MIN_DURATIONS = 2.5, 1.5, 3
#: a participant counts as away after this time without a request
AWAY_SECONDS = 45.0
#: a participant who has been silent for this long is disconnected, and is not listed as stuck
DISCONNECTED_SECONDS = 600.0
#: kinds of events that progress is computed from
EVENT_KINDS = ("step", "cell", "finish")

Problem = Literal["error", "slow", ""]
Pause = tuple[datetime, datetime]


@dataclass(frozen=True)
class ParticipantProgress:
    """Progress of one participant at one moment.

    Attributes:
        step: the furthest step of the lesson that was reached; None before the first.
        seconds_at_step: time since it was reached, without the pauses of the class.
        completed_steps: the other steps that were reached.
        problem: "error" (the last cell failed), "slow" (much longer than the others), or "".
        error: name of the error and id of its cell, such as "NameError", "guess".
        finished: True if the last cell was run.
        away: True if nothing was received from browser or notebook for `AWAY_SECONDS`.
    """

    participant: Participant
    step: str | None
    seconds_at_step: float
    completed_steps: tuple[str, ...]
    problem: Problem
    error: tuple[str, str] | None
    finished: bool
    away: bool


@dataclass
class _ParticipantHistory:
    """Events of one participant so far: time at which each step was first reached, last cell's error, end."""

    reached: dict[str | None, datetime] = field(default_factory=dict)
    step: str | None = None
    error: tuple[str, str] | None = None
    finished: bool = False


class ProgressTracker:
    """Tracks the progress of a class incrementally, so that the cost grows with the number of new events only.

    A step counts when a participant reaches it for the first time: after a restart, all steps are run again within
    moments, which says nothing of the participant's progress or of how long a step takes.

    Args:
        steps: of the lesson: `id` and planned `minutes`.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any]]) -> None:
        self.steps = steps
        self._step_index: dict[str | None, int] = {None: -1} | {step["id"]: number for number, step in enumerate(steps)}
        self._histories: dict[int, _ParticipantHistory] = defaultdict(_ParticipantHistory)
        self._step_intervals: dict[str | None, list[tuple[datetime, datetime]]] = defaultdict(list)

    def add_events(self, events: Iterable[Event]) -> None:
        """Add new events, in the order in which they were received."""
        for event in events:
            history = self._histories[event.participant_id]
            if event.kind == "cell":
                history.error = _failed_cell(event)
            elif event.kind == "step" and event.step in self._step_index and event.step not in history.reached:
                self._enter_step(history, event)
            elif event.kind == "finish" and not history.finished:
                history.finished = True
                self._leave_step(history, as_utc(event.received))

    def progress_of(
        self, participants: Sequence[Participant], now: datetime, pauses: Sequence[Pause] = ()
    ) -> list[ParticipantProgress]:
        """Progress of these participants, in their order; the history of all others is deleted.

        Args:
            pauses: of the class; they do not count as time at a step.
        """
        present = {one.id for one in participants}
        for removed in [id_ for id_ in self._histories if id_ not in present]:
            del self._histories[removed]
        limits = self._slow_limits(participants, pauses)
        return [self._participant_progress(one, limits, now, pauses) for one in participants]

    def _enter_step(self, history: _ParticipantHistory, event: Event) -> None:
        now = as_utc(event.received)
        history.reached[event.step] = now
        if self._step_index[event.step] > self._step_index[history.step]:
            self._leave_step(history, now)
            history.step = event.step

    def _leave_step(self, history: _ParticipantHistory, now: datetime) -> None:
        if history.step is not None:
            self._step_intervals[history.step].append((history.reached[history.step], now))

    def _slow_limits(self, participants: Sequence[Participant], pauses: Sequence[Pause]) -> dict[str | None, float]:
        """Step (None: before the first) -> seconds after which a participant at it is slow."""
        begun = [one for one in participants if self._histories[one.id].reached]
        durations = [
            _seconds_without_pauses(as_utc(one.joined), min(self._histories[one.id].reached.values()), pauses)
            for one in begun
        ]
        limits: dict[str | None, float] = {None: _slow_limit_seconds(durations, float("inf"))}
        for step in self.steps:
            durations = [_seconds_without_pauses(begin, end, pauses) for begin, end in self._step_intervals[step["id"]]]
            limits[step["id"]] = _slow_limit_seconds(durations, step["minutes"])
        return limits

    def _participant_progress(
        self, participant: Participant, limits: Mapping[str | None, float], now: datetime, pauses: Sequence[Pause]
    ) -> ParticipantProgress:
        history = self._histories[participant.id]
        seconds = _seconds_without_pauses(history.reached.get(history.step, as_utc(participant.joined)), now, pauses)
        silent_seconds = (now - as_utc(participant.seen)).total_seconds()
        slow = not history.finished and silent_seconds <= DISCONNECTED_SECONDS and seconds > limits[history.step]
        failed = history.error is not None and silent_seconds <= DISCONNECTED_SECONDS
        return ParticipantProgress(
            participant=participant,
            step=history.step,
            seconds_at_step=seconds,
            completed_steps=tuple(step for step in history.reached if step and step != history.step),
            problem="error" if failed else "slow" if slow else "",
            error=history.error if failed else None,
            finished=history.finished,
            away=silent_seconds > AWAY_SECONDS,
        )


def class_progress(
    participants: Sequence[Participant], events: Iterable[Event], steps: Sequence[Mapping[str, Any]], now: datetime
) -> list[ParticipantProgress]:
    """Progress of these participants, in their order, from all events of the class.

    Args:
        events: of the whole class, in the order in which they were received.
        steps: of the lesson: `id` and planned `minutes`.
    """
    tracker = ProgressTracker(steps)
    tracker.add_events(events)
    return tracker.progress_of(participants, now)


def seconds_per_step(participants_events: Iterable[Sequence[Event]]) -> dict[str, list[float]]:
    """Step -> seconds of each participant who has left it; a step that is run again later is not counted again.

    Args:
        participants_events: each participant's events, in the order in which they were received.
    """
    durations: dict[str, list[float]] = defaultdict(list)
    for events in participants_events:
        reached: dict[str, datetime] = {}
        last = ""
        for event in events:
            new = event.kind == "step" and event.step and event.step not in reached
            if last and (new or event.kind == "finish"):
                durations[last].append((as_utc(event.received) - reached[last]).total_seconds())
                last = ""
            if new:
                last = str(event.step)
                reached[last] = as_utc(event.received)
    return durations


def planned_step(steps: Sequence[Mapping[str, Any]], minutes: float | None) -> tuple[str | None, float]:
    """The plan's step at this minute, and the minutes left for it; None before the plan begins and after it ends."""
    if minutes is None:
        return None, 0.0
    until = 0.0
    for step in steps:
        until += step["minutes"]
        if minutes < until:
            return step["id"], until - minutes
    return None, 0.0


def median_step(progress: Sequence[ParticipantProgress], steps: Sequence[Mapping[str, Any]]) -> int | None:
    """Index of the step that the median participant is at; the number of steps if that participant has finished.

    Participants who are away do not count, unless all are away. None before the median participant has begun.
    """
    index_of: dict[str | None, int] = {None: -1} | {step["id"]: index for index, step in enumerate(steps)}
    counted = [one for one in progress if not one.away] or progress
    indices = sorted(len(steps) if one.finished else index_of[one.step] for one in counted)
    median_index = indices[len(indices) // 2] if indices else -1
    return median_index if median_index >= 0 else None


def minutes_behind_plan(
    step_index: int | None, steps: Sequence[Mapping[str, Any]], minutes: float | None
) -> float | None:
    """Minutes by which the class, at this step, is behind the plan.

    Returns:
        Negative if the class is ahead, 0 within the step's time, None without a step or before the plan begins.
    """
    if step_index is None or minutes is None:
        return None
    begins = sum(step["minutes"] for step in steps[:step_index])
    ends = begins + steps[step_index]["minutes"] if step_index < len(steps) else float("inf")
    return minutes - ends if minutes > ends else min(0.0, minutes - begins)


def _failed_cell(event: Event) -> tuple[str, str] | None:
    """Error name and cell id of a failed cell, None of others; truncated, because a participant can send any length."""
    if event.values.get("ok", True):
        return None
    return str(event.values.get("error") or "Error")[:60], str(event.values.get("cell", ""))[:64]


def _seconds_without_pauses(begin: datetime, end: datetime, pauses: Sequence[Pause]) -> float:
    """Seconds between two times, without the pauses in between."""
    paused = sum(max(0.0, (min(end, until) - max(begin, since)).total_seconds()) for since, until in pauses)
    return max(0.0, (end - begin).total_seconds() - paused)


def _slow_limit_seconds(durations: Sequence[float], planned_minutes: float) -> float:
    if len(durations) >= MIN_DURATIONS:
        return max(MIN_SLOW_SECONDS, SLOW_BY_MEDIAN * median(durations))
    return max(MIN_SLOW_SECONDS, SLOW_BY_PLAN * planned_minutes * 60)
