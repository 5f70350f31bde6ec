"""What many kernels hold in the same way, held once: the system looks for equal pages when memory runs short.

Kernels of one lesson come to hold the same things: the same images, the same functions, the same counts of references. Linux can find such pages and keep one of
them until somebody writes to it (kernel samepage merging). It takes a share of a processor, so it begins only when memory is short, and needs root.

Of two processes whose pages are merged, one can find out by the time that a write takes that the other holds an equal page: it must have guessed all its 4,096 bytes.
Servers, which hold what their participant may do in the class, are never part of it; kernels hold no such thing.
"""

import ctypes
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from firstread.classroom.folder import ClassFolder
from firstread.classroom.separation import system
from firstread.core.files import read_json, write_json

_PR_SET_MEMORY_MERGE = 67
#: of the machine's memory, what is left when it begins
_SHORT = 0.5
#: about a fifth of one processor
_WORK = {"pages_to_scan": "1000", "sleep_millisecs": "20", "run": "1"}


def take_part() -> bool:
    """Let this process's pages be merged, and those of all that it forks; False where the system cannot, or may not."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            zero = ctypes.c_ulong(0)
            system.call("prctl", _PR_SET_MEMORY_MERGE, ctypes.c_ulong(1), zero, zero, zero)
            return True
    return False


class Merging:
    """Begins when memory is short; at the end the system is as it was.

    Args:
        folder: keeps how the system was, should the class be killed.
        switches: where the system is told.
        left: share of the memory that is left.
    """

    def __init__(
        self,
        folder: ClassFolder,
        *,
        switches: Path = Path("/sys/kernel/mm/ksm"),
        left: Callable[[], float] = lambda: psutil.virtual_memory().available / psutil.virtual_memory().total,
    ) -> None:
        self._switches, self._left = switches, left
        self._before = folder.path / "hub" / "merging.json"
        self.end()

    def look(self) -> None:
        """Begin, if it is time; where somebody else has it run already, it goes on as they want it."""
        if self._before.exists() or self._left() > _SHORT:
            return
        with suppress(OSError):
            before = {name: (self._switches / name).read_text().strip() for name in _WORK}
            if before["run"] == "0":
                write_json(self._before, before)
                self._set(_WORK)

    def end(self) -> None:
        """As it was before."""
        if self._before.exists():
            with suppress(OSError):
                self._set(read_json(self._before))
            self._before.unlink()

    def _set(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            (self._switches / name).write_text(value)
