"""Replay of a session's events: number of participants at each place over time, help queue, entries of the list."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from firstread.classroom.database.schema import HelpRequest, SessionEvent
from firstread.classroom.database.store import as_utc
from firstread.classroom.outcomes.record_resolution import MIN_CLASS, Resolution
from firstread.classroom.outcomes.session_data import SessionData, SessionInterval
from firstread.classroom.outcomes.session_entries import (
    RecordEntry,
    action_entries,
    counted_entries,
    error_entries,
    message_entries,
    quarter_entries,
    quiz_entries,
    result_entries,
)
from firstread.lessons.lesson_info import LessonInfo

_HELP_WORDS = {"taken": "taken up", "answered": "answered", "resolved": "resolved", "withdrawn": "withdrawn"}


@dataclass(frozen=True)
class SessionReplay:
    """Replays the events of one session.

    Attributes:
        session: its start is that of the first frame.
        seconds: from the first to the last frame.
    """

    data: SessionData
    lesson: LessonInfo
    session: SessionInterval
    resolution: Resolution
    seconds: int

    def frames(self) -> tuple[tuple[int, ...], ...]:
        """Number of participants at each place in each frame; empty if they are not counted."""
        places = len(self.resolution.places)
        if not places:
            return ()
        changes = [[0] * places for _ in range(self._frame_count)]
        for moves in self._moves().values():
            before: int | None = None
            for moment, position in moves:
                frame, place = self.frame_of(moment), self.resolution.place_of[position]
                if frame < self._frame_count and place != before:
                    changes[frame][place] += 1
                    if before is not None:
                        changes[frame][before] -= 1
                    before = place
        return tuple(_running_sums(changes))

    def queue(self) -> tuple[tuple[int, int], ...]:
        """Number of waiting and of taken help requests in each frame; empty in a small class.

        The projector shows no requests, and where few are at a place, one who asks there is known.
        """
        if not self.resolution.has_every_step:
            return ()
        changes = [[0, 0] for _ in range(self._frame_count)]
        for states in self._help_states():
            before: int | None = None
            for moment, state in states:
                if state == "answered":  # stays where it was
                    continue
                frame, column = self.frame_of(moment), {"waiting": 0, "taken": 1}.get(state)
                if frame < self._frame_count and column != before:
                    for index, change in ((before, -1), (column, 1)):
                        if index is not None:
                            changes[frame][index] += change
                    before = column
        return tuple((waiting, taken) for waiting, taken in _running_sums(changes))

    def entries(self) -> Iterable[RecordEntry]:
        """Entries of the list, in no particular order."""
        at, names = self.second_of, [one.name for one in self.data.participants]
        actions = [one for one in self.data.actions if as_utc(one.happened) in self.session]
        yield from action_entries(actions, self.lesson.steps, at)
        began = self.data.plan_began
        if began and as_utc(began) in self.session and not any(one.kind == "plan" for one in self.data.actions):
            yield RecordEntry(at(began), "plan", "Plan started", "begun")
        yield from message_entries([one for one in self.data.broadcasts if as_utc(one.sent) in self.session], names, at)
        yield from result_entries(self.data, self.session, self.lesson, at, least=MIN_CLASS)
        if self.resolution.places:
            yield from self._participants_entries()

    def _participants_entries(self) -> Iterable[RecordEntry]:
        joined = [moves[0][0] for moves in self._moves().values()]
        yield from quarter_entries(joined, "have joined", "join", self._frame_end)
        if self.resolution.has_every_step:
            end = len(self.resolution.place_of) - 1
            finished = [moves[-1][0] for moves in self._moves().values() if moves[-1][1] == end]
            yield from quarter_entries(finished, "have finished the lesson", "finish", self._frame_end)
            yield from counted_entries(self._help_moments(), "help", self._frame_end)
        elif asked := sum(as_utc(one.asked) in self.session for one in self.data.help_requests):
            yield RecordEntry(self.seconds, "help", f"Requests for help in all: {asked}")
        yield from counted_entries({"posted in the forum": self.data.forum_posts}, "forum", self._frame_end)
        yield from error_entries(self.data, self.session, self.lesson.steps, self._frame_end)
        yield from quiz_entries(self.data, self.session, self.lesson, self._frame_end, least=MIN_CLASS)

    # ---- time

    @property
    def _frame_count(self) -> int:
        return self.seconds // self.resolution.frame_seconds + 1

    def second_of(self, moment: datetime) -> int:
        """Whole seconds from the start to a moment."""
        return max(0, math.floor((as_utc(moment) - self.session.began).total_seconds()))

    def frame_of(self, moment: datetime) -> int:
        """First frame that shows what happened at a moment."""
        return max(0, math.ceil((as_utc(moment) - self.session.began).total_seconds() / self.resolution.frame_seconds))

    def _frame_end(self, moment: datetime) -> int | None:
        """Time of the first frame that shows what happened at a moment; None outside the session."""
        second = self.frame_of(moment) * self.resolution.frame_seconds
        return second if as_utc(moment) in self.session else None

    # ---- participants

    def _moves(self) -> dict[int, list[tuple[datetime, int]]]:
        """Participant id -> times and positions: 0 in the class, 1 and up the furthest step reached, the last finished.

        As on the dashboard, a step that is run again later counts for nothing.
        """
        position_of = {step["id"]: number for number, step in enumerate(self.lesson.steps, start=1)}
        moves = {one.id: [(as_utc(one.joined), 0)] for one in self.session.participants}
        for event in sorted(self.data.events, key=lambda event: as_utc(event.received)):
            own = moves.get(event.participant_id)
            if own is None or event.kind == "record":
                continue
            # by a clock that was put back meanwhile, somebody is there before they have joined
            own[0] = (min(own[0][0], as_utc(event.received)), 0)
            position = len(position_of) + 1 if event.kind == "finish" else position_of.get(event.step, 0)
            if position > own[-1][1]:
                own.append((as_utc(event.received), position))
        return moves

    # ---- help

    def _help_states(self) -> list[list[tuple[datetime, str]]]:
        """Times and states of each help request."""
        actions: dict[int | None, list[SessionEvent]] = {}
        for action in self.data.actions:
            actions.setdefault(action.help_id, []).append(action)
        return [_states_of(request, actions.get(request.id, [])) for request in self.data.help_requests]

    def _help_moments(self) -> dict[str, list[datetime]]:
        """What happened to help requests -> times."""
        moments: dict[str, list[datetime]] = {"asked for help": [one.asked for one in self.data.help_requests]}
        for states in self._help_states():
            for moment, state in states[1:]:
                if state in _HELP_WORDS:
                    moments.setdefault(_HELP_WORDS[state], []).append(moment)
        return moments


def _states_of(request: HelpRequest, actions: Sequence[SessionEvent]) -> list[tuple[datetime, str]]:
    """Times and states of a help request; of a class of an older version, the first and the last are known."""
    states = [(as_utc(request.asked), "waiting")]
    for action in actions:
        states.append((max(states[-1][0], as_utc(action.happened)), action.value or ""))
    last = next((state for _, state in reversed(states) if state != "answered"), "waiting")
    if last not in (request.state, "withdrawn"):
        states.append((max(states[-1][0], as_utc(request.changed)), request.state))
    return states


def _running_sums(changes: Sequence[Sequence[int]]) -> Iterable[tuple[int, ...]]:
    sums = [0] * len(changes[0])
    for change in changes:
        sums = [total + one for total, one in zip(sums, change, strict=True)]
        yield tuple(sums)
