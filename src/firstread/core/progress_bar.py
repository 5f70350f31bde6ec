"""Progress bar and status line: tqdm's text in a terminal or a notebook, a few plain lines in a log file.

In a notebook the bar is printed text, not a widget: a saved notebook shows it when it is opened again.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self, TypeVar

T = TypeVar("T")


class ProgressBar:
    """Progress bar over `total` steps. Use as a context manager and call `update()`.

    In a log file (no terminal, no notebook) it prints at most one line every ten seconds and one at the end, and
    nothing for work that ends within two seconds.
    """

    def __init__(self, description: str, total: int, *, unit: str = "image", quiet: bool = False) -> None:
        self.quiet = quiet or os.environ.get("FIRSTREAD_PROGRESS") == "off"
        self.description, self.total, self.unit = description, total, unit
        self.completed = 0
        self._started = self._last_print = time.monotonic()
        self._postfix = ""
        self._bar: Any = None
        if not self.quiet and (in_notebook() or sys.stderr.isatty()):
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=description, unit=unit, delay=0.5, **_place())

    def update(self, count: int = 1, **postfix: object) -> None:
        """Advance by `count`; `postfix` is shown behind the bar, such as `loss=0.31`."""
        self.completed += count
        if postfix:
            self._postfix = ", ".join(f"{key}={value}" for key, value in postfix.items())
        if self._bar is not None:
            if postfix:
                self._bar.set_postfix_str(self._postfix, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._last_print > 10:
            self._last_print = time.monotonic()
            self._print_line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None and time.monotonic() - self._started > 2:
            self._print_line()

    def _print_line(self) -> None:
        if self.quiet:
            return
        seconds = time.monotonic() - self._started
        postfix = f" ({self._postfix})" if self._postfix else ""
        plural = f"{self.unit.removesuffix('s')}s"
        line = f"{self.description}: {self.completed}/{self.total} {plural} in {seconds:.0f} s{postfix}"
        print(line, file=sys.stderr, flush=True)


class StatusLine:
    """Status line with a changing text. Nothing is shown before `update`, and nothing remains after `close`.

    In a log file it prints a changed line at most every ten seconds.
    """

    def __init__(self, description: str, *, quiet: bool = False) -> None:
        self.description, self.quiet = description, quiet
        self._bar: Any = None
        self._last_print = -10.0

    def update(self, text: str) -> None:
        """Show `text` behind the description, replacing the previous text."""
        if self.quiet or os.environ.get("FIRSTREAD_PROGRESS") == "off":
            return
        if in_notebook() or sys.stderr.isatty():
            from tqdm import tqdm

            if self._bar is None:
                self._bar = tqdm(total=0, bar_format="{desc}", leave=False, **_place())
            self._bar.set_description_str(f"{self.description}: {text}")
        elif time.monotonic() - self._last_print >= 10:
            self._last_print = time.monotonic()
            print(f"{self.description}: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the line; `update` may show it again."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def track(iterable: Iterable[T], description: str, *, total: int | None = None, unit: str = "image") -> Iterator[T]:
    """Iterate over `iterable` with a progress bar."""
    if total is None:
        iterable = list(iterable)
        total = len(iterable)
    with ProgressBar(description, total, unit=unit) as bar:
        for item in iterable:
            yield item
            bar.update()


def _place() -> dict[str, Any]:
    """Where tqdm writes, how wide, how often: a notebook shows what is printed to stderr as an error."""
    if in_notebook():
        return {"file": sys.stdout, "ncols": 88, "mininterval": 0.5}
    return {"dynamic_ncols": True}


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel."""
    shell = sys.modules.get("IPython")
    if shell is None:
        return False
    instance = shell.get_ipython()
    return instance is not None and instance.__class__.__name__ == "ZMQInteractiveShell"
