"""Where everyone stands in the lesson, and who is stuck."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any, Literal

from firstread.classroom.store import aware
from firstread.classroom.tables import Event, Participant

#: nobody is called slow before a step has taken so long
PATIENCE_SECONDS = 90.0
#: much longer than the others: so many times their median, or, before enough of them are through, the planned minutes
TIMES_THE_OTHERS, TIMES_THE_PLAN, ENOUGH = 2.5, 1.5, 3
#: a browser that has said nothing for so long is away
AWAY_SECONDS = 45.0

Trouble = Literal["error", "slow", ""]


@dataclass(frozen=True)
class Standing:
    """One participant now.

    Attributes:
        step: the lesson's step that they reached; None before the first.
        seconds: since they reached it.
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


def stand(
    people: Sequence[Participant], events: Iterable[Event], steps: Sequence[Mapping[str, Any]], now: datetime
) -> list[Standing]:
    """Everyone's standing, in the order of joining.

    Args:
        events: of the whole class, in the order in which they were received.
        steps: of the lesson: `id` and planned `minutes`.
    """
    own: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        own[event.participant_id].append(event)
    took = seconds_of_steps(own.values())
    limits = {step["id"]: _limit(took[step["id"]], step["minutes"]) for step in steps}
    return [_stand(person, own[person.id], limits, now) for person in people]


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


def _stand(person: Participant, events: list[Event], limits: Mapping[str, float], now: datetime) -> Standing:
    reached = [event for event in events if event.kind == "step"]
    cells = [event for event in events if event.kind == "cell"]
    finished = any(event.kind == "finish" for event in events)
    step = reached[-1].step if reached else None
    since = aware(reached[-1].received if reached else person.joined)
    seconds = (now - since).total_seconds()
    error = None
    if cells and not cells[-1].values.get("ok", True):
        error = (str(cells[-1].values.get("error", "Error")), str(cells[-1].values.get("cell", "")))
    slow = not finished and step is not None and seconds > limits.get(step, float("inf"))
    return Standing(
        participant=person,
        step=step,
        seconds=max(0.0, seconds),
        done=tuple(dict.fromkeys(event.step for event in reached[:-1] if event.step and event.step != step)),
        trouble="error" if error else "slow" if slow else "",
        error=error,
        finished=finished,
        away=(now - aware(person.seen)).total_seconds() > AWAY_SECONDS,
    )


def seconds_of_steps(everyones: Iterable[list[Event]]) -> dict[str, list[float]]:
    """Step -> how long each participant took who has left it."""
    took: dict[str, list[float]] = defaultdict(list)
    for events in everyones:
        reached = [event for event in events if event.kind in ("step", "finish")]
        for one, following in pairwise(reached):
            if one.step and one.kind == "step":
                took[one.step].append((aware(following.received) - aware(one.received)).total_seconds())
    return took


def _limit(took: Sequence[float], planned_minutes: float) -> float:
    if len(took) >= ENOUGH:
        return max(PATIENCE_SECONDS, TIMES_THE_OTHERS * median(took))
    return max(PATIENCE_SECONDS, TIMES_THE_PLAN * planned_minutes * 60)
