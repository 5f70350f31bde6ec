"""Predictions: what a model answered for each case, beside the truth; the input of evaluation and monitoring."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.cohort import Cohort
from firstread.core.columns import encode_labels, text_column
from firstread.core.errors import DataError
from firstread.core.files import write_atomically
from firstread.core.registry import find_registered, registered
from firstread.core.task_protocol import Task, same_task, task_from_json, task_to_json
from firstread.core.tasks import Classification

if TYPE_CHECKING:
    import pandas as pd

_SCORE_PREFIX = "score_"
#: columns that are text, whatever they look like: the case "001" is not "1", and a class may be called "None"
_TEXT_COLUMNS = (
    *("case", "truth", "prediction", "file", "patient", "component", "patient_source", "split", "structure", "role"),
    "model",
)
#: columns of a case that predictions carry along: what is independent, and which part and network they are of
CONTEXT_COLUMNS = ("patient", "component", "patient_source", "split", "fold", "seed")


@dataclass(frozen=True, eq=False)
class Predictions:
    """Answers of a model (or a trivial rule) for each case, with the truth.

    Attributes:
        table: one row for each key of the task's schema (a case; for a segmentation, a case and a structure), with the
            columns of `task.schema()`, and optionally `file`, `frame`, `patient`, `component` (the independent unit),
            `patient_source` (how it is known), `split`, `fold`, `seed`. For a classification: `case`, `truth` (class
            name, or missing), `prediction` (class with the highest score) and one column `score_<class>` for each class
            (0 to 1, a row sums to 1).
        task: what was predicted.
        model: name of the model or rule.
        rules: predictions of trivial rules for the same cases, if they are made already; see `baselines`.
        cohort: the cases that were predicted; trivial rules are fitted on the training part of the cohort that they
            come from, once they are asked for.
        warnings: what every result on these cases must say, such as that their test set was opened before; those of
            the cohort are among them, and they are saved and loaded.
    """

    table: "pd.DataFrame"
    task: Task
    model: str = "model"
    rules: "tuple[Predictions, ...] | None" = field(default=None, repr=False)
    cohort: Cohort | None = field(default=None, repr=False)
    warnings: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        known = (*self.warnings, *(self.cohort.warnings if self.cohort is not None else ()))
        object.__setattr__(self, "warnings", tuple(dict.fromkeys(known)))
        object.__setattr__(self, "rules", None if self.rules is None else tuple(self.rules))
        object.__setattr__(self, "table", _validate_table(self.table, self.task))

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the score columns; with two, the second is the positive one."""
        return tuple(getattr(self.task, "classes", ()))

    @cached_property
    def baselines(self) -> "tuple[Predictions, ...]":
        """Predictions of trivial rules (image size, mean brightness, thumbnail, ...) for the same cases.

        They are fitted, when they are first asked for, on the training cases of the cohort that the cases come from;
        every result shows them beside the model. Empty where no training cases are known.
        """
        if self.rules is not None or self.cohort is None:
            return self.rules or ()
        parent = self.cohort.parent
        known = self.task.kind in registered("baselines") and same_task(self.cohort.task, self.task)
        if parent is None or not known or not len(parent.train):
            return ()
        return tuple(find_registered("baselines", self.task.kind)(parent.train, self.cohort))

    @classmethod
    def from_scores(
        cls,
        cases: "pd.DataFrame",
        scores: np.ndarray,
        *,
        classes: Sequence[str],
        task: Classification | None = None,
        model: str = "model",
        cohort: Cohort | None = None,
    ) -> "Predictions":
        """Build predictions from the rows of a cohort's table and an array of scores.

        Args:
            cases: a table with `case` and `label` (and, if present, `file`, `frame`, `patient`, `split`).
            scores: (N, K) probabilities in the order of `classes`; or (N,) scores of the positive class of two.
            classes: class names.
            task: what was predicted, with the finding's name and whose word is the truth; default
                `Classification(classes)`.
            model: name of the model or rule.
            cohort: the cases, if trivial rules are to stand beside them.
        """
        scores = np.asarray(scores, dtype=np.float64)
        if scores.ndim == 1 and len(classes) == 2:
            scores = np.stack([1.0 - scores, scores], axis=1)
        if scores.shape != (len(cases), len(classes)):
            raise DataError(
                f"Scores have the shape {scores.shape}",
                expected=f"({len(cases)}, {len(classes)}): cases, classes",
            )
        columns = ["case"] + [name for name in ("file", "frame", *CONTEXT_COLUMNS) if name in cases]
        table = cases[columns].reset_index(drop=True).copy()
        table.insert(1, "truth", cases["label"].to_numpy() if "label" in cases else None)
        for index, name in enumerate(classes):
            table[_SCORE_PREFIX + name] = scores[:, index]
        return cls(table, task or Classification(tuple(classes)), model, cohort=cohort)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def positive(self) -> str | None:
        """The positive class of two (a score of 1); None with more classes."""
        return self.classes[1] if len(self.classes) == 2 else None

    @property
    def scores(self) -> np.ndarray:
        """Scores: (N, K) float64, in the order of `classes`."""
        return self.table[[_SCORE_PREFIX + name for name in self.classes]].to_numpy(dtype=np.float64)

    @property
    def truth(self) -> np.ndarray:
        """True class indices: (N,) int64, -1 where the truth is not known."""
        return encode_labels(self.table["truth"], self.classes)

    @property
    def predicted(self) -> np.ndarray:
        """Predicted class indices: (N,) int64."""
        return encode_labels(self.table["prediction"], self.classes)

    def with_baselines(self, baselines: Sequence["Predictions"]) -> "Predictions":
        """A copy with the predictions of trivial rules for the same cases."""
        return replace(self, rules=tuple(baselines))

    def hardest(self, count: int = 8) -> "pd.DataFrame":
        """The cases with the lowest score of their true class, lowest first, with the column `score_of_truth`."""
        known = self.truth >= 0
        table = self.table[known].copy()
        table["score_of_truth"] = self.scores[known, self.truth[known]]
        return table.sort_values("score_of_truth", kind="stable").head(count).reset_index(drop=True)

    def save(self, path: str | Path) -> Path:
        """Write one Parquet file: rows of the model and of each baseline, with the columns `model` and `role`."""
        import pandas as pd

        parts = [self.table.assign(model=self.model, role="model")]
        parts += [b.table.assign(model=b.model, role="baseline") for b in self.baselines]
        combined = pd.concat(parts, ignore_index=True)
        combined["frame"] = pd.to_numeric(combined["frame"]) if "frame" in combined else None
        combined.attrs = {"task": task_to_json(self.task), "warnings": list(self.warnings)}
        return write_atomically(path, lambda temporary: combined.to_parquet(temporary, index=False))

    @classmethod
    def load(cls, path: str | Path) -> "Predictions":
        """Read predictions that `save` wrote, or a CSV or Parquet table with `truth` and `score_<class>` columns.

        Raises:
            DataError: no such table, or predictions of several models.
        """
        path = Path(path)
        combined = _read_table(path)
        score_columns = [str(name) for name in combined if str(name).startswith(_SCORE_PREFIX)]
        stored = combined.attrs.get("task")
        classes = tuple(name.removeprefix(_SCORE_PREFIX) for name in score_columns)
        task = task_from_json(stored) if stored else Classification(classes)
        warnings = tuple(str(text) for text in combined.attrs.get("warnings") or ())
        if "role" not in combined:
            combined = combined.assign(role="model", model=combined.get("model", path.stem))
        by_role: dict[str, list[Predictions]] = {"model": [], "baseline": []}
        for (role, model), rows in combined.groupby(["role", "model"], sort=False):
            table = rows.drop(columns=["role", "model"]).reset_index(drop=True)
            by_role[str(role)].append(cls(table, task, str(model), warnings=warnings))
        if len(by_role["model"]) != 1:
            raise DataError(
                f"The file holds predictions of {len(by_role['model'])} models", where=path, expected="exactly one"
            )
        return by_role["model"][0].with_baselines(by_role["baseline"])

    def _repr_html_(self) -> str:
        return self.table.to_html(max_rows=12, float_format="{:.3f}".format, index=False)


