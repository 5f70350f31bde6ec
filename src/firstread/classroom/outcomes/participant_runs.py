"""Runs of a class: one row a participant, with the groups as assigned and as run, and the outcomes."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from firstread.classroom.database.schema import Participant


@dataclass(frozen=True)
class Outcome:
    """Outcome measure of a run.

    Attributes:
        metrics: its names in evaluations; the first that is present counts.
        percent: True if it is shown in per cent.
        highest: its largest possible value; the lowest is 0.
    """

    name: str
    metrics: tuple[str, ...]
    percent: bool = False
    lower_is_better: bool = False
    highest: float = 1.0

    @property
    def title(self) -> str:
        """The name with a capital letter."""
        return self.name[0].upper() + self.name[1:]


#: the first is the primary outcome of every experiment, named before the class; the others are secondary
OUTCOMES = (
    Outcome("accuracy", ("accuracy",), percent=True),
    Outcome("AUC", ("AUC", "macro AUC")),
    Outcome("Brier score", ("Brier score (lower is better)",), lower_is_better=True, highest=2.0),
)
PRIMARY_OUTCOME = OUTCOMES[0]
#: a larger number of test images is not believed
_MOST_IMAGES = 10**9


def runs_table(
    participants: Sequence[Participant], events: Iterable[Any], arms: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Table of the runs that count, one a participant.

    The first evaluation that a notebook records counts, so that no result is the best of many; `runs` is the number of
    evaluations. The groups as run are those confirmed last before it; where none were, they are missing.

    Args:
        events: of kind "record", in the order in which they were received.
        arms: the lesson's experiments: name -> groups.

    Returns:
        A row for each participant who has a result: participant, number, "assigned X" and "ran X" for each experiment
        X, the outcomes, test_images (their number), runs, received.
    """
    by_id = {participant.id: participant for participant in participants}
    ran: dict[int, dict[str, str]] = {}
    rows: dict[int, dict[str, Any]] = {}
    for event in events:
        participant = by_id.get(event.participant_id)
        name, value = event.values.get("name"), event.values.get("value")
        if participant is None or not isinstance(value, dict):
            continue
        if name == "arms":
            ran[participant.id] = _groups_run(value.get("ran"), arms)
        elif name == "evaluation" and (results := _outcome_values(value)):
            if participant.id in rows:
                rows[participant.id]["runs"] += 1
                continue
            rows[participant.id] = (
                {"participant": participant.id, "number": participant.number}
                | {f"assigned {arm}": participant.arms.get(arm) for arm in arms}
                | {f"ran {arm}": ran.get(participant.id, {}).get(arm) for arm in arms}
                | results
                | {"test_images": _image_count(value), "runs": 1, "received": event.received}
            )
    columns = ["participant", "number", *(f"assigned {arm}" for arm in arms), *(f"ran {arm}" for arm in arms)]
    columns += [*(outcome.name for outcome in OUTCOMES), "test_images", "runs", "received"]
    table = pd.DataFrame(list(rows.values()), columns=columns).sort_values("number", ignore_index=True)
    return table.astype({"test_images": "Int64"})


def _groups_run(record: Any, arms: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Experiment -> group as recorded by a notebook, without groups that the lesson does not have."""
    if not isinstance(record, dict):
        return {}
    return {arm: record[arm] for arm, groups in arms.items() if record.get(arm) in tuple(groups)}


def _outcome_values(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Outcome -> value of an evaluation; empty without the primary outcome.

    Every value is checked, because a participant can write anything into the notebook.
    """
    metrics = evaluation.get("metrics")
    if not isinstance(metrics, dict):
        return {}
    found = {}
    for outcome in OUTCOMES:
        for metric in outcome.metrics:
            entry = metrics.get(metric)
            value = _plausible_value(entry.get("value"), outcome.highest) if isinstance(entry, dict) else None
            if value is not None:
                found[outcome.name] = value
                break
    return found if PRIMARY_OUTCOME.name in found else {}


def _plausible_value(value: object, highest: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value <= highest else None


def _image_count(evaluation: Mapping[str, Any]) -> int | None:
    """Number of test images of an evaluation, if what the notebook wrote can be one."""
    count = evaluation.get("cases")
    is_count = isinstance(count, int) and not isinstance(count, bool) and 1 <= count <= _MOST_IMAGES
    return count if is_count else None
