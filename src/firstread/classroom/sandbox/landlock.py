"""Landlock: a process restricts its own and its children's access to files, TCP ports and signals, without being root.

Needs Linux 5.13 or later. Source: "Landlock: unprivileged access control", userspace API of the Linux kernel, and
include/uapi/linux/landlock.h.
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firstread.classroom.sandbox.syscalls import libc_call, syscall

_SYS_CREATE_RULESET, _SYS_ADD_RULE, _SYS_RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_CREATE_RULESET_VERSION, _RULE_PATH_BENEATH, _RULE_NET_PORT = 1, 1, 2
_PR_SET_NO_NEW_PRIVS = 38

_FS_EXECUTE, _FS_WRITE_FILE, _FS_READ_FILE, _FS_READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_FS_TRUNCATE, _FS_IOCTL_DEV = 1 << 14, 1 << 15
_FS_READ_RIGHTS = _FS_EXECUTE | _FS_READ_FILE | _FS_READ_DIR
#: rights that exist for files; the others are for folders only
_FILE_RIGHTS = _FS_EXECUTE | _FS_WRITE_FILE | _FS_READ_FILE | _FS_TRUNCATE | _FS_IOCTL_DEV
#: number of file system rights that each ABI version handles
_FS_RIGHT_COUNTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_BIND_TCP, _NET_CONNECT_TCP = 1 << 0, 1 << 1
_SCOPE_ABSTRACT_UNIX_SOCKET, _SCOPE_SIGNAL = 1 << 0, 1 << 1
#: first ABI versions that handle TCP ports, and that scope signals
_NET_ABI_VERSION, SIGNAL_SCOPE_ABI_VERSION = 4, 6


class _RulesetAttr(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneathAttr(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _NetPortAttr(ctypes.Structure):
    _fields_ = (("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64))


@dataclass(frozen=True)
class AllowedAccess:
    """Files and TCP ports that a restricted process may still use.

    Attributes:
        read_paths: files and folders to read and execute.
        write_paths: files and folders with all rights. Paths that do not exist are skipped in both.
        bind_ports, connect_ports: TCP ports.
    """

    read_paths: tuple[Path, ...] = ()
    write_paths: tuple[Path, ...] = ()
    bind_ports: tuple[int, ...] = ()
    connect_ports: tuple[int, ...] = ()


def abi_version() -> int:
    """The kernel's Landlock ABI version; 0 without Landlock."""
    try:
        return syscall(_SYS_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def restrict_self(allowed: AllowedAccess) -> None:
    """Restrict this process and its children to `allowed`, and signals to one another. Cannot be undone.

    Raises:
        OSError: Landlock is not available.
    """
    version = abi_version()
    fs_rights = (1 << _FS_RIGHT_COUNTS[min(version, 5)]) - 1 if version else 0
    net_rights = _NET_BIND_TCP | _NET_CONNECT_TCP if version >= _NET_ABI_VERSION else 0
    scopes = _SCOPE_ABSTRACT_UNIX_SOCKET | _SCOPE_SIGNAL if version >= SIGNAL_SCOPE_ABI_VERSION else 0
    attributes = _RulesetAttr(fs_rights, net_rights, scopes)
    ruleset_fd = syscall(_SYS_CREATE_RULESET, ctypes.byref(attributes), ctypes.sizeof(attributes), 0)
    try:
        _allow_paths(ruleset_fd, allowed.read_paths, _FS_READ_RIGHTS)
        _allow_paths(ruleset_fd, allowed.write_paths, fs_rights)
        if net_rights:
            _allow_ports(ruleset_fd, allowed.bind_ports, _NET_BIND_TCP)
            _allow_ports(ruleset_fd, allowed.connect_ports, _NET_CONNECT_TCP)
        libc_call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        syscall(_SYS_RESTRICT_SELF, ruleset_fd, 0)
    finally:
        os.close(ruleset_fd)


def _allow_paths(ruleset_fd: int, paths: Iterable[Path], rights: int) -> None:
    for path in paths:
        try:
            path_fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            continue
        try:
            applicable = rights if stat.S_ISDIR(os.fstat(path_fd).st_mode) else rights & _FILE_RIGHTS
            rule = _PathBeneathAttr(applicable, path_fd)
            syscall(_SYS_ADD_RULE, ruleset_fd, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(path_fd)


def _allow_ports(ruleset_fd: int, ports: Iterable[int], right: int) -> None:
    for port in ports:
        syscall(_SYS_ADD_RULE, ruleset_fd, _RULE_NET_PORT, ctypes.byref(_NetPortAttr(right, port)), 0)
