"""Linux namespaces of a participant's process: users, processes, mounts, network and IPC of its own.

The process gets a root folder of its own: an empty file system with the allowed files and folders bind-mounted at
their usual paths, a private /tmp and /dev/shm, the usual devices, and a /proc that shows only its own processes. What
is not on the list does not exist for it: no neighbour's files or sockets, no process of the machine.

Root needs nothing else; an ordinary user needs unprivileged user namespaces. Sources: namespaces(7),
user_namespaces(7), pid_namespaces(7), pivot_root(2), mount_setattr(2).
"""

import ctypes
import os
import platform
import stat
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from firstread.classroom.sandbox.syscalls import libc_call, syscall

_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = (
    *(0x20000, 0x8000000, 0x10000000, 0x20000000, 0x40000000),
)
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4
_AT_FDCWD, _AT_RECURSIVE, _MNT_DETACH = -100, 0x8000, 2
_SYS_MOUNT_SETATTR = 442  # the same on every architecture
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
#: folders of temporary files, each a file system in memory
TEMPORARY_FOLDERS = (Path("/dev/shm"), Path("/tmp"))  # noqa: S108 - each process gets its own instead
_TMPFS_OPTIONS, _ROOT_TMPFS_OPTIONS = "size=256m,nr_inodes=64k,mode=1777", "size=4m,mode=0755"
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
_NEW_ROOT = Path("/tmp")  # noqa: S108 - exists everywhere; only this process's own view of it is mounted over


