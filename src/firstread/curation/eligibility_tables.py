"""The tables that criteria ask: patients, studies, series and the clinical table, joined to one row a series.

A patient without a study and a study without a series have a row too, in which the finer tables say nothing: whoever
has no images must not vanish from a flow diagram.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from firstread.core.errors import DataError, SettingError, suggest
from firstread.curation.criterion_syntax import Column

#: the tables, with the key that names one row
KEYS = {"patient": "patient", "study": "study", "series": "series", "clinical": "patient"}
#: a word that says that something is not known, and so counts as missing
UNKNOWN = "unknown"
_WHAT = {
    "patient": "the table of patients",
    "study": "the table of studies",
    "series": "the table of series",
    "clinical": "the clinical table",
}
_NO_CLINICAL = "there is no clinical table yet: firstread project clinical FILE --id-column COLUMN"


@dataclass(frozen=True, eq=False)
class ArchiveTables:
    """What is known of an archive, joined.

    Attributes:
        rows: one row a series (a stack of one), with columns named as in criteria ("series.phase"); text without
            "unknown" and without empty texts, which count as missing.
        present: table -> (N,) whether a row has one of it: a patient without images has no study and no series.
    """

    rows: pa.Table
    present: Mapping[str, np.ndarray]

    @classmethod
    def join(
        cls,
        *,
        series: pa.Table,
        study: pa.Table,
        patient: pa.Table | None = None,
        clinical: pa.Table | None = None,
    ) -> "ArchiveTables":
        """Join the tables.

        Args:
            series: one row a stack of a series: `series`, `study`, `patient`, and anything else.
            study: one row a study: `study`, `patient`, and anything else.
            patient: one row a patient; None counts studies and series, see `patient_table`.
            clinical: one row a patient.

        Raises:
            DataError: a key is missing, or stands twice where it must stand once.

        Example:
            >>> tables = ArchiveTables.join(
            ...     series=pa.table({"series": ["S1"], "study": ["T1"], "patient": ["P1"], "plane": ["axial"]}),
            ...     study=pa.table({"study": ["T1", "T2"], "patient": ["P1", "P2"]}),
            ... )
            >>> tables.rows["series.plane"].to_pylist(), tables.rows["patient.series"].to_pylist()
            (['axial', None], [1, 0])
        """
        tables = {"series": series, "study": study, "clinical": clinical}
        for name, table in tables.items():
            if table is not None:
                _check_keys(name, table)
        tables["patient"] = patient_table(study, series) if patient is None else patient
        _check_keys("patient", tables["patient"])
        return _join({name: table for name, table in tables.items() if table is not None})

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that are there."""
        return tuple(name for name in KEYS if name in self.present)

    def columns(self, table: str) -> list[str]:
        """Names of a table's columns."""
        return [name.partition(".")[2] for name in self.rows.column_names if name.startswith(f"{table}.")]

    def column(self, column: Column) -> Any:
        """The values of a column, (N,) Arrow.

        Raises:
            SettingError: there is no such table or column; the message names the nearest.
        """
        if column.table not in KEYS:
            raise SettingError(f'There is no table "{column.table}".{suggest(column.table, KEYS)}', where=str(column))
        if column.table not in self.present:
            raise SettingError(f"{column} cannot be asked: {_NO_CLINICAL}")
        names = self.columns(column.table)
        if column.name not in names:
            elsewhere = [f"{table}.{column.name}" for table in self.tables if column.name in self.columns(table)]
            hint = f' Did you mean "{elsewhere[0]}"?' if elsewhere else suggest(column.name, names)
            raise SettingError(
                f'{_WHAT[column.table].capitalize()} has no column "{column.name}".{hint}', where=str(column)
            )
        return self.rows[str(column)]

    def filter(self, mask: np.ndarray) -> "ArchiveTables":
        """The rows for which `mask` (N,) is true."""
        return ArchiveTables(
            self.rows.filter(pa.array(mask)), {name: values[mask] for name, values in self.present.items()}
        )


