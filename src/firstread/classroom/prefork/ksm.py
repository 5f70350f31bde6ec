"""What many kernels hold in the same way, held once: the system looks for equal pages when memory runs short.

Kernels of one lesson come to hold the same things: the same images, the same functions, the same counts of references. Linux can find such pages and keep one of
them until somebody writes to it (kernel samepage merging). It takes a share of a processor, so it begins only when memory is short, and needs root.

Of two processes whose pages are merged, one can find out by the time that a write takes that the other holds an equal page: it must have guessed all its 4,096 bytes.
Servers, which hold what their participant may do in the class, are never part of it; kernels hold no such thing.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.progress.capacity import Headroom
from firstread.classroom.sandbox.syscalls import call
from firstread.core.files import read_json, write_json

#: said to a warm process: equal pages of what it forks may be merged
MERGING = "--merging"
_PR_SET_MEMORY_MERGE = 67
#: of the machine's memory, what is left when it begins
_SHORT = 0.5
#: pages every so many milliseconds: when it begins, and at the most, which takes about a third of one processor
_PAGES, _MOST_PAGES, _PAUSE_MS = 1000, 2500, 20
_RUN, _SCAN, _SLEEP = "run", "pages_to_scan", "sleep_millisecs"


def take_part() -> None:
    """Let this process's pages be merged, and those of all that it forks, where the system can and we may."""
    with suppress(OSError):
        call("prctl", _PR_SET_MEMORY_MERGE, 1, 0, 0, 0)


class Merging:
    """Begins when memory is short; at the end the system is as it was.

    Args:
        folder: keeps how the system was, should the class be killed.
        switches: where the system is told.
        left: share of the memory that is left; by default as the class's headroom has it.
    """

    def __init__(
        self,
        folder: ClassFolder,
        *,
        switches: Path = Path("/sys/kernel/mm/ksm"),
        left: Callable[[], float] | None = None,
    ) -> None:
        self._switches, self._left = switches, left or Headroom(folder.path).share_left
        self._before = folder.path / "hub" / "merging.json"
        self.end()

    def look(self) -> None:
        """Begin, if it is time, and go the faster the less memory is left; where somebody else has it run already, it goes on as they want it."""
        left, runs = self._left(), self._before.exists()
        with suppress(OSError):
            if not runs and left < _SHORT:
                before = {name: (self._switches / name).read_text().strip() for name in (_RUN, _SCAN, _SLEEP)}
                runs = before[_RUN] == "0"
                if runs:
                    write_json(self._before, before)
                    self._set({_SLEEP: str(_PAUSE_MS), _RUN: "1"})
            if runs:
                self._set({_SCAN: str(min(_MOST_PAGES, round(_PAGES * (_SHORT / max(left, 0.01)) ** 2)))})

    def end(self) -> None:
        """As it was before."""
        if self._before.exists():
            with suppress(OSError):
                self._set(read_json(self._before))
            self._before.unlink()

    def _set(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            (self._switches / name).write_text(value)
