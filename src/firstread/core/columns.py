"""The columns of a cohort's table: which there are, what may stand in them, and how missing values are told."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

#: the columns every cohort has, in this order; any others are the user's own facts
COLUMNS = ("case", "file", "frame", "label", "patient", "split")
SPLITS = ("train", "validation", "test")
_OTHER_NAMES = {
    "val": "validation",
    "valid": "validation",
    "training": "train",
    "testing": "test",
    "dev": "validation",
}


def make_table(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """A cohort table from dictionaries; columns that are not given are missing values."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=None if rows else list(COLUMNS))


def text_column(values: Iterable[Any]) -> "pd.Series":
    """A column of text in which what is missing is None, whatever pandas would make of it."""
    import pandas as pd

    return pd.Series([_text(value) for value in values], dtype=object)


def label_indices(labels: "Sequence[Any] | pd.Series", classes: Sequence[str]) -> np.ndarray:
    """(N,) int64: index of each label in `classes`, -1 where it is missing."""
    index = {name: position for position, name in enumerate(classes)}
    return np.array([index.get(label, -1) for label in labels], dtype=np.int64)


def checked_table(table: "pd.DataFrame", classes: Sequence[str]) -> "pd.DataFrame":
    """A copy of `table` with every column in its place and form.

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
    table["split"] = text_column(_OTHER_NAMES.get(value, value) for value in table["split"])
    repeated = table["case"].duplicated()
    if repeated.any():
        raise DataError(
            f"{int(repeated.sum())} cases have a name that another case has too",
            where="column 'case'",
            do="give every row a name of its own",
        )
    unknown = sorted({value for value in table["label"] if value is not None} - set(classes))
    if unknown:
        raise DataError(
            f"{len(unknown)} labels are not among the classes",
            where="column 'label'",
            expected=", ".join(classes),
        )
    strange = sorted({value for value in table["split"] if value is not None} - set(SPLITS))
    if strange:
        raise DataError("A split has an unknown name", where="column 'split'", expected=", ".join(SPLITS))
    rest = [name for name in table.columns if name not in COLUMNS]
    return table[[*COLUMNS, *rest]].reset_index(drop=True)


def none_if_missing(value: Any) -> Any:
    """None for every kind of missing value that pandas knows; anything else as it is."""
    if (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or type(value).__name__ in ("NAType", "NaTType")
    ):
        return None
    return value


def _text(value: Any) -> str | None:
    value = none_if_missing(value)
    return None if value is None else str(value)
