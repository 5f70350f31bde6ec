"""Headless execution of a lesson's notebook (`firstread run`), and its measurements."""

import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from firstread.core.errors import FirstreadError
from firstread.core.files import read_json, translate_os_errors, write_json, write_text
from firstread.core.paths import runs_folder
from firstread.core.progress_bar import ProgressBar
from firstread.lessons import preload
from firstread.lessons.experiment_groups import draw_arm
from firstread.lessons.lesson_data import prepare_data
from firstread.lessons.lesson_info import LessonInfo, find_lesson, get_step_id
from firstread.lessons.notebook_page import render_notebook_page

CELL_TIMEOUT_SECONDS = 1800


class LessonFailedError(FirstreadError):
    """A cell of a lesson failed; the notebook up to it is saved."""


def run_lesson(
    name: str,
    *,
    data: str | None = None,
    classes: Mapping[str, str] | None = None,
    seed: int = 0,
    folder: str | Path | None = None,
    measure: bool = True,
) -> dict[str, Any]:
    """Execute a lesson's notebook as a learner would, save it with its outputs, and run the lesson's measurements.

    Args:
        name: of the lesson.
        data: name or path of other data; what cannot work is refused before anything runs.
        classes: name of a class in the data -> name that it gets.
        seed: of everything random.
        folder: for all output; default a new folder among the runs.
        measure: False leaves out cross-validation and repeated splits.

    Returns:
        Plain values: lesson, data, seed, result, measured, seconds, memory, versions, files.

    Raises:
        SettingError: no lesson, or no data, of this name.
        DataError: the lesson cannot run on these data.
        LessonFailedError: a cell failed; the notebook up to it is saved, and the message names it.
        KeyboardInterrupt: interrupted; the notebook up to the cell that ran is saved.
    """
    info = find_lesson(name)
    data = data or info.values["data"]
    stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{info.name}"
    folder = Path(folder) if folder else runs_folder() / "lessons" / stamp
    with translate_os_errors(folder / "result.json"):
        folder.mkdir(parents=True, exist_ok=True)
    prepared = prepare_data(info, data, classes=classes or {}, folder=folder)
    seconds = {}
    start = time.perf_counter()
    notebook = build_edited_notebook(info, seed=seed)
    try:
        asyncio.run(_execute_notebook(notebook, info, folder=folder, data=prepared, seed=seed))
    finally:
        files = _save_notebook(notebook, folder, info)
    seconds["notebook"] = round(time.perf_counter() - start, 1)
    result = read_json(folder / "result.json") if (folder / "result.json").exists() else {}
    seconds |= {f"until step {step}": elapsed for step, elapsed in result.get("steps", {}).items()}
    measured: dict[str, Any] = {}
    if measure and not classes and data in info.values.get("measure", {}):
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


def build_edited_notebook(info: LessonInfo, *, seed: int) -> Any:
    """Build a lesson's notebook with its `[[edits]]` applied, for the groups drawn by `seed`."""
    arms = {name: draw_arm(name, choices, seed=seed) for name, choices in info.values.get("arms", {}).items()}
    return apply_edits(info, info.notebook(), arms=arms)


def apply_edits(info: LessonInfo, notebook: Any, *, arms: dict[str, str]) -> Any:
    """Fill in the cells that a learner edits, as `[[edits]]` in lesson.toml says; `notebook` is changed in place."""
    for edit in info.values.get("edits", []):
        for cell in notebook.cells:
            if {"edit", edit["cell"]} <= set(cell.metadata.get("tags", [])):
                cell.source = edit["code"].format(**arms).strip()
    return notebook


