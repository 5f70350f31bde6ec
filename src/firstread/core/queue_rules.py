"""Rules of the training queue, wherever it is kept: time slice, longest wait, and what a waiting training is told.

The queue of one computer is a folder (`learning/queue_folder.py`); that of a class is kept by its broker
(`classroom/queue_broker.py`), to which the trainings connect (`learning/queue_socket.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

#: a training that has run for so long goes to the end of the queue when its epoch is over
TIME_SLICE_SECONDS = 60.0
#: the longest wait for one training, or for all trainings of one other user; then the waiting one runs beside them
MAX_WAIT_SECONDS = 600.0
#: a training of which nothing was heard for this long (it stopped, or hangs) is not waited for
STALE_SECONDS = 120.0
#: how often a running training says how long it will take
UPDATE_INTERVAL_SECONDS = 2.0
#: start of the value of FIRSTREAD_QUEUE that names a broker's Unix socket
SOCKET_PREFIX = "unix:"
#: longest message between a training and a broker, one JSON object a line
MAX_MESSAGE_BYTES = 512


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


def estimate_seconds_until_free(remaining: Sequence[float | None], *, concurrent: int) -> float | None:
    """Estimated seconds until the trainings ahead have ended; None if nothing is known about any of them.

    Args:
        remaining: seconds that each of them still takes; None for unknown, which counts as the mean of the others.
        concurrent: how many of them run now.
    """
    known = [seconds for seconds in remaining if seconds is not None]
    if not known:
        return None
    unknown = len(remaining) - len(known)
    return (sum(known) + unknown * sum(known) / len(known)) / max(1, concurrent)


def _format_duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
