"""A process's own view of the machine's files (as root only): folders that are closed to others are opened as far as needed, /tmp is private.

A user's folder is often closed to everybody else (mode 0700), and Python or the class may lie in it. In the view of a participant's process such a
folder is empty but for what they need.
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from firstread.classroom.sandbox.syscalls import call

_NEW_FILES, _NEW_MESSAGES = 0x20000, 0x8000000
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _REMOUNT, _BIND, _ALL, _PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
#: where programs put what is temporary
SHARED = (Path("/dev/shm"), Path("/tmp"))  # noqa: S108 - each process gets its own instead
_EMPTY, _OWN = "size=1m,mode=0755", "size=512m,mode=1777"


def own_view(needed: Iterable[Path], *, own: Iterable[Path] = ()) -> None:
    """Make this process's own view of all files.

    Args:
        needed: what it must be able to read wherever it lies.
        own: folders that stay as they are, although they lie in /tmp or in a closed folder.

    Raises:
        OSError: this process is not root, or the system does not let it.
    """
    call("unshare", _NEW_FILES | _NEW_MESSAGES)
    _mount(None, "/", None, _ALL | _PRIVATE)
    before = os.umask(0o022)
    kept_own = set(own)
    kept = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in {*needed, *kept_own} if path.exists()}
    closed = sorted({folder for path in kept if (folder := first_closed(path)) and not _within(folder, SHARED)})
    for folder in (*closed, *SHARED):
        _mount("none", folder, "tmpfs", _NO_SETUID | _NO_DEVICES, _OWN if folder in SHARED else _EMPTY)
    for path, opened in sorted(kept.items()):  # a folder before what lies in it
        if _within(path, (*closed, *SHARED)):
            _show_again(path, opened, read_only=path not in kept_own)
        os.close(opened)
    for folder in closed:
        _mount(None, folder, None, _REMOUNT | _READ_ONLY | _NO_SETUID | _NO_DEVICES, _EMPTY)
    os.umask(before)


def first_closed(path: Path) -> Path | None:
    """The first folder on the way to `path` that others may not pass; None if they can read it."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _within(path: Path, folders: Iterable[Path]) -> bool:
    return any(folder == path or folder in path.parents for folder in folders)


def _show_again(path: Path, opened: int, *, read_only: bool) -> None:
    """Put a file or folder, opened before, back where it was, under what hides it now."""
    if stat.S_ISDIR(os.fstat(opened).st_mode):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    else:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.touch()
    _mount(f"/proc/self/fd/{opened}", path, None, _BIND | _ALL)
    if read_only:
        _mount(None, path, None, _BIND | _REMOUNT | _READ_ONLY | _NO_SETUID | _NO_DEVICES)


def _mount(source: str | None, target: str | Path, kind: str | None, flags: int, options: str | None = None) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, options)]
    call("mount", texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])
