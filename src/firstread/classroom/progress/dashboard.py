"""Dashboard of a class: a snapshot as values, and as the HTML parts of the instructor's and the projector's page.

The instructor's page shows everything. The projector's page is for the whole class: it is rendered from values that
hold counts and no names, so that nobody is shamed in public.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.help_requests import open_help_requests
from firstread.classroom.database.schema import ClassState, Event
from firstread.classroom.database.store import Store, as_utc, display_names
from firstread.classroom.progress.capacity import CapacityMonitor
from firstread.classroom.progress.cells import Cells
from firstread.classroom.progress.dashboard_values import (
    Labels,
    broadcast_values,
    error_values,
    help_request_values,
    machine_values,
    plan_values,
    projector_values,
    row_values,
    step_values,
)
from firstread.classroom.progress.event_stream import DashboardSnapshot, EventStream, View
from firstread.classroom.progress.forum_view import (
    ForumCache,
    ForumSnapshot,
    instructor_values,
    projected_values,
)
from firstread.classroom.progress.progress_tracker import EVENT_KINDS, Pause, ProgressTracker
from firstread.core.errors import SettingError

PAGES = Path(__file__).resolve().parents[1] / "pages"
#: transactions may commit in another order than that of their event ids: an id may appear late for this long
SETTLED_SECONDS = 5.0
MAX_BROADCASTS = 50

#: page -> macros of dashboard_parts.html and forum_parts.html, each the id of the element that it renders
_PARTS = {
    "instructor": ("counts", "plan", "door", "help", "stuck", "forum", "broadcasts", "machine", "column_headers"),
    "projector": ("now", "projected", "progress", "gate"),
    "forum": ("forum_mode", "forum_posts"),
}


class Dashboard:
    """Reads the class database incrementally and renders the dashboard's pages.

    Args:
        capacity: of the machine, with the trainings that run on it.

    Attributes:
        event_stream: snapshots as server-sent events, for all pages that are open.
        forum: its cached reads.
    """

    def __init__(self, folder: ClassFolder, store: Store, *, capacity: CapacityMonitor | None = None) -> None:
        self.folder, self.store, self.lesson = folder, store, folder.lesson
        self.cells, self.capacity = Cells(folder), capacity or CapacityMonitor(folder.path)
        self.event_stream, self.forum = EventStream(self.snapshot), ForumCache(store)
        self._pages = Environment(loader=FileSystemLoader(PAGES), autoescape=True)
        self._lock = threading.Lock()
        self._tracker = ProgressTracker(self.lesson.steps)
        self._unsettled_ids: set[int] = set()
        self._settled_id = self._newest_id = 0
        self._pauses: list[Pause] = []
        self._paused_since: datetime | None = None
        self._forum_cache: tuple[tuple[Any, ...], dict[str, Any]] | None = None
        self._forum_parts: tuple[dict[str, Any], dict[str, str]] | None = None
        self._row_cache: dict[str, tuple[dict[str, Any], str]] = {}

    def render(self, page: str, **values: Any) -> str:
        """Render a page as HTML; all values are escaped."""
        return self._pages.get_template(page).render(lesson=self.lesson.title, **values)

    def read_source(self, name: str) -> str:
        """Read a file of the pages folder, such as a script or a style sheet."""
        return (PAGES / name).read_text(encoding="utf-8")

    def check_step(self, step: str) -> str | None:
        """Return the id of a step if the lesson has it; None for an empty id ("everyone at their own pace").

        Raises:
            SettingError: the lesson has no such step.
        """
        if step and step not in [one["id"] for one in self.lesson.steps]:
            raise SettingError(f'The lesson has no step "{step}"')
        return step or None

    def snapshot(self) -> DashboardSnapshot:
        """The class now, as values and as rendered parts; only events that are new since the last call are read."""
        with self._lock:
            values = self._collect_values(datetime.now(UTC))
            parts: dict[View, dict[str, str]] = {
                "instructor": self._render_instructor(values),
                "projector": self._render_projector(values),
                "forum": self._render_forum(values["forum"]),
            }
            return DashboardSnapshot(values, parts, self._newest_id)

    def values(self) -> dict[str, Any]:
        """The values of a new snapshot."""
        return self.snapshot().values

    # ---- values

    def _collect_values(self, now: datetime) -> dict[str, Any]:
        participants, state, steps = self.store.participants(), self.store.state(), self.lesson.steps
        self._record_pauses(state, now)
        self._tracker.add_events(self._read_new_events(now))
        progress = self._tracker.progress_of(participants, now, self._pauses)
        names = display_names(participants)
        labels = {one.id: {"number": one.number, "name": names[one.id]} for one in participants}
        requests = [request for request in open_help_requests(self.store) if request.participant_id in labels]
        forum = self.forum.read()
        asking = {request.participant_id for request in requests}
        rows = [
            row_values(
                one, labels[one.participant.id], steps=steps, cells=self.cells, asks_help=one.participant.id in asking
            )
            for one in progress
        ]
        return {
            "steps": step_values(steps, rows),
            "rows": rows,
            "errors": error_values(progress, labels, self.cells),
            "queue": [help_request_values(one, labels[one.participant_id], steps, now) for one in requests],
            "slow": [row for row in rows if row["problem"] == "slow"],
            "forum": self._forum_values(forum, labels, now),
            "projected": projected_values(forum),
            "door": state.door,
            "called": state.step,
            "code": self.folder.settings.join_code,
            "broadcasts": [broadcast_values(one, now) for one in self.store.broadcasts()[-MAX_BROADCASTS:]][::-1],
            "machine": machine_values(self.capacity.current_usage()),
            "in_class": len(rows),
            "stuck": sum(bool(row["problem"]) for row in rows),
            "finished": sum(row["finished"] for row in rows),
        } | plan_values(steps, state, progress, now)

    def _forum_values(self, forum: ForumSnapshot, labels: Labels, now: datetime) -> dict[str, Any]:
        """The forum for the instructor, computed only if a post or the class has changed, or another minute began."""
        key = (forum.version, len(labels), now.replace(second=0, microsecond=0))
        if self._forum_cache is None or self._forum_cache[0] != key:
            self._forum_cache = key, instructor_values(forum, labels, now)
        return self._forum_cache[1]

    def _read_new_events(self, now: datetime) -> list[Event]:
        """Read events that were not read before, also those whose transaction committed after that of a later id."""
        read = self.store.events(after=self._settled_id, kinds=EVENT_KINDS)
        new_events = [event for event in read if event.id not in self._unsettled_ids]
        self._newest_id = max([self._newest_id, *(event.id for event in read)])
        settled = [event.id for event in read if (now - as_utc(event.received)).total_seconds() > SETTLED_SECONDS]
        self._settled_id = max(settled, default=self._settled_id)
        self._unsettled_ids = {event.id for event in read if event.id > self._settled_id}
        return new_events

    def _record_pauses(self, state: ClassState, now: datetime) -> None:
        """Record when the plan was paused; time in a pause makes no participant slow."""
        if self._paused_since is not None:
            self._pauses[-1] = (self._paused_since, now)
        paused = as_utc(state.paused) if state.paused else None
        if paused is not None and paused != self._paused_since:
            self._pauses.append((paused, now))
        self._paused_since = paused

    # ---- HTML parts

    def _render_instructor(self, values: dict[str, Any]) -> dict[str, str]:
        """Element id -> HTML; a participant's row is rendered only if it has changed."""
        macros = self._macros()
        parts = {name: str(macros[name](values)) for name in _PARTS["instructor"]}
        rows: dict[str, tuple[dict[str, Any], str]] = {}
        for row in values["rows"]:
            element_id = f"row-{row['number']}"
            cached = self._row_cache.get(element_id)
            if cached is None or cached[0] != row:
                cached = row, str(macros["row"](row, self.lesson.steps))
            rows[element_id] = cached
        self._row_cache = rows
        return parts | {element_id: html for element_id, (_, html) in rows.items()}

    def _render_projector(self, values: Mapping[str, Any]) -> dict[str, str]:
        macros, public = self._macros(), projector_values(values)
        return {name: str(macros[name](public)) for name in _PARTS["projector"]}

    def _render_forum(self, forum: dict[str, Any]) -> dict[str, str]:
        """Parts of the forum's page, rendered only if its values are others than before."""
        if self._forum_parts is None or self._forum_parts[0] is not forum:
            macros = self._macros()
            self._forum_parts = forum, {name: str(macros[name](forum)) for name in _PARTS["forum"]}
        return self._forum_parts[1]

    def _macros(self) -> Mapping[str, Callable[..., Markup]]:
        """The macros of the pages' parts by name."""
        names = ("dashboard_parts.html", "forum_parts.html")
        return {key: macro for name in names for key, macro in vars(self._pages.get_template(name).module).items()}
