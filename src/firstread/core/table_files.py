"""The three tables of a cohort on disk: Parquet files that open in anything, file names relative to their folder."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from firstread.core.files import write_atomically
from firstread.core.table_schemas import CASES, IMAGES, TARGETS, WORD

FILES = {"cases": "cases.parquet", "images": "images.parquet", "targets": "targets.parquet"}


def write_tables(folder: Path, tables: Mapping[str, pa.Table], relative: Callable[[str], str]) -> None:
    """Write three Parquet files; `relative` names a file relative to the folder."""
    images, targets = tables["images"], tables["targets"]
    files = pa.array([relative(file) for file in pc.list_flatten(images["files"]).to_pylist()], pa.string())
    images = set_column(images, "files", pa.ListArray.from_arrays(_list_offsets(images["files"]), files))
    masks = [None if file is None else relative(file) for file in targets["file"].to_pylist()]
    targets = set_column(targets, "file", pa.array(masks, pa.string()))
    for name, table in (("cases", tables["cases"]), ("images", images), ("targets", targets)):
        write_atomically(folder / FILES[name], partial(pq.write_table, table))


def read_tables(folder: Path) -> dict[str, pa.Table]:
    """Read the three Parquet files; relative names of files are taken from the folder."""
    tables: dict[str, pa.Table] = {}
    for name, schema in {"cases": CASES, "images": IMAGES, "targets": TARGETS}.items():
        words = [field.name for field in schema if field.type == WORD]
        table = _read_parquet(folder / FILES[name], words)
        if tables and table["case"].equals(tables["cases"]["case"]):
            table = set_column(table, "case", tables["cases"]["case"])  # one copy in memory
        tables[name] = table
        del table
        pa.default_memory_pool().release_unused()
    files = [_absolute_lists(chunk, folder) for chunk in tables["images"]["files"].chunks]
    tables["images"] = set_column(tables["images"], "files", pa.chunked_array(files, IMAGES.field("files").type))
    masks = [_absolute(chunk, folder) for chunk in tables["targets"]["file"].chunks]
    tables["targets"] = set_column(tables["targets"], "file", pa.chunked_array(masks, pa.string()))
    pa.default_memory_pool().release_unused()
    return tables


def set_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    """A table with a column replaced or added."""
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
    return pa.ListArray.from_arrays(_list_offsets(lists), _absolute(lists.flatten(), folder))


def _list_offsets(lists: Any) -> Any:
    counts = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    return pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())


def _absolute(files: Any, folder: Path) -> Any:
    """Names of files with the folder before those that are relative."""
    is_absolute = pc.match_substring_regex(files, r"^(/|\\|[A-Za-z]:)")
    joined = pc.binary_join_element_wise(pa.scalar(str(folder)), files, "/")
    return pc.if_else(is_absolute, files, joined)
