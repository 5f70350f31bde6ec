"""Training queue of a computer as numbered, locked ticket files, in a folder for each user; there is no server.

Every training draws a ticket: a small file that it keeps locked while it lives. The queue is the tickets whose lock is
held, so a training that dies (even by kill -9) leaves it at once, because the system releases its lock. Numbers are
times, so drawing one needs no lock that a neighbour could hold; a ticket lies in its user's own folder, so nobody else
can delete it.
"""

import contextlib
import json
import os
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path

from firstread.core.queue_rules import (
    MAX_WAIT_SECONDS,
    UPDATE_INTERVAL_SECONDS,
    QueuePosition,
    estimate_seconds_until_free,
)
from firstread.core.queue_tickets import Ticket, lock_file, read_tickets, user_folder

_MAX_POLL_SECONDS = 10.0


class FolderQueue:
    """One training's place in a queue folder; see `learning.queue.TrainingQueue`.

    Args:
        base: folder that all users of the computer may write into; each has a folder of their own in it.
        queue_name: of the device.
        threads: CPU threads that the training uses.
        cores: that the computer has.
        seconds_left: how long the training is expected to take, if known.
    """

    def __init__(self, base: Path, queue_name: str, *, threads: int, cores: int, seconds_left: float | None) -> None:
        self.base, self.queue_name = base, queue_name
        self.threads, self.cores, self.seconds_left = threads, cores, seconds_left
        self.ticket_number = 0
        self._ticket_file = Path()
        self._ticket_handle: int | None = None
        self._last_write = 0.0

    def enter(self, report: Callable[[QueuePosition], None]) -> None:
        """Draw the next ticket, and wait until the training may run.

        Raises:
            OSError: the folder cannot be used.
        """
        self._draw_ticket()
        timeout = _WaitTimeout()
        while True:
            ahead = timeout.drop_expired(self._tickets_ahead())
            if self._fits_beside(ahead):
                self._write_ticket(running=True)
                ahead = timeout.drop_expired(self._tickets_ahead(running=False))
                if self._fits_beside(ahead):  # one that came before, and was seen only now, goes first
                    return
            self._write_ticket(running=False)
            position = 1 + sum(not ticket.running for ticket in ahead)
            report(QueuePosition(position, _estimate_seconds(ahead)))
            time.sleep(_poll_interval_seconds(position))

    def leave(self) -> None:
        """Delete the ticket."""
        if self._ticket_handle is None:
            return
        with contextlib.suppress(OSError):
            self._ticket_file.unlink()
        os.close(self._ticket_handle)  # releases the lock
        self._ticket_handle = None

    def update_seconds_left(self, seconds: float | None) -> None:
        """Write the remaining time into the ticket, every two seconds."""
        self.seconds_left = seconds
        if self._ticket_handle is not None and time.monotonic() - self._last_write > UPDATE_INTERVAL_SECONDS:
            with contextlib.suppress(OSError):
                self._write_ticket(running=True)

    def others_wait(self) -> bool:
        """True if there are tickets with a higher number."""
        if self._ticket_handle is None:
            return False
        return any(ticket.number > self.ticket_number for ticket in read_tickets(self.base, self.queue_name))

    def _tickets_ahead(self, *, running: bool = True) -> list[Ticket]:
        """Tickets with a lower number and, with `running`, those that run although theirs is higher."""
        tickets = read_tickets(self.base, self.queue_name)
        others = [ticket for ticket in tickets if ticket.number != self.ticket_number]
        return [ticket for ticket in others if ticket.number < self.ticket_number or (running and ticket.running)]

    def _fits_beside(self, ahead: list[Ticket]) -> bool:
        return not ahead or sum(ticket.threads for ticket in ahead) + self.threads <= self.cores

    def _draw_ticket(self) -> None:
        """Put a locked ticket into the user's folder; its number is the time."""
        folder = user_folder(self.base, self.queue_name)
        _make_user_folder(folder)
        self.ticket_number = time.time_ns()
        name = f"{self.ticket_number}-{secrets.token_hex(4)}"
        self._ticket_file, unlisted = folder / f"{name}.ticket", folder / f".{name}"
        self._ticket_handle = os.open(unlisted, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        _make_world_readable(self._ticket_handle)
        # not by filelock: the lock moves with the file when it gets its name, others may only read the file and probe
        # the lock with a shared one, and the handle that holds the lock also writes the text
        lock_file(self._ticket_handle)
        self._write_ticket(running=False)
        unlisted.replace(self._ticket_file)  # others never see it unlocked

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


def _estimate_seconds(ahead: list[Ticket]) -> float | None:
    now = time.time()
    running = sum(ticket.running for ticket in ahead)
    return estimate_seconds_until_free([ticket.remaining_seconds(now) for ticket in ahead], concurrent=running)


def _poll_interval_seconds(position: int) -> float:
    """Poll less often further back in the queue: a hundred may wait."""
    return 0.1 if position == 1 else min(_MAX_POLL_SECONDS, 0.2 * position)


def _make_user_folder(folder: Path) -> None:
    """Make the user's folder of tickets, which others may read but not write.

    Raises:
        OSError: it is there and belongs to somebody else.
    """
    with contextlib.suppress(FileExistsError):
        folder.parent.mkdir(parents=True)
        folder.parent.chmod(0o1777)  # of several users; each may delete only what is their own
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)  # whatever the umask
    status = folder.lstat()
    is_own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    if not stat.S_ISDIR(status.st_mode) or not is_own:
        raise NotADirectoryError(folder)


def _make_world_readable(handle: int) -> None:
    """Let other users see whether a lock is held, whatever this user's umask."""
    if os.name == "posix":
        os.fchmod(handle, 0o644)
