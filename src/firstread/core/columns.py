"""Columns of a cohort's flat table: their names, allowed values, and how missing values are represented."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from firstread.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

#: the columns of every cohort, in this order; any others are the user's own metadata
COLUMNS = ("case", "file", "frame", "label", "patient", "split")
SPLITS = ("train", "validation", "test")
_SPLIT_WORDS = {
    "train": ("train", "training", "trn", "trainset", "trainingset", "traindata", "trainingdata", "imagestr"),
    "validation": (
        *("validation", "val", "valid", "validate", "dev", "development", "eval", "evaluation", "tuning"),
        *("valset", "devset", "validset", "validationset"),
    ),
    "test": ("test", "testing", "tst", "testset", "testingset", "testdata", "holdout", "heldout", "imagests"),
}
_SPLIT_OF_WORD = {word: split for split, words in _SPLIT_WORDS.items() for word in words}
#: words beside the name of a split in the names of folders: training_set, test images, val2017, imagesTr
_FILLERS = frozenset(
    (
        "set",
        "sets",
        "data",
        "dataset",
        "images",
        "image",
        "imgs",
        "img",
        "files",
        "folder",
        "dir",
        "split",
        "subset",
        "cases",
        "part",
    )
)
_WORD = re.compile(r"[a-z]+|\d+")


def parse_split_name(text: str | None) -> str | None:
    """Canonical split name ("train", "validation" or "test") of a folder or column value; None for any other text.

    Example:
        >>> [parse_split_name(name) for name in ("training_set", "Val", "test images", "val2017", "contest")]
        ['train', 'validation', 'test', 'validation', None]
    """
    if text is None:
        return None
    joined = re.sub(r"\b(held|hold)[\s_-]*out\b", "holdout", str(text).casefold())
    words = [word for word in _WORD.findall(joined) if word not in _FILLERS]
    letters = [word for word in words if not word.isdigit()]
    if len(letters) != 1 or not re.fullmatch(r"[\w\s.\-]+", str(text).strip()):
        return None
    return _SPLIT_OF_WORD.get(letters[0])


def canonical_split(value: Any) -> str | None:
    """Canonical name of a split where it is known ("val" is "validation"), else the text itself; None if missing."""
    return None if value is None else parse_split_name(value) or str(value)


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


def label_numbers(value: Any) -> tuple[int, ...]:
    """Numbers of a structure in a label map, as a table states them: 2, 2.0, "2", or "1 2 3" for a region of several.

    Returns:
        The numbers in their order, each once; none where nothing is stated.

    Raises:
        DataError: not a whole number.

    Example:
        >>> label_numbers("1 2 3"), label_numbers(2.0), label_numbers(None)
        ((1, 2, 3), (2,), ())
    """
    value = none_if_missing(value)
    words = value.split() if isinstance(value, str) else [] if value is None else [value]
    try:
        numbers = [float(word) for word in words]
    except (TypeError, ValueError):
        numbers = [math.nan]
    if not all(number.is_integer() for number in numbers):
        raise DataError(
            "The number of a structure in a label map is not whole",
            where=f"value {value!r}",
            expected='a whole number, or several with spaces between them, such as "1 2 3"',
        )
    return tuple(dict.fromkeys(int(number) for number in numbers))


def label_numbers_column(values: Iterable[Any]) -> "pd.Series":
    """Convert a column of `label_numbers` to text, such as "2" or "1 2 3"; None where nothing is stated."""
    return text_column(" ".join(map(str, label_numbers(value))) or None for value in values)


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
