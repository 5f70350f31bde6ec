"""Memory that is no longer needed."""

import ctypes
import gc
import sys
from contextlib import suppress


def release_memory() -> None:
    """Give back to the system what was freed. On Linux the C library would keep hundreds of megabytes for the next training."""
    gc.collect()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
