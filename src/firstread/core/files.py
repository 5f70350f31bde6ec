"""Writing files so that a reader never sees half of one.

Everything is written beside its destination under a temporary name, flushed to disk and renamed. A crash, a full
disk or kill -9 leaves what was there before.
"""

import errno
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError, StorageError


def write_atomically(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Call `write(temporary_path)` and move the result to `path` in one step.

    Raises:
        StorageError: the disk is full or the folder cannot be written; what was at `path` is untouched.
    """
    path = Path(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix or ".part")
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    return path


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Write bytes atomically."""
    return write_atomically(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: str | Path, text: str) -> Path:
    """Write UTF-8 text atomically."""
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> Path:
    """Write JSON atomically; numpy numbers and paths are turned into plain ones, NaN into null."""
    return write_text(path, json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON, or say in a sentence why it cannot be read."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError("The file is missing", where=path, do="check the path") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(
            "The file is not valid JSON", where=path, do="delete it and run the step that writes it again"
        ) from error


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """A temporary folder that becomes `path` if the block succeeds, and vanishes if it does not."""
    path = Path(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            old = None
            if path.exists():
                old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
                with suppress(FileNotFoundError):  # another process was quicker
                    path.replace(old / "it")
            try:
                temporary.replace(path)
            except OSError:
                if not path.exists():
                    raise
            if old:
                shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def plain(value: Any) -> Any:
    """Python's own types for JSON: numpy scalars and arrays, paths, tuples; NaN and infinity become None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    return str(value)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or a folder without permission, met while writing `path`, into a StorageError."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageError(
                "The disk is full, so the file was not written; what was there before is kept",
                where=path,
                do="free some space, or point FIRSTREAD_HOME at another disk, and run the same step again",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StorageError(
                "This folder cannot be written",
                where=path.parent,
                do="choose a folder that belongs to you, or point FIRSTREAD_HOME at one",
            ) from error
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
