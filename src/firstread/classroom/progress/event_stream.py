"""Server-sent events: one look at the class serves all who watch, and each is sent only what has changed."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Literal

View = Literal["instructor", "projector"]

LOOK_SECONDS = 0.5
#: a sign of life, so that a page knows that it is not cut off
ALIVE_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """The class at one moment.

    Attributes:
        values: what is so.
        parts: of the two pages: view -> id of an element -> the element as HTML.
        seen: number of the newest event that is in it.
    """

    values: dict[str, Any]
    parts: dict[View, dict[str, str]]
    seen: int = 0


class Stream:
    """Looks while somebody watches.

    Args:
        look: what is shown now; called in a thread.
    """

    def __init__(self, look: Callable[[], Look]) -> None:
        self.looks = 0
        self._look = look
        self._viewers, self._well = 0, True
        self._latest: Look | None = None
        self._news = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    async def changes(self, view: View) -> AsyncIterator[str]:
        """The parts of a view as events: first all of them, then those that have changed and those that are gone."""
        shown: dict[str, str] = {}
        seen = -1
        first, self._viewers = True, self._viewers + 1
        try:
            if self._watching is None or self._watching.done():
                self._latest, self._watching = None, asyncio.create_task(self._watch())
            while True:
                news = self._news  # taken before the look, so that nothing between the two is missed
                if self._latest is not None:
                    parts = self._latest.parts[view]
                    changed = {name: html for name, html in parts.items() if shown.get(name) != html}
                    gone = [name for name in shown if name not in parts]
                    number = f"id: {self._latest.seen}\n" if self._latest.seen != seen else ""
                    if first or changed or gone:
                        yield f"data: {json.dumps({'whole': first, 'parts': changed, 'gone': gone})}\n{number}\n"
                    elif number:  # nothing to show, but a rehearsal wants to know how soon it was known
                        yield f"{number}\n"
                    shown, seen, first = parts, self._latest.seen, False
                try:
                    await asyncio.wait_for(news.wait(), ALIVE_SECONDS)
                except TimeoutError:
                    if self._well:
                        yield "event: alive\ndata:\n\n"
        finally:
            self._viewers -= 1
            if not self._viewers and self._watching is not None:
                self._watching.cancel()
                self._watching = None

    async def _watch(self) -> None:
        while True:
            try:
                latest = await asyncio.to_thread(self._look)
                self.looks, self._well = self.looks + 1, True
                if self._latest is None or (latest.parts, latest.seen) != (self._latest.parts, self._latest.seen):
                    self._latest, told, self._news = latest, self._news, asyncio.Event()
                    told.set()
            except Exception as error:  # the class's memory is away for a moment; its message could hold names
                self._well = False
                _log.warning("The class could not be looked at: %s", type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)
