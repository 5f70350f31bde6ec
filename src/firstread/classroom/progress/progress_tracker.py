"""Where everyone stands in the lesson, and who is stuck."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import Any, Literal

from firstread.classroom.database.schema import Event, Participant
from firstread.classroom.database.store import aware

#: nobody is called slow before a step has taken so long
PATIENCE_SECONDS = 90.0
#: much longer than the others: so many times their median, or, before enough of them are through, the planned minutes
TIMES_THE_OTHERS, TIMES_THE_PLAN, ENOUGH = 2.5, 1.5, 3
#: a browser that has said nothing for so long is away
AWAY_SECONDS = 45.0
#: and after so long they have left; nobody can help them
LEFT_SECONDS = 600.0
#: what is read of events
KINDS = ("step", "cell", "finish")

Trouble = Literal["error", "slow", ""]
Pause = tuple[datetime, datetime]


@dataclass(frozen=True)
class Standing:
    """One participant now.

    Attributes:
        step: the furthest step of the lesson that they reached; None before the first.
        seconds: since they reached it, without the pauses of the class.
        done: the steps that they have left behind.
        trouble: "error" (their last cell failed), "slow" (much longer than the others), or "".
        error: name of the error and its cell, such as "NameError", "guess".
        finished: they ran the last cell.
        away: nothing was heard of their browser or notebook for a while.
    """

    participant: Participant
    step: str | None
    seconds: float
    done: tuple[str, ...]
    trouble: Trouble
    error: tuple[str, str] | None
    finished: bool
    away: bool


@dataclass
class _Track:
    """What is known of one participant: when they first came to each step, their last cell's error, whether they are through."""

    reached: dict[str | None, datetime] = field(default_factory=dict)
    step: str | None = None
    error: tuple[str, str] | None = None
    finished: bool = False


