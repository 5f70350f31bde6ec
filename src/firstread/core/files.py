"""Atomic writing of files and folders, and JSON.

Files are written to a temporary name in the destination's folder, flushed to disk and renamed. A crash, a full disk or
kill -9 leaves the previous file.
"""

import errno
import json
import math
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError, StorageError
from firstread.core.paths import is_own_place

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Write a file atomically: call `write(temporary_path)` and rename the result to `path`.

    Raises:
        StorageError: the disk is full or the folder cannot be written; an existing file at `path` is untouched.
    """
    path = Path(path)
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _unused_name(path, path.suffix or ".part")
        # created with the mode that the umask leaves; asking for the umask would change it for all threads
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        try:
            write(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(FileNotFoundError):
                temporary.unlink()
            raise
    return path


def write_bytes(path: str | Path, data: bytes | memoryview) -> Path:
    """Write bytes atomically."""
    return write_atomically(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: str | Path, text: str) -> Path:
    """Write UTF-8 text atomically."""
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> Path:
    """Write JSON atomically; numpy values and paths become JSON types, NaN becomes null."""
    return write_text(path, json.dumps(to_jsonable(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path, *, max_bytes: int | None = None) -> Any:
    """Read JSON.

    Raises:
        DataError: the file is missing, larger than `max_bytes`, or not valid JSON.
    """
    try:
        if max_bytes is not None and Path(path).stat().st_size > max_bytes:
            raise DataError("The file is larger than firstread reads", where=path, expected=f"{max_bytes:,} bytes")
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError("The file is missing", where=path, do="check the path") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(
            "The file is not valid JSON", where=path, do="delete it and run the step that writes it again"
        ) from error


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Write a folder atomically: yields a temporary folder, renamed to `path` on success and deleted on failure."""
    path = Path(path)
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _unused_name(path, "")
        temporary.mkdir()
        try:
            yield temporary
            replaced = None
            if path.exists():
                replaced = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
                with suppress(FileNotFoundError):  # another process removed or replaced it first
                    path.replace(replaced / "it")
            try:
                temporary.replace(path)
            except OSError:
                if not path.exists():
                    raise
            if replaced:
                shutil.rmtree(replaced, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def to_jsonable(value: Any) -> Any:
    """Convert numpy values, paths, tuples and sets to JSON-serializable types; NaN and infinity become None."""
    if isinstance(value, dict):
        return {str(key): to_jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_jsonable(item) for item in value]
    if hasattr(value, "tolist"):
        return to_jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)


@contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Raise StorageError for a full disk or missing permission (OSError) while writing `path`."""
    try:
        yield
    except OSError as error:
        told = storage_error(error, path)
        if told is None:
            raise
        raise told from error


def storage_error(error: OSError, path: Path | None = None) -> StorageError | None:
    """What an operating system's error says of a place: full, not writable, a file in place of a folder; else None.

    Args:
        error: of the operating system.
        path: that was being written; default the one that the error names.
    """
    named = Path(error.filename) if isinstance(error.filename, str) else None
    place = path or named
    if place is None:
        return None
    is_written = path is not None or is_own_place(place)
    if error.errno in _FULL:
        return StorageError(
            "The disk is full, so the file was not written; what was there before is kept",
            where=place,
            do="free some space, or point FIRSTREAD_HOME at another disk, and run the same step again",
        )
    if error.errno in _NO_FOLDER:
        return StorageError(
            "A file stands where a folder is needed",
            where=named or place,
            do="move that file away, or choose another folder; FIRSTREAD_HOME moves firstread's own",
        )
    if is_written and error.errno in (*_NOT_WRITABLE, errno.ENOENT):
        return StorageError(
            "This folder cannot be written",
            where=place.parent if path else place,
            do="choose a folder that belongs to you, or point FIRSTREAD_HOME at one",
        )
    if error.errno in _NOT_WRITABLE:
        return StorageError("There is no permission to read or write here", where=place, do="check that it is yours")
    return None


def _unused_name(path: Path, suffix: str) -> Path:
    """A hidden name beside a path that nobody else uses."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{suffix}")
