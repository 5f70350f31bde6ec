"""No network: a process and its children can make sockets of this machine (AF_UNIX) only. A seccomp filter; no rights are needed for it.

Source: "Seccomp BPF", userspace API of the Linux kernel.
"""

import ctypes
import errno
import platform

from firstread.classroom.sandbox.syscalls import call

# include/uapi/linux/audit.h and the system call tables: architecture, socket, socketpair, io_uring_setup (which could make sockets, too)
_NUMBERS = {"x86_64": (0xC000003E, 41, 53, 425), "aarch64": (0xC00000B7, 198, 199, 425)}
_LOAD, _EQUAL, _AT_LEAST, _GIVE = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
# netlink tells which network interfaces there are; nothing can be sent with it
_AF_UNIX, _AF_NETLINK = 1, 16
_OTHER_TABLE = 0x40000000  # x32: the same calls under other numbers


class _Step(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Step)))


def possible() -> bool:
    """True if this machine's system calls are known."""
    return platform.machine() in _NUMBERS


def close_network() -> None:
    """From here on only sockets of this machine can be made; PR_SET_NO_NEW_PRIVS must be set.

    Raises:
        OSError: the kernel does not let it.
    """
    architecture, socket, pair, ring = _NUMBERS[platform.machine()]
    refuse = _REFUSE | errno.EAFNOSUPPORT  # what programs expect of a machine without network
    # offsets in seccomp_data: 0 the call's number, 4 the architecture, 16 the lower half of its first argument
    steps = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_GIVE, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, _OTHER_TABLE),
        (_GIVE, 0, 0, refuse),
        (_EQUAL, 6, 0, ring),
        (_EQUAL, 1, 0, socket),
        (_EQUAL, 0, 3, pair),
        (_LOAD, 0, 0, 16),
        (_EQUAL, 1, 0, _AF_UNIX),
        (_EQUAL, 0, 1, _AF_NETLINK),
        (_GIVE, 0, 0, _ALLOW),
        (_GIVE, 0, 0, refuse),
    ]
    program = _Program(len(steps), (_Step * len(steps))(*(_Step(*step) for step in steps)))
    call("prctl", 22, 2, ctypes.byref(program))  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
