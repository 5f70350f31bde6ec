"""Calls of the Linux kernel that Python has no name for."""

import ctypes
import os
from typing import Any


def call(name: str, /, *arguments: Any) -> int:
    """A function of the C library that gives -1 and an error number when it fails.

    Raises:
        OSError: it failed.
    """
    return _checked(getattr(_library(), name), arguments)


def number(which: int, /, *arguments: Any) -> int:
    """A system call by its number.

    Raises:
        OSError: it failed.
    """
    whole = (ctypes.c_long(which), *(ctypes.c_long(one) if isinstance(one, int) else one for one in arguments))
    return _checked(_library().syscall, whole)


def _checked(function: Any, arguments: tuple[Any, ...]) -> int:
    ctypes.set_errno(0)
    answer = function(*arguments)
    if answer == -1:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(answer)


def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
