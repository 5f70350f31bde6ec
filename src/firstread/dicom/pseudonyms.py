"""Pseudonyms of patients: keyed hashes (HMAC-SHA256, RFC 2104) of identifiers.

A plain hash of a short number can be reversed by hashing every number. So the hash is keyed with 32 random bytes that
stay in the firstread folder of this computer. A patient has the same pseudonym in every data set opened on this
computer, and another one on other computers.
"""

import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path

from firstread.core.errors import StorageError
from firstread.core.paths import home_folder
from firstread.core.patient_identity import normalize_patient

_KEY_BYTES = 32
#: how long another process may take between creating the key's file and writing its 32 bytes
_PATIENCE_SECONDS = 2.0
_DIGEST_CHARACTERS = 12


def make_pseudonym(identifier: str, *, prefix: str = "P") -> str:
    """Make a short pseudonym of an identifier, stable on this computer.

    Raises:
        StorageError: the key of this computer is damaged, or cannot be read or made.
    """
    digest = hmac.new(_load_key(), identifier.encode("utf-8", "replace"), hashlib.sha256)
    return prefix + digest.hexdigest()[:_DIGEST_CHARACTERS]


def component_pseudonym(patient: str | None) -> str | None:
    """Pseudonym that all spellings of a patient's identifier share; None where no patient is stated."""
    return None if not patient else make_pseudonym(f"component:{normalize_patient(patient)}")


_KEY_CACHE: dict[Path, bytes] = {}


def _load_key() -> bytes:
    """The key in the firstread folder, made if there is none; a damaged one is refused, never replaced."""
    path = (home_folder() / "pseudonym.key").absolute()
    if path not in _KEY_CACHE:
        try:
            _KEY_CACHE[path] = _create_key(path) or _read_key(path)
        except OSError:
            raise StorageError(
                "The key from which the pseudonyms of patients are made cannot be read or created",
                where=path,
                expected=f"a file of {_KEY_BYTES} bytes, or a folder of yours in which it can be made",
                do="make the folder yours to read and write, or point FIRSTREAD_HOME at one",
            ) from None
    return _KEY_CACHE[path]


def _create_key(path: Path) -> bytes | None:
    """Create the key, readable by its owner alone; None where there is one. Of several processes one creates it."""
    if os.path.lexists(path):
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
    except FileExistsError:
        return None
    with open(handle, "wb", buffering=0) as file:
        key = secrets.token_bytes(_KEY_BYTES)
        try:
            file.write(key)
            os.fsync(handle)
        except OSError:  # a full disk: the next start makes another
            path.unlink()
            raise
    return key


def _read_key(path: Path) -> bytes:
    """The key of another process or an earlier start, which may be about to be written."""
    if not path.is_file():
        raise OSError(f"{path} is no file")
    last = time.monotonic() + _PATIENCE_SECONDS
    while (size := path.stat().st_size) < _KEY_BYTES and time.monotonic() < last:
        time.sleep(0.02)
    key = path.read_bytes() if size == _KEY_BYTES else b""
    if len(key) != _KEY_BYTES:
        raise StorageError(
            f"The key from which the pseudonyms of patients are made is damaged: it has {size} bytes",
            where=path,
            expected=f"{_KEY_BYTES} bytes",
            do="put it back from a copy; if there is none, delete it: patients then get new pseudonyms, which do not "
            "match those of data sets that were opened before",
        )
    return key
