"""Task protocol: what is predicted of a case, for the training, the evaluation, the service and the node alike.

A task says what a cohort must hold to be trained on, which columns predictions have, and how a network's outputs become
rows and files. It knows no torch.

Another package adds a task as an entry point of the group `firstread.tasks`, its metrics as `firstread.metrics`, its
trivial rules as `firstread.baselines` and its network as `firstread.models`, each under the task's `kind`; see
docs/how-to/add-a-task.md.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from firstread.core.errors import DataError
from firstread.core.geometry import Geometry
from firstread.core.registry import find_registered
from firstread.core.tables import Tables

if TYPE_CHECKING:
    import pandas as pd


class Sink(Protocol):
    """Where a task puts what it decodes: `firstread.learning.prediction`, the service and the node each have one."""

    def add_row(self, values: Mapping[str, Any]) -> None:
        """Add a row with the columns of `Schema.rows`."""

    def write_mask(self, case: str, values: np.ndarray, geometry: Geometry) -> str:
        """Store a label map, uint8 (z, y, x), and return the path of its file."""


@dataclass(frozen=True)
class Schema:
    """Columns of predictions beyond `case`, `patient`, `component`, `split`, `fold` and `seed`.

    Attributes:
        rows: columns that a model's answer fills.
        truth: columns that the reference standard fills.
        key: columns that name a row; once in each set of predictions, for each seed.
    """

    rows: tuple[str, ...]
    truth: tuple[str, ...]
    key: tuple[str, ...] = ("case",)


@runtime_checkable
class Task(Protocol):
    """What is predicted of a case. A task is a frozen dataclass of plain values, so that it can be stored as JSON.

    Optional is `targets(tables)`, for a network of pictures that learns something else than a class: (N, ...) numbers,
    NaN where they are not known. They become the truth of predictions too, if the schema has one column for it.
    """

    @property
    def kind(self) -> str:
        """Name under which the task, its metrics, rules and models are registered, such as "classification"."""

    def check(self, tables: Tables) -> None:
        """Refuse a cohort that cannot be trained on or evaluated for this task.

        Raises:
            DataError: what is missing, in a sentence.
        """

    def strata(self, tables: Tables) -> np.ndarray:
        """Stratum of each case for splits: (N,) int64; -1 for a case that gets no split."""

    def schema(self) -> Schema:
        """Columns of this task's predictions."""

    def complete_rows(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """A copy of a table of predictions with the columns that follow from others.

        Raises:
            DataError: a column is missing, or holds values that no model of this task can answer.
        """

    def decode(
        self, case: str, outputs: np.ndarray, *, grid: Geometry | None, image: Geometry | None, sink: Sink
    ) -> None:
        """Turn a network's outputs for one case into rows and files in the image's own space.

        Args:
            case: its identifier.
            outputs: of the network, on its own grid.
            grid: of the outputs; None where there is none.
            image: of the image that the case has; files are written on it.
            sink: takes the rows and files.
        """


def task_to_json(task: Task) -> dict[str, Any]:
    """A task as plain values: its kind and its fields."""
    return {"kind": task.kind, **asdict(task)}  # type: ignore[call-overload]


def task_from_json(values: Mapping[str, Any]) -> Task:
    """The task that `task_to_json` described.

    Raises:
        MissingDependencyError: no installed package knows this kind of task.
        DataError: the fields do not fit.
    """
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    kind = str(fields.pop("kind", ""))
    factory = find_registered("tasks", kind)
    try:
        task: Task = factory(**fields)
    except TypeError as error:
        raise DataError(f'This is not a "{kind}" task', expected="the fields that it was saved with") from error
    return task


def same_task(first: Task, second: Task) -> bool:
    """Whether two tasks ask the same: their kind and all their fields agree."""
    return task_to_json(first) == task_to_json(second)


def answer_names(task: Task) -> tuple[str, ...]:
    """Names that a network for a task tells apart: classes or structures; none for a task of numbers."""
    return tuple(getattr(task, "classes", ())) or tuple(getattr(task, "structures", ()))


def same_answers(first: Task, second: Task) -> bool:
    """Whether a network for one task can answer the other: kind and names agree; whose word is the truth may differ.

    Tasks without classes and structures agree in all fields but `reader`.
    """
    if first.kind != second.kind or answer_names(first) != answer_names(second):
        return False
    fields = [{**task_to_json(task), "reader": None} for task in (first, second)]
    return bool(answer_names(first)) or fields[0] == fields[1]
