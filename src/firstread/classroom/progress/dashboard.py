"""What the instructor sees: the class at one moment, as values and as the parts of two pages.

The instructor's page shows everything. The projector's page is for the room: counts and no names, so that nobody is shamed in public; it is drawn
from values that hold no names.
"""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.instructor_store import calls_for_help
from firstread.classroom.database.schema import Broadcast, ClassState, Event
from firstread.classroom.database.store import Store, aware, minutes_gone, shown_names
from firstread.classroom.progress.capacity import Headroom
from firstread.classroom.progress.cells import Cells
from firstread.classroom.progress.event_stream import Look, Stream
from firstread.classroom.progress.progress_tracker import (
    KINDS,
    Following,
    Pause,
    Standing,
    behind,
    errors_by_kind,
    middle_step,
    step_of_plan,
)
from firstread.core.errors import SettingError

PAGES = Path(__file__).resolve().parents[1] / "pages"
#: events may become visible in another order than that of their numbers: so long after them the ones before are read again
SETTLED_SECONDS = 5.0
#: so long a word to all stays on the projector
SAID_SECONDS = 600
MOST_SAID = 50

_PARTS = {
    "instructor": ("figures", "plan", "door", "help", "stuck", "said", "machine", "heads"),
    "projector": ("now", "progress", "gate"),
}
# who needs somebody comes first
_ASKS, _ERROR, _SLOW, _ON_THE_WAY, _AWAY, _FINISHED = range(6)


