"""The class as participants see it: the plan, the step that the instructor called, what was said to all, and their own call for help.

A hundred bars ask for it every few seconds; they are answered from one reading of the class's memory.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from firstread.classroom.database.schema import Broadcast, ClassState, Help, Participant
from firstread.classroom.database.store import DoorError, Store, aware, minutes_gone
from firstread.classroom.progress.progress_tracker import AWAY_SECONDS, step_of_plan

FRESH_SECONDS = 0.7
#: an open browser is noted so often, and not at each of its questions
NOTED_SECONDS = 15.0
#: a bar asks so often; in a large class less often, so that all together ask no more than so many times a second
ASK_SECONDS, LONGEST_SECONDS, MOST_A_SECOND = 5.0, 15.0, 12.0


@dataclass(frozen=True)
class _Reading:
    state: ClassState
    said: list[Broadcast]
    asked: list[Help]
    people: dict[str, Participant]
    again_seconds: float


class Now:
    """Answers participants.

    Args:
        store: the class's memory.
        steps: of the lesson: `id`, `title` and planned `minutes`.
    """

    def __init__(self, store: Store, steps: Sequence[Mapping[str, Any]]) -> None:
        self.store, self.steps = store, steps
        self._reading: _Reading | None = None
        self._until = 0.0
        self._one_at_a_time = asyncio.Lock()

    def look_again(self) -> None:
        """Something has changed: the next answer comes from a new reading."""
        self._until = 0.0

    async def of(self, username: str, *, after: int = 0) -> dict[str, Any]:
        """How the class stands for one participant.

        Args:
            after: of broadcasts only those after the one with this number.

        Raises:
            DoorError: there is no such participant.
        """
        reading = await self._read()
        person = reading.people.get(username)
        if person is None:
            raise DoorError("There is no such participant", do="join the class again")
        if (datetime.now(UTC) - aware(person.seen)).total_seconds() > NOTED_SECONDS:
            await asyncio.to_thread(self.store.notice, username)
        mine = [one for one in reading.asked if one.participant_id == person.id]
        return {
            "steps": [{name: step[name] for name in ("id", "title", "minutes")} for step in self.steps],
            "called": reading.state.step,
            "again_seconds": reading.again_seconds,
            "plan": self._plan(reading.state),
            "broadcasts": [
                {"id": one.id, "text": one.text, "sent": _written(one.sent)}
                for one in reading.said
                if one.id > after and aware(one.sent) >= aware(person.joined)
            ],
            "help": _open_one(mine, reading.asked),
            "answers": [
                {"id": one.id, "note": one.note, "text": one.answer, "sent": _written(one.changed)}
                for one in mine
                if one.answer
            ],
        }

    async def _read(self) -> _Reading:
        async with self._one_at_a_time:
            if self._reading is None or time.monotonic() > self._until:
                self._until = (
                    time.monotonic() + FRESH_SECONDS
                )  # before reading: who changes something meanwhile sets it back
                self._reading = await asyncio.to_thread(self._look)
            return self._reading

    def _look(self) -> _Reading:
        store = self.store
        people = {person.username: person for person in store.people()}
        now = datetime.now(UTC)
        there = sum((now - aware(person.seen)).total_seconds() < AWAY_SECONDS for person in people.values())
        again = min(LONGEST_SECONDS, max(ASK_SECONDS, there / MOST_A_SECOND))
        return _Reading(store.state(), store.broadcasts(), store.help_lines(), people, round(again, 1))

    def _plan(self, state: ClassState) -> dict[str, Any]:
        gone = minutes_gone(state, datetime.now(UTC))
        if gone is None:
            return {"state": "before", "minutes_left": None, "step": None}
        left = sum(step["minutes"] for step in self.steps) - gone
        name = "over" if left <= 0 else "paused" if state.paused else "running"
        return {"state": name, "minutes_left": max(0.0, round(left, 2)), "step": step_of_plan(self.steps, gone)[0]}


def _open_one(mine: Sequence[Help], everyones: Sequence[Help]) -> dict[str, Any] | None:
    """Their call for help that is not resolved, with its place among those who wait."""
    found = next((one for one in mine if one.state != "resolved"), None)
    if found is None:
        return None
    waiting = [one.id for one in everyones if one.state == "waiting"]
    place = waiting.index(found.id) + 1 if found.id in waiting else None
    return {
        "id": found.id, "state": found.state, "note": found.note, "place": place, "asked": _written(found.asked),
    }  # fmt: skip


def _written(moment: datetime) -> str:
    return aware(moment).isoformat()
