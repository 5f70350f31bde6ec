"""Capacity of the machine: memory, CPU and disk, within the limits of its cgroups, and the trainings that run on it."""

import math
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

GIB = 2**30
#: shortest time between two samples, and number of samples over which the CPU load is averaged
SAMPLE_SECONDS, MAX_SAMPLES = 2.0, 15
#: shortest time span from which a CPU load is computed
MIN_LOAD_SECONDS = 8.0
#: memory is low below this share of all memory, or below this size
LOW_MEMORY_SHARE, LOW_MEMORY_BYTES, LOW_DISK_BYTES = 0.08, 1.0 * GIB, 2.0 * GIB
HIGH_CPU_LOAD = 0.95


@dataclass(frozen=True)
class MachineUsage:
    """Use of the machine at one moment.

    Attributes:
        cpu_load: share of the CPU in use over the last half minute, 0 to 1; None before it is known.
        cores: CPU cores that may be used; not whole in a container with a CPU quota.
        trainings_running, trainings_waiting: the class's trainings in the queue.
    """

    memory_available_bytes: float
    memory_total_bytes: float
    disk_free_bytes: float
    cpu_load: float | None
    cores: float
    trainings_running: int = 0
    trainings_waiting: int = 0

    def warnings(self) -> list[str]:
        """Warnings with advice for the instructor; empty if all is well."""
        warnings = []
        if self.memory_available_bytes < max(LOW_MEMORY_BYTES, LOW_MEMORY_SHARE * self.memory_total_bytes):
            warnings.append(
                f"Little memory is left: {_format_gib(self.memory_available_bytes)} of "
                f"{_format_gib(self.memory_total_bytes)}. Let nobody new in for now, "
                "and ask those who have finished to close their notebook (File, Close and Shut Down Notebook)."
            )
        if self.disk_free_bytes < LOW_DISK_BYTES:
            warnings.append(
                f"Little disk is left: {_format_gib(self.disk_free_bytes)}. "
                "When it is full, work can no longer be saved: make room on this machine now."
            )
        if self.cpu_load is not None and self.cpu_load > HIGH_CPU_LOAD:
            warnings.append("The processor is fully used, so cells take longer than usual. Nothing is broken.")
        return warnings

    def summary(self) -> str:
        """Memory, CPU and disk in one line."""
        load = "" if self.cpu_load is None else f", {round(100 * self.cpu_load)} % in use"
        return (
            f"memory: {_format_gib(self.memory_available_bytes)} of {_format_gib(self.memory_total_bytes)} left; "
            f"processor: {self.cores:g} {'core' if self.cores == 1 else 'cores'}{load}; "
            f"disk: {_format_gib(self.disk_free_bytes)} left"
        )


class CapacityMonitor:
    """Samples the use of the machine at most every `SAMPLE_SECONDS`; in between, the last sample is returned.

    Args:
        folder: of the class; the disk's free space is that of this folder.
        count_trainings: number of running and of waiting trainings, as the class's queue has them.
        root: of the file system, for tests.
        clock: monotonic time in seconds, for tests.
    """

    def __init__(
        self,
        folder: Path,
        *,
        count_trainings: Callable[[], tuple[int, int]] = lambda: (0, 0),
        root: Path = Path("/"),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.root, self._clock = folder, root, clock
        self._count_trainings = count_trainings
        self._cgroups = list(_find_cgroups(root))
        self._usage: MachineUsage | None = None
        self._measured_at = 0.0
        self._cpu_samples: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)

    def current_usage(self) -> MachineUsage:
        """Use of the machine, at most `SAMPLE_SECONDS` old."""
        now = self._clock()
        if self._usage is None or now - self._measured_at >= SAMPLE_SECONDS:
            self._measured_at, self._usage = now, self._measure(now)
        return self._usage

    def cores(self) -> int:
        """CPU cores that may be used, rounded up."""
        return max(1, math.ceil(self._read_cpu()[0]))

    def memory_available_share(self) -> float:
        """Share of the memory that is available now, 0 to 1."""
        available, total = self._read_memory()
        return available / total

    def _read_memory(self) -> tuple[float, float]:
        """Available and total bytes, of the machine or of its tightest cgroup."""
        memory = psutil.virtual_memory()
        available, total = float(memory.available), float(memory.total)
        for group in self._cgroups:
            limit, used = group.read_memory()
            if limit is not None and limit < memory.total:
                total, available = min(total, limit), min(available, max(0.0, limit - used))
        return available, total

    def _measure(self, now: float) -> MachineUsage:
        memory_available, memory_total = self._read_memory()
        cores, cpu_seconds = self._read_cpu()
        self._cpu_samples.append((now, cpu_seconds))
        first_now, first_cpu_seconds = self._cpu_samples[0]
        elapsed = now - first_now
        load = (cpu_seconds - first_cpu_seconds) / (elapsed * cores) if elapsed >= MIN_LOAD_SECONDS else None
        running, waiting = self._count_trainings()
        return MachineUsage(
            memory_available_bytes=memory_available,
            memory_total_bytes=memory_total,
            disk_free_bytes=float(shutil.disk_usage(self.folder).free),
            cpu_load=None if load is None else min(1.0, load),
            cores=cores,
            trainings_running=running,
            trainings_waiting=waiting,
        )

    def _read_cpu(self) -> tuple[float, float]:
        """Cores that may be used, and a counter of the CPU seconds used."""
        cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else psutil.cpu_count() or 1)
        for group in self._cgroups:
            quota_cores, cpu_seconds = group.read_cpu()
            if quota_cores is not None and cpu_seconds is not None and quota_cores < cores:
                return quota_cores, cpu_seconds
        times = psutil.cpu_times()
        not_used = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0)
        return float(psutil.cpu_count() or cores), sum(times) - not_used


@dataclass(frozen=True)
class _CGroup:
    """A Linux cgroup: of version 2, or of version 1 for memory alone."""

    folder: Path
    version: int

    def read_memory(self) -> tuple[float | None, float]:
        """Memory limit in bytes, if there is one, and bytes in use without the page cache that can be dropped."""
        names = ("memory.max", "memory.current", "inactive_file")
        if self.version == 1:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        limit, used = (_read_number(self.folder / name) for name in names[:2])
        inactive_file = _read_key_values(self.folder / "memory.stat").get(names[2], 0.0)
        return limit, max(0.0, (used or 0.0) - inactive_file)

    def read_cpu(self) -> tuple[float | None, float | None]:
        """CPU quota in cores, if there is one, and CPU seconds used."""
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = (self.folder / "cpu.max").read_text().split()
            used = _read_key_values(self.folder / "cpu.stat").get("usage_usec")
            return (None if quota == "max" else float(quota) / float(period)), None if used is None else used / 1e6
        return None, None


def _find_cgroups(root: Path) -> Iterator[_CGroup]:
    """The cgroups of this process, from its own up to the root."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and "memory" not in controllers.split(","):
                continue
            version = 1 if controllers else 2
            top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
            folder = top / path.lstrip("/")
            while folder != top:
                if folder.is_dir():
                    yield _CGroup(folder, version)
                folder = folder.parent
            yield _CGroup(top, version)


def _read_number(file: Path) -> float | None:
    with suppress(OSError, ValueError):
        return float(file.read_text())  # "max" is no number
    return None


def _read_key_values(file: Path) -> dict[str, float]:
    with suppress(OSError, ValueError):
        return {name: float(value) for name, value in (line.split() for line in file.read_text().splitlines())}
    return {}


def _format_gib(size_bytes: float) -> str:
    return f"{size_bytes / GIB:.1f} GiB"
