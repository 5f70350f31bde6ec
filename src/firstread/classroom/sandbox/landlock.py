"""Landlock: a process gives up, for itself and its children, what it does not need (Linux 5.13 and later; no rights are needed for it).

Source: "Landlock: unprivileged access control", userspace API of the Linux kernel, and include/uapi/linux/landlock.h.
"""

import ctypes
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firstread.classroom.sandbox.syscalls import call, number

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every architecture
_ASK_VERSION, _BENEATH, _PORT = 1, 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
#: what each version of Landlock can refuse: the number of rights on files
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | 1 << 15  # and truncating, device control
_BIND, _CONNECT = 1 << 0, 1 << 1
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1
#: signals can be scoped from this version on
SIGNALS_FROM = 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("tcp", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _Port(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


@dataclass(frozen=True)
class Allowed:
    """What is left to a process.

    Attributes:
        read: files and folders that it may read and execute.
        write: those in which it may do everything; what does not exist is passed over in both.
        bind, connect: TCP ports.
    """

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    bind: tuple[int, ...] = ()
    connect: tuple[int, ...] = ()


def version() -> int:
    """The kernel's version of Landlock; 0 where there is none."""
    try:
        return number(_CREATE, None, 0, _ASK_VERSION)
    except OSError:
        return 0


def restrict(allowed: Allowed) -> None:
    """From here on this process and its children have no more than `allowed`, and send signals to one another only. There is no way back.

    Raises:
        OSError: Landlock cannot be had.
    """
    here = version()
    all_files = (1 << _RIGHTS[min(here, 5)]) - 1 if here else 0
    read = _EXECUTE | _READ_FILE | _READ_FOLDER
    rules = _Ruleset(
        all_files, _BIND | _CONNECT if here >= 4 else 0, _ABSTRACT_SOCKETS | _SIGNALS if here >= SIGNALS_FROM else 0
    )
    ruleset = number(_CREATE, ctypes.byref(rules), ctypes.sizeof(rules), 0)
    try:
        _allow_files(ruleset, allowed.read, read)
        _allow_files(ruleset, allowed.write, all_files)
        if here >= 4:
            for ports, right in ((allowed.bind, _BIND), (allowed.connect, _CONNECT)):
                for port in ports:
                    number(_ADD, ruleset, _PORT, ctypes.byref(_Port(right, port)), 0)
        call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        number(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_files(ruleset: int, paths: Iterable[Path], rights: int) -> None:
    for path in paths:
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            continue
        try:
            kept = rights if stat.S_ISDIR(os.fstat(opened).st_mode) else rights & _OF_FILES
            number(_ADD, ruleset, _BENEATH, ctypes.byref(_Beneath(kept, opened)), 0)
        finally:
            os.close(opened)
