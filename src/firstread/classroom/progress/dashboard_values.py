"""Values that the dashboard's pages are rendered from, as plain dictionaries ready for JSON."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from firstread.classroom.database.help_requests import OpenHelpRequest
from firstread.classroom.database.schema import Broadcast, ClassState
from firstread.classroom.database.store import as_utc, elapsed_minutes
from firstread.classroom.progress.capacity import MachineUsage
from firstread.classroom.progress.cells import Cells
from firstread.classroom.progress.progress_tracker import (
    ParticipantProgress,
    median_step,
    minutes_behind_plan,
    planned_step,
)

#: how long a broadcast stays on the projector
BROADCAST_SECONDS = 600
#: all that the projector's page may be rendered from, beside the last broadcast and the number of trainings
_PROJECTOR_KEYS = (
    *("steps", "door", "called", "code", "minutes", "minutes_planned", "planned", "left", "paused", "in_class"),
    *("finished", "projected"),
)
# participants are sorted by rank: those who need somebody first
_ASKS_HELP, _ERROR, _SLOW, _WORKING, _AWAY, _FINISHED = range(6)

#: participant id -> number and display name
Labels = Mapping[int, Mapping[str, Any]]
Steps = Sequence[Mapping[str, Any]]


def row_values(
    progress: ParticipantProgress, label: Mapping[str, Any], *, steps: Steps, cells: Cells, asks_help: bool
) -> dict[str, Any]:
    """One participant's row: step, minutes at it, problem, and rank in the order "stuck first"."""
    minutes = int(progress.seconds_at_step // 60)
    rank = _rank(progress, asks_help=asks_help)
    error = progress.error and (progress.error[0], str(cells.find(progress.error[1])))
    return {
        **label,
        "step": progress.step,
        "step_index": next((index for index, step in enumerate(steps) if step["id"] == progress.step), -1),
        "minutes": minutes,
        "problem": progress.problem,
        "asks_help": asks_help,
        "finished": progress.finished,
        "away": progress.away,
        "error": error,
        "rank": 1000 * rank + (999 - min(999, minutes) if rank <= _SLOW else 0),
    }


def _rank(progress: ParticipantProgress, *, asks_help: bool) -> int:
    if asks_help:
        return _ASKS_HELP
    if progress.problem:
        return _ERROR if progress.problem == "error" else _SLOW
    if progress.finished:
        return _FINISHED
    return _AWAY if progress.away else _WORKING


def step_values(steps: Steps, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each step with the number of participants at it and past it."""
    return [
        {
            **step,
            "number": index + 1,
            "at_step": sum(row["step_index"] == index and not row["finished"] for row in rows),
            "past_step": sum(row["step_index"] > index or row["finished"] for row in rows),
        }
        for index, step in enumerate(steps)
    ]


def plan_values(
    steps: Steps, state: ClassState, progress: Sequence[ParticipantProgress], now: datetime
) -> dict[str, Any]:
    """The plan's clock and step, and how far the class is behind it."""
    minutes = elapsed_minutes(state, now)
    planned, minutes_left = planned_step(steps, minutes)
    middle = median_step(progress, steps)
    return {
        "minutes": minutes,
        "minutes_planned": sum(step["minutes"] for step in steps),
        "planned": planned,
        "left": minutes_left,
        "paused": state.paused is not None,
        "middle": middle,
        "behind": minutes_behind_plan(middle, steps, minutes),
    }


def error_values(progress: Sequence[ParticipantProgress], labels: Labels, cells: Cells) -> list[dict[str, Any]]:
    """Errors by name and cell, the most frequent first, each with the participants who have it now.

    All cells that the lesson does not have count as one: the page cannot tell them apart.
    """
    owners: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for one in progress:
        if one.error:
            name, cell = one.error
            owners[name, cell if cells.find(cell).number else ""].append(labels[one.participant.id])
    return [
        {"kind": name, "cell": cells.to_dict(cell), "id": cell, "count": len(people), "participants": people}
        for (name, cell), people in sorted(owners.items(), key=lambda item: -len(item[1]))
    ]


def help_request_values(
    request: OpenHelpRequest, label: Mapping[str, Any], steps: Steps, now: datetime
) -> dict[str, Any]:
    """One help request in the queue."""
    titles = {step["id"]: f"{number}. {step['title']}" for number, step in enumerate(steps, start=1)}
    return {
        "number": request.id,
        "participant": label["number"],
        "name": label["name"],
        "note": request.note,
        "step": titles.get(request.step),
        "error": request.error,
        "state": request.state,
        "answer": request.answer,
        "minutes": _minutes_since(request.asked, now),
        "has_copy": request.has_copy,
    }


def broadcast_values(broadcast: Broadcast, now: datetime) -> dict[str, Any]:
    """One broadcast and its age."""
    return {
        "number": broadcast.id,
        "text": broadcast.text,
        "minutes": _minutes_since(broadcast.sent, now),
        "seconds": (now - as_utc(broadcast.sent)).total_seconds(),
    }


def machine_values(usage: MachineUsage) -> dict[str, Any]:
    """The machine's use in words, its warnings, and the number of trainings."""
    return {
        "words": usage.summary(),
        "warnings": usage.warnings(),
        "training": usage.trainings_running,
        "waiting": usage.trainings_waiting,
    }


def projector_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for the projector: counts, plan and last broadcast, without names and without problems of participants."""
    broadcasts = [one for one in values["broadcasts"][:1] if one["seconds"] < BROADCAST_SECONDS]
    machine = {name: values["machine"][name] for name in ("training", "waiting")}
    return {name: values[name] for name in _PROJECTOR_KEYS} | {"broadcasts": broadcasts, "machine": machine}


def _minutes_since(moment: datetime, now: datetime) -> int:
    return max(0, int((now - as_utc(moment)).total_seconds() // 60))
