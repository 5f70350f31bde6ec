"""Memory of the process: what is available, and freed heap returned to the system or retained (glibc malloc)."""

import ctypes
import gc
import os
import sys
from contextlib import suppress
from pathlib import Path

from firstread.core.process_settings import ProcessSetting

# parameters of mallopt(3), and their defaults in glibc
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_MALLOPT_DEFAULTS = {_MMAP_MAX: 65_536, _TRIM_THRESHOLD: 128 * 1024, _TOP_PAD: 128 * 1024}
_MALLOPT_RETAIN = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20}
_CONTROL_GROUP = Path("/sys/fs/cgroup")


def release_memory() -> None:
    """Collect garbage and return freed heap memory to the system (malloc_trim).

    On Linux the C library would otherwise keep hundreds of megabytes for the next training.
    """
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def retain_freed_memory() -> ProcessSetting[None]:
    """Keep freed heap memory in the process for the next allocation, within a `with` block; threads may share it.

    Each training step allocates what the step before it freed. By default glibc maps every large tensor anew, page by
    page, which was 3 to 6 % of a training's processor time. Call `release_memory` afterwards to return it.
    """
    return _RETAINED


def available_memory_bytes() -> int:
    """Memory that this process may still take: free memory of the computer, or of its container if that is less."""
    limits = [limit for limit in (_free_memory(), _free_in_control_group()) if limit is not None]
    return min(limits) if limits else 4 * 2**30


def _free_memory() -> int | None:
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])
    with suppress(AttributeError, OSError, ValueError):  # half of what is there, where free memory is not known
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _free_in_control_group() -> int | None:
    with suppress(OSError, ValueError):
        limit, used = (int((_CONTROL_GROUP / name).read_text()) for name in ("memory.max", "memory.current"))
        return max(0, limit - used)
    return None


def _set_malloc_options(values: dict[int, int]) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            for parameter, value in values.items():
                mallopt(parameter, value)


_RETAINED = ProcessSetting(
    change=lambda: _set_malloc_options(_MALLOPT_RETAIN), restore=lambda _: _set_malloc_options(_MALLOPT_DEFAULTS)
)
