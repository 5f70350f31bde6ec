"""Files of a saved cohort: cases.parquet, images.parquet, targets.parquet and cohort.json."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError
from firstread.core.files import read_json, write_json
from firstread.core.provenance import Origin, Step
from firstread.core.tables import Tables
from firstread.core.task_protocol import Task, task_from_json, task_to_json
from firstread.core.windows import WindowLike

#: of the tables and of cohort.json; a cohort of another one is not read
SCHEMA_VERSION = 1


def write_cohort(
    folder: Path, tables: Tables, *, task: Task, origin: Origin, steps: Sequence[Step], window: WindowLike
) -> None:
    """Write a cohort's files; those of its images that lie under the folder are named relative to it."""
    folder.mkdir(parents=True, exist_ok=True)
    tables.save(folder, _relative_to(folder.resolve()))
    header = {"schema": SCHEMA_VERSION, "task": task_to_json(task), "origin": asdict(origin)}
    write_json(folder / "cohort.json", {**header, "window": window, "steps": [asdict(step) for step in steps]})


def read_cohort(folder: Path) -> dict[str, Any]:
    """Read the fields of a cohort: tables, task, origin, steps and window.

    Raises:
        DataError: the folder holds no cohort, a broken one, or one of another version of firstread.
    """
    header = read_json(folder / "cohort.json")
    remedy = "delete the folder and run the step again"
    try:
        if header.get("schema") != SCHEMA_VERSION:
            age = "a newer" if int(header.get("schema") or 0) > SCHEMA_VERSION else "an older"
            raise DataError(f"The saved cohort was written by {age} version of firstread", where=folder, do=remedy)
        return {
            "tables": Tables.load(folder),
            "task": task_from_json(header["task"]),
            "origin": Origin(**header["origin"]),
            "steps": tuple(Step(**step) for step in header["steps"]),
            "window": tuple(header["window"]) if isinstance(header["window"], list) else header["window"],
        }
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("The saved cohort is broken", where=folder, do=remedy) from error


def _relative_to(base: Path) -> Callable[[str], str]:
    """Function that names a file relative to a folder if it is inside, else by its absolute path."""

    @lru_cache(maxsize=4096)
    def resolved(folder: Path) -> Path:
        return folder.resolve()

    def relative(file: str) -> str:
        path = resolved(Path(file).parent) / Path(file).name
        return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)

    return relative
