"""Columns of the three tables of a cohort, and conversion of tables and values to them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from firstread.core.columns import none_if_missing
from firstread.core.errors import DataError

#: text that many rows share
WORD = pa.dictionary(pa.int32(), pa.string())
_NUMBERS = pa.list_(pa.float64())

#: columns of `cases`, key first; any others are facts about the case
CASES = pa.schema(
    {
        "case": pa.string(),
        "unit": WORD,
        "parent": WORD,
        "patient": WORD,
        "patient_source": WORD,
        "component": WORD,
        "site": WORD,
        "days": pa.int32(),
        "split": WORD,
        "age_years": pa.float32(),
        "sex": WORD,
    }
)
#: columns of `images`, key first; any others are facts about the image
IMAGES = pa.schema(
    {
        "case": pa.string(),
        "name": WORD,
        "files": pa.list_(pa.string()),
        "frame": pa.int32(),
        "series": WORD,
        "study": WORD,
        "modality": WORD,
        "rows": pa.int32(),
        "columns": pa.int32(),
        "slices": pa.int32(),
        "spacing_mm": _NUMBERS,
        "affine_lps": _NUMBERS,
        "unit": WORD,
    }
)
#: columns of `targets`, key first
TARGETS = pa.schema(
    {
        "case": pa.string(),
        "kind": WORD,
        "name": WORD,
        "value": WORD,
        "image": WORD,
        "frame": pa.int32(),
        "file": pa.string(),
        **{name: pa.float64() for name in ("x0", "y0", "z0", "x1", "y1", "z1")},
        "space": WORD,
        "lesion": WORD,
        "reader": WORD,
        "round": WORD,
        "source": WORD,
        "days": pa.int32(),
        "known_on_day": pa.int32(),
    }
)
TARGET_KINDS = ("class", "mask", "box", "number", "event")
#: reader of a target that several readers agreed upon
ADJUDICATED = "adjudicated"


def conform(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """A table with the columns of a schema in its order and types, and any others after them.

    Raises:
        DataError: a column cannot be converted.
    """
    columns = {}
    for field in schema:
        if field.name not in table.column_names or table[field.name].null_count == len(table):
            # without a type, a column that says nothing takes no memory
            columns[field.name] = pa.nulls(len(table)) if len(table) else pa.nulls(0, field.type)
            continue
        try:
            columns[field.name] = _cast(table[field.name], field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise DataError(
                "A column holds values of another kind",
                where=f"table '{name}', column '{field.name}'",
                expected=str(field.type).replace("dictionary<values=string, indices=int32, ordered=0>", "text"),
            ) from error
    columns |= {other: table[other] for other in table.column_names if other not in columns}
    return pa.table(columns)


def to_arrow(values: Sequence[Any]) -> pa.Array:
    """Convert values to an Arrow array of one type; values of mixed kinds become text."""
    plain = [none_if_missing(value) for value in values]
    try:
        return pa.array(plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in plain], pa.string())


def _cast(column: Any, kind: pa.DataType) -> Any:
    if column.type == kind:
        return column
    if kind == WORD:
        text = column if pa.types.is_dictionary(column.type) else column.cast(pa.string())
        encoded = text if pa.types.is_dictionary(text.type) else pc.dictionary_encode(text)
        return encoded.cast(WORD)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) and not pa.types.is_string(kind):
        raise pa.ArrowInvalid("text where numbers were expected")
    return column.cast(kind)
