"""One progress bar for the whole package: a moving line in a terminal, a widget in a notebook, a few plain lines in a
log file."""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Progress:
    """A bar over `total` steps. Use as a context manager; call `step()`.

    In a log file (no terminal, no notebook) it prints at most one line every ten seconds and one at the end, and
    nothing at all for work that is done within two seconds.
    """

    def __init__(self, description: str, total: int, *, unit: str = "image", quiet: bool = False) -> None:
        self.quiet = quiet or os.environ.get("FIRSTREAD_PROGRESS") == "off"
        self.description, self.total, self.unit = description, total, unit
        self.done = 0
        self._start = self._last = time.monotonic()
        self._note = ""
        self._bar: Any = None
        if not self.quiet and (_in_notebook() or sys.stderr.isatty()):
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, desc=description, unit=unit, delay=0.5, dynamic_ncols=True)

    def step(self, count: int = 1, **note: object) -> None:
        """Move on by `count`; `note` is shown behind the bar, such as `loss=0.31`."""
        self.done += count
        if note:
            self._note = ", ".join(f"{key}={value}" for key, value in note.items())
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(self._note, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._last > 10:
            self._last = time.monotonic()
            self._line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif kind is None and time.monotonic() - self._start > 2:
            self._line()

    def _line(self) -> None:
        if self.quiet:
            return
        seconds = time.monotonic() - self._start
        note = f" ({self._note})" if self._note else ""
        print(
            f"{self.description}: {self.done}/{self.total} {self.unit}s in {seconds:.0f} s{note}",
            file=sys.stderr,
            flush=True,
        )


class Waiting:
    """A line that says what is waited for. Nothing is shown until `say` is called, and nothing stays after `end`.

    In a log file it prints a changed line at most every ten seconds.
    """

    def __init__(self, description: str, *, quiet: bool = False) -> None:
        self.description, self.quiet = description, quiet
        self._bar: Any = None
        self._last = -10.0

    def say(self, text: str) -> None:
        """Show `text` behind the description, in place of what stood there."""
        if self.quiet or os.environ.get("FIRSTREAD_PROGRESS") == "off":
            return
        if _in_notebook() or sys.stderr.isatty():
            from tqdm.auto import tqdm

            if self._bar is None:
                self._bar = tqdm(total=0, bar_format="{desc}", leave=False)
            self._bar.set_description_str(f"{self.description}: {text}")
        elif time.monotonic() - self._last >= 10:
            self._last = time.monotonic()
            print(f"{self.description}: {text}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """The waiting is over (for now)."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


def track(items: Iterable[T], description: str, *, total: int | None = None, unit: str = "image") -> Iterator[T]:
    """Iterate with a progress bar."""
    if total is None:
        items = list(items)
        total = len(items)
    with Progress(description, total, unit=unit) as bar:
        for item in items:
            yield item
            bar.step()


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    if shell is None:
        return False
    instance = shell.get_ipython()
    return instance is not None and instance.__class__.__name__ == "ZMQInteractiveShell"