class Board:
    """Reads the class's memory, keeps what it has read, and draws it."""

    def __init__(self, folder: ClassFolder, store: Store) -> None:
        self.folder, self.store, self.lesson = folder, store, folder.lesson
        self.cells, self.headroom = Cells(folder), Headroom(folder.path)
        self.stream = Stream(self.look)
        self._pages = Environment(loader=FileSystemLoader(PAGES), autoescape=True)
        self._one_at_a_time = threading.Lock()
        self._following = Following(self.lesson.steps)
        self._seen: set[int] = set()
        self._settled = self._newest = 0
        self._pauses: list[Pause] = []
        self._paused: datetime | None = None
        self._rows: dict[str, tuple[dict[str, Any], str]] = {}

    def render(self, page: str, **values: Any) -> str:
        """A page as HTML; everything in it is escaped."""
        return self._pages.get_template(page).render(lesson=self.lesson.title, **values)

    def source(self, name: str) -> str:
        """A file of the pages as it is."""
        return (PAGES / name).read_text(encoding="utf-8")

    def known_step(self, step: str) -> str | None:
        """A step of the lesson, or None for "everyone at their own pace"."""
        if step and step not in [one["id"] for one in self.lesson.steps]:
            raise SettingError(f'The lesson has no step "{step}"')
        return step or None

    def look(self) -> Look:
        """The class now. One thread at a time: what was read before is not read again."""
        with self._one_at_a_time:
            values = self._values(datetime.now(UTC))
            return Look(
                values, {"instructor": self._draw(values), "projector": self._draw_in_public(values)}, self._newest
            )

    def plain(self) -> dict[str, Any]:
        """The class now as plain values."""
        return self.look().values

    # ---- what is so

    def _values(self, now: datetime) -> dict[str, Any]:
        people, state = self.store.people(), self.store.state()
        self._note_pauses(state, now)
        self._following.take(self._news(now))
        standings = self._following.standings(people, now, self._pauses)
        names = shown_names(people)
        who = {person.id: {"number": person.number, "name": names[person.id]} for person in people}
        waiting = [call for call in calls_for_help(self.store) if call.participant_id in who]
        asking = {call.participant_id for call in waiting}
        rows = [self._row(one, who[one.participant.id], one.participant.id in asking) for one in standings]
        machine = self.headroom.now()
        return {
            "steps": self._steps(rows), "rows": rows, "errors": self._errors(standings, who),
            "queue": [self._call(call, who[call.participant_id], now) for call in waiting],
            "slow": [row for row in rows if row["trouble"] == "slow"],
            "door": state.door, "called": state.step, "code": self.folder.settings.join_code,
            "said": [_said(one, now) for one in self.store.broadcasts()[-MOST_SAID:]][::-1],
            "machine": {
                "words": machine.words(), "warnings": machine.warnings(), "training": machine.training, "waiting": machine.waiting,
            },
            "in_class": len(rows), "stuck": sum(bool(row["trouble"]) for row in rows), "finished": sum(row["finished"] for row in rows),
        } | self._plan(state, standings, now)  # fmt: skip

    def _news(self, now: datetime) -> list[Event]:
        """Events that were not read before; numbers that were given out but not yet kept when others were read are waited for."""
        read = self.store.events(after=self._settled, kinds=KINDS)
        news = [event for event in read if event.id not in self._seen]
        self._newest = max([self._newest, *(event.id for event in read)])
        settled = [event.id for event in read if (now - aware(event.received)).total_seconds() > SETTLED_SECONDS]
        self._settled = max(settled, default=self._settled)
        self._seen = {event.id for event in read if event.id > self._settled}
        return news

    def _note_pauses(self, state: ClassState, now: datetime) -> None:
        """Remembers when the plan stood still; a class that talks is not slow."""
        if self._paused is not None:
            self._pauses[-1] = (self._paused, now)
        paused = aware(state.paused) if state.paused else None
        if paused is not None and paused != self._paused:
            self._pauses.append((paused, now))
        self._paused = paused

    def _plan(self, state: ClassState, standings: Sequence[Standing], now: datetime) -> dict[str, Any]:
        steps, minutes = self.lesson.steps, minutes_gone(state, now)
        planned, left = step_of_plan(steps, minutes)
        middle = middle_step(standings, steps)
        late = behind(middle, steps, minutes)
        return {
            "minutes": minutes, "minutes_planned": sum(step["minutes"] for step in steps), "planned": planned, "left": left,
            "paused": state.paused is not None, "middle": middle, "behind": late,
        }  # fmt: skip

    def _row(self, one: Standing, who: Mapping[str, Any], asks: bool) -> dict[str, Any]:
        minutes = int(one.seconds // 60)
        place = next((number for number, step in enumerate(self.lesson.steps) if step["id"] == one.step), -1)
        rank = (
            _ASKS if asks else _ERROR if one.trouble == "error" else _SLOW if one.trouble == "slow"
            else _FINISHED if one.finished else _AWAY if one.away else _ON_THE_WAY
        )  # fmt: skip
        return {
            **who, "step": one.step, "place": place, "minutes": minutes,
            "trouble": one.trouble, "asks": asks, "finished": one.finished, "away": one.away,
            "error": one.error and (one.error[0], str(self.cells.find(one.error[1]))),
            "rank": 1000 * rank + (999 - min(999, minutes) if rank <= _SLOW else 0),
        }  # fmt: skip

    def _steps(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The steps, each with how many are at it now and how many are through."""
        return [
            {
                **step, "number": number + 1,
                "here": sum(row["place"] == number and not row["finished"] for row in rows),
                "through": sum(row["place"] > number or row["finished"] for row in rows),
            }
            for number, step in enumerate(self.lesson.steps)
        ]  # fmt: skip

    def _errors(self, standings: Sequence[Standing], who: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [
            {
                "kind": kind, "cell": self.cells.plain(cell), "id": cell, "count": count,
                "people": [who[one.participant.id] for one in standings if one.error == (kind, cell)],
            }
            for kind, cell, count in errors_by_kind(standings)
        ]  # fmt: skip

    def _call(self, call: Any, who: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        steps = {step["id"]: f"{number}. {step['title']}" for number, step in enumerate(self.lesson.steps, start=1)}
        return {
            "number": call.id, "participant": who["number"], "name": who["name"],
            "note": call.note, "step": steps.get(call.step), "error": call.error, "state": call.state, "answer": call.answer,
            "minutes": _minutes_since(call.asked, now), "has_copy": call.has_copy,
        }  # fmt: skip

    # ---- as parts of pages

    def _draw(self, values: dict[str, Any]) -> dict[str, str]:
        """The instructor's parts; a participant's row is drawn when something in it has changed."""
        parts = self._pages.get_template("parts.html").module
        drawn = {name: str(getattr(parts, name)(values)) for name in _PARTS["instructor"]}
        rows, steps = {}, self.lesson.steps
        for row in values["rows"]:
            name, before = f"row-{row['number']}", self._rows.get(f"row-{row['number']}")
            rows[name] = before if before and before[0] == row else (row, str(parts.row(row, steps)))
        self._rows = rows
        return drawn | {name: html for name, (_, html) in rows.items()}

    def _draw_in_public(self, values: Mapping[str, Any]) -> dict[str, str]:
        parts = self._pages.get_template("parts.html").module
        shown = in_public(values)
        return {name: str(getattr(parts, name)(shown)) for name in _PARTS["projector"]}


def in_public(values: Mapping[str, Any]) -> dict[str, Any]:
    """What may stand on the projector: counts, the plan, and what was said to all. No names, and nothing of who is in trouble."""
    kept = (
        "steps", "door", "called", "code", "minutes", "minutes_planned", "planned", "left", "paused", "in_class", "finished",
    )  # fmt: skip
    said = [one for one in values["said"][:1] if one["seconds"] < SAID_SECONDS]
    machine = {name: values["machine"][name] for name in ("training", "waiting")}
    return {name: values[name] for name in kept} | {"said": said, "machine": machine}


def _said(one: Broadcast, now: datetime) -> dict[str, Any]:
    return {
        "number": one.id,
        "text": one.text,
        "minutes": _minutes_since(one.sent, now),
        "seconds": (now - aware(one.sent)).total_seconds(),
    }


def _minutes_since(moment: datetime, now: datetime) -> int:
    return max(0, int((now - aware(moment)).total_seconds() // 60))