def patient_table(study: pa.Table, series: pa.Table) -> pa.Table:
    """One row a patient: `patient`, `studies` and `series` (how many there are), and what the first study says.

    Columns of the study table that say something of the person then (`age_years`, `sex`, `site`) are those of the study
    of the lowest `day`.
    """
    order = study.sort_by([("day", "ascending")]) if "day" in study.column_names else study
    patients = pc.unique(pa.concat_arrays([_key(order, "patient"), _key(series, "patient")])).drop_null()
    first = pc.index_in(patients, value_set=_key(order, "patient"))
    columns = {"patient": patients}
    for name, table in (("studies", study), ("series", series)):
        columns[name] = _count(patients, _key(table, "patient"))
    for name in ("age_years", "sex", "site"):
        if name in order.column_names:
            columns[name] = order[name].combine_chunks().take(first)
    return pa.table(columns)


def _join(tables: Mapping[str, pa.Table]) -> ArchiveTables:
    series, study = tables["series"], tables["study"]
    of_study = pc.index_in(_key(study, "study"), value_set=_key(series, "study"))
    bare = study.filter(pc.is_null(of_study))
    studies = pa.concat_arrays([_key(series, "study"), _key(bare, "study")])
    patients = pa.concat_arrays([_key(series, "patient"), _key(bare, "patient")])
    everybody = pc.unique(
        pa.concat_arrays([_key(tables[name], "patient") for name in ("patient", "clinical") if name in tables])
    )
    alone = everybody.filter(pc.is_null(pc.index_in(everybody, value_set=patients)))
    patients = pa.concat_arrays([patients, alone])
    studies = pa.concat_arrays([studies, pa.nulls(len(alone), pa.string())])
    positions = {
        "series": pa.concat_arrays(
            [pa.array(np.arange(len(series))), pa.nulls(len(patients) - len(series), pa.int64())]
        ),
        "study": pc.index_in(studies, value_set=_key(study, "study"), skip_nulls=True),
        "patient": pc.index_in(patients, value_set=_key(tables["patient"], "patient"), skip_nulls=True),
    }
    if "clinical" in tables:
        positions["clinical"] = pc.index_in(patients, value_set=_key(tables["clinical"], "patient"), skip_nulls=True)
    columns: dict[str, Any] = {}
    for name, index in positions.items():
        for column in tables[name].column_names:
            columns[f"{name}.{column}"] = _plain(tables[name][column].combine_chunks().take(index))
    columns |= {"patient.patient": patients, "study.study": studies}
    present = {name: pc.is_valid(index).to_numpy(zero_copy_only=False) for name, index in positions.items()}
    # a series whose study has no row of its own is a study all the same, of which nothing is said
    present |= {"patient": np.ones(len(patients), bool), "study": pc.is_valid(studies).to_numpy(zero_copy_only=False)}
    return ArchiveTables(pa.table(columns), present)


def _check_keys(name: str, table: pa.Table) -> None:
    wanted = ("series", "study", "patient") if name == "series" else dict.fromkeys((KEYS[name], "patient"))
    for key in wanted:
        if key not in table.column_names:
            raise DataError(f'{_WHAT[name].capitalize()} has no column "{key}"', expected=", ".join(wanted))
    keys = _key(table, KEYS[name])
    if name != "series" and (keys.null_count or len(pc.unique(keys)) != len(keys)):
        raise DataError(
            f"{_WHAT[name].capitalize()} has a {KEYS[name]} twice, or a row without one",
            expected=f"one row a {KEYS[name]}",
        )


def _key(table: pa.Table, name: str) -> Any:
    column = table[name].combine_chunks()
    return column.cast(pa.string())


def _count(keys: Any, column: Any) -> Any:
    counted = {pair["values"]: pair["counts"] for pair in pc.value_counts(column).to_pylist()}
    return pa.array([counted.get(key, 0) for key in keys.to_pylist()], pa.int32())


def _plain(column: Any) -> Any:
    """A column with all that says nothing as missing: NaN, empty texts, "unknown"; dictionaries as text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type):
        silent = pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(column)), value_set=pa.array(["", UNKNOWN]))
        return pc.if_else(silent, pa.scalar(None, pa.string()), column)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column
