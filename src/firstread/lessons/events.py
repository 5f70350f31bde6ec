"""Event spool of a notebook: each event is one JSON file, which the participant's server uploads to the class.

Outside a class (FIRSTREAD_SPOOL is not set) nothing is written. Files are written atomically and deleted only after the
receiver has confirmed them, so that no event is lost while the service is down; the file name is the event's key, so
that no event is stored twice.
"""

import json
import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from firstread.core.errors import FirstreadError
from firstread.core.files import read_json, to_jsonable, write_json
from firstread.core.memory import release_memory

#: a step reached; a cell run; a question answered; a group chosen or a result recorded; the end
EventKind = Literal["step", "cell", "answer", "record", "finish"]
#: limit of the spool: a class that never receives must not fill the disk
MAX_PENDING_EVENTS = 5000
#: limit of one event's values as JSON
MAX_EVENT_CHARACTERS = 60_000
#: after a cell that ran longer, freed memory is returned to the system
_RELEASE_MEMORY_AFTER_SECONDS = 0.05


def emit_event(kind: EventKind, *, step: str | None = None, **values: Any) -> None:
    """Write an event to the spool of a class. Never raises, because a lesson must not fail without its class."""
    folder = get_spool_folder()
    if folder is None:
        return
    event = {"kind": kind, "step": step, "values": values, "happened": datetime.now(UTC).isoformat()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if len(json.dumps(to_jsonable(values))) > MAX_EVENT_CHARACTERS:
            short = {name: value for name, value in values.items() if isinstance(value, str) and len(value) < 200}
            event["values"] = {"too_long": True, **short}
        if sum(1 for _ in folder.iterdir()) < MAX_PENDING_EVENTS:
            write_json(folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}.json", event)
    except Exception:  # a full disk, a missing folder, values that are not JSON
        return


def get_spool_folder() -> Path | None:
    """Folder of this notebook's pending events (FIRSTREAD_SPOOL); None outside a class."""
    value = os.environ.get("FIRSTREAD_SPOOL")
    return Path(value) if value else None


def pending_events(folder: Path, *, limit: int = 200) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Oldest pending events, each with its file and its `key`; unreadable files are renamed out of the way."""
    files = (file for file in folder.glob("*.json") if not file.name.startswith("."))  # a dot: still being written
    for file in sorted(files)[:limit]:
        try:
            event = read_json(file)
            values = {name: event[name] for name in ("kind", "step", "values", "happened")}
            yield file, {"key": file.stem[-32:], **values}
        except (FirstreadError, OSError, KeyError, TypeError):
            file.rename(file.with_suffix(".unreadable"))


def register_cell_hooks(shell: Any) -> None:
    """Emit an event for every cell that this IPython runs: cell id, success, error type, seconds.

    An error's type only, never its message: that could contain a value from the user's data.
    """
    started: dict[str, float] = {}

    def before(_: Any) -> None:
        started["at"] = time.perf_counter()

    def after(result: Any) -> None:
        error = result.error_before_exec or result.error_in_exec
        seconds = time.perf_counter() - started.get("at", time.perf_counter())
        name = type(error).__name__ if error is not None else None
        cell = str(getattr(result.info, "cell_id", None) or "")[:64]
        step = _current.get("step")
        emit_event("cell", step=step, cell=cell, ok=error is None, error=name, seconds=round(seconds, 2))
        if seconds > _RELEASE_MEMORY_AFTER_SECONDS:
            release_memory()  # up to a hundred other kernels share this machine

    shell.events.register("pre_run_cell", before)
    shell.events.register("post_run_cell", after)


_current: dict[str, str] = {}


def set_current_step(step: str, *, lesson: str) -> None:
    """Set the step that the following cells' events carry, and emit a step event."""
    _current["step"] = step
    emit_event("step", step=step, lesson=lesson)


def load_ipython_extension(shell: Any) -> None:
    """IPython extension entry point (`%load_ext firstread.lessons.events`), loaded in every kernel of a class."""
    if get_spool_folder() is not None:
        register_cell_hooks(shell)
