"""Seccomp filter that blocks the network: a process and its children can create AF_UNIX sockets only.

Needs no privileges. Source: "Seccomp BPF", userspace API of the Linux kernel.
"""

import ctypes
import errno
import platform

from firstread.classroom.sandbox.syscalls import libc_call

# include/uapi/linux/audit.h and the system call tables: audit architecture, numbers of socket, socketpair and
# io_uring_setup (which could create sockets, too)
_SYSCALL_NUMBERS = {"x86_64": (0xC000003E, 41, 53, 425), "aarch64": (0xC00000B7, 198, 199, 425)}
_BPF_LOAD, _BPF_JUMP_EQUAL, _BPF_JUMP_GREATER_EQUAL, _BPF_RETURN = 0x20, 0x15, 0x35, 0x06
_RET_ALLOW, _RET_ERRNO, _RET_KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
# netlink lists network interfaces; it cannot send anything
_AF_UNIX, _AF_NETLINK = 1, 16
_X32_SYSCALL_BIT = 0x40000000  # the x32 ABI: the same calls under other numbers


class _SockFilter(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.POINTER(_SockFilter)))


def is_supported() -> bool:
    """True if the system call numbers of this machine's architecture are known."""
    return platform.machine() in _SYSCALL_NUMBERS


def block_network() -> None:
    """Allow only AF_UNIX and netlink sockets from now on; PR_SET_NO_NEW_PRIVS must be set.

    Raises:
        OSError: the kernel refuses the filter.
    """
    architecture, socket, socketpair, io_uring_setup = _SYSCALL_NUMBERS[platform.machine()]
    refuse = _RET_ERRNO | errno.EAFNOSUPPORT  # the error that programs expect on a machine without network
    # offsets in seccomp_data: 0 system call number, 4 architecture, 16 lower half of the first argument
    instructions = [
        (_BPF_LOAD, 0, 0, 4),
        (_BPF_JUMP_EQUAL, 1, 0, architecture),
        (_BPF_RETURN, 0, 0, _RET_KILL_PROCESS),
        (_BPF_LOAD, 0, 0, 0),
        (_BPF_JUMP_GREATER_EQUAL, 0, 1, _X32_SYSCALL_BIT),
        (_BPF_RETURN, 0, 0, refuse),
        (_BPF_JUMP_EQUAL, 6, 0, io_uring_setup),
        (_BPF_JUMP_EQUAL, 1, 0, socket),
        (_BPF_JUMP_EQUAL, 0, 3, socketpair),
        (_BPF_LOAD, 0, 0, 16),
        (_BPF_JUMP_EQUAL, 1, 0, _AF_UNIX),
        (_BPF_JUMP_EQUAL, 0, 1, _AF_NETLINK),
        (_BPF_RETURN, 0, 0, _RET_ALLOW),
        (_BPF_RETURN, 0, 0, refuse),
    ]
    filters = (_SockFilter * len(instructions))(*(_SockFilter(*instruction) for instruction in instructions))
    program = _SockFprog(len(instructions), filters)
    libc_call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))
