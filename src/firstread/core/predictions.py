"""Predictions: table of case, truth and scores by model; the input of evaluation and monitoring."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firstread.core.columns import encode_labels, text_column
from firstread.core.errors import DataError
from firstread.core.files import write_atomically

if TYPE_CHECKING:
    import pandas as pd

_SCORE_PREFIX = "score_"


@dataclass(frozen=True)
class Predictions:
    """Scores of a model (or a trivial rule) for each case, with the truth.

    Attributes:
        table: one row a case: `case`, `truth` (class name, or missing), `prediction` (class with the highest score),
            one column `score_<class>` for each class (0 to 1, rows sum to 1), and optionally `file`, `frame`,
            `patient`, `split`, `fold`, `seed`.
        classes: class names in the order of the score columns. With two classes the second is the positive one.
        model: name of the model or rule.
        baselines: predictions of trivial rules (image size, mean brightness, thumbnail, ...) for the same cases, fitted
            on the same training cases; every result shows them beside the model.
    """

    table: "pd.DataFrame"
    classes: tuple[str, ...]
    model: str = "model"
    baselines: tuple["Predictions", ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "baselines", tuple(self.baselines))
        object.__setattr__(self, "table", _validate_table(self.table, self.classes))

    @classmethod
    def from_scores(
        cls, cases: "pd.DataFrame", scores: np.ndarray, *, classes: Sequence[str], model: str = "model"
    ) -> "Predictions":
        """Build predictions from the rows of a cohort's table and an array of scores.

        Args:
            cases: a table with `case` and `label` (and, if present, `file`, `frame`, `patient`, `split`).
            scores: (N, K) probabilities in the order of `classes`; or (N,) scores of the positive class of two.
        """
        scores = np.asarray(scores, dtype=np.float64)
        if scores.ndim == 1 and len(classes) == 2:
            scores = np.stack([1.0 - scores, scores], axis=1)
        if scores.shape != (len(cases), len(classes)):
            raise DataError(
                f"Scores have the shape {scores.shape}",
                expected=f"({len(cases)}, {len(classes)}): cases, classes",
            )
        columns = ["case"] + [name for name in ("file", "frame", "patient", "split", "fold", "seed") if name in cases]
        table = cases[columns].reset_index(drop=True).copy()
        table.insert(1, "truth", cases["label"].to_numpy() if "label" in cases else None)
        for index, name in enumerate(classes):
            table[_SCORE_PREFIX + name] = scores[:, index]
        return cls(table=table, classes=tuple(classes), model=model)

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
        return replace(self, baselines=tuple(baselines))

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
        combined.attrs = {"classes": list(self.classes)}
        return write_atomically(path, lambda temporary: combined.to_parquet(temporary, index=False))

    @classmethod
    def load(cls, path: str | Path) -> "Predictions":
        """Read predictions that `save` wrote, or a CSV or Parquet table with `truth` and `score_<class>` columns."""
        import pandas as pd

        path = Path(path)
        try:
            combined = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise DataError("The predictions cannot be read", where=path, expected="a Parquet or CSV table") from error
        score_columns = [str(name) for name in combined if str(name).startswith(_SCORE_PREFIX)]
        classes = tuple(combined.attrs.get("classes") or [name.removeprefix(_SCORE_PREFIX) for name in score_columns])
        if "role" not in combined:
            combined = combined.assign(role="model", model=combined.get("model", path.stem))
        by_role: dict[str, list[Predictions]] = {"model": [], "baseline": []}
        for (role, model), rows in combined.groupby(["role", "model"], sort=False):
            table = rows.drop(columns=["role", "model"]).reset_index(drop=True)
            by_role[str(role)].append(cls(table, classes, str(model)))
        if len(by_role["model"]) != 1:
            raise DataError(
                f"The file holds predictions of {len(by_role['model'])} models", where=path, expected="exactly one"
            )
        return by_role["model"][0].with_baselines(by_role["baseline"])

    def _repr_html_(self) -> str:
        return self.table.to_html(max_rows=12, float_format="{:.3f}".format, index=False)


def _validate_table(table: "pd.DataFrame", classes: Sequence[str]) -> "pd.DataFrame":
    """A copy of `table` with text columns and the predicted class; raises DataError for missing or invalid values."""
    table = table.reset_index(drop=True)
    missing = [name for name in ("case", "truth", *(_SCORE_PREFIX + c for c in classes)) if name not in table.columns]
    if missing:
        raise DataError(
            f"The table lacks {', '.join(missing)}",
            expected="columns case, truth and score_<class> for every class",
        )
    scores = table[[_SCORE_PREFIX + name for name in classes]].to_numpy(dtype=np.float64)
    if not np.isfinite(scores).all() or (scores < -1e-6).any() or (scores > 1 + 1e-6).any():
        raise DataError("Some scores are not between 0 and 1", do="turn logits into probabilities first")
    if table["case"].duplicated().any() and "seed" not in table:
        raise DataError("Some cases are predicted twice", where="column 'case'", expected="one row a case")
    table["truth"] = text_column(table["truth"])
    table["prediction"] = text_column(classes[index] for index in scores.argmax(axis=1)) if len(table) else None
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
            baselines.append(Predictions(pd.concat(rows, ignore_index=True), first.classes, name))
    return Predictions(table, first.classes, model or first.model, tuple(baselines))