@asynccontextmanager
async def _kernel(folder: Path, *, data: str, seed: int) -> AsyncIterator[Any]:
    """Jupyter kernel that runs the cells; it has imported its libraries before the first of them."""
    from jupyter_client.kernelspec import NoSuchKernel
    from jupyter_client.manager import AsyncKernelManager

    environment = {
        **os.environ,
        "FIRSTREAD_LESSON_DATA": data,
        "FIRSTREAD_SEED": str(seed),
        "FIRSTREAD_LESSON_FOLDER": str(folder.resolve()),
        "FIRSTREAD_PROGRESS": "off",
        "FIRSTREAD_BUTTONS": "off",
    }
    kernel = AsyncKernelManager(kernel_name="python3")
    if kernel.kernel_spec is None:
        raise NoSuchKernel(kernel.kernel_name)
    code = f"from {preload.__name__} import main; main()"
    kernel.kernel_spec.argv = [sys.executable, "-c", code, "-f", "{connection_file}"]
    with tempfile.TemporaryDirectory(prefix="firstread-") as sockets:
        if os.name == "posix":  # socket files of this user only, instead of ports open to every user of the machine
            kernel.transport, kernel.ip = "ipc", os.path.join(sockets, "kernel")
        await kernel.start_kernel(cwd=str(folder), env=environment)
        try:
            yield kernel
        finally:
            await kernel.shutdown_kernel(now=True)


async def _execute_notebook(notebook: Any, info: LessonInfo, *, folder: Path, data: str, seed: int) -> None:
    """Run the cells one after another; whatever ends it, `notebook` holds what was run so far."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    step = info.steps[0]["id"] if info.steps else ""
    with ProgressBar(f"Lesson {info.name}", len(notebook.cells), unit="cell") as bar:
        async with _kernel(folder, data=data, seed=seed) as kernel:
            client = NotebookClient(notebook, km=kernel, timeout=CELL_TIMEOUT_SECONDS)
            client.reset_execution_trackers()
            connection = await client.async_start_new_kernel_client()
            try:
                for index, cell in enumerate(notebook.cells):
                    step = get_step_id(cell) or step
                    await client.async_execute_cell(cell, index)
                    bar.update(1, step=step)
            except CellExecutionError as error:
                raise LessonFailedError(
                    f"A cell of the lesson failed: {error.ename}: {error.evalue}",
                    where=f"step {step} of {info.name}",
                    do=f"look at the notebook so far: {folder / (info.name + '.ipynb')}",
                ) from error
            except (CellTimeoutError, DeadKernelError) as error:
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise asyncio.CancelledError from error  # nbclient takes an interrupt for a kernel that died
                raise LessonFailedError(
                    "The lesson stopped: a cell took too long, or Python was ended (often for lack of memory)",
                    where=f"step {step} of {info.name}",
                    do="close other programs and run it again",
                ) from error
            finally:
                connection.stop_channels()


def _save_notebook(notebook: Any, folder: Path, info: LessonInfo) -> dict[str, str]:
    """Write the executed notebook as .ipynb and as an HTML page."""
    import nbformat

    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    ipynb = write_text(folder / f"{info.name}.ipynb", nbformat.writes(notebook))
    page = render_notebook_page(notebook, title=info.title)
    return {"notebook": str(ipynb), "page": str(write_text(folder / f"{info.name}.html", page))}


def _measure(info: LessonInfo, data: str) -> dict[str, Any]:
    from firstread.datasets.dataset import open_dataset
    from firstread.evaluation.evaluation import evaluate
    from firstread.learning.cross_validation import cross_validate, repeat_split

    plan = info.values["measure"][data]
    cohort, recipe, seeds = open_dataset(data), plan["recipe"], tuple(plan["seeds"])
    if plan["kind"] == "cross-validation":
        folds = plan["folds"]
        measured = {f"{folds}-fold cross-validation": cross_validate(cohort, recipe=recipe, folds=folds, seeds=seeds)}
    else:
        splits = plan["splits"]
        measured = {f"{s} split": repeat_split(cohort, recipe=recipe, split=s, seeds=seeds) for s in splits}
    return {name: {"seeds": seeds, **evaluate(predictions).to_json()} for name, predictions in measured.items()}


def _peak_memory_mb() -> float | None:
    """Peak resident memory of this process or any ended child process, in MB; None where getrusage is missing."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1024 if platform.system() == "Linux" else 1024 * 1024
    peaks = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return round(max(peaks) / unit, 1)


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for name in ("firstread", "torch", "torchvision", "timm", "monai", "scikit-learn", "pandas", "numpy"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "missing"
    return versions
