"""The tasks that firstread knows: classification and segmentation; the protocol stands in `task_protocol`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.columns import label_numbers_column, text_column
from firstread.core.decisions import decide
from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.geometry import Geometry
from firstread.core.tables import Tables
from firstread.core.target_selection import cases_with_target, class_indices
from firstread.core.task_protocol import Schema, Sink
from firstread.core.volume import Volume

if TYPE_CHECKING:
    import pandas as pd

#: how far the scores of a case may be from 1 together: numbers that were rounded for a table
_SUM_TOLERANCE = 0.01


@dataclass(frozen=True)
class Classification:
    """One class for each case.

    Attributes:
        classes: names in the order of a network's outputs; with two, the second is the positive one.
        name: of the finding in the targets.
        reader: whose word counts; None takes what is adjudicated, else the only reader's, else refuses.

    Example:
        >>> Classification(("no pneumothorax", "pneumothorax")).schema().rows
        ('prediction', 'score_no pneumothorax', 'score_pneumothorax')
    """

    classes: tuple[str, ...]
    name: str = "label"
    reader: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(str(name) for name in self.classes))

    @property
    def kind(self) -> str:
        """ "classification"."""
        return "classification"

    def check(self, tables: Tables) -> None:
        """Refuse a cohort without any class of this finding."""
        if not (self.labels(tables) >= 0).any():
            raise DataError("No case has a label", expected=", ".join(self.classes) or "classes", do="add labels")

    def labels(self, tables: Tables) -> np.ndarray:
        """Class index of each case: (N,) int64, -1 where it is not known."""
        return class_indices(tables, name=self.name, classes=self.classes, reader=self.reader)

    def strata(self, tables: Tables) -> np.ndarray:
        """The class of each case."""
        return self.labels(tables)

    def schema(self) -> Schema:
        """A score for each class, and the class with the highest."""
        return Schema(rows=("prediction", *(f"score_{name}" for name in self.classes)), truth=("truth",))

    def complete_rows(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Add the class that the scores decide for (`core.decisions`); scores must be probabilities of all classes.

        Raises:
            DataError: a column is missing, scores are no probabilities, or a truth is none of the classes.
        """
        columns = [f"score_{name}" for name in self.classes]
        missing = [name for name in ("case", "truth", *columns) if name not in table.columns]
        if missing:
            raise DataError(
                f"The table lacks {', '.join(missing)}",
                expected="columns case, truth and score_<class> for every class",
            )
        if len(self.classes) < 2:
            raise DataError(
                f"There are scores of one class only: {', '.join(self.classes) or 'none'}",
                expected="a column score_<class> for each class, at least two",
                do="add the column of the other class, such as 1 minus the score",
            )
        scores = table[columns].to_numpy(dtype=np.float64)
        if not np.isfinite(scores).all() or (scores < -1e-6).any() or (scores > 1 + 1e-6).any():
            raise DataError("Some scores are not between 0 and 1", do="turn logits into probabilities first")
        wrong = int((np.abs(scores.sum(axis=1) - 1) > _SUM_TOLERANCE).sum()) if columns else 0
        if wrong:
            raise DataError(
                f"The scores of {wrong} cases do not add up to 1",
                where=", ".join(columns[:4]),
                expected="probabilities of classes of which exactly one is right",
                do="divide each row by its sum; findings that can occur together are one classification each",
            )
        answers = [self.classes[index] for index in decide(scores)]
        return table.assign(truth=self._known_truth(table["truth"]), prediction=text_column(answers))

    def _known_truth(self, truth: "pd.Series") -> "pd.Series":
        """The truth as text that is one of the classes, or missing; "1.0" is "1" where pandas made a number of it."""
        names = text_column(truth)
        unknown = {name for name in names.dropna().unique() if name not in self.classes}
        whole = {name: name.removesuffix(".0") for name in unknown if name.removesuffix(".0") in self.classes}
        names = names.replace(whole) if whole else names
        if wrong := sorted(unknown - set(whole)):
            raise DataError(
                f"The truth of {int(names.isin(wrong).sum())} cases is none of the classes: {', '.join(wrong[:4])}",
                expected=", ".join(self.classes),
                do="correct the name; leave the truth empty where it is not known",
            )
        return names

    def decode(
        self, case: str, outputs: np.ndarray, *, grid: Geometry | None, image: Geometry | None, sink: Sink
    ) -> None:
        """Probabilities (K,) -> one row."""
        scores = {f"score_{name}": float(score) for name, score in zip(self.classes, outputs, strict=True)}
        sink.add_row({"case": case, "prediction": self.classes[int(decide(np.asarray(outputs)[None])[0])], **scores})


