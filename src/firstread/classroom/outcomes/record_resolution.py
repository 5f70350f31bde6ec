"""Resolution of a session's record: how finely participants are shown, by the size of the class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstread.classroom.outcomes.session_entries import step_titles

#: with fewer participants nothing about them is in the record; with fewer than `DETAILED_CLASS` it is coarse
MIN_CLASS, DETAILED_CLASS = 5, 10
FRAME_SECONDS, COARSE_FRAME_SECONDS, MAX_FRAMES = 60, 300, 400


@dataclass(frozen=True)
class Resolution:
    """How finely a record shows participants.

    Attributes:
        places: names of the places that participants are counted at; empty if they are not counted.
        place_of: index of the place of each position: before the first step, each step, finished.
        frame_seconds: time between two frames.
    """

    places: tuple[str, ...]
    place_of: tuple[int, ...]
    frame_seconds: int

    @property
    def has_every_step(self) -> bool:
        """True if each step is a place of its own."""
        return len(self.places) == len(self.place_of) > 0


def resolution_of(participants: int, steps: Sequence[Mapping[str, Any]], seconds: int = 0) -> Resolution:
    """Resolution of a record by the size of the class: every step, thirds of the lesson, or no participants at all.

    No count is left out or rounded, because one that is can often be worked out from the others: instead the places and
    the frames are so coarse that they say less than the projector showed to the room.

    Args:
        steps: of the lesson.
        seconds: length of the session.
    """
    if participants < MIN_CLASS:
        return Resolution((), (), _frame_seconds(FRAME_SECONDS, seconds))
    if participants >= DETAILED_CLASS or len(steps) < 3:
        places = ("Before the first step", *step_titles(steps).values(), "Finished")
        return Resolution(places, tuple(range(len(places))), _frame_seconds(FRAME_SECONDS, seconds))
    third_of = [3 * index // len(steps) for index in range(len(steps))]
    numbers = [[index + 1 for index, third in enumerate(third_of) if third == one] for one in range(3)]
    first, middle, last = (f"Steps {third[0]} to {third[-1]}" for third in numbers)
    places = (f"{first}, or before", middle, f"{last}, or finished")
    return Resolution(places, (0, *third_of, 2), _frame_seconds(COARSE_FRAME_SECONDS, seconds))


def _frame_seconds(least: int, seconds: int) -> int:
    """Time between frames, doubled until a long session has at most `MAX_FRAMES`."""
    while seconds / least > MAX_FRAMES:
        least *= 2
    return least
