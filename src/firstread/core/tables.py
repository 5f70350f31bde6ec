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

from firstread.core.columns import SPLITS, canonical_split
from firstread.core.errors import DataError
from firstread.core.images import middle_file
from firstread.core.patient_identity import patient_components
from firstread.core.patient_sources import PATIENT_SOURCES
from firstread.core.table_files import read_tables, set_column, write_tables
from firstread.core.table_schemas import CASES, IMAGES, TARGET_KINDS, TARGETS, conform, to_arrow


@dataclass(frozen=True, eq=False)
class Tables:
    """Cases, images and targets, checked against one another; images and targets are in the order of the cases.

    Attributes:
        cases, images, targets: Arrow tables with the columns of CASES, IMAGES and TARGETS, and further facts. Where no
            `component` or `patient_source` is given, it is worked out from the patients
            (`firstread.core.patient_identity`).

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
            cases = set_column(cases, "component", _components(cases["patient"]))
        if cases["patient_source"].null_count == len(cases) > cases["patient"].null_count:
            cases = set_column(cases, "patient_source", _stated_or_none(cases["patient"]))
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
            return set_column(table, "case", self.cases["case"])  # one copy in memory
        positions = positions_of_cases(table["case"], self.cases["case"])
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
        return np.searchsorted(positions_of_cases(table["case"], self.cases["case"]), np.arange(len(self) + 1))

    def filter(self, mask: np.ndarray) -> "Tables":
        """The cases for which `mask` (N,) is true, with their images and targets."""
        parts = [self.cases.filter(pa.array(mask))]
        for table, offsets in ((self.images, self.image_offsets), (self.targets, self.target_offsets)):
            parts.append(table.filter(pa.array(np.repeat(mask, np.diff(offsets)))))
        return _trusted(*parts)

    def with_cases_column(self, name: str, values: Sequence[Any]) -> "Tables":
        """A copy with a column of `cases` set."""
        if name == "split":
            values = [canonical_split(value) for value in values]
        cases = set_column(self.cases, name, to_arrow(values))
        if name == "patient":  # worked out anew
            cases = cases.drop_columns(["component", "patient_source"])
        return Tables(cases, self.images, self.targets)

    def with_classes(self, name: str, values: Sequence[str | None], *, reader: str | None = None) -> "Tables":
        """A copy in which the classes of one finding are replaced, those of all readers, by the word of one."""
        is_old = pc.and_(pc.equal(self.targets["kind"], "class"), pc.equal(self.targets["name"], name))
        kept = self.targets.filter(pc.invert(pc.fill_null(is_old, False)))
        new = conform(_class_table(self.cases["case"], name, values, reader), TARGETS, "targets")
        return Tables(self.cases, self.images, pa.concat_tables([new, kept], promote_options="default"))

    def with_files(self, files: Sequence[str], frames: Sequence[int | None]) -> "Tables":
        """A copy in which every case has one image, in another file."""
        images = self.images.take(pa.array(self.image_offsets[:-1]))
        images = set_column(images, "files", pa.array([[file] for file in files], IMAGES.field("files").type))
        return Tables(self.cases, set_column(images, "frame", pa.array(frames, pa.int32())), self.targets)

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
                yield middle_file(files), frame

    def save(self, folder: Path, relative: Callable[[str], str]) -> None:
        """Write three Parquet files; `relative` names a file relative to the folder."""
        tables = {"cases": self.cases, "images": self.images, "targets": self.targets}
        write_tables(folder, tables, relative)

    @classmethod
    def load(cls, folder: Path) -> "Tables":
        """Read the three Parquet files; relative names of files are taken from the folder."""
        return cls(**read_tables(folder))


def _class_table(cases: Any, name: str, values: Sequence[str | None], reader: str | None) -> pa.Table:
    """Rows of `targets` for the classes of one finding; cases without a class have no row."""
    column = pa.array(values, pa.string())
    table = pa.table({"case": cases, "value": column}).filter(pc.is_valid(column))
    for column_name, word in (("kind", "class"), ("name", name), ("reader", reader)):
        table = table.append_column(column_name, pa.array([word] * len(table), pa.string()))
    return table


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


def _stated_or_none(patients: Any) -> Any:
    """The source of each patient in a table that names patients and says no more of them."""
    codes = pc.if_else(pc.is_valid(patients), pa.scalar(0, pa.int32()), pa.scalar(1, pa.int32()))
    return pa.DictionaryArray.from_arrays(codes.combine_chunks(), ["stated", "none"])


def _trusted(cases: pa.Table, images: pa.Table, targets: pa.Table) -> Tables:
    """Tables that are a part of tables that were checked."""
    tables = object.__new__(Tables)
    for name, table in (("cases", cases), ("images", images), ("targets", targets)):
        object.__setattr__(tables, name, table)
    return tables


def positions_of_cases(names: Any, cases: Any) -> np.ndarray:
    """Position of each name among the cases: (M,) int64, -1 for one that is not there."""
    if names.equals(cases):
        return np.arange(len(cases))
    found = pc.index_in(names, value_set=cases.combine_chunks() if isinstance(cases, pa.ChunkedArray) else cases)
    positions: np.ndarray = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    return positions


def _check_words(column: Any, known: Sequence[str], name: str) -> None:
    unknown = [word for word in pc.unique(column).to_pylist() if word is not None and word not in known]
    if unknown:
        raise DataError(
            f"A {name.replace('_', ' ')} has an unknown name", where=f"column '{name}'", expected=", ".join(known)
        )


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
