"""A lesson's cells run once in this process, each training cut to one epoch: whatever is forked from it afterwards finds everything at hand.

What a lesson needs for the first time (modules, fonts, the processor's programs for each layer of a network) is made here once, and shared by all who are
forked, instead of once for each of them.
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
from firstread.lessons.runner import edited


def warm_up(info: LessonInfo, *, data: str) -> None:
    """Run all cells once, and forget what they made. An error ends it: a lesson that is not warm is slower, and no worse."""
    arms = {name: choices[0] for name, choices in info.values.get("arms", {}).items()}
    notebook = edited(info, info.notebook(), arms=arms)
    names: dict[str, Any] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory(prefix="firstread-warm-") as folder, _as_in_class(Path(folder), data), _short_trainings():
        for cell in notebook.cells:
            if cell.cell_type == "code":
                _run(cell.source, names)
    names.clear()
    import matplotlib.pyplot as plt

    plt.close("all")


def _run(source: str, names: dict[str, Any]) -> None:
    """A cell, and what a notebook would show of it."""
    parts = ast.parse(source)
    last = parts.body.pop() if parts.body and isinstance(parts.body[-1], ast.Expr) else None
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        exec(compile(parts, "<lesson>", "exec"), names)  # noqa: S102 - the lesson's own cells
        if last is None:
            return
        shown = eval(compile(ast.Expression(last.value), "<lesson>", "eval"), names)  # noqa: S307
        for form in ("_repr_png_", "_repr_html_"):
            if hasattr(shown, form):
                getattr(shown, form)()
        if hasattr(shown, "savefig"):
            shown.savefig(io.BytesIO(), format="png")


@contextmanager
def _as_in_class(folder: Path, data: str) -> Iterator[None]:
    wanted = {
        "FIRSTREAD_SPOOL": str(folder / "spool"), "FIRSTREAD_LESSON_FOLDER": str(folder / "results"), "FIRSTREAD_LESSON_DATA": data,
        "FIRSTREAD_QUEUE": "off", "FIRSTREAD_PROGRESS": "off", "FIRSTREAD_SEED": "0",
    }  # fmt: skip
    before, place = {name: os.environ.get(name) for name in wanted}, Path.cwd()
    os.environ.update(wanted)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(place)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@contextmanager
def _short_trainings() -> Iterator[None]:
    import firstread

    whole = firstread.train

    def train(*arguments: Any, **named: Any) -> Any:
        return whole(*arguments, **{**named, "epochs": 1})

    firstread.train = train  # type: ignore[attr-defined]
    try:
        yield
    finally:
        firstread.train = whole  # type: ignore[attr-defined]