@dataclass(frozen=True)
class Segmentation:
    """A label map for each case: which voxels belong to which structure.

    Attributes:
        structures: names; the number of a structure in a label map is its position from 1, 0 is the background.
        reader: whose masks count; None takes the adjudicated ones, else the only reader's, else refuses.

    Example:
        >>> Segmentation(("liver",)).number("liver")
        1
    """

    structures: tuple[str, ...]
    reader: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "structures", tuple(str(name) for name in self.structures))
        if not self.structures or len(set(self.structures)) != len(self.structures) or len(self.structures) > 254:
            raise SettingError("A segmentation needs from 1 to 254 different structures", where=str(self.structures))

    @property
    def kind(self) -> str:
        """ "segmentation"."""
        return "segmentation"

    def number(self, structure: str) -> int:
        """Value of a structure in label maps."""
        if structure not in self.structures:
            raise SettingError(f'There is no structure "{structure}".{suggest(structure, self.structures)}')
        return self.structures.index(structure) + 1

    def check(self, tables: Tables) -> None:
        """Refuse a cohort in which a structure has no mask at all."""
        present = np.atleast_1d(self._has_mask(tables).any(axis=0))
        missing = [name for name, there in zip(self.structures, present, strict=True) if not there]
        if missing:
            raise DataError(f"No case has a mask of {', '.join(missing)}", expected="a mask for each structure")

    def strata(self, tables: Tables) -> np.ndarray:
        """Number of structures that a case has a mask of, as one stratum each; -1 without any mask."""
        counts = self._has_mask(tables).sum(axis=1).astype(np.int64)
        strata: np.ndarray = np.where(counts > 0, counts, -1)
        return strata

    def _has_mask(self, tables: Tables) -> np.ndarray:
        """(N, S) bool: whether a case has a mask of a structure."""
        columns = [cases_with_target(tables, kind="mask", name=name, reader=self.reader) for name in self.structures]
        return np.stack(columns, axis=1)

    def schema(self) -> Schema:
        """One row a case and structure."""
        return Schema(
            rows=("structure", "mask_file", "value", "volume_ml"),
            truth=("truth_file", "truth_value"),
            key=("case", "structure"),
        )

    def complete_rows(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Check the names of the structures; numbers in files as text, such as "1", or "1 2 3" for a region."""
        if "structure" not in table.columns:
            raise DataError("The table lacks structure", expected="one row a case and structure")
        unknown = sorted(set(table["structure"]) - set(self.structures))
        if unknown:
            raise DataError(f'"{unknown[0]}" is not a structure of this task', expected=", ".join(self.structures))
        numbers = [name for name in ("value", "truth_value") if name in table.columns]
        return table.assign(**{name: label_numbers_column(table[name]).to_numpy() for name in numbers})

    def decode(
        self, case: str, outputs: np.ndarray, *, grid: Geometry | None, image: Geometry | None, sink: Sink
    ) -> None:
        """Probabilities (1 + S, z, y, x) on the network's grid -> a label map on the image's grid, a row a structure.

        Each class is interpolated by itself and the most likely one taken, because nearest neighbours erode small
        structures; one class is held at a time.
        """
        if grid is None or image is None:
            raise DataError("A segmentation needs the place of its outputs in the patient", where=case)
        labels = np.zeros(image.size_zyx, np.uint8)
        best: np.ndarray | None = None
        for number, channel in enumerate(outputs):
            values = Volume(channel.astype(np.float32, copy=False), grid).resampled(image).values
            if best is None:
                best = values
            else:
                labels[values > best] = number
                np.maximum(best, values, out=best)
        file = sink.write_mask(case, labels, image)
        for row in self.mask_rows(Volume(labels, image), file):
            sink.add_row({"case": case, **row})

    def mask_rows(self, labels: Volume, file: str) -> list[dict[str, Any]]:
        """Rows of `Schema.rows` for a label map in a file, one a structure."""
        counts = np.bincount(labels.values.ravel(), minlength=len(self.structures) + 1)
        voxel_ml = labels.geometry.voxel_volume_ml
        return [
            {"structure": name, "mask_file": file, "value": value, "volume_ml": float(counts[value] * voxel_ml)}
            for value, name in enumerate(self.structures, 1)
        ]
