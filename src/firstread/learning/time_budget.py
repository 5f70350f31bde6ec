"""TimeBudget: how long a training takes, given in minutes instead of epochs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class TimeBudget:
    """Wall-clock time of a training, validation included, without the time that it waits for other trainings.

    Args:
        minutes: that the training has.
        seconds_used: that an interrupted training has used already.
    """

    def __init__(self, minutes: float, *, seconds_used: float = 0.0) -> None:
        self.seconds = 60.0 * minutes
        self._started = time.monotonic() - seconds_used
        self._validation_seconds = 0.0

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time of a block, in which the training waits."""
        begin = time.monotonic()
        yield
        self._started += time.monotonic() - begin

    @contextmanager
    def validation(self) -> Iterator[None]:
        """Measure a validation, and keep as much time for the one at the end."""
        begin = time.monotonic()
        yield
        self._validation_seconds = time.monotonic() - begin

    def elapsed_fraction(self) -> float:
        """Share of the time that is over: 0 to 1, or more."""
        usable = max(1e-6, self.seconds - self._validation_seconds)
        return (time.monotonic() - self._started) / usable

    @property
    def is_over(self) -> bool:
        """Whether the training must end."""
        return self.elapsed_fraction() >= 1.0