class Following:
    """Follows a class event by event, so that a look at it costs as much as there is news.

    A step counts when somebody comes to it for the first time: who restarts and catches up runs all steps again in a moment, and
    that is neither where they stand nor how long a step takes.

    Args:
        steps: of the lesson: `id` and planned `minutes`.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any]]) -> None:
        self.steps = steps
        self._place: dict[str | None, int] = {None: -1} | {step["id"]: number for number, step in enumerate(steps)}
        self._tracks: dict[int, _Track] = defaultdict(_Track)
        self._took: dict[str | None, list[tuple[datetime, datetime]]] = defaultdict(list)

    def take(self, events: Iterable[Event]) -> None:
        """What happened since, in the order in which it was received."""
        for event in events:
            track = self._tracks[event.participant_id]
            if event.kind == "cell":
                track.error = _error_of(event)
            elif event.kind == "step" and event.step in self._place and event.step not in track.reached:
                self._reach(track, event)
            elif event.kind == "finish" and not track.finished:
                track.finished = True
                self._leave(track, aware(event.received))

    def standings(self, people: Sequence[Participant], now: datetime, pauses: Sequence[Pause] = ()) -> list[Standing]:
        """Everyone's standing, in the order of joining; who is not among these people is forgotten.

        Args:
            pauses: of the class; nobody is slower for them.
        """
        present = {person.id for person in people}
        for gone in [number for number in self._tracks if number not in present]:
            del self._tracks[gone]
        limits = self._limits(people, pauses)
        return [self._stand(person, limits, now, pauses) for person in people]

    def _reach(self, track: _Track, event: Event) -> None:
        now = aware(event.received)
        track.reached[event.step] = now
        if self._place[event.step] > self._place[track.step]:
            self._leave(track, now)
            track.step = event.step

    def _leave(self, track: _Track, now: datetime) -> None:
        if track.step is not None:
            self._took[track.step].append((track.reached[track.step], now))

    def _limits(self, people: Sequence[Participant], pauses: Sequence[Pause]) -> dict[str | None, float]:
        """Step (None: before the first) -> after so many seconds somebody is slow."""
        started = [self._tracks[one.id].reached.values() for one in people if self._tracks[one.id].reached]
        joined = [aware(one.joined) for one in people if self._tracks[one.id].reached]
        first = [_seconds(begin, min(moments), pauses) for begin, moments in zip(joined, started, strict=True)]
        limits: dict[str | None, float] = {None: _limit(first, float("inf"))}
        for step in self.steps:
            took = [_seconds(begin, end, pauses) for begin, end in self._took[step["id"]]]
            limits[step["id"]] = _limit(took, step["minutes"])
        return limits

    def _stand(
        self, person: Participant, limits: Mapping[str | None, float], now: datetime, pauses: Sequence[Pause]
    ) -> Standing:
        track = self._tracks[person.id]
        seconds = _seconds(track.reached.get(track.step, aware(person.joined)), now, pauses)
        silent = (now - aware(person.seen)).total_seconds()
        slow = not track.finished and silent <= LEFT_SECONDS and seconds > limits[track.step]
        failed = track.error is not None and silent <= LEFT_SECONDS
        return Standing(
            participant=person,
            step=track.step,
            seconds=seconds,
            done=tuple(step for step in track.reached if step and step != track.step),
            trouble="error" if failed else "slow" if slow else "",
            error=track.error if failed else None,
            finished=track.finished,
            away=silent > AWAY_SECONDS,
        )


def stand(
    people: Sequence[Participant], events: Iterable[Event], steps: Sequence[Mapping[str, Any]], now: datetime
) -> list[Standing]:
    """Everyone's standing, in the order of joining, from all that happened.

    Args:
        events: of the whole class, in the order in which they were received.
        steps: of the lesson: `id` and planned `minutes`.
    """
    following = Following(steps)
    following.take(events)
    return following.standings(people, now)


def seconds_of_steps(everyones: Iterable[Sequence[Event]]) -> dict[str, list[float]]:
    """Step -> how long each participant took who has left it; a step that is run again later does not count again.

    Args:
        everyones: of each participant the events, in the order in which they were received.
    """
    took: dict[str, list[float]] = defaultdict(list)
    for events in everyones:
        reached: dict[str, datetime] = {}
        last = ""
        for event in events:
            new = event.kind == "step" and event.step and event.step not in reached
            if last and (new or event.kind == "finish"):
                took[last].append((aware(event.received) - reached[last]).total_seconds())
                last = ""
            if new:
                last = str(event.step)
                reached[last] = aware(event.received)
    return took


def errors_by_kind(standings: Iterable[Standing]) -> list[tuple[str, str, int]]:
    """Errors that people stand before now: name, cell, how many; the most frequent first."""
    counts = Counter(one.error for one in standings if one.error)
    return [(name, cell, count) for (name, cell), count in counts.most_common()]


def step_of_plan(steps: Sequence[Mapping[str, Any]], minutes: float | None) -> tuple[str | None, float]:
    """The step that the plan is at after so many minutes, and the minutes left for it; None before the plan and after it."""
    if minutes is None:
        return None, 0.0
    until = 0.0
    for step in steps:
        until += step["minutes"]
        if minutes < until:
            return step["id"], until - minutes
    return None, 0.0


def middle_step(standings: Sequence[Standing], steps: Sequence[Mapping[str, Any]]) -> int | None:
    """Where the middle one of the class stands: number of the step from 0; as many as there are steps when they have finished.

    Who is away does not count, unless all are. None before anybody has begun.
    """
    place = {None: -1} | {step["id"]: number for number, step in enumerate(steps)}
    counted = [one for one in standings if not one.away] or standings
    places = sorted(len(steps) if one.finished else place[one.step] for one in counted)
    middle = places[len(places) // 2] if places else -1
    return middle if middle >= 0 else None


def behind(middle: int | None, steps: Sequence[Mapping[str, Any]], minutes: float | None) -> float | None:
    """Minutes by which the class is behind the plan; negative if it is ahead, 0 within the step's time; None if there is nothing to compare."""
    if middle is None or minutes is None:
        return None
    begins = sum(step["minutes"] for step in steps[:middle])
    ends = begins + steps[middle]["minutes"] if middle < len(steps) else float("inf")
    return minutes - ends if minutes > ends else min(0.0, minutes - begins)


def _error_of(event: Event) -> tuple[str, str] | None:
    """Name of the error and cell, in so many characters as a board has room for; it comes from a participant."""
    if event.values.get("ok", True):
        return None
    return str(event.values.get("error") or "Error")[:60], str(event.values.get("cell", ""))[:64]


def _seconds(begin: datetime, end: datetime, pauses: Sequence[Pause]) -> float:
    """From one moment to another, without what of the pauses lies between."""
    paused = sum(max(0.0, (min(end, until) - max(begin, since)).total_seconds()) for since, until in pauses)
    return max(0.0, (end - begin).total_seconds() - paused)


def _limit(took: Sequence[float], planned_minutes: float) -> float:
    if len(took) >= ENOUGH:
        return max(PATIENCE_SECONDS, TIMES_THE_OTHERS * median(took))
    return max(PATIENCE_SECONDS, TIMES_THE_PLAN * planned_minutes * 60)
