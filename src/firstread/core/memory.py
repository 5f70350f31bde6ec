"""Heap memory: return freed memory to the system, or retain it for the next allocation (glibc malloc)."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# parameters of mallopt(3), and their defaults in glibc
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_MALLOPT_DEFAULTS = {_MMAP_MAX: 65_536, _TRIM_THRESHOLD: 128 * 1024, _TOP_PAD: 128 * 1024}
_MALLOPT_RETAIN = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20}


def release_memory() -> None:
    """Collect garbage and return freed heap memory to the system (malloc_trim).

    On Linux the C library would otherwise keep hundreds of megabytes for the next training.
    """
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def retain_freed_memory() -> Iterator[None]:
    """Keep freed heap memory in the process for the next allocation; call `release_memory` afterwards to return it.

    Each training step allocates what the step before it freed. By default glibc maps every large tensor anew, page by
    page, which was 3 to 6 % of a training's processor time.
    """
    _set_malloc_options(_MALLOPT_RETAIN)
    try:
        yield
    finally:
        _set_malloc_options(_MALLOPT_DEFAULTS)


def _set_malloc_options(values: dict[int, int]) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            for parameter, value in values.items():
                mallopt(parameter, value)
