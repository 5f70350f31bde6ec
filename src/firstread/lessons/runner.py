"""`firstread run`: a lesson from start to finish without a browser, and what is measured afterwards."""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from firstread.core.errors import FirstreadError
from firstread.core.files import read_json, write_json, write_text
from firstread.core.progress_bar import Progress
from firstread.core.paths import runs_folder
from firstread.lessons import preload
from firstread.lessons.lesson_info import LessonInfo, find_lesson, step_of
from firstread.lessons.session import draw_arm

CELL_SECONDS = 1800


class LessonFailedError(FirstreadError):
    """A cell of a lesson failed; everything before it is kept."""


def run_lesson(
    name: str, *, data: str | None = None, seed: int = 0, folder: str | Path | None = None, measure: bool = True
) -> dict[str, Any]:
    """Execute a lesson's notebook as a learner would, keep it with its outputs, and measure what its data allow.

    Args:
        name: of the lesson.
        data: name or path of other data.
        seed: of everything random.
        folder: where everything goes; default a new folder among the runs.
        measure: False leaves out cross-validation and repeated splits.

    Returns:
        Plain values: lesson, data, seed, result, measured, seconds, memory, versions, files.

    Raises:
        LessonFailedError: a cell failed; the notebook so far is kept and named.
    """
    info = find_lesson(name)
    data = data or info.values["data"]
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{info.name}"
    folder = Path(folder) if folder else runs_folder() / "lessons" / stamp
    folder.mkdir(parents=True, exist_ok=True)
    seconds = {}
    start = time.perf_counter()
    with _python(folder, data=_absolute(data), seed=seed) as python:
        notebook = with_edits(info, seed=seed)
        try:
            _execute(notebook, folder, info, python)
        finally:
            files = _keep(notebook, folder, info)
    seconds["notebook"] = round(time.perf_counter() - start, 1)
    result = read_json(folder / "result.json") if (folder / "result.json").exists() else {}
    seconds |= {f"until step {step}": at for step, at in result.get("steps", {}).items()}
    measured: dict[str, Any] = {}
    if measure and data in info.values.get("measure", {}):
        start = time.perf_counter()
        measured = _measure(info, data)
        seconds["measuring"] = round(time.perf_counter() - start, 1)
    summary = {
        "lesson": info.name,
        "data": data,
        "seed": seed,
        "results": result.get("results", {}),
        "measured": measured,
        "seconds": seconds,
        "peak_memory_mb": _peak_memory_mb(),
        "versions": _versions(),
        "files": {**files, **result.get("files", {})},
    }
    write_json(folder / "summary.json", summary)
    return summary


def with_edits(info: LessonInfo, *, seed: int) -> Any:
    """The notebook with the cells that a learner edits filled in, as lesson.toml says."""
    arms = {name: draw_arm(name, choices, seed=seed) for name, choices in info.values.get("arms", {}).items()}
    return edited(info, info.notebook(), arms=arms)


def edited(info: LessonInfo, notebook: Any, *, arms: dict[str, str]) -> Any:
    """A copy of the lesson's notebook with the cells filled in that a learner of these groups edits."""
    for edit in info.values.get("edits", []):
        for cell in notebook.cells:
            if {"edit", edit["cell"]} <= set(cell.metadata.get("tags", [])):
                cell.source = edit["code"].format(**arms).strip()
    return notebook


@contextmanager
def _python(folder: Path, *, data: str, seed: int) -> Iterator[Any]:
    """The Python that runs the cells; it starts, and loads what the lesson needs, while this one still prepares."""
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync

    environment = {
        **os.environ,
        "FIRSTREAD_LESSON_DATA": data,
        "FIRSTREAD_SEED": str(seed),
        "FIRSTREAD_LESSON_FOLDER": str(folder.resolve()),
        "FIRSTREAD_PROGRESS": "off",
    }
    python = AsyncKernelManager(kernel_name="python3")
    python.kernel_spec.argv = [sys.executable, "-c", f"from {preload.__name__} import main; main()", "-f", "{connection_file}"]
    with tempfile.TemporaryDirectory(prefix="firstread-") as sockets:
        if os.name == "posix":  # files that only this user can open, instead of ports that any user of the machine can
            python.transport, python.ip = "ipc", os.path.join(sockets, "kernel")
        run_sync(python.start_kernel)(cwd=str(folder), env=environment)
        try:
            yield python
        finally:
            if python.has_kernel:
                run_sync(python.shutdown_kernel)(now=True)


