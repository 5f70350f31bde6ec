"""The flat table of a cohort: one row a case, with its first image and its class, as a pandas user expects it.

`cohort.table` is such a table, a CSV of images and labels is one, and most data sets begin as one.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from firstread.core.columns import COLUMNS, canonical_split, none_if_missing, text_column
from firstread.core.errors import DataError
from firstread.core.table_schemas import CASES, conform, to_arrow
from firstread.core.tables import Tables

if TYPE_CHECKING:
    import pandas as pd

#: facts in a flat table that are those of the image
_IMAGE_FACTS = ("series", "study", "modality", "instance")
#: columns of the cases in which a flat table may say more than `case`, `patient` and `split`
_CASE_FACTS = tuple(name for name in CASES.names if name not in ("case", "patient", "split"))


def tables_from_flat(table: "pd.DataFrame", *, name: str, classes: Sequence[str]) -> Tables:
    """The three tables of a flat one.

    Args:
        table: columns `file`, and optionally `case`, `frame`, `label`, `patient`, `split`, those of the cases (`site`,
            `days`, ...), `series`, `study`, `modality`, and any further facts.
        name: of the finding that `label` is the class of.
        classes: its possible values.

    Raises:
        DataError: no column `file`, two cases of one name, a label that is not among `classes`, an unknown split.
    """
    if "file" not in table.columns:
        raise DataError("The table has no column 'file'", expected=f"columns {', '.join(COLUMNS)}")
    columns: dict[str, list[Any]] = {
        str(column): [none_if_missing(value) for value in table[column]] for column in table.columns
    }
    count = len(table)
    text = {column: _text(columns.pop(column, [None] * count)) for column in ("case", "file", "label", "patient")}
    if count and not any(text["case"]):
        text["case"] = [f"case{i:05d}" for i in range(count)]
    check_labels(text["label"], classes)
    split = [canonical_split(value) for value in columns.pop("split", [None] * count)]
    frame = columns.pop("frame", [None] * count)
    cases: dict[str, Any] = {"case": text["case"], "patient": text["patient"], "split": split}
    images: dict[str, Any] = {"case": text["case"], "files": [None if f is None else [f] for f in text["file"]]}
    images["frame"] = pa.array([None if value is None else int(value) for value in frame], pa.int32())
    for column, values in columns.items():
        place = images if column in _IMAGE_FACTS else cases
        place[_fact_name(column, values)] = values
    known = [i for i, label in enumerate(text["label"]) if label is not None]
    targets = {
        "case": [text["case"][i] for i in known],
        "kind": ["class"] * len(known),
        "name": [name] * len(known),
        "value": [text["label"][i] for i in known],
    }
    images["name"] = ["image"] * count
    return Tables(*(pa.table({n: _array(v) for n, v in part.items()}) for part in (cases, images, targets)))


def flat_table(tables: Tables, labels: Sequence[str | None]) -> "pd.DataFrame":
    """The flat table of three: a new pandas table in which every missing text is None.

    Args:
        tables: of a cohort.
        labels: (N,) class of each case, or None.
    """
    import pandas as pd

    cases = tables.cases
    has_image = tables.image_offsets[1:] > tables.image_offsets[:-1]
    images = tables.images.take(pa.array(tables.image_offsets[:-1], mask=~has_image))
    first_file = [None if not files else files[0] for files in images["files"].to_pylist()]
    columns = {
        "case": cases["case"].to_pylist(),
        "file": first_file,
        "frame": images["frame"].to_pylist(),
        "label": list(labels),
        "patient": cases["patient"].to_pylist(),
        "split": cases["split"].to_pylist(),
    }
    table = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    names_of_images = [n for n in images.column_names if n in _IMAGE_FACTS]
    for source, names in ((images, names_of_images), (cases, cases.column_names)):
        for name in names:
            if name not in columns and source[name].null_count < len(source):
                table[name] = _to_pandas(source[name])
    return table


def _to_pandas(column: Any) -> "pd.Series":
    import pandas as pd

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(kind) or pa.types.is_nested(kind) or (pa.types.is_boolean(kind) and column.null_count):
        return pd.Series(column.to_pylist(), dtype=object)
    return pd.Series(column.to_numpy())


def _array(values: Any) -> Any:
    return values if isinstance(values, pa.Array) else to_arrow(values)


def _text(values: Sequence[Any]) -> list[str | None]:
    texts: list[str | None] = text_column(values).tolist()
    return texts


def check_labels(labels: Sequence[str | None], classes: Sequence[str]) -> None:
    """Refuse labels that are not among the classes."""
    unknown = {label for label in labels if label is not None} - set(classes)
    if unknown:
        raise DataError(
            f"{len(unknown)} labels are not among the classes", where="column 'label'", expected=", ".join(classes)
        )


def _fact_name(column: str, values: list[Any]) -> str:
    """Name of a fact; a user's column that is called like one of ours and holds something else gets another name."""
    if column not in _CASE_FACTS and column not in _IMAGE_FACTS:
        return column
    if column in CASES.names:
        try:
            conform(pa.table({column: to_arrow(values)}), pa.schema([CASES.field(column)]), "cases")
        except DataError:
            return f"{column} (table)"
    return column
