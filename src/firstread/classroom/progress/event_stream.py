"""Server-sent events of the dashboard: one snapshot serves all viewers, and each is sent only what has changed."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

View = Literal["instructor", "projector", "forum"]

POLL_SECONDS = 0.5
#: interval of keep-alive events, from which a page knows that it is connected
KEEPALIVE_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DashboardSnapshot:
    """The dashboard at one moment.

    Attributes:
        values: plain values that the parts are rendered from.
        parts: view -> id of an element -> the element as HTML.
        last_event_id: id of the newest event of the class database that is in it.
    """

    values: dict[str, Any]
    parts: dict[View, dict[str, str]]
    last_event_id: int = 0


class EventStream:
    """Polls snapshots as long as there is a viewer, and streams the changes.

    Args:
        take_snapshot: returns the current snapshot; called in a thread.

    Attributes:
        snapshot_count: number of snapshots taken.
    """

    def __init__(self, take_snapshot: Callable[[], DashboardSnapshot]) -> None:
        self.snapshot_count = 0
        self._take_snapshot = take_snapshot
        self._viewer_count, self._is_healthy = 0, True
        self._latest: DashboardSnapshot | None = None
        self._changed = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    async def events(self, view: View) -> AsyncIterator[str]:
        """Stream a view as server-sent events: first all parts, then those that have changed or are gone."""
        shown: dict[str, str] = {}
        shown_id = -1
        first, self._viewer_count = True, self._viewer_count + 1
        try:
            if self._polling is None or self._polling.done():
                self._latest, self._polling = None, asyncio.create_task(self._poll())
            while True:
                changed = self._changed  # read before the snapshot, so that a change in between is not missed
                latest = self._latest  # the same one before and after a yield
                if latest is not None:
                    parts = latest.parts[view]
                    data = _changes(shown, parts, first=first)
                    id_line = f"id: {latest.last_event_id}\n" if latest.last_event_id != shown_id else ""
                    if data:
                        yield f"data: {json.dumps(data)}\n{id_line}\n"
                    elif id_line:  # nothing to show, but the load test measures the delay by the id
                        yield f"{id_line}\n"
                    shown, shown_id, first = parts, latest.last_event_id, False
                try:
                    await asyncio.wait_for(changed.wait(), KEEPALIVE_SECONDS)
                except TimeoutError:
                    if self._is_healthy and not changed.is_set():
                        yield "event: alive\ndata:\n\n"
        finally:
            self._viewer_count -= 1
            if not self._viewer_count and self._polling is not None:
                self._polling.cancel()
                self._polling = None

    async def _poll(self) -> None:
        while True:
            try:
                latest = await asyncio.to_thread(self._take_snapshot)
                self.snapshot_count, self._is_healthy = self.snapshot_count + 1, True
                if self._latest is None or _shown(latest) != _shown(self._latest):
                    self._latest, changed, self._changed = latest, self._changed, asyncio.Event()
                    changed.set()
            except Exception as error:  # the database is not available; the message is not logged: it could hold names
                self._is_healthy = False
                _log.warning("The class could not be looked at: %s", type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)


def _changes(shown: Mapping[str, str], parts: Mapping[str, str], *, first: bool) -> dict[str, Any] | None:
    """Parts that differ from those shown, and ids of those that are gone; None if nothing has changed."""
    changed = {name: html for name, html in parts.items() if shown.get(name) != html}
    gone = [name for name in shown if name not in parts]
    return {"whole": first, "parts": changed, "gone": gone} if first or changed or gone else None


def _shown(snapshot: DashboardSnapshot) -> tuple[Any, ...]:
    return snapshot.parts, snapshot.last_event_id