def _execute(notebook: Any, folder: Path, info: LessonInfo, python: Any) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    class Client(NotebookClient):
        async def async_execute_cell(self, cell: Any, cell_index: int, **kwargs: Any) -> Any:
            done = await super().async_execute_cell(cell, cell_index, **kwargs)
            bar.step(**({"step": step} if (step := step_of(cell)) else {}))
            return done

    with Progress(f"Lesson {info.name}", len(notebook.cells), unit="cell") as bar:
        try:
            Client(notebook, km=python, timeout=CELL_SECONDS, shutdown_kernel="immediate").execute(cleanup_kc=True)
        except CellExecutionError as error:
            raise LessonFailedError(
                f"A cell of the lesson failed: {_last_line(error)}",
                where=f"step {_reached(folder)} of {info.name}",
                do=f"look at the notebook so far: {folder / (info.name + '.ipynb')}",
            ) from error
        except (CellTimeoutError, DeadKernelError) as error:
            raise LessonFailedError(
                "The lesson stopped: a cell took too long, or Python was ended (often for lack of memory)",
                where=f"step {_reached(folder)} of {info.name}",
                do="close other programs and run it again",
            ) from error


def _keep(notebook: Any, folder: Path, info: LessonInfo) -> dict[str, str]:
    """Write the notebook with its outputs as .ipynb and as a page."""
    import nbformat
    from nbconvert import HTMLExporter

    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    written = write_text(folder / f"{info.name}.ipynb", nbformat.writes(notebook))
    page, _ = HTMLExporter(template_name="lab", embed_images=True).from_notebook_node(
        notebook, {"metadata": {"name": info.title}}
    )
    return {"notebook": str(written), "page": str(write_text(folder / f"{info.name}.html", page))}


def _measure(info: LessonInfo, data: str) -> dict[str, Any]:
    from firstread.datasets.dataset import open_dataset
    from firstread.evaluation.evaluation import evaluate
    from firstread.learning.cross_validation import cross_validate, repeat_split

    plan = info.values["measure"][data]
    cohort, seeds = open_dataset(data), tuple(plan["seeds"])
    if plan["kind"] == "cross-validation":
        found = {
            f"{plan['folds']}-fold cross-validation": cross_validate(
                cohort, recipe=plan["recipe"], folds=plan["folds"], seeds=seeds
            )
        }
    else:
        found = {
            f"{s} split": repeat_split(cohort, recipe=plan["recipe"], split=s, seeds=seeds) for s in plan["splits"]
        }
    return {name: {"seeds": seeds, **evaluate(predictions).to_json()} for name, predictions in found.items()}


def _absolute(data: str) -> str:
    path = Path(data).expanduser()
    return str(path.resolve()) if path.exists() else data


def _reached(folder: Path) -> str:
    file = folder / "result.json"
    steps = read_json(file).get("steps", {}) if file.exists() else {}
    return max(steps, key=steps.get) if steps else "1"


def _last_line(error: Exception) -> str:
    name, value = getattr(error, "ename", ""), getattr(error, "evalue", "")
    return f"{name}: {value}".strip(": ") or str(error).strip().splitlines()[-1]


def _peak_memory_mb() -> float | None:
    """The largest resident memory of this process or any of its ended children, in MB; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1024 if platform.system() == "Linux" else 1024 * 1024
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(max(peaks) / unit, 1)


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    out = {"python": platform.python_version()}
    for name in ("firstread", "torch", "torchvision", "timm", "monai", "accelerate", "scikit-learn", "pandas", "numpy"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "missing"
    return out
