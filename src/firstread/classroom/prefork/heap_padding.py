"""The holes in a warm process's memory, filled before the fork.

Importing thousands of modules, and forgetting half of what that needed, leaves free places of a few bytes everywhere. What a forked process makes would go there, and
each time the system would have to copy a whole page that was shared until then. With the holes filled, new things lie side by side on pages of their own.
"""

import ctypes
import sys
from contextlib import suppress
from itertools import repeat

#: Python's own memory for small things: sizes in steps of so many bytes, in pools
_STEP, _LARGEST_SMALL, _POOL_BYTES, _POOL_HEAD = 16, 512, 16 * 1024, 48
_MOST = 1_000_000
_kept: list[object] = []


class _Account(ctypes.Structure):
    """What glibc's `mallinfo2` tells; the last is the free space at the heap's end."""

    _fields_ = [(name, ctypes.c_size_t) for name in (*(f"other{number}" for number in range(9)), "at_the_end")]


def fill_holes() -> None:
    """Fill them; what fills them stays for good. Does nothing with another C library or another Python."""
    if sys.platform == "linux" and sys.implementation.name == "cpython":
        _fill_python()
        with suppress(OSError, AttributeError):
            _fill_library(ctypes.CDLL(None))


def _fill_library(library: ctypes.CDLL) -> None:
    """Holes between what the C library gave out, the large ones first: of these only the first page is touched."""
    library.mallinfo2.restype = _Account
    library.malloc.restype = library.sbrk.restype = ctypes.c_void_p
    library.malloc.argtypes, library.free.argtypes, library.sbrk.argtypes = (
        [ctypes.c_size_t],
        [ctypes.c_void_p],
        [ctypes.c_ssize_t],
    )
    for size in (*(1 << power for power in range(16, 10, -1)), *range(1016, 0, -_STEP)):
        for _ in range(_MOST):
            end = library.sbrk(0) - library.mallinfo2().at_the_end
            place = library.malloc(size)
            if place is None or place >= end:
                library.free(place)
                break


def _fill_python() -> None:
    """Free places in the pools that are in use. A pool was empty before if its places come one after the other; the numbers here take some of them."""
    head = sys.getsizeof(b"")
    for size in range(_STEP, _LARGEST_SMALL + 1, _STEP):
        row = before = 0
        for _ in repeat(None, _MOST):
            one = bytes(size - head) if size > head else float("1.5") if size > _STEP else object()
            _kept.append(one)
            row = row + 1 if 0 < id(one) - before <= 4 * size else 0
            before = id(one)
            if row >= (_POOL_BYTES - _POOL_HEAD) // size // 2:
                break
