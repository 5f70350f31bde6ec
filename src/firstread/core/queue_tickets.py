"""Tickets of the training queue on disk: numbered files, each locked by its training process.

Every user of the computer has a folder of their own, in which nobody else can write, so that no neighbour can take a
ticket away, and there is no lock that all must hold at times, so that no neighbour can stop the queue. A ticket counts
only in the folder of its owner. A training takes a ticket in `learning/queue_folder.py`; this module reads the queue
without torch.
"""

import contextlib
import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from firstread.core.queue_rules import STALE_SECONDS

_CURRENT_USER_ID = os.getuid() if hasattr(os, "getuid") else 0
_FOLDER_PREFIX = "firstread-queue"
#: files of one folder that are looked at, and the highest number: a neighbour may have put in any
_MAX_FILES, _MAX_NUMBER = 1000, 10**20


@dataclass(frozen=True)
class Ticket:
    """One training in the queue.

    Attributes:
        number: when it was drawn, in nanoseconds since 1970; tickets run in the order of their numbers.
        user_id: numeric id of the ticket file's owner; 0 on systems without user ids.
        threads: processor threads that the training uses.
        running: True while it trains, False while it waits.
        seconds_left: estimated duration, counted from `updated_at`; None if unknown.
        updated_at: when the ticket was last written, in seconds since 1970.
    """

    number: int
    user_id: int = 0
    threads: int = 1
    running: bool = False
    seconds_left: float | None = None
    updated_at: float = 0.0

    @property
    def is_own(self) -> bool:
        """Whether the ticket belongs to the current user."""
        return self.user_id == _CURRENT_USER_ID

    def remaining_seconds(self, now: float) -> float | None:
        """Estimated seconds from `now` (seconds since 1970) until the training ends; None if unknown."""
        if self.seconds_left is None:
            return None
        return max(0.0, self.seconds_left - (now - self.updated_at if self.running else 0.0))


def user_folder(base: Path, queue_name: str) -> Path:
    """Folder of the current user's tickets in a queue."""
    return base / f"{_FOLDER_PREFIX}-{queue_name}-{os.getuid() if hasattr(os, 'getuid') else 0}"


def read_tickets(base: Path, queue_name: str) -> list[Ticket]:
    """Live tickets of a queue, in order; stale ones are left out, our own files of ended processes are deleted.

    Of another user only the first counts, so that one user cannot fill the queue.

    Args:
        base: folder of the users' folders.
        queue_name: of the device.
    """
    live = []
    for number, file, owner in sorted(_list_ticket_files(base, queue_name)):
        fields = _read_if_locked(file)
        if fields is not None and fields["user_id"] == owner:
            live.append(Ticket(number, **fields))
    fresh = [ticket for ticket in live if abs(time.time() - ticket.updated_at) < STALE_SECONDS]
    first_of_user = {ticket.user_id: ticket.number for ticket in reversed(fresh)}
    return [ticket for ticket in fresh if ticket.is_own or ticket.number == first_of_user[ticket.user_id]]


def _list_ticket_files(base: Path, queue_name: str) -> Iterator[tuple[int, Path, int]]:
    """Number, file and the user id of the folder's owner, of all ticket files, locked or not."""
    prefix = f"{_FOLDER_PREFIX}-{queue_name}-"
    for folder in base.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and folder.name.removeprefix(prefix).isdigit():  # not queue "<name>-1"
                for file in islice(folder.glob("*.ticket"), _MAX_FILES):
                    number = file.stem.partition("-")[0]
                    if number.isascii() and number.isdigit() and len(number) <= 20 and int(number) < _MAX_NUMBER:
                        yield int(number), file, status.st_uid


def _read_if_locked(file: Path) -> dict[str, Any] | None:
    """Fields of a ticket file, or None (and the file is deleted) if no process holds its lock.

    No two tickets ever have one name, so the file that is deleted is the one that was looked at.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    try:
        if is_unlocked(descriptor):
            with contextlib.suppress(OSError):
                file.unlink()
            return None
        return {**_parse_ticket(os.read(descriptor, 1000)), "user_id": os.fstat(descriptor).st_uid}
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _parse_ticket(data: bytes) -> dict[str, Any]:
    """Fields from a ticket's JSON; empty for invalid content (another user wrote it), which then counts as stale."""
    try:
        values = json.loads(data)
        seconds = values["seconds_left"]
        return {
            "threads": min(1024, max(1, int(values["threads"]))),
            "running": bool(values["running"]),
            "seconds_left": None if seconds is None else min(1e6, max(0.0, float(seconds))),
            "updated_at": float(values["updated_at"]),
        }
    except (ValueError, KeyError, TypeError):
        return {}


if sys.platform == "win32":
    import msvcrt

    _LOCK_OFFSET = 1 << 20  # past the end of the text: Windows does not let others read a locked byte

    def lock_file(descriptor: int) -> None:
        """Take an exclusive lock on an open file; blocks until it is free."""
        os.lseek(descriptor, _LOCK_OFFSET, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)

    def is_unlocked(descriptor: int) -> bool:
        """Whether no process holds the lock of an open file."""
        os.lseek(descriptor, _LOCK_OFFSET, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            os.lseek(descriptor, 0, os.SEEK_SET)
            return False
        return True

else:
    import fcntl

    def lock_file(descriptor: int) -> None:
        """Take an exclusive lock on an open file; blocks until it is free."""
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def is_unlocked(descriptor: int) -> bool:
        """Whether no process holds the lock of an open file."""
        try:  # shared, so that two readers at the same moment do not see each other as the owner
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
