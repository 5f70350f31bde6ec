"""What a rehearsal has seen, and whether the machine will hold."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

#: what a class asks of a machine: everyone in within so long, and the board renewed within so long in 95 of 100 cases
JOINED_SECONDS, BOARD_SECONDS = 90.0, 2.0


@dataclass
class Rehearsal:
    """What was seen.

    Attributes:
        joined, finished: how many stood in the lesson, and how many came to its end.
        seconds_to_join: from opening the join page until the notebook's server answered: median, 95th percentile, longest.
        seconds_to_first_cell: from starting the kernel until the first cell's answer, likewise.
        minutes_of_lesson: until the last had finished.
        memory_mb: what the class took at most, its warm processes included: of the whole machine, less what was taken before.
        board_seconds: from what happened in a notebook until the instructor's board showed it: median and 95th percentile.
        told, lost, doubled: cells that were run; those that the class did not hear of, and those that it counted twice.
        failures: what went wrong, and how often.
        by_step: minutes after the start at which half of all had reached each step.
    """

    participants: int
    lesson: str
    minutes_planned: float
    cores: int
    memory_of_machine_mb: int
    joined: int = 0
    finished: int = 0
    seconds_to_join: dict[str, float] = field(default_factory=dict)
    seconds_to_first_cell: dict[str, float] = field(default_factory=dict)
    minutes_of_lesson: float = 0.0
    memory_mb: int = 0
    board_seconds: dict[str, float] = field(default_factory=dict)
    told: int = 0
    lost: int = 0
    doubled: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    by_step: dict[str, float] = field(default_factory=dict)

    @property
    def misgivings(self) -> list[str]:
        """Why this machine will not hold, in words; empty if it will."""
        said = []
        if self.joined < self.participants:
            said.append(f"{self.participants - self.joined} of {self.participants} never came in.")
        elif self.seconds_to_join["longest"] > JOINED_SECONDS:
            said.append(
                f"The last waited {self.seconds_to_join['longest']:.0f} s to come in; {JOINED_SECONDS:.0f} s are bearable."
            )
        if self.finished < self.joined:
            said.append(f"{self.joined - self.finished} did not come to the end of the lesson.")
        elif self.minutes_of_lesson > self.minutes_planned:
            said.append(
                f"The lesson took {self.minutes_of_lesson:.0f} minutes; {self.minutes_planned:.0f} are planned."
            )
        if self.memory_mb > 0.85 * self.memory_of_machine_mb:
            said.append(f"Memory was nearly used up: {self.memory_mb} of {self.memory_of_machine_mb} MB.")
        if self.board_seconds.get("95th percentile", 0.0) > BOARD_SECONDS:
            said.append(f"The board was late: {self.board_seconds['95th percentile']:.1f} s in one of 20 cases.")
        if self.lost or self.doubled:
            said.append(f"{self.lost} events were lost and {self.doubled} doubled.")
        return said

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self) | {"will_hold": not self.misgivings, "misgivings": self.misgivings}


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and longest of some seconds."""
    if not values:
        return {}
    ordered = sorted(values)
    place = min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))
    return {
        "median": round(statistics.median(ordered), 2),
        "95th percentile": round(ordered[place], 2),
        "longest": round(ordered[-1], 2),
    }
