"""C library functions and Linux system calls that Python does not wrap, called through ctypes."""

import ctypes
import os
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36


def libc_call(name: str, /, *arguments: Any) -> int:
    """Call a C library function that returns -1 and sets errno on failure.

    Raises:
        OSError: the call failed.
    """
    return _raise_on_error(getattr(_libc(), name), arguments)


def syscall(number: int, /, *arguments: Any) -> int:
    """Make a system call by its number.

    Raises:
        OSError: the call failed.
    """
    as_long = (ctypes.c_long(one) if isinstance(one, int) else one for one in arguments)
    return _raise_on_error(_libc().syscall, (ctypes.c_long(number), *as_long))


def become_subreaper() -> None:
    """Become the parent of descendants whose own parents have ended (PR_SET_CHILD_SUBREAPER)."""
    libc_call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def change_user(uid: int) -> None:
    """Change from root to this user and group id for good, without supplementary groups.

    Raises:
        PermissionError: this process may not change its user.
    """
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _raise_on_error(function: Any, arguments: tuple[Any, ...]) -> int:
    ctypes.set_errno(0)
    result = function(*arguments)
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(result)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
