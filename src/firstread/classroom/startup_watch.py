"""Startup of processes, watched: waits as long as they use processor time or write to their logs, reports, gives up."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from firstread.core.errors import FirstreadError

#: without movement for so long, processes that start are given up
STALL_SECONDS = 120.0
#: processor time that counts as movement: a process that only waits uses less
_CPU_STEP_SECONDS = 0.5
_REPORT_INTERVAL_SECONDS = 15.0


class ClassError(FirstreadError):
    """A class cannot be started."""


class StartupWatch:
    """Watches processes until they are ready; `check` is called now and then.

    Args:
        what: is started, as the messages say it.
        logs: file by label; the last lines say what the processes do.
        report: called now and then with a sentence for the terminal.
        stall_seconds: after so long without movement `check` raises.
    """

    def __init__(
        self,
        what: str,
        logs: Mapping[str, Path],
        *,
        report: Callable[[str], None],
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self.what, self.logs, self.report, self.stall_seconds = what, logs, report, stall_seconds
        self._started_at = self._moved_at = self._reported_at = time.monotonic()
        self._cpu_seconds, self._log_bytes = 0.0, self._total_log_bytes()

    def check(self, pids: list[int]) -> None:
        """Look at the processes and their logs.

        Raises:
            ClassError: nothing has moved for too long.
        """
        now, cpu_seconds, log_bytes = time.monotonic(), sum(map(_cpu_seconds, pids)), self._total_log_bytes()
        self._cpu_seconds = min(self._cpu_seconds, cpu_seconds)  # less: another process in place of one that ended
        if cpu_seconds - self._cpu_seconds >= _CPU_STEP_SECONDS or log_bytes != self._log_bytes:
            self._moved_at, self._cpu_seconds, self._log_bytes = now, cpu_seconds, log_bytes
        if now - self._moved_at > self.stall_seconds:
            raise ClassError(
                f"{self.what} did not start: for {now - self._moved_at:.0f} s nothing has moved. {self._describe()}",
                where=", ".join(str(log) for log in self.logs.values()),
                do="look at the last lines of these files",
            )
        if now - self._reported_at > _REPORT_INTERVAL_SECONDS:
            self._reported_at = now
            self.report(
                f"{self.what}: starting for {now - self._started_at:.0f} s, "
                f"of which {cpu_seconds:.0f} s on a processor. {self._describe()}"
            )

    def _describe(self) -> str:
        """Last line of each log."""
        lines = {label: last_line(log) for label, log in self.logs.items()}
        return "; ".join(f"{label}: {line or 'nothing said yet'}" for label, line in lines.items())

    def _total_log_bytes(self) -> int:
        return sum(log.stat().st_size for log in self.logs.values() if log.exists())


def last_line(log: Path) -> str:
    """Last line of a log that is not empty, at most 200 characters of it."""
    with suppress(OSError), open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""
    return ""


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process and its descendants, ended ones included."""
    total = 0.0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += sum(one.cpu_times()[:4])
    return total
