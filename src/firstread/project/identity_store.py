"""Identities of an archive, looked up by file, patient, word or UID: one SQLite file beside the index, in the vault.

Built from the parts of the table `identities`, some hundred rows at a time, and read by every worker without being
loaded, so that memory does not grow with the archive.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from firstread.core.errors import DataError, StorageError
from firstread.core.files import write_atomically
from firstread.deidentification.folder_deidentifier import CLASH, COPY
from firstread.deidentification.identity import Identity
from firstread.deidentification.identity_index import TWO_PATIENTS
from firstread.project.identity_table import IDENTITIES, decode_values, row_identity
from firstread.project.identity_words import value_words
from firstread.project.withdrawal_marks import person_key

_FILE = "identities.sqlite"
_TABLES = """
CREATE TABLE patients (key TEXT PRIMARY KEY, identity TEXT NOT NULL, nested TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE studies (study TEXT PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    file TEXT PRIMARY KEY, sha256 TEXT, key TEXT NOT NULL, instance TEXT,
    patient_id TEXT, patient_name TEXT, birth_date TEXT, sex TEXT
) WITHOUT ROWID;
CREATE TABLE repeated (file TEXT PRIMARY KEY, instance TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE words (word TEXT PRIMARY KEY, kind TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE uids (uid TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_FILE_COLUMNS = ("file", "sha256", "key", "instance", "patient_id", "patient_name", "birth_date", "sex")
_REGISTERED = "1.2.840.10008."
_ROWS_AT_ONCE = 500


def write_identity_store(folder: Path) -> Path:
    """Build the store from the parts of the table `identities` in the folder of an index.

    Raises:
        StorageError: the disk is full.
    """

    def build(path: Path) -> None:
        with translate_full_disk(path), closing(sqlite3.connect(path)) as database:
            database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLES)
            for part in sorted((folder / "identities").glob("part-*.parquet")):
                for batch in ds.dataset(part, schema=IDENTITIES).to_batches(batch_size=_ROWS_AT_ONCE):
                    _add_rows(database, batch.to_pylist())
            _find_repeated(database)
            database.commit()

    return write_atomically(folder / _FILE, build)


class IdentityStore:
    """Identities of an archive, read-only.

    Args:
        folder: of the index.

    Raises:
        DataError: there is no store.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / _FILE
        if not path.is_file():
            raise DataError("The index holds no identities", where=path.parent, do="firstread project index")
        self._database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        self.patient = lru_cache(maxsize=2_048)(self._patient)

    def _patient(self, key: str) -> Identity | None:
        """What all files say of a patient; None where no file names them."""
        row = self._one("SELECT identity FROM patients WHERE key = ?", key)
        return _decode(row[0]) if row else None

    def nested_values(self, key: str) -> frozenset[tuple[str, str]]:
        """Every identity value in files of a patient, those in sequences too."""
        row = self._one("SELECT identity, nested FROM patients WHERE key = ?", key)
        return _decode(row[0]).values | decode_values(row[1]) if row else frozenset()

    def file(self, name: str) -> tuple[str | None, str, str | None]:
        """SHA-256, patient key and SOPInstanceUID of a file; None, "" and None where it is no readable DICOM."""
        return self._one("SELECT sha256, key, instance FROM files WHERE file = ?", name) or (None, "", None)

    def repeated(self, name: str) -> tuple[str, str] | None:
        """SOPInstanceUID that other files have too, and why this file is held back for it."""
        return self._one("SELECT instance, reason FROM repeated WHERE file = ?", name)

    def same_instance(self, instance: str) -> list[str]:
        """Files with one SOPInstanceUID."""
        return [name for (name,) in self._all("SELECT file FROM files WHERE instance = ? ORDER BY file", instance)]

    def files_of(self, key: str) -> list[str]:
        """Files of a patient."""
        return [name for (name,) in self._all("SELECT file FROM files WHERE key = ? ORDER BY file", key)]

    def person(self, key: str, person: str) -> dict[str, str]:
        """What files say of a person: identifiers, names, birth dates, sexes; texts for the vault's records.

        Args:
            key: of the patient.
            person: the same, or that of one of several people who share it.
        """
        query = "SELECT DISTINCT patient_id, patient_name, birth_date, sex FROM files WHERE key = ?"
        rows = [row for row in self._all(query, key) if person in (key, person_key(key, *row[2:]))]
        columns = zip(
            ("PatientID", "PatientName", "PatientBirthDate", "PatientSex"), zip(*rows, strict=True), strict=True
        )
        return {name: "; ".join(sorted({value for value in values if value})) for name, values in columns}

    def kinds_of_words(self, words: Iterable[str]) -> set[tuple[str, str]]:
        """(word, kind) of those words that belong to somebody."""
        found = ((word, self._one("SELECT kind FROM words WHERE word = ?", word)) for word in set(words))
        return {(word, row[0]) for word, row in found if row}

    def holds_uid(self, uid: str) -> bool:
        """Whether a UID is that of an original."""
        return self._one("SELECT 1 FROM uids WHERE uid = ?", uid) is not None

    def count_values(self) -> int:
        """Number of words and UIDs that are searched for."""
        return sum(self._all("SELECT COUNT(*) FROM words")[0] + self._all("SELECT COUNT(*) FROM uids")[0])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _one(self, query: str, value: str) -> tuple | None:  # type: ignore[type-arg]
        return self._database.execute(query, (value,)).fetchone()

    def _all(self, query: str, *values: str) -> list[tuple]:  # type: ignore[type-arg]
        return self._database.execute(query, values).fetchall()


def identity_digest(identity: Identity | None) -> str:
    """Digest of what is known of a patient: another one means that the patient's files are to be done again."""
    return sha256(_encode(identity).encode()).hexdigest() if identity else ""


def _add_rows(database: sqlite3.Connection, rows: list[dict[str, Any]]) -> None:
    patients: dict[str, Identity] = {}
    nested: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        identity = row_identity(row)
        key = identity.key
        if key:
            patients[key] = patients[key].merged(identity) if key in patients else identity
        nested.setdefault(key, set()).update(decode_values(row["nested"]) | (frozenset() if key else identity.values))
    for key, found in nested.items():
        identity = patients.get(key, Identity(""))
        known = database.execute("SELECT identity, nested FROM patients WHERE key = ?", (key,)).fetchone()
        if known:
            identity = _decode(known[0]).merged(identity)
            found.update(decode_values(known[1]))
        values = (key, _encode(identity), json.dumps(sorted(found)))
        database.execute("INSERT OR REPLACE INTO patients VALUES (?, ?, ?)", values)
        words = {(word, kind) for kind, value in identity.values | found for word in value_words(kind, value)}
        database.executemany("INSERT OR IGNORE INTO words VALUES (?, ?)", sorted(words))
    database.executemany(
        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (tuple(row[name] for name in _FILE_COLUMNS) for row in rows),
    )
    uids = {uid for row in rows for uid in row["uids"] or () if not uid.startswith(_REGISTERED)}
    database.executemany("INSERT OR IGNORE INTO uids VALUES (?)", ((uid,) for uid in uids))
    for study, key in {(row["study"], row["key"]) for row in rows if row["study"] and row["key"]}:
        _link(database, study, key)


def _link(database: sqlite3.Connection, study: str, key: str) -> None:
    """Note whose a study is; two patients of one study are a conflict of both."""
    database.execute("INSERT OR IGNORE INTO studies VALUES (?, ?)", (study, key))
    (first,) = database.execute("SELECT key FROM studies WHERE study = ?", (study,)).fetchone()
    for patient in {first, key} if first != key else ():
        (text,) = database.execute("SELECT identity FROM patients WHERE key = ?", (patient,)).fetchone()
        identity = replace(_decode(text), conflict=TWO_PATIENTS)
        database.execute("UPDATE patients SET identity = ? WHERE key = ?", (_encode(identity), patient))


def _find_repeated(database: sqlite3.Connection) -> None:
    """Files that share a SOPInstanceUID: copies, of which one is kept, or other contents, which all wait."""
    database.execute("CREATE INDEX files_by_instance ON files (instance)")
    database.execute("CREATE INDEX files_by_key ON files (key)")
    query = "SELECT instance FROM files WHERE instance IS NOT NULL GROUP BY instance HAVING COUNT(*) > 1"
    for (instance,) in database.execute(query).fetchall():
        files = database.execute(
            "SELECT file, sha256 FROM files WHERE instance = ? ORDER BY file", (instance,)
        ).fetchall()
        same = len({digest for _, digest in files}) == 1
        held = [(name, instance, COPY if same else CLASH) for name, _ in (files[1:] if same else files)]
        database.executemany("INSERT INTO repeated VALUES (?, ?, ?)", held)


def _encode(identity: Identity) -> str:
    names = ("patient_ids", "birth_dates", "sexes", "values")
    sets = {name: sorted(getattr(identity, name)) for name in names}
    return json.dumps({"key": identity.key, "over_89": identity.over_89, "conflict": identity.conflict, **sets})


def _decode(text: str) -> Identity:
    content = json.loads(text)
    return Identity(
        content["key"],
        frozenset(content["patient_ids"]),
        frozenset(content["birth_dates"]),
        frozenset(content["sexes"]),
        content["over_89"],
        frozenset((kind, value) for kind, value in content["values"]),
        content["conflict"],
    )


@contextmanager
def translate_full_disk(path: Path) -> Iterator[None]:
    """Say what SQLite says of a full disk as firstread says it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(
            "The disk is full or cannot be written, so the index of identities was not written",
            where=path.parent,
            do="free some space, and run the same step again",
        ) from error
