"""Taking turns: trainings on one computer wait in line, so that each has the processor to itself.

Two trainings at once on the same cores take far longer than one after the other, because the threads of each wait
spinning for threads that the other keeps from running. Here every training draws a numbered ticket, a small file that
it keeps locked while it lives. The line is the folder of tickets whose lock is held; there is no server, and a training
that dies (even by kill -9) leaves the line at once, because the system lets go of its lock.

`FIRSTREAD_QUEUE` names another folder (for containers that share one), or is "off".
"""

import contextlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from firstread.core.queue_tickets import Ticket, lock, numbered, tickets

#: a training that has held the processor for so long goes to the end of the line when its epoch is over
SHARE_SECONDS = 60.0
#: for so long somebody waits for one training, or for the trainings of one other user; then they run beside it
PATIENCE_SECONDS = 600.0
#: how often a running training says how long it will still take
_TELL_SECONDS = 2.0
_LOOK_SECONDS = 10.0


@dataclass(frozen=True)
class Place:
    """Where a training stands: `place` 0 means that it runs, 1 that it is next; `seconds` is a guess, or None."""

    place: int
    seconds: float | None

    def __str__(self) -> str:
        if self.place == 0:
            return "running"
        ending = {1: "st", 2: "nd", 3: "rd"}.get(self.place % 10 if self.place % 100 not in (11, 12, 13) else 0, "th")
        return f"{self.place}{ending} in line" + ("" if self.seconds is None else f", about {_words(self.seconds)}")


