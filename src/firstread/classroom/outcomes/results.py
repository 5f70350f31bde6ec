"""What the class has found out, for the instructor's page and, without names, for each participant; worked out only when something has changed."""

import asyncio
import json
import time
from typing import Any

import pandas as pd

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.store import Store
from firstread.classroom.outcomes import chart_axes
from firstread.classroom.outcomes.class_data import Gathered, gather, version_of
from firstread.classroom.outcomes.class_summary import FEWEST, runs_of, summarise
from firstread.classroom.outcomes.participant_runs import OUTCOMES

#: nothing is worked out more often, however many look
LOOK_SECONDS = 3.0


class Results:
    """The class's results, shared by all who look at them."""

    def __init__(self, folder: ClassFolder, store: Store) -> None:
        self.folder, self.store = folder, store
        self._gathered: Gathered | None = None
        self._runs = pd.DataFrame()
        self._summary: dict[str, Any] | None = None
        self._version: tuple[Any, ...] | None = None
        self._looked = -LOOK_SECONDS
        self._looking = asyncio.Lock()

    async def summary(self) -> dict[str, Any]:
        """See `outcomes.summarise`; at most some seconds old."""
        async with self._looking:
            gathered = await self._fresh()
            if self._summary is None:
                self._summary = await asyncio.to_thread(summarise, gathered, self.folder.lesson)
            return self._summary

    async def runs(self) -> pd.DataFrame:
        """See `outcomes.class_runs`; at most some seconds old. Every notebook asks for it, and needs no statistics."""
        async with self._looking:
            await self._fresh()
            return self._runs

    async def _fresh(self) -> Gathered:
        if self._gathered is None or time.monotonic() - self._looked >= LOOK_SECONDS:
            version = await asyncio.to_thread(version_of, self.store)
            if self._gathered is None or version != self._version:
                self._gathered = await asyncio.to_thread(gather, self.store)
                self._runs = await asyncio.to_thread(runs_of, self._gathered, self.folder.lesson)
                self._version, self._summary = version, None
            self._looked = time.monotonic()
        return self._gathered

    async def others(self, participant_id: int | None) -> dict[str, Any]:
        """The others' runs by group, without names or order; empty while they are so few that they could be told apart."""
        return await asyncio.to_thread(self._others, await self.runs(), participant_id)

    def _others(self, runs: pd.DataFrame, participant_id: int | None) -> dict[str, Any]:
        others = runs[runs["participant"] != participant_id]
        arms = list(self.folder.lesson.values.get("arms", {}))
        outcomes = [outcome.name for outcome in OUTCOMES]
        kept = others[[*(f"ran {arm}" for arm in arms), *outcomes]].sort_values(outcomes)
        rows = json.loads(kept.to_json(orient="records")) if len(kept) >= FEWEST else []
        return {"lesson": self.folder.lesson.name, "arms": arms, "outcomes": outcomes, "fewest": FEWEST, "runs": rows}

    async def for_participant(self, participant_id: int) -> dict[str, Any]:
        """One participant's own run beside the others', for their page."""
        runs = await self.runs()
        own = runs[runs["participant"] == participant_id].to_dict("records")
        mine, others = own[0] if own else None, (await self.others(participant_id))["runs"]
        rows = []
        for outcome in OUTCOMES if mine or others else ():
            values = [run[outcome.name] for run in others if run[outcome.name] is not None]
            own_value = mine[outcome.name] if mine and mine[outcome.name] == mine[outcome.name] else None
            axis = chart_axes.axis_of_results([*values, *([] if own_value is None else [own_value])], outcome)
            mean = sum(values) / len(values) if values else None
            rows.append({"outcome": outcome, "others": values, "mine": own_value, "mean": mean, "axis": axis})
        arms = self.folder.lesson.values.get("arms", {})
        groups = {arm: mine[f"ran {arm}"] or mine[f"assigned {arm}"] for arm in arms} if mine else {}
        return {
            "mine": mine,
            "hidden": not others,
            "fewest": FEWEST,
            "rows": rows,
            "groups": groups,
            "draw": chart_axes,
        }
