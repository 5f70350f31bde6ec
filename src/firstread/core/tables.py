"""The three tables of a cohort: cases, their images, and what is said of them (targets).

| table | one row |
|---|---|
| `cases` | a unit of prediction: a frame, a series, a study, a lesion or a patient |
| `images` | an image or series of a case, such as "image", "portal", "input" or "target" |
| `targets` | something said of a case by a reader: a class, a mask, a box, a number or an event |

They are Arrow tables, which nobody can change in place, with repeated text stored once; on disk, three Parquet files.
Text stays text: the patient "001" is not "1", and a class may be called "None".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firstread.core.columns import SPLITS, none_if_missing, parse_split_name
from firstread.core.errors import DataError
from firstread.core.files import write_atomically
from firstread.core.patient_identity import patient_components

#: text that many rows share
_WORD = pa.dictionary(pa.int32(), pa.string())
_NUMBERS = pa.list_(pa.float64())

#: columns of `cases`, key first; any others are facts about the case
CASES = pa.schema(
    {
        "case": pa.string(),
        "unit": _WORD,
        "parent": _WORD,
        "patient": _WORD,
        "patient_source": _WORD,
        "component": _WORD,
        "site": _WORD,
        "days": pa.int32(),
        "split": _WORD,
        "age_years": pa.float32(),
        "sex": _WORD,
    }
)
#: columns of `images`, key first; any others are facts about the image
IMAGES = pa.schema(
    {
        "case": pa.string(),
        "name": _WORD,
        "files": pa.list_(pa.string()),
        "frame": pa.int32(),
        "series": _WORD,
        "study": _WORD,
        "modality": _WORD,
        "rows": pa.int32(),
        "columns": pa.int32(),
        "slices": pa.int32(),
        "spacing_mm": _NUMBERS,
        "affine_lps": _NUMBERS,
        "unit": _WORD,
    }
)
#: columns of `targets`, key first
TARGETS = pa.schema(
    {
        "case": pa.string(),
        "kind": _WORD,
        "name": _WORD,
        "value": _WORD,
        "image": _WORD,
        "frame": pa.int32(),
        "file": pa.string(),
        **{name: pa.float64() for name in ("x0", "y0", "z0", "x1", "y1", "z1")},
        "space": _WORD,
        "lesion": _WORD,
        "reader": _WORD,
        "round": _WORD,
        "source": _WORD,
        "days": pa.int32(),
        "known_on_day": pa.int32(),
    }
)
TARGET_KINDS = ("class", "mask", "box", "number", "event")
PATIENT_SOURCES = ("stated", "study", "series", "file", "folder", "none")
#: reader of a target that several readers agreed upon
ADJUDICATED = "adjudicated"
_FILES = {"cases": "cases.parquet", "images": "images.parquet", "targets": "targets.parquet"}


@dataclass(frozen=True, eq=False)
class Tables:
    """Cases, images and targets, checked against one another; images and targets are in the order of the cases.

    Attributes:
        cases, images, targets: Arrow tables with the columns of CASES, IMAGES and TARGETS, and further facts. Where no
            `component` is given, it is worked out from the patients (`firstread.core.patient_identity`).

    Raises:
        DataError: two cases or two images of a case have one name, an image or target of a case that is not there, an
            unknown split, kind or patient source, or a column of another type.
    """

    cases: pa.Table
    images: pa.Table
    targets: pa.Table

    def __post_init__(self) -> None:
        cases = conform(self.cases, CASES, "cases")
        names = cases["case"]
        if names.null_count or len(pc.unique(names)) != len(names):
            repeated = len(names) - len(pc.unique(names)) or names.null_count
            raise DataError(
                f"{repeated} cases have a name that another case has too, or none",
                where="column 'case'",
                do="give every row a name of its own",
            )
        if cases["component"].null_count == len(cases) > cases["patient"].null_count:
            cases = _set_column(cases, "component", _components(cases["patient"]))
        _check_words(cases["split"], SPLITS, "split")
        _check_words(cases["patient_source"], PATIENT_SOURCES, "patient_source")
        object.__setattr__(self, "cases", cases)
        for table, schema in (("images", IMAGES), ("targets", TARGETS)):
            object.__setattr__(self, table, self._in_case_order(conform(getattr(self, table), schema, table), table))
        _check_words(self.targets["kind"], TARGET_KINDS, "kind")

    @classmethod
    def from_rows(
        cls,
        cases: Sequence[Mapping[str, Any]],
        images: Sequence[Mapping[str, Any]] = (),
        targets: Sequence[Mapping[str, Any]] = (),
    ) -> "Tables":
        """Build the tables from dictionaries; what a row does not say is missing."""
        return cls(*(_table_from_rows(rows) for rows in (cases, images, targets)))

    def __len__(self) -> int:
        return len(self.cases)

    def _in_case_order(self, table: pa.Table, what: str) -> pa.Table:
        """Sort a table by the order of the cases, stably; raise DataError for a case that is not there."""
        if table["case"].equals(self.cases["case"]):
            return _set_column(table, "case", self.cases["case"])  # one copy in memory
        positions = _positions(table["case"], self.cases["case"])
        unknown = int((positions < 0).sum())
        if unknown:
            raise DataError(f"{unknown} rows are of a case that is not there", where=f"table '{what}', column 'case'")
        if (np.diff(positions) < 0).any():
            return table.take(pa.array(np.argsort(positions, kind="stable")))
        return table

    @cached_property
    def image_offsets(self) -> np.ndarray:
        """(N + 1,) int64; the images of case i are the rows from offset i to offset i + 1."""
        return self._offsets(self.images)

    @cached_property
    def target_offsets(self) -> np.ndarray:
        """(N + 1,) int64; the targets of case i are the rows from offset i to offset i + 1."""
        return self._offsets(self.targets)

    def _offsets(self, table: pa.Table) -> np.ndarray:
        if table["case"].equals(self.cases["case"]):
            return np.arange(len(self) + 1)
        return np.searchsorted(_positions(table["case"], self.cases["case"]), np.arange(len(self) + 1))

    def filter(self, mask: np.ndarray) -> "Tables":
        """The cases for which `mask` (N,) is true, with their images and targets."""
        parts = [self.cases.filter(pa.array(mask))]
        for table, offsets in ((self.images, self.image_offsets), (self.targets, self.target_offsets)):
            parts.append(table.filter(pa.array(np.repeat(mask, np.diff(offsets)))))
        return _trusted(*parts)

    def with_cases_column(self, name: str, values: Sequence[Any]) -> "Tables":
        """A copy with a column of `cases` set."""
        if name == "split":
            values = [None if value is None else parse_split_name(value) or value for value in values]
        cases = _set_column(self.cases, name, to_arrow(values))
        if name == "patient":  # worked out anew
            cases = cases.drop_columns(["component"])
        return Tables(cases, self.images, self.targets)

    def with_classes(self, name: str, values: Sequence[str | None]) -> "Tables":
        """A copy in which the classes of one finding are replaced."""
        is_old = pc.and_(pc.equal(self.targets["kind"], "class"), pc.equal(self.targets["name"], name))
        kept = self.targets.filter(pc.invert(pc.fill_null(is_old, False)))
        new = conform(_class_table(self.cases["case"], name, values), TARGETS, "targets")
        return Tables(self.cases, self.images, pa.concat_tables([new, kept], promote_options="default"))

    def with_files(self, files: Sequence[str], frames: Sequence[int | None]) -> "Tables":
        """A copy in which every case has one image, in another file."""
        images = self.images.take(pa.array(self.image_offsets[:-1]))
        images = _set_column(images, "files", pa.array([[file] for file in files], IMAGES.field("files").type))
        return Tables(self.cases, _set_column(images, "frame", pa.array(frames, pa.int32())), self.targets)

    def row(self, index: int) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
        """A case as (facts, images, targets), each a dictionary of what is known."""
        first, last = self.image_offsets[index], self.image_offsets[index + 1]
        start, stop = self.target_offsets[index], self.target_offsets[index + 1]
        facts = _known(self.cases.slice(index, 1).to_pylist()[0])
        images = [_known(row) for row in self.images.slice(first, last - first).to_pylist()]
        return facts, images, [_known(row) for row in self.targets.slice(start, stop - start).to_pylist()]

    def first_images(self) -> Iterator[tuple[str, int | None]]:
        """File and frame of the image to look at of each case: the first image, the middle one of several files."""
        has_image = np.diff(self.image_offsets) > 0
        if not has_image.all():
            name = self.cases["case"][int(np.argmin(has_image))].as_py()
            raise DataError("A case has no image", where=name, expected="a row in the table 'images' for each case")
        images = self.images.take(pa.array(self.image_offsets[:-1])).select(["files", "frame"])
        for batch in images.to_batches(max_chunksize=4096):
            for files, frame in zip(batch["files"].to_pylist(), batch["frame"].to_pylist(), strict=True):
                yield files[len(files) // 2], frame

    def save(self, folder: Path, relative: Callable[[str], str]) -> None:
        """Write three Parquet files; `relative` names a file relative to the folder."""
        files = pa.array([relative(file) for file in pc.list_flatten(self.images["files"]).to_pylist()], pa.string())
        counts = pc.fill_null(pc.list_value_length(self.images["files"]), 0).to_numpy()
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
        images = _set_column(self.images, "files", pa.ListArray.from_arrays(offsets, files))
        masks = [None if file is None else relative(file) for file in self.targets["file"].to_pylist()]
        targets = _set_column(self.targets, "file", pa.array(masks, pa.string()))
        for name, table in (("cases", self.cases), ("images", images), ("targets", targets)):
            write_atomically(folder / _FILES[name], lambda path, table=table: pq.write_table(table, path))  # type: ignore[misc]

    @classmethod
    def load(cls, folder: Path) -> "Tables":
        """Read the three Parquet files; relative names of files are taken from the folder."""
        schemas = {"cases": CASES, "images": IMAGES, "targets": TARGETS}
        tables = {}
        for name, schema in schemas.items():
            words = [field.name for field in schema if field.type == _WORD]
            tables[name] = table = _read_parquet(folder / _FILES[name], words)
            if name != "cases" and table["case"].equals(tables["cases"]["case"]):
                tables[name] = _set_column(table, "case", tables["cases"]["case"])  # one copy in memory
            del table
            pa.default_memory_pool().release_unused()
        files = [_absolute_lists(chunk, folder) for chunk in tables["images"]["files"].chunks]
        column = pa.chunked_array(files, IMAGES.field("files").type)
        tables["images"] = _set_column(tables["images"], "files", column)
        masks = [_absolute(chunk, folder) for chunk in tables["targets"]["file"].chunks]
        tables["targets"] = _set_column(tables["targets"], "file", pa.chunked_array(masks, pa.string()))
        del files, column
        pa.default_memory_pool().release_unused()
        return cls(**tables)


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
        positions = _positions(rows["case"], tables.cases["case"])
        if len(np.unique(positions)) != len(positions):
            raise DataError(f'Some cases have two classes of "{name}"', where="table 'targets'", expected="one a case")
        indices[positions] = codes[numbers]
    return indices


def cases_with_target(tables: Tables, *, kind: str, name: str, reader: str | None = None) -> np.ndarray:
    """Whether a case has a target of a kind and name: (N,) bool."""
    rows = select_targets(tables.targets, kind=kind, name=name, reader=reader)
    has: np.ndarray = np.zeros(len(tables), bool)
    has[_positions(rows["case"], tables.cases["case"])] = True
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


def _class_table(cases: Any, name: str, values: Sequence[str | None]) -> pa.Table:
    """Rows of `targets` for the classes of one finding; cases without a class have no row."""
    column = pa.array(values, pa.string())
    table = pa.table({"case": cases, "value": column}).filter(pc.is_valid(column))
    count = len(table)
    return table.append_column("kind", pa.array(["class"] * count)).append_column("name", pa.array([name] * count))


def _table_from_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    names = list(dict.fromkeys(name for row in rows for name in row)) or ["case"]
    return pa.table({name: to_arrow([row.get(name) for row in rows]) for name in names})


def _components(patients: Any) -> Any:
    """The component of each patient, worked out once for each spelling."""
    column = patients.combine_chunks()
    spellings = column.dictionary.to_pylist()
    components = pa.array(patient_components(spellings), pa.string()).dictionary_encode()
    codes = pc.take(components.indices, column.indices)
    return pa.DictionaryArray.from_arrays(codes, components.dictionary)


def _trusted(cases: pa.Table, images: pa.Table, targets: pa.Table) -> Tables:
    """Tables that are a part of tables that were checked."""
    tables = object.__new__(Tables)
    for name, table in (("cases", cases), ("images", images), ("targets", targets)):
        object.__setattr__(tables, name, table)
    return tables


def _positions(names: Any, cases: Any) -> np.ndarray:
    """Position of each name among the cases: (M,) int64, -1 for one that is not there."""
    if names.equals(cases):
        return np.arange(len(cases))
    found = pc.index_in(names, value_set=cases.combine_chunks() if isinstance(cases, pa.ChunkedArray) else cases)
    positions: np.ndarray = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return positions


def _cast(column: Any, kind: pa.DataType) -> Any:
    if column.type == kind:
        return column
    if kind == _WORD:
        text = column if pa.types.is_dictionary(column.type) else column.cast(pa.string())
        encoded = text if pa.types.is_dictionary(text.type) else pc.dictionary_encode(text)
        return encoded.cast(_WORD)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) and not pa.types.is_string(kind):
        raise pa.ArrowInvalid("text where numbers were expected")
    return column.cast(kind)


def _set_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)


def _read_parquet(path: Path, words: Sequence[str]) -> pa.Table:
    """A Parquet file without the columns that say nothing, by its statistics."""
    metadata = pq.read_metadata(path)
    spoken = set()
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            column = metadata.row_group(group).column(index)
            statistics = column.statistics
            if statistics is None or statistics.null_count is None or statistics.null_count < column.num_values:
                spoken.add(column.path_in_schema.split(".")[0])
    columns = [name for name in pq.read_schema(path).names if name in spoken or name in ("case", "files", "file")]
    return pq.read_table(path, columns=columns, read_dictionary=[name for name in words if name in columns])


def _absolute_lists(lists: Any, folder: Path) -> Any:
    """Lists of file names with the folder before those that are relative."""
    values, counts = lists.flatten(), pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, _absolute(values, folder))


def _absolute(files: Any, folder: Path) -> Any:
    """Names of files with the folder before those that are relative."""
    is_absolute = pc.match_substring_regex(files, r"^(/|\\|[A-Za-z]:)")
    joined = pc.binary_join_element_wise(pa.scalar(str(folder)), files, "/")
    return pc.if_else(is_absolute, files, joined)


def _check_words(column: Any, known: Sequence[str], name: str) -> None:
    unknown = [word for word in pc.unique(column).to_pylist() if word is not None and word not in known]
    if unknown:
        raise DataError(
            f"A {name.replace('_', ' ')} has an unknown name", where=f"column '{name}'", expected=", ".join(known)
        )


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