class Turn:
    """A training's turn at the processor.

    Use as a context manager: entering waits until the turn has come. In a folder that cannot be used, or with
    FIRSTREAD_QUEUE=off, nothing waits: a training never fails for want of a queue.

    Args:
        threads: processor threads that the training uses.
        cores: that the computer has; trainings run side by side as long as their threads fit.
        tell: called with a `Place` while waiting.
        seconds: how long the training is expected to take, if known.
        line: each device has a line of its own, called so; None to wait for nobody.
    """

    def __init__(
        self,
        *,
        threads: int,
        cores: int,
        tell: Callable[[Place], None] = lambda place: None,
        seconds: float | None = None,
        line: str | None = "cpu",
    ) -> None:
        self.threads, self.cores, self.tell, self.seconds = threads, cores, tell, seconds
        self.folder = line_folder(line) if line else None
        self.waited = 0.0
        self._handle: int | None = None
        self._number = 0
        self._since = self._told = 0.0

    def __enter__(self) -> Self:
        try:
            self._join()
            self._wait()
        except OSError:
            self._leave()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def expect(self, seconds: float | None) -> None:
        """Tell those who wait how long this training will still take; call it at every step, it writes seldom."""
        self.seconds = seconds
        if self._handle is not None and time.monotonic() - self._told > _TELL_SECONDS:
            with contextlib.suppress(OSError):
                self._write(running=True)

    def give_way(self) -> None:
        """At a point where it costs nothing: if others have waited and this one has had its share, go to the end of the line."""
        if self._handle is None or time.monotonic() - self._since < SHARE_SECONDS:
            return
        if not any(ticket.number > self._number for ticket in tickets(self.folder)):
            self._since = time.monotonic()
            return
        self._leave()
        self.__enter__()

    # ---- the line

    def _join(self) -> None:
        if self.folder is None:
            return
        _make_folder(self.folder)
        with _held(self.folder / "door"):
            self._number = 1 + max((number for number, _ in numbered(self.folder)), default=0)
            ready = self.folder / f".{os.getpid()}-{self._number}"
            self._handle = os.open(ready, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
            _for_all_to_read(self._handle)
            lock(self._handle)
            self._write(running=False)
            ready.replace(self.folder / f"{self._number:09d}.ticket")  # from here on it is seen, and seen as locked

    def _wait(self) -> None:
        start, told = time.monotonic(), False
        patience = _Patience()
        while self._handle is not None:
            ahead = patience.with_those(tickets(self.folder, before=self._number))
            if not ahead or sum(ticket.threads for ticket in ahead) + self.threads <= self.cores:
                self._write(running=True)
                break
            self._write(running=False)
            place = 1 + sum(not ticket.running for ticket in ahead)
            self.tell(Place(place, _seconds_until_free(ahead)))
            told = True
            time.sleep(
                0.1 if place == 1 else min(_LOOK_SECONDS, 0.2 * place)
            )  # who is far back looks seldom: a hundred may wait
        if told:
            self.tell(Place(0, None))
        self.waited += time.monotonic() - start
        self._since = time.monotonic()

    def _leave(self) -> None:
        if self._handle is None:
            return
        with contextlib.suppress(OSError):
            (self.folder / f"{self._number:09d}.ticket").unlink()
        os.close(self._handle)  # lets go of the lock
        self._handle = None

    def _write(self, *, running: bool) -> None:
        about = {"threads": self.threads, "running": running, "seconds_left": self.seconds, "told": time.time()}
        os.lseek(self._handle, 0, os.SEEK_SET)
        data = (
            json.dumps(about).encode().ljust(160)
        )  # always as long, so that a reader never sees the rest of an older text
        os.write(self._handle, data)
        self._told = time.monotonic()


class _Patience:
    """Whom one still waits for: nobody can hold up the line for good, whatever their tickets say."""

    def __init__(self) -> None:
        self._waited: dict[tuple[int, int], float] = {}
        self._looked = time.monotonic()

    def with_those(self, ahead: list[Ticket]) -> list[Ticket]:
        """Those ahead who have not been waited for too long. It is whoever runs that is waited for; if nobody does, the first."""
        now = time.monotonic()
        for ticket in [one for one in ahead if one.running] or ahead[:1]:
            self._waited[_whose(ticket)] = self._waited.get(_whose(ticket), 0.0) + now - self._looked
        self._looked = now
        return [one for one in ahead if self._waited.get(_whose(one), 0.0) < PATIENCE_SECONDS]


def _whose(ticket: Ticket) -> tuple[int, int]:
    """Our own trainings one by one, those of another user together: they may draw new tickets."""
    return (ticket.user, ticket.number if ticket.ours else 0)


def line_folder(line: str = "cpu") -> Path | None:
    """Where the tickets of a line lie, or None if trainings shall not wait for one another."""
    chosen = os.environ.get("FIRSTREAD_QUEUE")
    if chosen == "off":
        return None
    base = Path(chosen).expanduser() if chosen else Path(tempfile.gettempdir()) / "firstread-queue"
    return base / line


def _seconds_until_free(ahead: list[Ticket]) -> float | None:
    now = time.time()
    known = [ticket.remaining(now) for ticket in ahead]
    told = [seconds for seconds in known if seconds is not None]
    if not told:
        return None
    typical = sum(told) / len(told)
    side_by_side = max(1, sum(ticket.running for ticket in ahead))
    return sum(typical if seconds is None else seconds for seconds in known) / side_by_side


def _make_folder(folder: Path) -> None:
    """A folder in which every user of the computer may put tickets, and take away only their own."""
    for path in (folder.parent, folder):
        try:
            path.mkdir()
            path.chmod(0o1777)
        except FileExistsError:
            if not stat.S_ISDIR(path.lstat().st_mode):
                raise NotADirectoryError(path) from None


@contextlib.contextmanager
def _held(file: Path) -> Iterator[None]:
    """A file's lock, waited for and held for the block."""
    with contextlib.suppress(FileExistsError, PermissionError):
        made = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o644)
        _for_all_to_read(made)
        os.close(made)
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        lock(handle)
        yield
    finally:
        os.close(handle)


def _for_all_to_read(handle: int) -> None:
    """Others must see whether a lock is held, whatever this user's umask."""
    if os.name == "posix":
        os.fchmod(handle, 0o644)


def _words(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
