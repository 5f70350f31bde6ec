"""Warm-up before forking: run a lesson's cells once in this process, each training cut to one epoch.

Imported modules, fonts and compiled CPU kernels are then created once and shared copy-on-write by all forked kernels,
instead of once in each.
"""

import ast
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from firstread.lessons.lesson_info import LessonInfo
from firstread.lessons.runner import apply_edits


def warm_up(info: LessonInfo, *, data: str) -> None:
    """Run all cells of a lesson once and discard their results.

    Raises:
        Exception: whatever a cell raised. The caller may go on: without a warm-up a lesson is only slower.
    """
    arms = {name: choices[0] for name, choices in info.values.get("arms", {}).items()}
    notebook = apply_edits(info, info.notebook(), arms=arms)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    with (
        tempfile.TemporaryDirectory(prefix="firstread-warm-") as folder,
        _class_environment(Path(folder), data),
        _one_epoch_trainings(),
    ):
        for cell in notebook.cells:
            if cell.cell_type == "code":
                _run_cell(cell.source, namespace)
    namespace.clear()
    import matplotlib.pyplot as plt

    plt.close("all")


def _run_cell(source: str, namespace: dict[str, Any]) -> None:
    """Execute a cell's source and render its last expression, as a notebook does."""
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        exec(compile(tree, "<lesson>", "exec"), namespace)  # noqa: S102 - the lesson's own cells
        if not isinstance(last, ast.Expr):
            return
        result = eval(compile(ast.Expression(last.value), "<lesson>", "eval"), namespace)  # noqa: S307
        for method in ("_repr_png_", "_repr_html_"):
            if hasattr(result, method):
                getattr(result, method)()
        if hasattr(result, "savefig"):
            result.savefig(io.BytesIO(), format="png")


@contextmanager
def _class_environment(folder: Path, data: str) -> Iterator[None]:
    environment = {
        "FIRSTREAD_SPOOL": str(folder / "spool"),
        "FIRSTREAD_LESSON_FOLDER": str(folder / "results"),
        "FIRSTREAD_LESSON_DATA": data,
        "FIRSTREAD_QUEUE": "off",
        "FIRSTREAD_PROGRESS": "off",
        "FIRSTREAD_SEED": "0",
    }
    previous, previous_folder = {name: os.environ.get(name) for name in environment}, Path.cwd()
    os.environ.update(environment)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(previous_folder)
        for name, value in previous.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@contextmanager
def _one_epoch_trainings() -> Iterator[None]:
    import firstread

    original = firstread.train

    def train(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **{**kwargs, "epochs": 1})

    firstread.train = train  # type: ignore[attr-defined]
    try:
        yield
    finally:
        firstread.train = original  # type: ignore[attr-defined]
