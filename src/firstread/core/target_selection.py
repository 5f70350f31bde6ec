"""Selection of targets: what is said of the cases of a cohort, by kind, name and the reader whose word counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firstread.core.errors import DataError
from firstread.core.table_schemas import ADJUDICATED
from firstread.core.tables import Tables, positions_of_cases


def class_indices(tables: Tables, *, name: str, classes: Sequence[str], reader: str | None = None) -> np.ndarray:
    """Class index of each case for one finding: (N,) int64, -1 where it is not known.

    Args:
        tables: of a cohort.
        name: of the finding.
        classes: in the order of their indices.
        reader: whose word counts; None takes the adjudicated one, else that of the only reader.

    Raises:
        DataError: several readers, and none of them adjudicated; or a class that is not among `classes`.
    """
    rows = select_targets(tables.targets, kind="class", name=name, reader=reader)
    values = rows["value"].combine_chunks()
    known = values.dictionary.to_pylist() if len(rows) else []
    codes = np.array([classes.index(text) if text in classes else -1 for text in known] + [-1], np.int64)
    indices = np.full(len(tables), -1, np.int64)
    if len(rows):
        numbers = pc.fill_null(values.indices, len(known)).to_numpy()
        positions = positions_of_cases(rows["case"], tables.cases["case"])
        if len(np.unique(positions)) != len(positions):
            raise DataError(f'Some cases have two classes of "{name}"', where="table 'targets'", expected="one a case")
        indices[positions] = codes[numbers]
    return indices


def cases_with_target(tables: Tables, *, kind: str, name: str, reader: str | None = None) -> np.ndarray:
    """Whether a case has a target of a kind and name: (N,) bool."""
    rows = select_targets(tables.targets, kind=kind, name=name, reader=reader)
    has: np.ndarray = np.zeros(len(tables), bool)
    has[positions_of_cases(rows["case"], tables.cases["case"])] = True
    return has


def select_targets(targets: pa.Table, *, kind: str, name: str, reader: str | None = None) -> pa.Table:
    """The targets of a kind and name of the reader whose word counts.

    Args:
        targets: the table.
        kind: such as "mask".
        name: of the finding or structure.
        reader: a reader; None takes what is adjudicated, else the only reader's.

    Raises:
        DataError: several readers, and none of them adjudicated.
    """
    wanted = pc.and_(pc.equal(targets["kind"], kind), pc.equal(targets["name"], name))
    rows = targets.filter(pc.fill_null(wanted, False)) if _says_something(targets["name"]) else targets.slice(0, 0)
    readers = [text for text in pc.unique(rows["reader"]).to_pylist() if text is not None]
    if reader is None and ADJUDICATED in readers:
        reader = ADJUDICATED
    if reader is not None:
        return rows.filter(pc.fill_null(pc.equal(rows["reader"], reader), False))
    if len(readers) > 1:
        raise DataError(
            f'{len(readers)} readers said something of "{name}", and nothing is adjudicated',
            where="table 'targets', column 'reader'",
            expected=f"one reader, or rows of the reader '{ADJUDICATED}'",
            do=f"choose one with reader=..., of {', '.join(sorted(readers)[:5])}",
        )
    return rows


def _says_something(column: Any) -> bool:
    return int(column.null_count) < len(column)
