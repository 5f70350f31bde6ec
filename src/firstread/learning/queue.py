"""Training queue: trainings on one computer run in order of arrival, so that each has the CPU or the GPU to itself.

Two trainings at once on the same cores take far longer than one after the other, because the threads of each spin while
they wait for threads that the other keeps from running. Every training draws a numbered ticket: a small file that it
keeps locked while it lives. The queue is the folder of tickets whose lock is held; there is no server, and a training
that dies (even by kill -9) leaves the queue at once, because the system releases its lock.

`FIRSTREAD_QUEUE` names another folder (for containers that share one), or is "off".
"""

import contextlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from filelock import FileLock

from firstread.core.queue_tickets import Ticket, list_ticket_files, lock_file, read_tickets

#: a training that has run for so long goes to the end of the queue when its epoch is over
TIME_SLICE_SECONDS = 60.0
#: the longest wait for one training, or for all trainings of one other user; then the waiting one runs beside them
MAX_WAIT_SECONDS = 600.0
#: how often a running training writes its remaining time into its ticket
_WRITE_INTERVAL_SECONDS = 2.0
_MAX_POLL_SECONDS = 10.0


@dataclass(frozen=True)
class QueuePosition:
    """Position of a training in the queue.

    Attributes:
        position: 0 runs, 1 is next.
        seconds_left: estimated seconds until it runs, or None.
    """

    position: int
    seconds_left: float | None

    def __str__(self) -> str:
        if self.position == 0:
            return "running"
        last_digit = 0 if self.position % 100 in (11, 12, 13) else self.position % 10
        suffix = {1: "st", 2: "nd", 3: "rd"}.get(last_digit, "th")
        ordinal = f"{self.position}{suffix}"
        estimate = "" if self.seconds_left is None else f", about {_format_duration(self.seconds_left)}"
        return f"{ordinal} in line{estimate}"


