"""Which file belongs to which series: the first pass of the step `curate`, and where the second looks it up.

Headers are read, and one row a file goes into shards in the vault; from all of them one SQLite file is built, so that
memory does not grow with the archive.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from firstread.core.files import write_atomically
from firstread.dicom.archive_index import index_file
from firstread.project.archive_names import locate
from firstread.project.identity_store import translate_full_disk
from firstread.project.index import list_archive
from firstread.project.output_files import find_outputs
from firstread.project.project_folder import ProjectFolder

#: one row a file
FILES = pa.schema(
    {
        "file": pa.string(),
        "status": pa.string(),
        "reason": pa.string(),
        "series": pa.string(),
    }
)
_STORE = "files.sqlite"
_TABLES = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
CREATE TABLE files (series TEXT NOT NULL, file TEXT NOT NULL, PRIMARY KEY (series, file)) WITHOUT ROWID;
CREATE TABLE left_out (file TEXT PRIMARY KEY, status TEXT NOT NULL, reason TEXT) WITHOUT ROWID;
"""
#: of files that state no series: those of one folder are taken together
_FOLDER = "folder "


def list_files(project: ProjectFolder) -> list[str]:
    """Names of the files to curate, relative to the folder of images: outputs, or a de-identified archive."""
    folder = project.image_folder
    if project.settings.deidentified:
        return list(list_archive(folder))
    return [path.relative_to(folder).as_posix() for path in find_outputs(folder)]


def file_rows(folder: str, name: str) -> dict[str, list[dict[str, Any]]]:
    """The row of one file; called in a worker."""
    row = index_file(locate(Path(folder), name), name=name, digest=False)
    series = row["series"] or f"{_FOLDER}{PurePosixPath(name).parent}"
    kept = {column: row[column] for column in FILES.names}
    return {"files": [kept | {"series": series if row["status"] in ("ok", "no_image") else None}]}


def failure_row(name: str, reason: str) -> dict[str, list[dict[str, Any]]]:
    """The row of a file whose header could not be read to its end."""
    return {"files": [{"file": name, "status": "broken", "reason": f"Not finished: {reason}", "series": None}]}


def write_file_store(folder: Path) -> Path:
    """Build the store from the parts of the table `files`; returns its folder.

    Raises:
        StorageError: the disk is full.
    """

    def build(path: Path) -> None:
        with translate_full_disk(path), closing(sqlite3.connect(path)) as database:
            database.executescript(_TABLES)
            for batch in ds.dataset(folder / "files", schema=FILES).to_batches():
                rows = batch.to_pylist()
                known = [(row["series"], row["file"]) for row in rows if row["series"]]
                others = [(row["file"], row["status"], row["reason"]) for row in rows if not row["series"]]
                database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?)", known)
                database.executemany("INSERT OR REPLACE INTO left_out VALUES (?, ?, ?)", others)
            database.commit()

    write_atomically(folder / _STORE, build)
    return folder


class FileStore:
    """Files of each series, read-only; opened by each worker.

    Args:
        folder: that holds the store.
    """

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(f"{(folder / _STORE).resolve().as_uri()}?mode=ro&immutable=1", uri=True)

    @classmethod
    def of(cls, folder: Path) -> "FileStore | None":
        """The store in a folder; None where it is not built yet."""
        return cls(folder) if (folder / _STORE).is_file() else None

    def __enter__(self) -> "FileStore":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def series(self) -> list[str]:
        """All series: their Series Instance UID, or the folder of files that state none."""
        return [name for (name,) in self._database.execute("SELECT DISTINCT series FROM files ORDER BY series")]

    def files(self, series: str) -> list[str]:
        """Names of the files of a series."""
        query = "SELECT file FROM files WHERE series = ? ORDER BY file"
        return [name for (name,) in self._database.execute(query, (series,))]

    def left_out(self) -> Iterator[tuple[str, str, str]]:
        """Name, status ("broken" or "not_dicom") and reason of each file that belongs to no series."""
        yield from self._database.execute("SELECT file, status, reason FROM left_out ORDER BY file")
