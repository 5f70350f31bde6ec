"""Results of a class for the instructor's page and, without names, for participants; cached until the data change."""

import asyncio
import json
import time
from typing import Any

import pandas as pd

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.store import Store
from firstread.classroom.outcomes import chart_axes
from firstread.classroom.outcomes.class_data import ClassData, data_version, load_class_data
from firstread.classroom.outcomes.class_summary import MIN_PARTICIPANTS, class_runs_table, summarize_class
from firstread.classroom.outcomes.participant_runs import OUTCOMES

#: shortest time between two checks for new data, however many pages are open
REFRESH_SECONDS = 3.0
#: what is due or over depends on the time, so that a summary is made again although no data are new
SUMMARY_SECONDS = 600.0


class Results:
    """Cache of the class's results, shared by all requests."""

    def __init__(self, folder: ClassFolder, store: Store) -> None:
        self.folder, self.store = folder, store
        self._data: ClassData | None = None
        self._runs = pd.DataFrame()
        self._summary: dict[str, Any] | None = None
        self._version: tuple[Any, ...] | None = None
        self._checked_at, self._summarized_at = -REFRESH_SECONDS, 0.0
        self._lock = asyncio.Lock()

    async def summary(self) -> dict[str, Any]:
        """Summary of the class (see `summarize_class`), at most `REFRESH_SECONDS` old."""
        async with self._lock:
            data = await self._refresh()
            if self._summary is None or time.monotonic() - self._summarized_at > SUMMARY_SECONDS:
                self._summarized_at = time.monotonic()
                self._summary = await asyncio.to_thread(summarize_class, data, self.folder.lesson)
            return self._summary

    async def runs_table(self) -> pd.DataFrame:
        """Runs of the class, one row a participant, at most `REFRESH_SECONDS` old; cheaper than the summary."""
        async with self._lock:
            await self._refresh()
            return self._runs

    async def _refresh(self) -> ClassData:
        if self._data is None or time.monotonic() - self._checked_at >= REFRESH_SECONDS:
            version = await asyncio.to_thread(data_version, self.store)
            if self._data is None or version != self._version:
                self._data = await asyncio.to_thread(load_class_data, self.store)
                self._runs = await asyncio.to_thread(class_runs_table, self._data, self.folder.lesson)
                self._version, self._summary = version, None
            self._checked_at = time.monotonic()
        return self._data

    async def other_runs(self, participant_id: int | None) -> dict[str, Any]:
        """Runs of the other participants by group, sorted, without names; none below `MIN_PARTICIPANTS` of them."""
        return await asyncio.to_thread(self._other_runs, await self.runs_table(), participant_id)

    def _other_runs(self, runs: pd.DataFrame, participant_id: int | None) -> dict[str, Any]:
        others = runs[runs["participant"] != participant_id]
        arms = list(self.folder.lesson.values.get("arms", {}))
        outcomes = [outcome.name for outcome in OUTCOMES]
        kept = others[[*(f"ran {arm}" for arm in arms), *outcomes]].sort_values(outcomes)
        rows = json.loads(kept.to_json(orient="records")) if len(kept) >= MIN_PARTICIPANTS else []
        return {
            "lesson": self.folder.lesson.name,
            "arms": arms,
            "outcomes": outcomes,
            "fewest": MIN_PARTICIPANTS,
            "runs": rows,
        }

    async def for_participant(self, participant_id: int) -> dict[str, Any]:
        """One participant's own run and those of the others, for the participant's page."""
        runs = await self.runs_table()
        own = runs[runs["participant"] == participant_id].to_dict("records")
        mine, others = own[0] if own else None, (await self.other_runs(participant_id))["runs"]
        rows = []
        for outcome in OUTCOMES if mine or others else ():
            values = [run[outcome.name] for run in others if run[outcome.name] is not None]
            own_value = mine[outcome.name] if mine and mine[outcome.name] == mine[outcome.name] else None
            axis = chart_axes.outcome_axis([*values, *([] if own_value is None else [own_value])], outcome)
            mean = sum(values) / len(values) if values else None
            rows.append({"outcome": outcome, "others": values, "mine": own_value, "mean": mean, "axis": axis})
        arms = self.folder.lesson.values.get("arms", {})
        groups = {arm: mine[f"ran {arm}"] or mine[f"assigned {arm}"] for arm in arms} if mine else {}
        return {
            "mine": mine,
            "hidden": not others,
            "fewest": MIN_PARTICIPANTS,
            "rows": rows,
            "groups": groups,
            "charts": chart_axes,
        }
