"""Seccomp filter: system calls that no participant's code needs are refused, and the network where there is none.

Refused are new namespaces and mounts (they enlarge what of the kernel can be attacked), keyrings, bpf, io_uring, ptrace
and the like, and memory that no rlimit counts (memfd, System V). Needs no privileges. Sources: "Seccomp BPF", userspace
API of the Linux kernel; the system call tables of both architectures.
"""

import ctypes
import errno
import platform

from firstread.classroom.sandbox.syscalls import libc_call

#: audit architecture (include/uapi/linux/audit.h)
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
#: name -> number on x86_64, on aarch64
_REFUSED_SYSCALLS = {
    "ptrace": (101, 117),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    # the C library tries clone next, whose flags the filter can see
    "clone3": (435, 435),
}
_CLONE, _SOCKET, _SOCKETPAIR = (56, 220), (41, 198), (53, 199)
_CLONE_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_BPF_LOAD, _BPF_JUMP_EQUAL, _BPF_JUMP_GREATER_EQUAL, _BPF_JUMP_SET, _BPF_RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_RET_ALLOW, _RET_ERRNO, _RET_KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
# netlink lists network interfaces; it cannot send anything
_AF_UNIX, _AF_NETLINK = 1, 16
_X32_SYSCALL_BIT = 0x40000000  # the x32 ABI: the same calls under other numbers
# offsets in seccomp_data: system call number, architecture, lower half of the first argument
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16

_Instruction = tuple[int, int, int, int]


class _SockFilter(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _SockFprog(ctypes.Structure):
    _fields_ = (("len", ctypes.c_uint16), ("filter", ctypes.POINTER(_SockFilter)))


def is_supported() -> bool:
    """True if the system call numbers of this machine's architecture are known."""
    return platform.machine() in _ARCHITECTURES


def restrict_self(*, network: bool) -> None:
    """Refuse system calls to this process and its children from now on; PR_SET_NO_NEW_PRIVS must be set.

    Args:
        network: False allows only AF_UNIX and netlink sockets.

    Raises:
        OSError: the kernel refuses the filter.
    """
    instructions = _build_filter(platform.machine(), network=network)
    filters = (_SockFilter * len(instructions))(*(_SockFilter(*instruction) for instruction in instructions))
    program = _SockFprog(len(instructions), filters)
    libc_call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def _build_filter(machine: str, *, network: bool) -> list[_Instruction]:
    column = list(_ARCHITECTURES).index(machine)
    permission, unknown = _RET_ERRNO | errno.EPERM, _RET_ERRNO | errno.ENOSYS
    no_network = _RET_ERRNO | errno.EAFNOSUPPORT  # the error that programs expect on a machine without network
    instructions: list[_Instruction] = [
        (_BPF_LOAD, 0, 0, _ARCHITECTURE),
        (_BPF_JUMP_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_BPF_RETURN, 0, 0, _RET_KILL_PROCESS),
        (_BPF_LOAD, 0, 0, _NUMBER),
        (_BPF_JUMP_GREATER_EQUAL, 0, 1, _X32_SYSCALL_BIT),
        (_BPF_RETURN, 0, 0, permission),
    ]
    for name, numbers in _REFUSED_SYSCALLS.items():
        answer = unknown if name in ("clone3", "memfd_create", "io_uring_setup") else permission
        instructions += [(_BPF_JUMP_EQUAL, 0, 1, numbers[column]), (_BPF_RETURN, 0, 0, answer)]
    instructions += [
        (_BPF_JUMP_EQUAL, 0, 4, _CLONE[column]),
        (_BPF_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_BPF_JUMP_SET, 0, 1, _CLONE_NEW_NAMESPACES),
        (_BPF_RETURN, 0, 0, permission),
        (_BPF_RETURN, 0, 0, _RET_ALLOW),
    ]
    if not network:
        instructions += [
            (_BPF_JUMP_EQUAL, 1, 0, _SOCKET[column]),
            (_BPF_JUMP_EQUAL, 0, 4, _SOCKETPAIR[column]),
            (_BPF_LOAD, 0, 0, _FIRST_ARGUMENT),
            (_BPF_JUMP_EQUAL, 2, 0, _AF_UNIX),
            (_BPF_JUMP_EQUAL, 1, 0, _AF_NETLINK),
            (_BPF_RETURN, 0, 0, no_network),
        ]
    return [*instructions, (_BPF_RETURN, 0, 0, _RET_ALLOW)]
