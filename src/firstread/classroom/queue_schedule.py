"""Schedule of a class's trainings: who runs, who waits, and in which order; without sockets and without a clock.

Each participant has one place in the queue: their second training stands behind everybody's first, and when one of
theirs has run, their next goes to the end. A running training is waited for at most `MAX_WAIT_SECONDS`, whatever it
says of itself.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from firstread.core.queue_rules import MAX_WAIT_SECONDS, QueuePosition, estimate_seconds_until_free

#: after a restart of the class, running trainings have so long to come back before waiting ones are started
GRACE_SECONDS = 5.0


@dataclass(eq=False)
class ScheduledTraining:
    """One training of a participant, in the queue of one device.

    Attributes:
        threads: processor threads that it uses.
        seconds_left: estimated duration, counted from `updated_at`; None if unknown.
        running: True while it trains, False while it waits.
        number: those with lower numbers came earlier.
        seconds_waited_for: how long others have waited while it ran.
    """

    username: str
    device: str
    threads: int = 1
    seconds_left: float | None = None
    running: bool = False
    updated_at: float = 0.0
    number: int = 0
    seconds_waited_for: float = 0.0

    def update_seconds_left(self, seconds: float | None, now: float) -> None:
        """Set the estimated duration as of `now`."""
        self.seconds_left, self.updated_at = seconds, now

    def remaining_seconds(self, now: float) -> float | None:
        """Estimated seconds until it ends, or until it is no longer waited for; None if unknown."""
        if self.seconds_left is None:
            return None
        return min(MAX_WAIT_SECONDS, max(0.0, self.seconds_left - (now - self.updated_at if self.running else 0.0)))


class QueueSchedule:
    """All trainings of a class.

    Args:
        cores: processor cores for the queue of the device "cpu"; on another device one training runs at a time.
        now: monotonic time in seconds.
        grace_seconds: see `GRACE_SECONDS`.
    """

    def __init__(self, *, cores: int, now: float, grace_seconds: float = GRACE_SECONDS) -> None:
        self.cores = cores
        self.trainings: set[ScheduledTraining] = set()
        self._grace_until, self._updated_at = now + grace_seconds, now
        self._numbers = count(1)

    def add(self, training: ScheduledTraining, now: float) -> None:
        """Put a training at the end of the queue.

        One that says that it runs already was started before this schedule existed. Later nobody waits for such a one:
        whoever says so could have waited.
        """
        training.number, training.updated_at = next(self._numbers), now
        training.threads = max(1, min(training.threads, self._cores_of(training.device)))
        training.seconds_waited_for = MAX_WAIT_SECONDS if training.running and now >= self._grace_until else 0.0
        self.trainings.add(training)

    def remove(self, training: ScheduledTraining) -> None:
        """Take a training out of the queue."""
        self.trainings.discard(training)
        if training.running:  # the participant has had their turn: what else of theirs waits goes to the end
            for other in self._line(training.device):
                if other.username == training.username:
                    other.number = next(self._numbers)

    def update(self, now: float) -> None:
        """Start the trainings whose turn has come, and count how long others have waited for the running ones."""
        elapsed, self._updated_at = now - self._updated_at, now
        for device in {training.device for training in self.trainings}:
            waiting = self._line(device)
            for training in self._running(device):
                if any(other.username != training.username for other in waiting):
                    training.seconds_waited_for += elapsed
            if now >= self._grace_until:
                self._start(waiting, self._running(device))

    def _start(self, waiting: list[ScheduledTraining], running: list[ScheduledTraining]) -> None:
        threads_ahead = 0
        for training in waiting:
            waited_for = _waited_for_by(training, running)
            threads = sum(other.threads for other in waited_for) + threads_ahead
            if threads == 0 or threads + training.threads <= self._cores_of(training.device):
                training.running, training.seconds_waited_for = True, 0.0
                running.append(training)
            else:
                threads_ahead += training.threads

    def positions(self, now: float) -> Iterator[tuple[ScheduledTraining, QueuePosition]]:
        """Every waiting training with its position."""
        for device in {training.device for training in self.trainings}:
            running, ahead = self._running(device), list[float | None]()
            for position, training in enumerate(self._line(device), start=1):
                waited_for = _waited_for_by(training, running)
                remaining = [other.remaining_seconds(now) for other in waited_for] + ahead
                seconds = estimate_seconds_until_free(remaining, concurrent=len(waited_for))
                yield training, QueuePosition(position, seconds)
                ahead.append(training.remaining_seconds(now))

    def others_wait(self, training: ScheduledTraining) -> bool:
        """True if another training waits for the same device."""
        return any(not other.running and other.device == training.device for other in self.trainings - {training})

    def count_trainings(self) -> tuple[int, int]:
        """Number of running and of waiting trainings."""
        running = sum(training.running for training in self.trainings)
        return running, len(self.trainings) - running

    def _cores_of(self, device: str) -> int:
        return self.cores if device == "cpu" else 1

    def _running(self, device: str) -> list[ScheduledTraining]:
        """Running trainings of a device, the oldest first."""
        running = [training for training in self.trainings if training.device == device and training.running]
        return sorted(running, key=lambda training: training.number)

    def _line(self, device: str) -> list[ScheduledTraining]:
        """Waiting trainings of a device in the order in which they start: each participant's next one, then others."""
        waiting = [training for training in self.trainings if training.device == device and not training.running]
        earlier = Counter(training.username for training in self._running(device))
        ranked = []
        for training in sorted(waiting, key=lambda training: training.number):
            ranked.append((earlier[training.username], training.number, training))
            earlier[training.username] += 1
        return [training for _, _, training in sorted(ranked, key=lambda entry: entry[:2])]


def _waited_for_by(training: ScheduledTraining, running: list[ScheduledTraining]) -> list[ScheduledTraining]:
    """Running trainings that this one waits for: all of its participant's, and the first of each other's."""
    counted = [other for other in running if other.seconds_waited_for < MAX_WAIT_SECONDS]
    first_of = {other.username: other for other in reversed(counted)}
    return [other for other in counted if other.username == training.username or other is first_of[other.username]]
