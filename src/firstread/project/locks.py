"""File locks between processes: one writer at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstread.core.errors import StorageError
from firstread.core.files import translate_os_errors


@contextmanager
def file_lock(path: Path, *, wait: bool = True, shared: bool = False) -> Iterator[None]:
    """Hold a lock of the operating system on a file; it ends with the process, however that ends.

    Args:
        path: of the lock file, which is created.
        wait: False refuses where another process holds it.
        shared: others may hold it too, as long as they share it.

    Raises:
        StorageError: another process holds the lock.
    """
    with translate_os_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise StorageError(
                "Another firstread is at work on this project",
                where=path.parent,
                do="wait until it is done, or stop it; nothing was changed",
            ) from None
        yield
    finally:
        os.close(handle)
