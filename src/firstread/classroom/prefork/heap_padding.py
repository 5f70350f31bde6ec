"""Heap padding before a fork: free blocks of the heap are filled, so that children copy fewer shared pages.

Importing thousands of modules leaves small free blocks everywhere in the heap. A forked process would allocate from
them, and each write would copy a page that was shared until then. With these blocks filled, new objects are allocated
side by side on new pages.
"""

import ctypes
import sys
from contextlib import suppress
from itertools import repeat

#: CPython's small-object allocator (obmalloc): block sizes in steps of the alignment, in pools
_ALIGNMENT_BYTES, _SMALL_REQUEST_BYTES, _POOL_BYTES, _POOL_OVERHEAD_BYTES = 16, 512, 16 * 1024, 48
_MAX_BLOCKS = 1_000_000
_padding: list[object] = []


class _Mallinfo2(ctypes.Structure):
    """The structure that glibc's `mallinfo2` returns; `keepcost` is the free space at the top of the heap."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def pad_heap() -> None:
    """Fill free blocks of the heap for good; does nothing with another C library or Python implementation."""
    if sys.platform == "linux" and sys.implementation.name == "cpython":
        _pad_python_pools()
        with suppress(OSError, AttributeError):
            _pad_malloc_heap(ctypes.CDLL(None))


def _pad_malloc_heap(libc: ctypes.CDLL) -> None:
    """Fill free chunks of malloc's heap, the large ones first: of these only the first page is touched."""
    libc.mallinfo2.restype = _Mallinfo2
    libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
    libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    libc.sbrk.argtypes = [ctypes.c_ssize_t]
    for size in (*(1 << power for power in range(16, 10, -1)), *range(1016, 0, -_ALIGNMENT_BYTES)):
        for _ in range(_MAX_BLOCKS):
            top = libc.sbrk(0) - libc.mallinfo2().keepcost
            address = libc.malloc(size)
            if address is None or address >= top:
                libc.free(address)
                break


def _pad_python_pools() -> None:
    """Fill free blocks in partly used pools of obmalloc, for each block size.

    A pool was empty before if its blocks come one after the other. The integers here take some of them, so half a pool
    of blocks in a row is enough to stop.
    """
    header = sys.getsizeof(b"")
    for size in range(_ALIGNMENT_BYTES, _SMALL_REQUEST_BYTES + 1, _ALIGNMENT_BYTES):
        in_a_row = previous = 0
        for _ in repeat(None, _MAX_BLOCKS):
            block = bytes(size - header) if size > header else float("1.5") if size > _ALIGNMENT_BYTES else object()
            _padding.append(block)
            in_a_row = in_a_row + 1 if 0 < id(block) - previous <= 4 * size else 0
            previous = id(block)
            if in_a_row >= (_POOL_BYTES - _POOL_OVERHEAD_BYTES) // size // 2:
                break
