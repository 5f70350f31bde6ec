"""Training queue: trainings on one computer run in order of arrival, so that each has the CPU or the GPU to itself.

Two trainings at once on the same cores take far longer than one after the other, because the threads of each spin while
they wait for threads that the other keeps from running. On a single computer the queue is a folder of locked files
(`queue_folder.py`); in a class it is kept by a broker (`queue_socket.py`).

`FIRSTREAD_QUEUE` names another folder (for containers that share one), or a broker (`unix:/path/of/its/socket`, with
`FIRSTREAD_QUEUE_TOKEN`), or is "off".
"""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from firstread.core.queue_rules import SOCKET_PREFIX, TIME_SLICE_SECONDS, QueuePosition
from firstread.learning.queue_folder import FolderQueue
from firstread.learning.queue_socket import SocketQueue


class TrainingQueue(Protocol):
    """Where one training waits: the interface of `FolderQueue` and `SocketQueue`."""

    def enter(self, report: Callable[[QueuePosition], None]) -> None:
        """Join the end of the queue, and wait until the training may run.

        Raises:
            OSError: the queue cannot be used.
        """

    def leave(self) -> None:
        """Leave the queue; also after `enter` has failed."""

    def update_seconds_left(self, seconds: float | None) -> None:
        """Update the remaining time that waiting trainings see, if the last update is some seconds ago."""

    def others_wait(self) -> bool:
        """True if others wait while this training runs."""


class QueueSlot:
    """A training's slot in the queue.

    Use as a context manager: entering waits until the training may run. With a queue that cannot be used, or with
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
        self.report = report
        self.queue = _open_queue(queue_name, threads=threads, cores=cores, seconds_left=expected_seconds)
        self.seconds_waited = 0.0
        self._started = 0.0

    def __enter__(self) -> Self:
        begin, reported = time.monotonic(), False

        def report(position: QueuePosition) -> None:
            nonlocal reported
            reported = True
            self.report(position)

        try:
            if self.queue is not None:
                self.queue.enter(report)
        except OSError:  # a file system without locks, say, or a folder of somebody else's
            self._leave()
        except BaseException:
            self._leave()
            raise
        if reported:
            self.report(QueuePosition(0, None))
        self._started = time.monotonic()
        self.seconds_waited += self._started - begin
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def update_seconds_left(self, seconds: float | None) -> None:
        """Update the remaining time that waiting trainings see; call it at every step, it writes every two seconds."""
        if self.queue is not None:
            self.queue.update_seconds_left(seconds)

    def yield_slot(self) -> None:
        """Go to the end of the queue if the time slice is used up and others wait; call it between epochs."""
        if self.queue is None or time.monotonic() - self._started < TIME_SLICE_SECONDS:
            return
        if not self.queue.others_wait():
            self._started = time.monotonic()
            return
        self._leave()
        self.__enter__()

    def _leave(self) -> None:
        if self.queue is not None:
            self.queue.leave()


def _open_queue(
    queue_name: str | None, *, threads: int, cores: int, seconds_left: float | None
) -> TrainingQueue | None:
    """The queue of a device, as FIRSTREAD_QUEUE has it; None if nothing is to be waited for."""
    configured = os.environ.get("FIRSTREAD_QUEUE", "")
    if queue_name is None or configured == "off":
        return None
    if configured.startswith(SOCKET_PREFIX):
        socket_file = Path(configured.removeprefix(SOCKET_PREFIX))
        token = os.environ.get("FIRSTREAD_QUEUE_TOKEN", "")
        return SocketQueue(socket_file, token, queue_name=queue_name, threads=threads, seconds_left=seconds_left)
    base = Path(configured).expanduser() if configured else Path(tempfile.gettempdir())
    return FolderQueue(base, queue_name, threads=threads, cores=cores, seconds_left=seconds_left)
