"""A lesson whose cells were run in this process as `firstread run` types and runs them: what they made and showed."""

import ast
import io
import os
import re
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstread.lessons.lesson_info import LessonInfo
from firstread.lessons.runner import build_edited_notebook


@dataclass
class Executed:
    """What the cells made (`names`), and what each showed: source -> (value of its last line, what it printed)."""

    info: LessonInfo
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__main__"})
    shown: dict[str, tuple[Any, str]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.names[name]

    def value(self, code: str) -> Any:
        """Value of the last line of the cell that holds this code."""
        return next(value for source, (value, _) in self.shown.items() if code in source)

    def printed(self, code: str) -> str:
        """What the cell that holds this code printed."""
        return next(text for source, (_, text) in self.shown.items() if code in source)

    def run(self, source: str) -> Any:
        """Run one more cell."""
        tree = ast.parse(source)
        last = tree.body[-1] if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        if last is not None:
            tree.body.pop()
        printed = io.StringIO()
        with redirect_stdout(printed):
            exec(compile(tree, "<cell>", "exec"), self.names)
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), self.names) if last is not None else None
        self.shown[source] = (value, printed.getvalue())
        return value


def execute(info: LessonInfo, *, data: str, folder: Path, seed: int = 0) -> Executed:
    """Run all cells of a lesson with these data."""
    executed = Executed(info)
    with _environment(data=data, folder=folder, seed=seed):
        for cell in build_edited_notebook(info, seed=seed).cells:
            if cell.cell_type == "code":
                executed.run(cell.source)
    return executed


@contextmanager
def _environment(*, data: str, folder: Path, seed: int) -> Any:
    values = {"FIRSTREAD_LESSON_DATA": data, "FIRSTREAD_LESSON_FOLDER": str(folder), "FIRSTREAD_SEED": str(seed)}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def text_of(info: LessonInfo) -> str:
    """The lesson's text, without marks and line breaks."""
    return plain(" ".join(cell.source for cell in info.notebook().cells if cell.cell_type == "markdown"))


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[*`#]", "", text)).strip()
