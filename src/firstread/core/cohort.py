"""Cohort: cases, images and targets, with their task, origin and processing steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow.compute as pc

from firstread.core.case import Case
from firstread.core.cohort_files import read_cohort, write_cohort
from firstread.core.cohort_summary import count_cases, describe_cohort, sample_by_class
from firstread.core.columns import SPLITS, none_if_missing
from firstread.core.errors import SettingError, suggest
from firstread.core.figures import show_images
from firstread.core.flat_table import check_labels, flat_table, tables_from_flat
from firstread.core.images import read_image, resize_square, with_channels
from firstread.core.patient_sources import count_patient_sources, describe_patient_sources
from firstread.core.progress_bar import track
from firstread.core.provenance import Origin, Step
from firstread.core.tables import Tables
from firstread.core.task_protocol import Task
from firstread.core.tasks import Classification
from firstread.core.windows import WindowLike

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Cohort:
    """Cases with their images, targets, patients and splits, and the task that is to be learnt from them.

    Attributes:
        tables: cases, images and targets as Arrow tables, which cannot be changed; see `firstread.core.tables`. Cases
            are in file order, which the "contiguous" split relies on.
        task: what is predicted, such as `Classification(("abdomen", "chest"))`.
        origin: name, license and citation of the data.
        steps: processing steps that made this cohort, oldest first.
        window: how values of 16 bits are shown with 8, as in `read_dicom`.
        parent: the cohort of which this is a subset (`cohort.test.parent` is `cohort`), or None.

    A cohort is never changed: every method returns a new one.

    Example:
        >>> from firstread.core.columns import make_table
        >>> rows = [{"file": "a.png", "label": "chest", "patient": "001"}, {"file": "b.png", "label": "abdomen"}]
        >>> cohort = Cohort.from_table(make_table(rows), ("abdomen", "chest"), Origin("two"))
        >>> cohort.targets.tolist(), cohort[0].patient
        ([1, 0], '001')
    """

    tables: Tables
    task: Task
    origin: Origin
    steps: tuple[Step, ...] = ()
    window: WindowLike = None
    parent: "Cohort | None" = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(self.steps))

    @classmethod
    def from_table(
        cls,
        table: "pd.DataFrame",
        classes: Sequence[str],
        origin: Origin,
        steps: Sequence[Step] = (),
        *,
        window: WindowLike = None,
    ) -> "Cohort":
        """A cohort for classification from a flat table.

        Args:
            table: one row an image; column `file`, and optionally `case` (unique text), `frame` (frame or slice),
                `label` (one of `classes`), `patient`, `split` ("train", "validation", "test") and any further facts.
            classes: class names in the order of a network's outputs. With two classes the second is the *positive* one.
            origin: name, license and citation of the data.
            steps: processing steps so far.
            window: see the class.

        Raises:
            DataError: no column `file`, two cases of one name, a label that is not among `classes`, an unknown split.
        """
        task = Classification(tuple(classes))
        return cls(tables_from_flat(table, name=task.name, classes=task.classes), task, origin, tuple(steps), window)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of a network's outputs; empty for a task without classes."""
        return tuple(getattr(self.task, "classes", ()))

    @property
    def table(self) -> "pd.DataFrame":
        """The cases as a pandas table, one row each: `case`, `file`, `frame`, `label`, `patient`, `split` and facts.

        It is a copy: changing it does not change the cohort.
        """
        return self._flat.copy(deep=False)  # pandas copies when it is written to

    @cached_property
    def _flat(self) -> "pd.DataFrame":
        names = [*self.classes, None]
        return flat_table(self.tables, [names[index] for index in self.targets])

    # ---- cases and counts

    def __len__(self) -> int:
        return len(self.tables)

    def __iter__(self) -> Iterator[Case]:
        return (self[index] for index in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Case: ...

    @overload
    def __getitem__(self, index: "slice | Sequence[bool] | np.ndarray | pd.Series") -> "Cohort": ...

    def __getitem__(self, index: Any) -> "Case | Cohort":
        """One case by its position; or the cases of a slice or of a mask (N,), as a cohort.

        Raises:
            IndexError: there is no such position.
            SettingError: neither a position nor a slice nor a mask.
        """
        if isinstance(index, slice):
            mask = np.zeros(len(self), bool)
            mask[index] = True
            if (index.step or 1) < 0:
                raise SettingError("A cohort keeps the order of its cases", where=f"cohort[{index}]")
            return self.where(mask)
        if isinstance(index, (int, np.integer)) and not isinstance(index, bool):
            if not -len(self) <= index < len(self):
                raise IndexError(f"There is no case {index}: the cohort has {len(self)}.")
            position = int(index) % len(self)
            facts, images, targets = self.tables.row(position)
            label = [*self.classes, None][self.targets[position]]
            return Case.from_rows(facts, images, targets, label=label, window=self.window)
        if not isinstance(index, str) and hasattr(index, "__len__") and np.asarray(index).dtype == bool:
            return self.where(index)
        if isinstance(index, str) and index in self._flat.columns:
            raise SettingError(f'cohort["{index}"] is not possible', do=f'cohort.table["{index}"] is the column')
        raise SettingError(
            f"cohort[{index!r}] is not possible",
            expected="a position such as cohort[0], a slice such as cohort[:10], or a mask with a value for each case",
            do="cohort.find(name) finds a case by its name",
        )

    def find(self, case: str) -> Case:
        """The case with a name.

        Raises:
            SettingError: there is none.
        """
        position = pc.index(self.tables.cases["case"], str(case)).as_py()
        if position < 0:
            raise SettingError(f'There is no case "{case}"', do="cohort.table shows their names")
        return self[int(position)]

    @property
    def train(self) -> "Cohort":
        """The training split."""
        return self.subset("train")

    @property
    def validation(self) -> "Cohort":
        """The validation split, for model selection and early stopping; never augmented."""
        return self.subset("validation")

    @property
    def test(self) -> "Cohort":
        """The test split, evaluated once, at the end."""
        return self.subset("test")

    @property
    def positive(self) -> str | None:
        """The positive class of two (a score of 1); None with more classes."""
        return self.classes[1] if len(self.classes) == 2 else None

    @cached_property
    def targets(self) -> np.ndarray:
        """Class indices of the labels: (N,) int64, positions in `classes`; -1 where there is no label. Read-only."""
        task = self.task if isinstance(self.task, Classification) else None
        targets = np.full(len(self), -1, np.int64) if task is None else task.labels(self.tables)
        targets.setflags(write=False)
        return targets

    @property
    def strata(self) -> np.ndarray:
        """Stratum of each case for splits, by the task: (N,) int64; -1 for a case that gets no split."""
        return self.task.strata(self.tables)

    @property
    def components(self) -> np.ndarray:
        """Independent unit of each case: (N,) text; spellings of one patient share it, None where it is not known."""
        return np.array(self.tables.cases["component"].to_pylist(), dtype=object)

    @property
    def patient_sources(self) -> dict[str, int]:
        """How it is known whose the images are: source -> number of cases, see `firstread.core.patient_sources`."""
        return count_patient_sources(self.tables.cases["patient_source"].to_pylist())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What every result on these cases must say because of how they came about."""
        return tuple(step.warning for step in self.steps if step.warning)

    @property
    def groups(self) -> np.ndarray:
        """Cases that belong together: (N,) text, the component, or the case itself where none is known."""
        cases = np.array(self.tables.cases["case"].to_pylist(), dtype=object)
        return np.where(self.components == None, "case:" + cases, self.components)  # noqa: E711 - elementwise

    def counts(self) -> "pd.DataFrame":
        """Number of cases of each class in each split."""
        return count_cases(self.table, self.classes)

    def show(self, count: int = 10, *, seed: int = 0) -> "Figure":
        """Draw `count` random cases, equally many of each class; returns the figure."""
        cases = [self[index] for index in sample_by_class(self.targets, count, seed=seed)]
        return show_images([case.image() for case in cases], [case.label or case.case for case in cases])

    def images(self, size: int, *, channels: int = 1) -> np.ndarray:
        """All images, resized to one square size.

        Args:
            size: pixels on each side.
            channels: 1 for grayscale, 3 for color.

        Returns:
            uint8 array, (N, size, size) for one channel, (N, size, size, 3) for three.

        Raises:
            DataError: a file cannot be read; the message names it.
        """
        if channels not in (1, 3):
            raise SettingError(f"channels={channels} is not possible", expected="1 (grayscale) or 3 (colour)")
        shape = (len(self), size, size) if channels == 1 else (len(self), size, size, 3)
        stack = np.zeros(shape, np.uint8)
        rows = self.tables.first_images()
        for index, (file, frame) in enumerate(track(rows, "Reading images", total=len(self))):
            pixels = read_image(file, frame=frame, window=self.window)
            stack[index] = resize_square(with_channels(pixels, channels), size)
        return stack

    # ---- subsets and copies

    def subset(self, split: str) -> "Cohort":
        """The cases of one split: "train", "validation" or "test"."""
        if split not in SPLITS:
            raise SettingError(f'There is no split called "{split}".{suggest(split, SPLITS)}')
        return self.where(pc.fill_null(pc.equal(self.tables.cases["split"], split), False).to_numpy())

    def where(self, mask: "Sequence[bool] | np.ndarray | pd.Series") -> "Cohort":
        """The cases for which `mask` (N,) is true; their `parent` is this cohort, or its parent."""
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != (len(self),):
            raise SettingError(f"The mask has the shape {mask.shape}", expected=f"({len(self)},): one value a case")
        return replace(self, tables=self.tables.filter(mask), parent=self.parent or self)

    def with_column(self, name: str, values: "Sequence[Any] | np.ndarray", *, step: Step | None = None) -> "Cohort":
        """A copy with the column `name` of the cases (such as "split"), or "label", set to `values` (N,)."""
        values = [none_if_missing(value) for value in values]
        if len(values) != len(self):
            raise SettingError(f"{len(values)} values were given for {len(self)} cases", expected="one value a case")
        if name == "label":
            check_labels(values, self.classes)
            name, reader = getattr(self.task, "name", "label"), getattr(self.task, "reader", None)
            tables = self.tables.with_classes(name, values, reader=reader)
        else:
            tables = self.tables.with_cases_column(name, values)
        return replace(self, tables=tables, steps=self.steps + ((step,) if step else ()), parent=None)

    # ---- saving and loading

    def save(self, folder: str | Path) -> Path:
        """Write `cases.parquet`, `images.parquet`, `targets.parquet` and `cohort.json` into `folder`.

        Files under the folder are named relative to it, so that it can be moved.
        """
        write_cohort(
            Path(folder), self.tables, task=self.task, origin=self.origin, steps=self.steps, window=self.window
        )
        return Path(folder)

    @classmethod
    def load(cls, folder: str | Path) -> "Cohort":
        """Read a cohort from a folder that `save` wrote.

        Raises:
            DataError: the folder holds no cohort, a broken one, or one of another version of firstread.
        """
        return cls(**read_cohort(Path(folder)))

    def describe(self) -> dict[str, Any]:
        """Origin, counts and steps as JSON-serializable values, for reports."""
        return describe_cohort(self.origin, classes=self.classes, counts=self.counts(), steps=self.steps)

    def __repr__(self) -> str:
        names = [*self.classes, *getattr(self.task, "structures", ())]
        what = f", {self.task.kind} of {', '.join(names)}" if names else ""
        patients = describe_patient_sources(self.patient_sources)
        return f"Cohort {self.origin.name!r}: {len(self)} cases{what}\n{self.counts()}" + (patients and f"\n{patients}")

    def _repr_html_(self) -> str:
        patients = describe_patient_sources(self.patient_sources)
        counts = self.counts().to_html()
        return f"<p><b>{escape(self.origin.name)}</b>: {len(self)} cases</p>{counts}" + (
            patients and f"<p>{patients}</p>"
        )
