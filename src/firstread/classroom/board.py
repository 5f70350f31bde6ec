"""What the instructor sees: the class in one picture, renewed as it changes."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from firstread.classroom.folder import ClassFolder
from firstread.classroom.standing import errors_by_kind, stand, step_of_plan
from firstread.classroom.store import Store, minutes_gone, shown_names
from firstread.classroom.tables import Event, Participant
from firstread.core.errors import SettingError
from firstread.lessons.finding import step_of

PAGES = Path(__file__).resolve().parent / "pages"
LOOK_SECONDS = 0.7


class Board:
    """Reads the class's memory, keeps what it has read, and draws it."""

    def __init__(self, folder: ClassFolder, store: Store) -> None:
        self.folder, self.store, self.lesson = folder, store, folder.lesson
        self._events: list[Event] = []
        self._reading = threading.Lock()
        self._pages = Environment(loader=FileSystemLoader(PAGES), autoescape=True)
        self._cells = _names_of_cells(folder)

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

    def values(self) -> dict[str, Any]:
        """Everything that the page shows."""
        people, now = self.store.people(), datetime.now(UTC)
        steps, names, state = self.lesson.steps, shown_names(people), self.store.state()
        standings = stand(people, self._events_of(people), steps, now)
        minutes = minutes_gone(state, now)
        planned, left = step_of_plan(steps, minutes)
        place = {step["id"]: number for number, step in enumerate(steps)}
        rows = [
            {
                "name": names[one.participant.id], "step": one.step, "place": place.get(one.step, -1),
                "trouble": one.trouble, "finished": one.finished, "away": one.away, "minutes": int(one.seconds // 60),
                "error": one.error and (one.error[0], self._cells.get(one.error[1], one.error[1])),
            }
            for one in standings
        ]  # fmt: skip
        return {
            "steps": steps, "rows": rows, "state": state, "minutes": minutes, "planned": planned, "left": left,
            "stuck": [row for row in rows if row["trouble"]],
            "errors": [(name, self._cells.get(cell, cell), count) for name, cell, count in errors_by_kind(standings)],
            "queue": [
                {"number": asked.id, "name": names[asked.participant_id], "note": asked.note, "step": asked.step, "state": asked.state}
                for asked in self.store.help_queue()
            ],
            "code": self.folder.settings.join_code,
        }  # fmt: skip

    def _events_of(self, people: Sequence[Participant]) -> list[Event]:
        """All events of these people; only new ones are read, by one viewer's thread at a time, so that none is taken twice."""
        present = {person.id for person in people}
        with self._reading:
            self._events += self.store.events(after=self._events[-1].id if self._events else 0)
            self._events = [event for event in self._events if event.participant_id in present]
            return self._events

    def plain(self) -> dict[str, Any]:
        """The standings as plain values."""
        values = self.values()
        return {name: values[name] for name in ("rows", "minutes", "planned", "left", "errors", "queue")} | {
            "door": values["state"].door
        }

    async def changes(self) -> AsyncIterator[str]:
        """The moving part of the page as server-sent events, each time it has changed, and a sign of life now and then."""
        shown, quiet = "", 0
        while True:
            now = await asyncio.to_thread(self._moving_part)
            if now != shown:
                yield f"data: {json.dumps(now)}\n\n"
                shown, quiet = now, 0
            else:
                quiet += 1
                if quiet % 20 == 0:
                    yield ": still here\n\n"
            await asyncio.sleep(LOOK_SECONDS)

    def _moving_part(self) -> str:
        return self.render("board.html", **self.values())

    def join_address(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Where participants go, as the instructor's own browser reached this machine, and the same as a picture to scan."""
        import segno

        host = headers.get("x-forwarded-host") or headers.get("host", "")
        address = f"{self.folder.scheme}://{host}/"
        code = segno.make(f"{address}hub/login?code={self.folder.settings.join_code}", error="m", micro=False)
        return {"address": address, "picture": code.svg_inline(border=3, omitsize=True, dark="#000", light="#fff")}


def _names_of_cells(folder: ClassFolder) -> dict[str, str]:
    """Cell id -> what to call it: its step and its number."""
    import nbformat

    template = folder.path / "template.ipynb"
    names, step = {}, ""
    if template.exists():
        for number, cell in enumerate(nbformat.read(template, as_version=4).cells, start=1):
            step = step_of(cell) or step
            names[cell["id"]] = f"{step}, cell {number}" if step else f"cell {number}"
    return names