def _read_table(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        if path.suffix.lower() != ".csv":
            return pd.read_parquet(path)
        text = dict.fromkeys(_TEXT_COLUMNS, "object")
        return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=[""], encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError("The predictions cannot be read", where=path, expected="a Parquet or CSV table") from error


def _validate_table(table: "pd.DataFrame", task: Task) -> "pd.DataFrame":
    """A copy of `table` with text columns and what follows from others; raises DataError for what is missing."""
    schema = task.schema()
    table = task.complete_rows(table.reset_index(drop=True))
    missing = [name for name in (*schema.key, *schema.truth, *schema.rows) if name not in table.columns]
    if missing:
        raise DataError(
            f"The table lacks {', '.join(dict.fromkeys(missing))}",
            expected=f"columns {', '.join(dict.fromkeys((*schema.key, *schema.truth, *schema.rows)))}",
        )
    if table.duplicated([*schema.key, *(["seed"] if "seed" in table else [])]).any():
        raise DataError(
            "Some cases are predicted twice",
            where=f"column{'s' if len(schema.key) > 1 else ''} {', '.join(map(repr, schema.key))}",
            expected="one row for each, or a column 'seed' that tells them apart",
        )
    for name in (*schema.key, "truth", "patient", "component", "patient_source", "split"):
        if name in table:
            table[name] = text_column(table[name])
    return table


def concat_predictions(parts: Sequence[Predictions], *, model: str | None = None) -> Predictions:
    """Concatenate predictions (folds of a cross-validation, several seeds); baselines are joined by name."""
    import pandas as pd

    first = parts[0]
    table = pd.concat([part.table for part in parts], ignore_index=True)
    names: list[str] = list(dict.fromkeys(b.model for part in parts for b in part.baselines))
    baselines = []
    for name in names:
        rows = [b.table for part in parts for b in part.baselines if b.model == name]
        if len(rows) == len(parts):
            baselines.append(Predictions(pd.concat(rows, ignore_index=True), first.task, name))
    return Predictions(table, first.task, model or first.model, tuple(baselines))