class QueueSlot:
    """A training's slot in the queue.

    Use as a context manager: entering waits until the training may run. In a folder that cannot be used, or with
    FIRSTREAD_QUEUE=off, nothing waits: a training never fails for want of a queue.

    Args:
        threads: CPU threads that the training uses.
        cores: that the computer has; trainings run side by side as long as their threads fit.
        report: called with a `QueuePosition` while waiting.
        expected_seconds: how long the training is expected to take, if known.
        queue_name: each device has a queue of its own; None waits for no other training.
    """

    def __init__(
        self,
        *,
        threads: int,
        cores: int,
        report: Callable[[QueuePosition], None] = lambda position: None,
        expected_seconds: float | None = None,
        queue_name: str | None = "cpu",
    ) -> None:
        self.threads, self.cores, self.report, self.seconds_left = threads, cores, report, expected_seconds
        self.folder = queue_folder(queue_name) if queue_name else None
        self.seconds_waited = 0.0
        self._ticket_handle: int | None = None
        self._ticket_number = 0
        self._started = self._last_write = 0.0

    def __enter__(self) -> Self:
        try:
            self._enqueue()
            self._wait()
        except (OSError, NotImplementedError):
            # on a file system without flock, filelock 4 falls back to SoftFileLock; older versions raise the second
            self._dequeue()
        except BaseException:
            self._dequeue()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._dequeue()

    def update_seconds_left(self, seconds: float | None) -> None:
        """Update the remaining time that waiting trainings see; call it at every step, it writes every two seconds."""
        self.seconds_left = seconds
        if self._ticket_handle is not None and time.monotonic() - self._last_write > _WRITE_INTERVAL_SECONDS:
            with contextlib.suppress(OSError):
                self._write_ticket(running=True)

    def yield_slot(self) -> None:
        """Go to the end of the queue if the time slice is used up and others wait; call it between epochs."""
        if self._ticket_handle is None or self.folder is None:
            return
        if time.monotonic() - self._started < TIME_SLICE_SECONDS:
            return
        if not any(ticket.number > self._ticket_number for ticket in read_tickets(self.folder)):
            self._started = time.monotonic()
            return
        self._dequeue()
        self.__enter__()

    def _enqueue(self) -> None:
        """Draw the next ticket number, and put a locked ticket into the folder."""
        if self.folder is None:
            return
        _make_shared_folder(self.folder)
        with FileLock(self.folder / "queue.lock", mode=0o666):  # every user of the computer must be able to lock it
            self._ticket_number = 1 + max((number for number, _ in list_ticket_files(self.folder)), default=0)
            unlisted = self.folder / f".{os.getpid()}-{self._ticket_number}"
            self._ticket_handle = os.open(unlisted, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
            _make_world_readable(self._ticket_handle)
            # not by filelock: the lock moves with the file when it gets its name, others may only read the file and
            # probe the lock with a shared one, and the handle that holds the lock also writes the text
            lock_file(self._ticket_handle)
            self._write_ticket(running=False)
            unlisted.replace(self.folder / f"{self._ticket_number:09d}.ticket")  # others never see it unlocked

    def _wait(self) -> None:
        start, reported = time.monotonic(), False
        timeout = _WaitTimeout()
        while self._ticket_handle is not None and self.folder is not None:
            ahead = timeout.drop_expired(read_tickets(self.folder, before=self._ticket_number))
            if not ahead or sum(ticket.threads for ticket in ahead) + self.threads <= self.cores:
                self._write_ticket(running=True)
                break
            self._write_ticket(running=False)
            position = 1 + sum(not ticket.running for ticket in ahead)
            self.report(QueuePosition(position, _estimate_seconds_until_free(ahead)))
            reported = True
            time.sleep(_poll_interval_seconds(position))
        if reported:
            self.report(QueuePosition(0, None))
        self.seconds_waited += time.monotonic() - start
        self._started = time.monotonic()

    def _dequeue(self) -> None:
        if self._ticket_handle is None or self.folder is None:
            return
        with contextlib.suppress(OSError):
            (self.folder / f"{self._ticket_number:09d}.ticket").unlink()
        os.close(self._ticket_handle)  # releases the lock
        self._ticket_handle = None

    def _write_ticket(self, *, running: bool) -> None:
        if self._ticket_handle is None:
            return
        ticket = {"threads": self.threads, "running": running, "seconds_left": self.seconds_left}
        text = json.dumps(ticket | {"updated_at": time.time()})
        os.lseek(self._ticket_handle, 0, os.SEEK_SET)
        # of fixed length, so that a reader never sees the rest of an older text
        os.write(self._ticket_handle, text.encode().ljust(160))
        self._last_write = time.monotonic()


class _WaitTimeout:
    """Limits the wait for each training ahead, so that none can block the queue for good, whatever its ticket says."""

    def __init__(self) -> None:
        self._seconds_waited: dict[tuple[int, int], float] = {}
        self._last_check = time.monotonic()

    def drop_expired(self, ahead: list[Ticket]) -> list[Ticket]:
        """Tickets ahead that are still waited for. The clock runs for the running ones, or else for the first."""
        now = time.monotonic()
        for ticket in [ticket for ticket in ahead if ticket.running] or ahead[:1]:
            waited = self._seconds_waited.get(_timeout_key(ticket), 0.0)
            self._seconds_waited[_timeout_key(ticket)] = waited + now - self._last_check
        self._last_check = now
        return [ticket for ticket in ahead if self._seconds_waited.get(_timeout_key(ticket), 0.0) < MAX_WAIT_SECONDS]


def _timeout_key(ticket: Ticket) -> tuple[int, int]:
    """One clock for each of our own trainings, one for all of another user's: that user may draw new tickets."""
    return (ticket.user_id, ticket.number if ticket.is_own else 0)


def queue_folder(queue_name: str = "cpu") -> Path | None:
    """Folder of a queue's tickets, or None if the queue is off."""
    configured = os.environ.get("FIRSTREAD_QUEUE")
    if configured == "off":
        return None
    base = Path(configured).expanduser() if configured else Path(tempfile.gettempdir()) / "firstread-queue"
    return base / queue_name


def _poll_interval_seconds(position: int) -> float:
    """Poll less often further back in the queue: a hundred may wait."""
    return 0.1 if position == 1 else min(_MAX_POLL_SECONDS, 0.2 * position)


def _estimate_seconds_until_free(ahead: list[Ticket]) -> float | None:
    now = time.time()
    remaining = [ticket.remaining_seconds(now) for ticket in ahead]
    known = [seconds for seconds in remaining if seconds is not None]
    if not known:
        return None
    mean = sum(known) / len(known)
    concurrent = max(1, sum(ticket.running for ticket in ahead))
    return sum(mean if seconds is None else seconds for seconds in remaining) / concurrent


def _make_shared_folder(folder: Path) -> None:
    """Create a folder in which every user can put tickets, and delete only their own (sticky bit, as /tmp)."""
    for path in (folder.parent, folder):
        try:
            path.mkdir()
            path.chmod(0o1777)
        except FileExistsError:
            if not stat.S_ISDIR(path.lstat().st_mode):
                raise NotADirectoryError(path) from None


def _make_world_readable(handle: int) -> None:
    """Let other users see whether a lock is held, whatever this user's umask."""
    if os.name == "posix":
        os.fchmod(handle, 0o644)


def _format_duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
