"""The line of trainings, as it lies on disk: a folder of numbered tickets, each locked by its training while that lives.

Whoever trains draws a ticket (`learning/turns.py`); whoever wants to know how long the line is reads it here, without a network in sight.
"""

import contextlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: a training that has said nothing for so long (stopped, or hung) is passed over
SILENT_SECONDS = 120.0
_OURSELVES = os.getuid() if hasattr(os, "getuid") else 0


@dataclass(frozen=True)
class Ticket:
    """One training in the line.

    Attributes:
        number: tickets run in the order of their numbers.
        threads: how many processor threads it uses.
        running: True once it has its turn.
        seconds_left: how long it will still take, counted from `told`; None if nobody knows.
        told: time of this information, in seconds since 1970.
        user: number of the user whose ticket it is, as the file says; 0 where there are no such numbers.
    """

    number: int
    user: int = 0
    threads: int = 1
    running: bool = False
    seconds_left: float | None = None
    told: float = 0.0

    @property
    def ours(self) -> bool:
        """True if the user who asks has drawn it."""
        return self.user == _OURSELVES

    def remaining(self, now: float) -> float | None:
        """Seconds from `now` until it is done, as far as it is known."""
        if self.seconds_left is None:
            return None
        return max(0.0, self.seconds_left - (now - self.told if self.running else 0.0))


def tickets(folder: Path, *, before: float = float("inf")) -> list[Ticket]:
    """The living tickets of a line, first come first, without those that have fallen silent; what the dead left is swept away.

    Of another user only the first counts, so that nobody fills the line.

    Args:
        before: only those with a lower number.
    """
    found = []
    for number, file in numbered(folder):
        if number >= before:
            break
        about = _read_if_alive(file)
        if about is not None:
            found.append(Ticket(number, **about))
    heard = [ticket for ticket in found if abs(time.time() - ticket.told) < SILENT_SECONDS]
    firsts = {ticket.user: ticket.number for ticket in reversed(heard)}
    return [ticket for ticket in heard if ticket.ours or ticket.number == firsts[ticket.user]]


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """Tickets by number, whether anybody holds them or not."""
    files = [entry for entry in folder.glob("*.ticket") if entry.stem.isdigit()]
    return sorted((int(file.stem), file) for file in files)


def _read_if_alive(file: Path) -> dict[str, Any] | None:
    """What a ticket says, or None if nobody holds its lock any more."""
    try:
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    try:
        if is_free(handle):
            with contextlib.suppress(OSError):
                file.unlink()
            return None
        return {**_checked(os.read(handle, 1000)), "user": os.fstat(handle).st_uid}
    except OSError:
        return None
    finally:
        os.close(handle)


def _checked(data: bytes) -> dict[str, Any]:
    """A ticket's text; anything strange in it (another user wrote it) counts as a training that has long been silent."""
    try:
        about = json.loads(data)
        seconds = about["seconds_left"]
        return {
            "threads": min(1024, max(1, int(about["threads"]))), "running": bool(about["running"]),
            "seconds_left": None if seconds is None else min(1e6, max(0.0, float(seconds))), "told": float(about["told"]),
        }  # fmt: skip
    except (ValueError, KeyError, TypeError):
        return {}


if os.name == "nt":
    import msvcrt

    _BEYOND = 1 << 20  # a byte that holds no text: Windows forbids others to read what is locked

    def lock(handle: int) -> None:
        """Hold a file, waiting for it if need be."""
        os.lseek(handle, _BEYOND, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)

    def is_free(handle: int) -> bool:
        """True if nobody holds it."""
        os.lseek(handle, _BEYOND, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            os.lseek(handle, 0, os.SEEK_SET)
            return False
        return True

else:
    import fcntl

    def lock(handle: int) -> None:
        """Hold a file, waiting for it if need be."""
        fcntl.flock(handle, fcntl.LOCK_EX)

    def is_free(handle: int) -> bool:
        """True if nobody holds it."""
        try:  # shared, so that two who look at once do not take each other for the owner
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
