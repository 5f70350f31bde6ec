"""Private mount and IPC namespaces for one process (root only): private /tmp, inaccessible folders opened as needed.

A user's home is often closed to other users (mode 0700), and Python or the class may be inside it. In a participant's
mount namespace such a folder is empty except for the paths that the process needs.
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from firstread.classroom.sandbox.syscalls import libc_call

_CLONE_NEWNS, _CLONE_NEWIPC = 0x20000, 0x8000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
#: folders of temporary files, replaced by private ones
TEMPORARY_FOLDERS = (Path("/dev/shm"), Path("/tmp"))  # noqa: S108 - each process gets its own instead
_EMPTY_TMPFS_OPTIONS, _PRIVATE_TMPFS_OPTIONS = "size=1m,mode=0755", "size=512m,mode=1777"


def enter_mount_namespace(read_paths: Iterable[Path], *, write_paths: Iterable[Path] = ()) -> None:
    """Move this process into its own mount and IPC namespaces.

    Args:
        read_paths: mounted read-only where they are inside /tmp or an inaccessible folder.
        write_paths: mounted writable where they are inside /tmp or an inaccessible folder.

    Raises:
        OSError: this process is not root, or the system refuses.
    """
    libc_call("unshare", _CLONE_NEWNS | _CLONE_NEWIPC)
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    old_umask = os.umask(0o022)
    writable = set(write_paths)
    fds = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in {*read_paths, *writable} if path.exists()}
    parents = {first_inaccessible_parent(path) for path in fds}
    hidden = sorted(folder for folder in parents if folder and not _is_within(folder, TEMPORARY_FOLDERS))
    for folder in hidden:
        _mount("none", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, _EMPTY_TMPFS_OPTIONS)
    for folder in TEMPORARY_FOLDERS:
        _mount("none", folder, "tmpfs", _MS_NOSUID | _MS_NODEV, _PRIVATE_TMPFS_OPTIONS)
    for path, fd in sorted(fds.items()):  # a folder before its contents
        if _is_within(path, (*hidden, *TEMPORARY_FOLDERS)):
            _bind_mount(path, fd, read_only=path not in writable)
        os.close(fd)
    for folder in hidden:
        _mount(None, folder, None, _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV, _EMPTY_TMPFS_OPTIONS)
    os.umask(old_umask)


def first_inaccessible_parent(path: Path) -> Path | None:
    """The topmost parent folder of `path` that other users cannot enter; None if there is none."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _is_within(path: Path, folders: Iterable[Path]) -> bool:
    return any(folder == path or folder in path.parents for folder in folders)


def _bind_mount(path: Path, source_fd: int, *, read_only: bool) -> None:
    """Bind-mount a file or folder, opened before its parent was hidden, at its original path."""
    if stat.S_ISDIR(os.fstat(source_fd).st_mode):
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    else:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.touch()
    _mount(f"/proc/self/fd/{source_fd}", path, None, _MS_BIND | _MS_REC)
    if read_only:
        _mount(None, path, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _mount(
    source: str | None, target: str | Path, filesystem: str | None, flags: int, options: str | None = None
) -> None:
    arguments = [None if text is None else os.fsencode(text) for text in (source, target, filesystem, options)]
    libc_call("mount", arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3])
