"""The class's runs: one row a participant, with the groups they were assigned, those they really ran, and how well their network did."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from firstread.classroom.database.schema import Participant


@dataclass(frozen=True)
class Outcome:
    """A way of saying how good a run is.

    Attributes:
        metrics: what evaluations call it; the first that is there counts.
        percent: True if it is shown in per cent.
    """

    name: str
    metrics: tuple[str, ...]
    percent: bool = False
    lower_is_better: bool = False

    @property
    def title(self) -> str:
        """At the beginning of a line."""
        return self.name[0].upper() + self.name[1:]


#: the first is the one that the experiment is about, decided beforehand
OUTCOMES = (
    Outcome("accuracy", ("accuracy",), percent=True),
    Outcome("AUC", ("AUC", "macro AUC")),
    Outcome("Brier score", ("Brier score (lower is better)",), lower_is_better=True),
)


def class_runs(people: Sequence[Participant], events: Iterable[Any], arms: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Everyone's counted run.

    The first evaluation that somebody's notebook records counts, so that nobody's result is the best of many; `runs` says how many
    there were. The groups as run are those confirmed last before it; where none were, they are missing.

    Args:
        events: of kind "record", in the order in which they were received.
        arms: the lesson's experiments: name -> groups.

    Returns:
        A row for each participant who has a result: participant, number, "assigned X" and "ran X" for each experiment X, the outcomes, runs, received.
    """
    known = {person.id: person for person in people}
    ran: dict[int, dict[str, str]] = {}
    rows: dict[int, dict[str, Any]] = {}
    for event in events:
        person, name, value = known.get(event.participant_id), event.values.get("name"), event.values.get("value")
        if person is None or not isinstance(value, dict):
            continue
        if name == "arms":
            ran[person.id] = _groups(value.get("ran"), arms)
        elif name == "evaluation" and (results := _outcomes(value)):
            if person.id in rows:
                rows[person.id]["runs"] += 1
                continue
            rows[person.id] = (
                {"participant": person.id, "number": person.number}
                | {f"assigned {arm}": person.arms.get(arm) for arm in arms}
                | {f"ran {arm}": ran.get(person.id, {}).get(arm) for arm in arms}
                | results
                | {"runs": 1, "received": event.received}
            )
    columns = [
        "participant", "number", *(f"assigned {arm}" for arm in arms), *(f"ran {arm}" for arm in arms),
        *(outcome.name for outcome in OUTCOMES), "runs", "received",
    ]  # fmt: skip
    return pd.DataFrame(list(rows.values()), columns=columns).sort_values("number", ignore_index=True)


def _groups(told: Any, arms: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What was told of the groups, as far as the lesson has them."""
    if not isinstance(told, dict):
        return {}
    return {arm: told[arm] for arm, groups in arms.items() if told.get(arm) in tuple(groups)}


def _outcomes(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """The outcomes that an evaluation holds; a notebook is its owner's, so anything may stand in it."""
    metrics = evaluation.get("metrics")
    found = {}
    for outcome in OUTCOMES if isinstance(metrics, dict) else ():
        for metric in outcome.metrics:
            entry = metrics.get(metric)
            value = entry.get("value") if isinstance(entry, dict) else None
            if (
                isinstance(value, int | float)
                and not isinstance(value, bool)
                and math.isfinite(value)
                and 0 <= value <= 2
            ):
                found[outcome.name] = float(value)
                break
    return found if OUTCOMES[0].name in found else {}
