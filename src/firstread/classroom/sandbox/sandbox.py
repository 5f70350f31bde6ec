"""What keeps one participant's process in: put up in the process itself, right after it was forked and before anybody's code runs."""

import os
import resource
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from firstread.classroom.sandbox import landlock, mount_namespace, seccomp
from firstread.classroom.sandbox.landlock import Allowed
from firstread.classroom.sandbox.syscalls import call

#: what every program on Linux needs to read; nothing that is the administrator's own
SYSTEM = tuple(
    Path(path)
    for path in (
        "/usr", "/lib", "/lib64", "/bin", "/sbin", "/opt", "/nix/store", "/proc", "/sys/devices", "/sys/fs/cgroup", "/sys/kernel/mm",
        *(f"/etc/{name}" for name in (
            "alternatives", "fonts", "group", "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime",
            "mime.types", "nsswitch.conf", "os-release", "passwd", "resolv.conf", "ssl/certs", "ssl/openssl.cnf", "timezone",
        )),
    )
)  # fmt: skip
_DEVICES = tuple(Path(f"/dev/{name}") for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts"))
#: at once, threads counted as processes; and in one file
_OPEN_FILES, _PROCESSES, LARGEST_FILE_BYTES = 4096, 400, 2**30
_NEW_USERS = 0x10000000


@dataclass(frozen=True)
class Fence:
    """One participant's process.

    Attributes:
        read, write: files and folders, besides the system's own.
        bind, connect: TCP ports; with none, and `network` False, there is no network at all.
        user: number of the system's user that it becomes; None stays who it is.
        memory_bytes: of data; None for no limit.
        file_bytes: of the largest file.
        keen: 0 for the system's own urgency, up to 19 for less.
        sacrifice: 0 to 1000: how readily the system ends it when memory runs out.
    """

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    bind: tuple[int, ...] = ()
    connect: tuple[int, ...] = ()
    network: bool = True
    user: int | None = None
    memory_bytes: int | None = None
    file_bytes: int = LARGEST_FILE_BYTES
    keen: int = 0
    sacrifice: int = 500

    def enter(self) -> None:
        """Shut this process in. There must be only one thread in it.

        Raises:
            OSError: the system refuses; the process must not go on.
        """
        os.umask(0o077)
        apart = self.user is None and countable()
        if apart:
            _count_apart()
        self._limit(counted=apart or self.user is not None)
        Path("/proc/self/oom_score_adj").write_text(str(self.sacrifice))
        if self.keen:
            os.nice(self.keen)
            with suppress(OSError):  # where Linux shares the processor by sessions, that of the session counts
                Path("/proc/self/autogroup").write_text(str(self.keen))
        write = (*_DEVICES, *self.write)
        if self.user is not None:
            mount_namespace.own_view(self.read, own=self.write)
            write += mount_namespace.SHARED  # its own now
            os.setgroups([])
            os.setresgid(self.user, self.user, self.user)
            os.setresuid(self.user, self.user, self.user)
            call("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: its own files in /proc are its own again
        elif os.geteuid() == 0 or apart:
            _drop_capabilities()
        read = (*SYSTEM, *self.read)
        landlock.restrict(Allowed(read=read, write=write, bind=self.bind, connect=self.connect))
        if not self.network:
            seccomp.close_network()

    def _limit(self, *, counted: bool) -> None:
        """What is counted by process is limited always, the number of processes only where a participant's are counted apart from others'."""
        wanted = {
            resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: _OPEN_FILES, resource.RLIMIT_FSIZE: self.file_bytes,
            resource.RLIMIT_DATA: self.memory_bytes, resource.RLIMIT_NPROC: _PROCESSES if counted else None,
        }  # fmt: skip
        for which, most in wanted.items():
            _, hard = resource.getrlimit(which)
            if most is not None:
                limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
                resource.setrlimit(which, (limit, limit))


@cache
def missing() -> str:
    """Why participants cannot be kept apart on this machine; empty if they can."""
    if sys.platform != "linux":
        return f"participants' code can be kept apart on Linux only, and this is {sys.platform}"
    if not seccomp.possible():
        return "firstread does not know this processor's system calls"
    here = landlock.version()
    if here < landlock.SIGNALS_FROM and os.geteuid() != 0:
        return f"this Linux's Landlock is version {here}; version {landlock.SIGNALS_FROM} (Linux 6.12) is needed, or starting the class as root"
    return "" if here else "this Linux has no Landlock (it is part of Linux since 5.13, and can be switched off)"


@cache
def countable() -> bool:
    """True if somebody who is not root may count a process and what it starts apart from the user's others; tried in a process that ends at once."""
    if os.geteuid() == 0:
        return False
    child = os.fork()
    if child == 0:
        try:
            _count_apart()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _count_apart() -> None:
    """In a user namespace of its own, as the same user; Linux counts processes by user and namespace.

    Raises:
        OSError: the system does not let everybody do this.
    """
    me, group = os.geteuid(), os.getegid()
    call("unshare", _NEW_USERS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{me} {me} 1"), ("gid_map", f"{group} {group} 1")):
        Path(f"/proc/self/{name}").write_text(text)


@cache
def python_folders() -> tuple[Path, ...]:
    """Everything that this Python and firstread are made of."""
    import firstread

    found = {Path(path).resolve() for path in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    found |= {Path(path).resolve() for path in sys.path if path and Path(path).exists()}
    found.add(Path(firstread.__file__).resolve().parent)
    return tuple(sorted(found))


def _drop_capabilities() -> None:
    """Root without any of root's powers: what is left is to be the owner of files, and Landlock leaves few of those."""
    for capability in range(64):
        with suppress(OSError):
            call("prctl", 24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    import ctypes

    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    call("capset", header, none)
