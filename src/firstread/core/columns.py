"""Columns of a cohort's table: their names, allowed values, and how missing values are represented."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

#: the columns of every cohort, in this order; any others are the user's own metadata
COLUMNS = ("case", "file", "frame", "label", "patient", "split")
SPLITS = ("train", "validation", "test")
_SPLIT_ALIASES = {
    "val": "validation",
    "valid": "validation",
    "training": "train",
    "testing": "test",
    "dev": "validation",
}


def parse_split_name(text: str | None) -> str | None:
    """Canonical split name ("train", "validation" or "test") of a folder or column value; None for any other text."""
    if text is None:
        return None
    name = _SPLIT_ALIASES.get(str(text).strip().lower(), str(text).strip().lower())
    return name if name in SPLITS else None


def make_table(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """Build a cohort table from dictionaries; columns that are not given hold missing values."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=None if rows else list(COLUMNS))


def text_column(values: Iterable[Any]) -> "pd.Series":
    """Convert values to a text column (dtype object) in which every missing value is None."""
    import pandas as pd

    return pd.Series([_text_or_none(value) for value in values], dtype=object)


def encode_labels(labels: "Sequence[Any] | pd.Series", classes: Sequence[str]) -> np.ndarray:
    """Convert labels to class indices: (N,) int64, the position in `classes`, -1 where the label is missing."""
    index = {name: position for position, name in enumerate(classes)}
    return np.array([index.get(label, -1) for label in labels], dtype=np.int64)


def validate_table(table: "pd.DataFrame", classes: Sequence[str]) -> "pd.DataFrame":
    """Validate a cohort table; returns a copy with all columns in canonical order and type.

    Raises:
        DataError: no column `file`, two cases of one name, a label that is not among `classes`, an unknown split.
    """
    import pandas as pd

    table = table.reset_index(drop=True)
    if "file" not in table.columns:
        raise DataError("The table has no column 'file'", expected=f"columns {', '.join(COLUMNS)}")
    for name in COLUMNS:
        if name not in table.columns:
            table[name] = None
    if table["case"].isna().all() and len(table):
        table["case"] = [f"case{i:05d}" for i in range(len(table))]
    for name in ("case", "file", "label", "patient", "split"):
        table[name] = text_column(table[name])
    table["frame"] = pd.Series([none_if_missing(value) for value in table["frame"]], dtype=object)
    table["split"] = text_column(_SPLIT_ALIASES.get(value, value) for value in table["split"])
    repeated = table["case"].duplicated()
    if repeated.any():
        raise DataError(
            f"{int(repeated.sum())} cases have a name that another case has too",
            where="column 'case'",
            do="give every row a name of its own",
        )
    unknown_labels = sorted({value for value in table["label"] if value is not None} - set(classes))
    if unknown_labels:
        raise DataError(
            f"{len(unknown_labels)} labels are not among the classes",
            where="column 'label'",
            expected=", ".join(classes),
        )
    unknown_splits = sorted({value for value in table["split"] if value is not None} - set(SPLITS))
    if unknown_splits:
        raise DataError("A split has an unknown name", where="column 'split'", expected=", ".join(SPLITS))
    metadata_columns = [name for name in table.columns if name not in COLUMNS]
    return table[[*COLUMNS, *metadata_columns]].reset_index(drop=True)


def none_if_missing(value: Any) -> Any:
    """Convert the missing values of pandas and numpy (NaN, NaT, NA) to None; return other values unchanged."""
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or type(value).__name__ in ("NAType", "NaTType")
    ):
        return None
    return value


def _text_or_none(value: Any) -> str | None:
    value = none_if_missing(value)
    return None if value is None else str(value)
