"""Sandbox of one participant's process: namespaces, cgroup, rlimits, user id, capabilities, Landlock and seccomp.

A process enters its sandbox itself, right after the fork and before it runs any code of a participant (`init.py`). The
namespaces are the first wall: what is not in them does not exist. Landlock and seccomp are the second.
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

from firstread.classroom.sandbox import landlock, namespaces, seccomp
from firstread.classroom.sandbox.cgroups import Cgroup
from firstread.classroom.sandbox.landlock import AllowedAccess
from firstread.classroom.sandbox.syscalls import change_user, libc_call

_ETC = (
    *("alternatives", "fonts", "group", "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *("locale.alias", "localtime", "mime.types", "nsswitch.conf", "os-release", "passwd", "resolv.conf"),
    *("ssl/certs", "ssl/openssl.cnf", "timezone"),
)
_SYSTEM_FOLDERS = (
    *("/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/nix/store"),
    *("/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup/cpu.max"),
)
#: read by every program on Linux; nothing that is the administrator's own
SYSTEM_PATHS = tuple(Path(path) for path in (*_SYSTEM_FOLDERS, *(f"/etc/{name}" for name in _ETC)))
_PRIVATE_PATHS = (Path("/proc"), Path("/dev"), *namespaces.TEMPORARY_FOLDERS)
#: open at once; threads count as processes
_MAX_OPEN_FILES, _MAX_PROCESSES, MAX_FILE_BYTES = 4096, 400, 2**30
_PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 4, 24
_LINUX_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True)
class Sandbox:
    """Limits of one participant's process and its children.

    Attributes:
        read_paths, write_paths: files and folders, besides the system's own; no others exist for the process.
        bind_ports, connect_ports: TCP ports.
        working_folder: of the process; by it the class finds whose process it is.
        network: False gives an empty network and blocks all sockets but AF_UNIX.
        uid: user id that the process changes to; None keeps its own.
        memory_bytes: address space that it may use beyond what it has at the start; None for no limit.
        file_bytes: size of the largest file that it may write.
        nice: 0 for normal priority, up to 19 for less. With autogroup scheduling a session is one group, so a process
            of low priority stays in the session that it was forked in: all of them together weigh as one program.
        oom_score_adj: 0 to 1000; the kernel's out-of-memory killer prefers processes with a higher one.
        cgroup: of the participant, whose processes share its limits; None where there are no cgroups.
    """

    read_paths: tuple[Path, ...] = ()
    write_paths: tuple[Path, ...] = ()
    bind_ports: tuple[int, ...] = ()
    connect_ports: tuple[int, ...] = ()
    working_folder: Path | None = None
    network: bool = True
    uid: int | None = None
    memory_bytes: int | None = None
    file_bytes: int = MAX_FILE_BYTES
    nice: int = 0
    oom_score_adj: int = 500
    cgroup: Cgroup | None = None

    def unshare(self) -> None:
        """Join the cgroup and move this process into new namespaces; its next child calls `enter`.

        Raises:
            OSError: the system refuses; the process must not go on.
        """
        if self.cgroup is not None:
            self.cgroup.add_this_process()
        namespaces.unshare_namespaces(network=self.network)

    def enter(self) -> None:
        """Restrict this process, the first of its namespaces and with a single thread, for good.

        Raises:
            OSError: the system refuses; the process must not go on.
        """
        os.umask(0o077)
        if not self.nice:
            os.setsid()
        self._set_rlimits()
        self._set_priorities()
        namespaces.enter_private_root((*SYSTEM_PATHS, *self.read_paths), self.write_paths)
        if self.uid is not None:
            change_user(self.uid)
            libc_call("prctl", _PR_SET_DUMPABLE, 1, 0, 0, 0)  # otherwise its files in /proc would be root's
        else:
            _drop_capabilities()
        if self.working_folder is not None:
            os.chdir(self.working_folder)
        read_paths = (*SYSTEM_PATHS, *self.read_paths)
        write_paths = (*_PRIVATE_PATHS, *self.write_paths)
        landlock.restrict_self(AllowedAccess(read_paths, write_paths, self.bind_ports, self.connect_ports))
        seccomp.restrict_self(network=self.network)

    def _set_rlimits(self) -> None:
        """Set resource limits; processes count by user and namespace, so a participant's count apart from others'."""
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_NOFILE: _MAX_OPEN_FILES,
            resource.RLIMIT_FSIZE: self.file_bytes,
            # not RLIMIT_DATA, which leaves out shared memory
            resource.RLIMIT_AS: None if self.memory_bytes is None else _address_space_bytes() + self.memory_bytes,
            resource.RLIMIT_NPROC: _MAX_PROCESSES,
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
    if not landlock.abi_version():
        return "this Linux has no Landlock (it is part of Linux since 5.13, and can be switched off)"
    return namespaces.missing_namespaces()


def _address_space_bytes() -> int:
    """Size of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


@cache
def python_folders() -> tuple[Path, ...]:
    """Folders of this Python installation, its packages and firstread.

    Never the working folder or the rest of `sys.path`: `python -m` puts the folder of the hub's secrets there.
    """
    import firstread

    prefixes = (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)
    libraries = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    named = (*prefixes, *libraries, *site.getsitepackages())
    found = {Path(firstread.__file__).parent, *(Path(path) for path in named if Path(path).exists())}
    found |= {path.resolve() for path in found}  # both: a virtual environment may be reached through a link
    return tuple(sorted(found))


def readable_parent(path: Path, allowed: Iterable[Path]) -> Path | None:
    """The folder, of `allowed` or `SYSTEM_PATHS`, through which a sandboxed process could read `path`."""
    real = path.resolve()
    return next((folder for folder in (*SYSTEM_PATHS, *allowed) if real.is_relative_to(folder.resolve())), None)


def _drop_capabilities() -> None:
    """Drop all capabilities: root remains the owner of its files, and Landlock allows few of those."""
    for capability in range(64):
        with suppress(OSError):
            libc_call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    no_capabilities = (ctypes.c_uint32 * 6)()
    libc_call("capset", header, no_capabilities)
