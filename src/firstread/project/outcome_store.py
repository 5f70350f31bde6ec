"""Outcomes of all files, looked up by original, held key, output or patient: one SQLite file in the vault."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError
from firstread.core.files import write_atomically
from firstread.project.identity_store import translate_full_disk

_FILE = "outcomes.sqlite"
_TABLE = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
CREATE TABLE outcomes (
    file TEXT PRIMARY KEY, held TEXT, output TEXT, patient TEXT, status TEXT, rule TEXT, review_class TEXT, row TEXT
) WITHOUT ROWID;
"""
_COLUMNS = ("file", "held", "output", "patient", "status", "rule", "review_class")


class OutcomeStore:
    """Outcomes of the last run that was finished, read-only.

    Args:
        folder: that holds the store.

    Raises:
        DataError: there is none.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / _FILE
        if not path.is_file():
            raise DataError("The archive is not de-identified yet", where=folder, do="firstread project deidentify")
        self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)

    def __enter__(self) -> "OutcomeStore":
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def of_file(self, name: str) -> dict[str, Any] | None:
        """The row of an original."""
        return next(self._rows("file = ?", name), None)

    def of_held(self, key: str) -> dict[str, Any] | None:
        """The row of a file that was held back."""
        return next(self._rows("held = ? AND status = 'held'", key), None)

    def of_output(self, path: str) -> dict[str, Any] | None:
        """The row of an output."""
        return next(self._rows("output = ?", path), None)

    def of_patient(self, pseudonym: str) -> Iterator[dict[str, Any]]:
        """Rows of a patient."""
        return self._rows("patient = ?", pseudonym)

    def held(self) -> Iterator[dict[str, Any]]:
        """Rows of all files that were held back."""
        return self._rows("status = ?", "held")

    def all(self) -> Iterator[dict[str, Any]]:
        """All rows."""
        return self._rows("file >= ?", "")

    def count(self, status: str) -> int:
        """Number of files of a status."""
        query = "SELECT COUNT(*) FROM outcomes WHERE status = ?"
        return int(self._database.execute(query, (status,)).fetchone()[0])

    def _rows(self, where: str, value: str) -> Iterator[dict[str, Any]]:
        query = f"SELECT row FROM outcomes WHERE {where} ORDER BY file"  # noqa: S608 - constants of this class
        for (text,) in self._database.execute(query, (value,)):
            yield json.loads(text)


def write_outcome_store(folder: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write the outcomes of a run that is finished."""

    def build(path: Path) -> None:
        with translate_full_disk(path), closing(sqlite3.connect(path)) as database:
            database.executescript(_TABLE)
            database.executemany(
                "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                ((*(row[name] for name in _COLUMNS), json.dumps(row)) for row in rows),
            )
            for column in ("held", "output", "patient"):
                database.execute(f"CREATE INDEX by_{column} ON outcomes ({column})")
            database.commit()

    path = write_atomically(folder / _FILE, build)
    path.chmod(0o600)
    return path
