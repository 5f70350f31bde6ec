"""Errors in a notebook as sentences: what happened, where in the cell, what to do; the traceback behind a click.

`load_ipython_extension` installs it where a kernel starts (a class, `firstread open`); `fr.lesson` does elsewhere. It uses
what IPython offers for this: an exception's `_render_traceback_`, and the shell's own formatter of syntax errors.
"""

import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from html import escape
from types import TracebackType
from typing import Any

from firstread.core.progress_bar import in_notebook
from firstread.lessons.error_sentences import explain_error, names_made_by
from firstread.lessons.lesson_info import LessonInfo, find_lessons

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_MARK = "_firstread_explains"


def explain_errors(info: LessonInfo | None = None) -> None:
    """Show this notebook's errors as sentences from now on; does nothing outside a notebook.

    Args:
        info: the lesson, whose cells an error may name; None looks in all lessons.
    """
    if not in_notebook():
        return
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    explainer = getattr(shell, _MARK, None)
    if explainer is None:
        explainer = _Explainer(shell)
        setattr(shell, _MARK, explainer)
    if info is not None:
        explainer.lesson = info


def load_ipython_extension(_shell: Any) -> None:
    """IPython extension entry point (`%load_ext firstread.lessons.notebook_errors`)."""
    explain_errors()


class _Explainer:
    """Stands between a shell and what it shows of an error.

    Attributes:
        lesson: the lesson that runs, or None before it is known.
    """

    def __init__(self, shell: Any) -> None:
        self.shell: Any = shell
        self.lesson: LessonInfo | None = None
        show_traceback: Callable[..., None] = shell.showtraceback

        @wraps(show_traceback)
        def showtraceback(exc_tuple: Any = None, *args: Any, **options: Any) -> None:
            found: tuple[Any, Any, TracebackType | None] = exc_tuple or sys.exc_info()
            _, error, trace = found
            if error is None or isinstance(error, SyntaxError):
                show_traceback(exc_tuple, *args, **options)
                return
            with suppress(Exception):  # an error that cannot be described is shown as Python shows it
                lines = self.describe(error, trace)
                error._render_traceback_ = lambda: lines
            show_traceback(exc_tuple, *args, **options)
            self._show_details(error, trace)

        show_syntax: Callable[..., list[str]] = shell.SyntaxTB.structured_traceback

        @wraps(show_syntax)
        def structured_traceback(etype: Any, evalue: Any, *args: Any, **options: Any) -> list[str]:
            with suppress(Exception):
                if isinstance(evalue, SyntaxError):
                    return self.describe(evalue, None)
            return show_syntax(etype, evalue, *args, **options)

        shell.showtraceback = showtraceback
        shell.SyntaxTB.structured_traceback = structured_traceback

    def describe(self, error: BaseException, trace: TracebackType | None) -> list[str]:
        """The lines that stand in place of a traceback."""
        names = {name: None for name in self.shell.user_ns}
        lines = explain_error(error, namespace=names, cells=self._cells())
        if not _is_ours(error) and lines is not None and not self._is_from_cell(error, trace):
            lines = None  # a slip within a library is no slip of the learner's
        message = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
        named = f"{type(error).__name__}: {message}" if message else type(error).__name__
        if lines is None:
            lines, named = [named, "The details below say where; show them to somebody who knows."], ""
        place = self._place_in_cell(trace)
        shown = [f"{_BOLD}{lines[0]}{_PLAIN}", *lines[1:], *([place] if place else [])]
        return [*shown, f"({named})"] if named and not _is_ours(error) else shown

    def _cells(self) -> dict[str, str]:
        lessons = [self.lesson] if self.lesson is not None else find_lessons()
        made: dict[str, str] = {}
        for info in lessons:
            sources = (cell.source for cell in info.notebook().cells if cell.cell_type == "code")
            made = {**names_made_by(sources), **made}
        return made

    def _is_from_cell(self, error: BaseException, trace: TracebackType | None) -> bool:
        """Whether the error arose in the learner's own lines, or says the same wherever it arose."""
        frames = list(traceback.walk_tb(trace))
        if not frames or isinstance(error, (SyntaxError, KeyboardInterrupt, FileNotFoundError)):
            return True
        innermost = frames[-1][0]
        return self._is_cell(innermost) or innermost.f_globals.get("__name__") == "firstread"

    def _is_cell(self, frame: Any) -> bool:
        return frame.f_globals is self.shell.user_ns or frame.f_globals.get("__name__") == "__main__"

    def _place_in_cell(self, trace: TracebackType | None) -> str:
        """The line of the cell that was running, where the cell has several."""
        import linecache

        frames = [(frame, line) for frame, line in traceback.walk_tb(trace) if self._is_cell(frame)]
        if not frames:
            return ""
        frame, line = frames[-1]
        source = linecache.getline(frame.f_code.co_filename, line).strip()
        return f"In line {line} of this cell: {source}" if source else ""

    def _show_details(self, error: BaseException, trace: TracebackType | None) -> None:
        from IPython.display import display

        text = "".join(traceback.format_exception(type(error), error, trace))
        style = "font-size:.85em;overflow-x:auto;max-height:24em"
        html = f"<details><summary>Details, for programmers</summary><pre style='{style}'>{escape(text)}</pre></details>"
        display({"text/html": html, "text/plain": "(details left out)"}, raw=True)


def _is_ours(error: BaseException) -> bool:
    from firstread.core.errors import FirstreadError

    return isinstance(error, FirstreadError)
