"""Result of a load test, and whether the machine is large enough for the class."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Any

#: required of a machine: the longest time to join, and the 95th percentile of the dashboard's delay
MAX_JOIN_SECONDS, MAX_DASHBOARD_SECONDS = 90.0, 2.0


@dataclass
class LoadTestResult:
    """Result of a load test.

    Attributes:
        joined, finished: number of participants who opened the lesson, and number who ran its last cell.
        seconds_to_join: from opening the join page until the notebook's server answered: percentiles.
        seconds_to_first_cell: from starting the kernel until the first cell's reply: percentiles.
        minutes_of_lesson: until the last participant had finished.
        memory_mb: peak memory of the class's processes, its zygotes included, and of its files in tmpfs, measured
            every few seconds; memory that processes share counts once.
        unreadable_processes: number of processes whose shared memory could not be told, so all of it is counted.
        dashboard_seconds: from an event in a notebook until the instructor's dashboard showed it: percentiles.
        cells_run, events_lost, events_duplicated: cells that were run; of these, those without an event in the class
            database, and those with a second one.
        failures: error message -> number of participants who failed with it.
        minutes_by_step: step -> median of the minutes after the start at which it was reached.
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
    unreadable_processes: int = 0
    dashboard_seconds: dict[str, float] = field(default_factory=dict)
    cells_run: int = 0
    events_lost: int = 0
    events_duplicated: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    minutes_by_step: dict[str, float] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """Reasons why this machine is too small for the class, as sentences; empty if it is large enough."""
        problems = []
        if self.joined < self.participants:
            problems.append(f"{self.participants - self.joined} of {self.participants} never came in.")
        elif self.seconds_to_join["longest"] > MAX_JOIN_SECONDS:
            problems.append(
                f"The last waited {self.seconds_to_join['longest']:.0f} s to come in; "
                f"{MAX_JOIN_SECONDS:.0f} s are bearable."
            )
        if self.finished < self.joined:
            problems.append(f"{self.joined - self.finished} did not come to the end of the lesson.")
        elif self.minutes_of_lesson > self.minutes_planned:
            problems.append(
                f"The lesson took {self.minutes_of_lesson:.0f} minutes; {self.minutes_planned:.0f} are planned."
            )
        if self.memory_mb > 0.85 * self.memory_of_machine_mb:
            problems.append(f"Memory was nearly used up: {self.memory_mb} of {self.memory_of_machine_mb} MB.")
        if self.dashboard_seconds.get("95th percentile", 0.0) > MAX_DASHBOARD_SECONDS:
            problems.append(
                f"The board was late: {self.dashboard_seconds['95th percentile']:.1f} s in one of 20 cases."
            )
        if self.events_lost or self.events_duplicated:
            problems.append(f"{self.events_lost} events were lost and {self.events_duplicated} doubled.")
        return problems

    @property
    def notes(self) -> list[str]:
        """What to know when reading the figures, as sentences."""
        if not self.unreadable_processes:
            return []
        return [
            f"The memory of {self.unreadable_processes} processes could not be read in full: what they share with "
            "others is counted for each, so the class takes less than stands here. Rehearse as the user who starts it."
        ]

    def to_dict(self) -> dict[str, Any]:
        """The result, the problems and the notes as a dictionary, ready for JSON."""
        return asdict(self) | {"will_hold": not self.problems, "problems": self.problems, "notes": self.notes}


def percentiles(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum ("longest") of durations in seconds; empty without values."""
    if not values:
        return {}
    ordered = sorted(values)
    index_95 = min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))
    return {
        "median": round(statistics.median(ordered), 2),
        "95th percentile": round(ordered[index_95], 2),
        "longest": round(ordered[-1], 2),
    }
