"""How much of the machine is left: memory, processor, disk; of a container's share where it has one. And who trains on it."""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from firstread.core.queue_tickets import tickets

GIB = 2**30
#: so often is looked, and over so many looks is the processor's load taken
EVERY_SECONDS, LOOKS = 2.0, 15
#: one look or two say little about the processor
TELLING_SECONDS = 8.0
#: little memory: less than this share, or than this
LITTLE_SHARE, LITTLE_MEMORY, LITTLE_DISK = 0.08, 1.0 * GIB, 2.0 * GIB
BUSY = 0.95


@dataclass(frozen=True)
class Machine:
    """The machine now; sizes in bytes.

    Attributes:
        busy: share of the processor in use over the last half minute; None before it is known.
        cores: processor cores that may be used; a container may have half a one.
        training, waiting: how many of the class's trainings have their turn, and how many wait for it.
    """

    memory_left: float
    memory: float
    disk_left: float
    busy: float | None
    cores: float
    training: int = 0
    waiting: int = 0

    def warnings(self) -> list[str]:
        """What an instructor should know and do."""
        said = []
        if self.memory_left < max(LITTLE_MEMORY, LITTLE_SHARE * self.memory):
            said.append(
                f"Little memory is left: {_size(self.memory_left)} of {_size(self.memory)}. Let nobody new in for now, "
                "and ask those who have finished to close their notebook (File, Close and Shut Down Notebook)."
            )
        if self.disk_left < LITTLE_DISK:
            said.append(
                f"Little disk is left: {_size(self.disk_left)}. When it is full, work can no longer be saved: make room on this machine now."
            )
        if self.busy is not None and self.busy > BUSY:
            said.append("The processor is fully used, so cells take longer than usual. Nothing is broken.")
        return said

    def words(self) -> str:
        """Memory, processor and disk in a line."""
        busy = "" if self.busy is None else f", {round(100 * self.busy)} % in use"
        return (
            f"memory: {_size(self.memory_left)} of {_size(self.memory)} left; "
            f"processor: {self.cores:g} {'core' if self.cores == 1 else 'cores'}{busy}; disk: {_size(self.disk_left)} left"
        )


class Headroom:
    """Looks at the machine now and then; between two looks the last one is told again.

    Args:
        folder: of the class: on the disk that counts, and with the line of its trainings.
        root: of the file system, for tests.
    """

    def __init__(self, folder: Path, *, root: Path = Path("/"), clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self.root, self._clock = folder, root, clock
        self._groups = list(_control_groups(root))
        self._seen: Machine | None = None
        self._looked = 0.0
        self._loads: deque[tuple[float, float]] = deque(maxlen=LOOKS)

    def now(self) -> Machine:
        """The machine now, or at most a moment ago."""
        now = self._clock()
        if self._seen is None or now - self._looked >= EVERY_SECONDS:
            self._looked, self._seen = now, self._look(now)
        return self._seen

    def share_left(self) -> float:
        """Of the memory, at this moment."""
        left, most = self._memory()
        return left / most

    def _memory(self) -> tuple[float, float]:
        """What is left, and all."""
        memory = psutil.virtual_memory()
        left, most = float(memory.available), float(memory.total)
        for group in self._groups:
            limit, used = group.memory()
            if limit is not None and limit < memory.total:
                most, left = min(most, limit), min(left, max(0.0, limit - used))
        return left, most

    def _look(self, now: float) -> Machine:
        left, most = self._memory()
        cores, seconds = self._processor()
        self._loads.append((now, seconds))
        began, before = self._loads[0]
        passed = now - began
        busy = min(1.0, (seconds - before) / (passed * cores)) if passed >= TELLING_SECONDS else None
        line = [ticket for place in self.folder.glob("queue/*/") for ticket in tickets(place)]
        running = sum(ticket.running for ticket in line)
        return Machine(
            left, most, float(shutil.disk_usage(self.folder).free), busy, cores, running, len(line) - running
        )

    def _processor(self) -> tuple[float, float]:
        """Cores that may be used, and the processor seconds used since some moment."""
        cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1)
        for group in self._groups:
            share, seconds = group.processor()
            if share is not None and seconds is not None and share < cores:
                return share, seconds
        times = psutil.cpu_times()
        return float(psutil.cpu_count() or cores), sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(
            times, "guest", 0.0
        )


@dataclass(frozen=True)
class _Group:
    """A control group of Linux: of version 2, or of version 1 for memory alone."""

    folder: Path
    version: int

    def memory(self) -> tuple[float | None, float]:
        """Its limit, if it has one, and what is in use that cannot be dropped at once."""
        names = ("memory.max", "memory.current", "inactive_file")
        if self.version == 1:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        limit, used = (_number(self.folder / name) for name in names[:2])
        droppable = _numbers(self.folder / "memory.stat").get(names[2], 0.0)
        return limit, max(0.0, (used or 0.0) - droppable)

    def processor(self) -> tuple[float | None, float | None]:
        """Its limit in cores, if it has one, and the seconds used."""
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = (self.folder / "cpu.max").read_text().split()
            used = _numbers(self.folder / "cpu.stat").get("usage_usec")
            return (None if quota == "max" else float(quota) / float(period)), None if used is None else used / 1e6
        return None, None


def _control_groups(root: Path) -> Iterator[_Group]:
    """The groups that this process is in, from its own up to the whole."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds and "memory" not in kinds.split(","):
                continue
            top = root / "sys/fs/cgroup" / ("memory" if kinds else "")
            own = top / path.lstrip("/")
            while own != top:
                if own.is_dir():
                    yield _Group(own, 1 if kinds else 2)
                own = own.parent
            yield _Group(top, 1 if kinds else 2)


def _number(file: Path) -> float | None:
    with suppress(OSError, ValueError):
        return float(file.read_text())  # "max" is no number
    return None


def _numbers(file: Path) -> dict[str, float]:
    with suppress(OSError, ValueError):
        return {name: float(value) for name, value in (line.split() for line in file.read_text().splitlines())}
    return {}


def _size(size: float) -> str:
    return f"{size / GIB:.1f} GiB"