class _MountAttr(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd"))


def unshare_namespaces(*, network: bool) -> None:
    """Move this process into new namespaces; its next child is the first process of the new process namespace.

    Args:
        network: True keeps the machine's network; False gives an empty one, without even the loopback device.

    Raises:
        OSError: the system refuses.
    """
    flags = _CLONE_NEWNS | _CLONE_NEWIPC | _CLONE_NEWPID | (0 if network else _CLONE_NEWNET)
    if os.geteuid() == 0:
        libc_call("unshare", flags)
        return
    uid, gid = os.geteuid(), os.getegid()
    libc_call("unshare", flags | _CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path(f"/proc/self/{name}").write_text(text)


def enter_private_root(read_paths: Iterable[Path], write_paths: Iterable[Path] = ()) -> None:
    """Replace the root folder by one that has only these paths, read-only or writable, as far as they exist.

    The process must be the first of its process namespace (see `unshare_namespaces`) and have a single thread.

    Raises:
        OSError: the system refuses.
    """
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    writable = {path for path in write_paths if path.exists()}
    readable = _without_nested({path for path in read_paths if path.exists()} - writable)
    links = {path: os.readlink(path) for path in readable if path.is_symlink() and path.resolve() in readable}
    sources = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in sorted({*readable, *writable} - set(links))}
    devices = {name: os.open(f"/dev/{name}", os.O_PATH | os.O_CLOEXEC) for name in _DEVICES}
    old_umask = os.umask(0o022)
    _mount("none", _NEW_ROOT, "tmpfs", _MS_NOSUID | _MS_NODEV, _ROOT_TMPFS_OPTIONS)
    _make_system_folders(devices)
    for path, target in links.items():
        _inside(path).parent.mkdir(parents=True, exist_ok=True)
        _inside(path).symlink_to(target)
    for path, source_fd in sources.items():  # sorted: a folder before its contents
        _bind(source_fd, _inside(path), read_only=path not in writable)
        os.close(source_fd)
    os.umask(old_umask)
    for folder in ("dev", ""):
        _set_mount_attributes(_NEW_ROOT / folder, _MOUNT_ATTR_RDONLY)
    _pivot_root()


@cache
def missing_namespaces() -> str:
    """Why participants' processes cannot have namespaces of their own on this machine; empty if they can.

    Tried in a process of its own.
    """
    if platform.machine() not in _SYS_PIVOT_ROOT:
        return "firstread does not know this processor's system calls"
    code = "from firstread.classroom.sandbox import namespaces; namespaces._try_namespaces()"
    # our own command, no shell
    tried = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # noqa: S603
    if tried.returncode == 0:
        return ""
    if os.geteuid() == 0:
        return "this container may not create namespaces (it needs CAP_SYS_ADMIN)"
    return (
        "this system does not let an ordinary user create namespaces "
        "(kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns or user.max_user_namespaces); "
        "start the class as root, or let the administrator allow them"
    )


def _try_namespaces() -> None:
    """Exit with status 0 if a process could enter namespaces and a root folder of its own."""
    unshare_namespaces(network=False)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            enter_private_root([Path("/usr")])
            status = 0
        finally:
            os._exit(status)
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _make_system_folders(devices: dict[str, int]) -> None:
    """Mount /proc, /dev and the folders of temporary files in the new root."""
    for name in ("proc", "dev", "tmp"):
        (_NEW_ROOT / name).mkdir()
    # while the old one is still visible: an ordinary user may mount a new /proc only where nothing in it is hidden
    _mount("proc", _NEW_ROOT / "proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _mount("none", _NEW_ROOT / "dev", "tmpfs", _MS_NOSUID, _ROOT_TMPFS_OPTIONS)
    for name, device_fd in devices.items():
        (_NEW_ROOT / "dev" / name).touch()
        _mount(f"/proc/self/fd/{device_fd}", _NEW_ROOT / "dev" / name, None, _MS_BIND)
        os.close(device_fd)
    for name, target in _DEVICE_LINKS.items():
        (_NEW_ROOT / "dev" / name).symlink_to(target)
    (_NEW_ROOT / "dev" / "pts").mkdir()
    _mount(
        "devpts", _NEW_ROOT / "dev" / "pts", "devpts", _MS_NOSUID | _MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"
    )
    for folder in TEMPORARY_FOLDERS:
        _inside(folder).mkdir(exist_ok=True)
        _mount("none", _inside(folder), "tmpfs", _MS_NOSUID | _MS_NODEV, _TMPFS_OPTIONS)


def _without_nested(paths: set[Path]) -> set[Path]:
    """The paths that lie in no other of them."""
    return {path for path in paths if not any(parent in paths for parent in path.parents)}


def _inside(path: Path) -> Path:
    """Where a path of the new root lies while it is being built."""
    return _NEW_ROOT / path.relative_to("/")


def _bind(source_fd: int, target: Path, *, read_only: bool) -> None:
    """Bind-mount an open file or folder; never with devices or set-user-id programs."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(os.fstat(source_fd).st_mode):
        target.mkdir(exist_ok=True)
    elif not target.exists():
        target.touch()
    _mount(f"/proc/self/fd/{source_fd}", target, None, _MS_BIND | _MS_REC)
    attributes = _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV | (_MOUNT_ATTR_RDONLY if read_only else 0)
    _set_mount_attributes(target, attributes, recursive=True)


def _set_mount_attributes(target: Path, attributes: int, *, recursive: bool = False) -> None:
    # unlike a remount it only adds: an ordinary user may not remove what the system has set
    request = _MountAttr(attr_set=attributes)
    flags = _AT_RECURSIVE if recursive else 0
    path = os.fsencode(target)
    syscall(_SYS_MOUNT_SETATTR, _AT_FDCWD, path, flags, ctypes.byref(request), ctypes.sizeof(request))


def _pivot_root() -> None:
    """Make the new root this process's root, and detach the old one."""
    os.chdir(_NEW_ROOT)
    syscall(_SYS_PIVOT_ROOT[platform.machine()], b".", b".")
    libc_call("umount2", b".", _MNT_DETACH)
    os.chdir("/")


def _mount(
    source: str | None, target: str | Path, filesystem: str | None, flags: int, options: str | None = None
) -> None:
    arguments = [None if text is None else os.fsencode(text) for text in (source, target, filesystem, options)]
    libc_call("mount", arguments[0], arguments[1], arguments[2], ctypes.c_ulong(flags), arguments[3])
