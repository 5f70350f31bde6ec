"""Sandbox of one participant's process: rlimits, namespaces, user id, capabilities, Landlock and seccomp.

A process enters its sandbox itself, right after the fork and before it runs any code of a participant.
"""

import ctypes
import os
import resource
import site
import sys
import sysconfig
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from firstread.classroom.sandbox import landlock, mount_namespace, seccomp
from firstread.classroom.sandbox.landlock import AllowedAccess
from firstread.classroom.sandbox.syscalls import libc_call

_ETC = (
    *("alternatives", "fonts", "group", "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("locale.alias", "localtime", "mime.types", "nsswitch.conf", "os-release", "passwd", "resolv.conf"),
    *("ssl/certs", "ssl/openssl.cnf", "timezone"),
)
_SYSTEM_FOLDERS = (
    *("/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/nix/store", "/proc"),
    *("/sys/devices", "/sys/fs/cgroup", "/sys/kernel/mm"),
)
#: read by every program on Linux; nothing that is the administrator's own
SYSTEM_PATHS = tuple(Path(path) for path in (*_SYSTEM_FOLDERS, *(f"/etc/{name}" for name in _ETC)))
_DEVICE_NAMES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
_DEVICE_PATHS = tuple(Path(f"/dev/{name}") for name in _DEVICE_NAMES)
#: open at once; threads count as processes
_MAX_OPEN_FILES, _MAX_PROCESSES, MAX_FILE_BYTES = 4096, 400, 2**30
_CLONE_NEWUSER = 0x10000000
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 4, 24
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True)
class Sandbox:
    """Limits of one participant's process.

    Attributes:
        read_paths, write_paths: files and folders, besides the system's own.
        bind_ports, connect_ports: TCP ports.
        network: False blocks all sockets but AF_UNIX.
        uid: user id that the process changes to; None keeps its own.
        memory_bytes: limit of the data segment (RLIMIT_DATA); None for no limit.
        file_bytes: size of the largest file that it may write.
        nice: 0 for normal priority, up to 19 for less.
        oom_score_adj: 0 to 1000; the kernel's out-of-memory killer prefers processes with a higher one.
    """

    read_paths: tuple[Path, ...] = ()
    write_paths: tuple[Path, ...] = ()
    bind_ports: tuple[int, ...] = ()
    connect_ports: tuple[int, ...] = ()
    network: bool = True
    uid: int | None = None
    memory_bytes: int | None = None
    file_bytes: int = MAX_FILE_BYTES
    nice: int = 0
    oom_score_adj: int = 500

    def enter(self) -> None:
        """Restrict this process, which must have a single thread, for good.

        Raises:
            OSError: the system refuses; the process must not go on.
        """
        os.umask(0o077)
        own_user_namespace = self.uid is None and can_create_user_namespace()
        if own_user_namespace:
            _enter_user_namespace()
        self._set_rlimits(limit_processes=own_user_namespace or self.uid is not None)
        self._set_priorities()
        write_paths = (*_DEVICE_PATHS, *self.write_paths)
        if self.uid is not None:
            mount_namespace.enter_mount_namespace(self.read_paths, write_paths=self.write_paths)
            write_paths += mount_namespace.TEMPORARY_FOLDERS  # private now
            _set_user(self.uid)
        elif os.geteuid() == 0 or own_user_namespace:
            _drop_capabilities()
        read_paths = (*SYSTEM_PATHS, *self.read_paths)
        landlock.restrict_self(AllowedAccess(read_paths, write_paths, self.bind_ports, self.connect_ports))
        if not self.network:
            seccomp.block_network()

    def _set_rlimits(self, *, limit_processes: bool) -> None:
        """Set resource limits; processes are limited only where Linux counts a participant's apart from others'."""
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: _MAX_OPEN_FILES,
            resource.RLIMIT_FSIZE: self.file_bytes,
            resource.RLIMIT_DATA: self.memory_bytes,
            resource.RLIMIT_NPROC: _MAX_PROCESSES if limit_processes else None,
        }
        for name, wanted in limits.items():
            _, hard = resource.getrlimit(name)
            if wanted is not None:
                limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
                resource.setrlimit(name, (limit, limit))

    def _set_priorities(self) -> None:
        Path("/proc/self/oom_score_adj").write_text(str(self.oom_score_adj))
        if self.nice:
            os.nice(self.nice)
            with suppress(OSError):  # with autogroup scheduling only the niceness of the session counts
                Path("/proc/self/autogroup").write_text(str(self.nice))


@cache
def missing_isolation() -> str:
    """Why participants cannot be isolated from one another on this machine; empty if they can."""
    if sys.platform != "linux":
        return f"participants' code can be kept apart on Linux only, and this is {sys.platform}"
    if not seccomp.is_supported():
        return "firstread does not know this processor's system calls"
    version, needed = landlock.abi_version(), landlock.SIGNAL_SCOPE_ABI_VERSION
    if version < needed and os.geteuid() != 0:
        return (
            f"this Linux's Landlock is version {version}; version {needed} (Linux 6.12) is needed, "
            "or starting the class as root"
        )
    return "" if version else "this Linux has no Landlock (it is part of Linux since 5.13, and can be switched off)"


@cache
def can_create_user_namespace() -> bool:
    """True if an unprivileged process may create a user namespace, tried in a child process; False for root."""
    if os.geteuid() == 0:
        return False
    child = os.fork()
    if child == 0:
        try:
            _enter_user_namespace()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _enter_user_namespace() -> None:
    """Move this process into its own user namespace as the same user: RLIMIT_NPROC counts by user and namespace.

    Raises:
        OSError: the system does not allow unprivileged user namespaces.
    """
    uid, gid = os.geteuid(), os.getegid()
    libc_call("unshare", _CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        Path(f"/proc/self/{name}").write_text(text)


@cache
def python_folders() -> tuple[Path, ...]:
    """Folders of this Python installation, its packages and firstread.

    Never the working folder or the rest of `sys.path`: `python -m` puts the folder of the hub's secrets there.
    """
    import firstread

    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    libraries = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    found = {Path(path).resolve() for path in (*prefixes, *libraries, *site.getsitepackages()) if Path(path).exists()}
    found.add(Path(firstread.__file__).resolve().parent)
    return tuple(sorted(found))


def readable_parent(path: Path, allowed: Iterable[Path]) -> Path | None:
    """The folder, of `allowed` or `SYSTEM_PATHS`, through which a sandboxed process could read `path`."""
    real = path.resolve()
    return next((folder for folder in (*SYSTEM_PATHS, *allowed) if real.is_relative_to(folder.resolve())), None)


def _set_user(uid: int) -> None:
    """Change to this user and group id, without supplementary groups."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    libc_call("prctl", _PR_SET_DUMPABLE, 1, 0, 0, 0)  # otherwise its files in /proc would be root's


def _drop_capabilities() -> None:
    """Drop all capabilities: root remains the owner of its files, and Landlock allows few of those."""
    for capability in range(64):
        with suppress(OSError):
            libc_call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    no_capabilities = (ctypes.c_uint32 * 6)()
    libc_call("capset", header, no_capabilities)
