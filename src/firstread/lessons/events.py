"""What a notebook tells its class, if it has one: each thing is a small file in a spool, taken away by whoever carries it on.

Outside a class (FIRSTREAD_SPOOL is not set) nothing is told and nothing is written. A file is written whole or not at all and is deleted only once
its receiver has it, so that a service that is down loses nothing; its name is its key, so that nothing arrives twice.
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
from firstread.core.files import plain, read_json, write_json
from firstread.core.memory import release_memory

#: what can be told: a step reached; a cell run; a question answered; a group chosen or a result kept; the end
Kind = Literal["step", "cell", "answer", "record", "finish"]
#: so many wait at most; a class that never listens must not fill the disk
MOST_WAITING = 5000
#: of one thing; more is not carried
MOST_CHARACTERS = 60_000
#: after a cell that took so long, what it has freed is given back to the system
_LONG_SECONDS = 0.05


def tell(kind: Kind, *, step: str | None = None, **values: Any) -> None:
    """Tell the class, if there is one. It never fails: what a class wants to know must not disturb a lesson."""
    folder = spool()
    if folder is None:
        return
    told = {"kind": kind, "step": step, "values": values, "happened": datetime.now(UTC).isoformat()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if len(json.dumps(plain(values))) > MOST_CHARACTERS:
            told["values"] = {"too_long": True, **{k: v for k, v in values.items() if isinstance(v, str) and len(v) < 200}}
        if sum(1 for _ in folder.iterdir()) < MOST_WAITING:
            write_json(folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}.json", told)
    except Exception:  # a full disk, a folder that is gone, values that are no plain values
        return


def spool() -> Path | None:
    """Where this notebook's news lie; None outside a class."""
    named = os.environ.get("FIRSTREAD_SPOOL")
    return Path(named) if named else None


def waiting(folder: Path, *, most: int = 200) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The oldest news that nobody has taken yet, each with its file and its `key`; what cannot be read is put aside."""
    files = (file for file in folder.glob("*.json") if not file.name.startswith("."))  # a dot: not whole yet
    for file in sorted(files)[:most]:
        try:
            told = read_json(file)
            yield file, {"key": file.stem[-32:], **{name: told[name] for name in ("kind", "step", "values", "happened")}}
        except (FirstreadError, OSError, KeyError, TypeError):
            file.rename(file.with_suffix(".unreadable"))


def watch_cells(shell: Any) -> None:
    """Tell of every cell that this IPython runs: which, whether it failed, with what kind of error, and how long it took.

    Of an error only its name is told, never its message: that could hold a value out of somebody's data.
    """
    started: dict[str, float] = {}

    def before(_: Any) -> None:
        started["at"] = time.perf_counter()

    def after(result: Any) -> None:
        error = result.error_before_exec or result.error_in_exec
        seconds = time.perf_counter() - started.get("at", time.perf_counter())
        tell(
            "cell", step=_now.get("step"), cell=str(getattr(result.info, "cell_id", None) or "")[:64], ok=error is None,
            error=type(error).__name__ if error is not None else None, seconds=round(seconds, 2),
        )  # fmt: skip
        if seconds > _LONG_SECONDS:
            release_memory()  # a hundred others share it

    shell.events.register("pre_run_cell", before)
    shell.events.register("post_run_cell", after)


_now: dict[str, str] = {}


def at_step(step: str, *, lesson: str) -> None:
    """From now on cells are of this step."""
    _now["step"] = step
    tell("step", step=step, lesson=lesson)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext firstread.lessons.events`; a class does it for every kernel."""
    if spool() is not None:
        watch_cells(shell)
