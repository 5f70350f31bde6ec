"""Kernel samepage merging (KSM) of participants' kernels when memory is short (Linux, root only).

Kernels of one lesson hold much in common: the same images, functions and reference counts. Linux can find equal pages
and keep one copy until a process writes to it. The scan uses a share of a processor, so it runs only when memory is
short.

Of two processes whose pages are merged, one can find out by the duration of a write that the other holds an equal page,
for which it must have guessed all its 4,096 bytes. Servers, which hold their participant's permissions in the class,
are never merged; kernels hold no such secret.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.progress.capacity import CapacityMonitor
from firstread.classroom.sandbox.syscalls import libc_call
from firstread.core.files import read_json, write_json

#: option of a zygote: equal pages of its children may be merged
MERGING_OPTION = "--merging"
_PR_SET_MEMORY_MERGE = 67
#: merging starts when a smaller share of the machine's memory is available
_START_BELOW_SHARE = 0.5
#: pages scanned in each interval, at the start and at most; the latter takes about a third of one processor
_MIN_PAGES_TO_SCAN, _MAX_PAGES_TO_SCAN, _SLEEP_MILLISECONDS = 1000, 2500, 20
_RUN_FILE, _PAGES_FILE, _SLEEP_FILE = "run", "pages_to_scan", "sleep_millisecs"


def enable_merging() -> None:
    """Let KSM merge the pages of this process and of all its children, where the system supports and allows it."""
    with suppress(OSError):
        libc_call("prctl", _PR_SET_MEMORY_MERGE, 1, 0, 0, 0)


class KsmController:
    """Starts KSM when memory is short, and restores the system's settings at the end.

    Args:
        folder: of the class; the system's settings are saved in it, in case the class is killed.
        sysfs_folder: files that control KSM.
        memory_available_share: returns the share of memory that is available; default: of the class's capacity monitor.
    """

    def __init__(
        self,
        folder: ClassFolder,
        *,
        sysfs_folder: Path = Path("/sys/kernel/mm/ksm"),
        memory_available_share: Callable[[], float] | None = None,
    ) -> None:
        self._sysfs_folder = sysfs_folder
        self._memory_available_share = memory_available_share or CapacityMonitor(folder.path).memory_available_share
        self._saved_file = folder.path / "hub" / "merging.json"
        self.restore()

    def update(self) -> None:
        """Start KSM if memory is short, and adapt its speed; unless the administrator had started it before."""
        available, is_ours = self._memory_available_share(), self._saved_file.exists()
        with suppress(OSError):
            if not is_ours and available < _START_BELOW_SHARE:
                is_ours = self._start()
            if is_ours:
                pages = round(_MIN_PAGES_TO_SCAN * (_START_BELOW_SHARE / max(available, 0.01)) ** 2)
                self._write({_PAGES_FILE: str(min(_MAX_PAGES_TO_SCAN, pages))})

    def restore(self) -> None:
        """Write the system's saved settings back."""
        if self._saved_file.exists():
            with suppress(OSError):
                self._write(read_json(self._saved_file))
            self._saved_file.unlink()

    def _start(self) -> bool:
        """Save the system's settings and start KSM; False if it ran already."""
        settings = {
            name: (self._sysfs_folder / name).read_text().strip() for name in (_RUN_FILE, _PAGES_FILE, _SLEEP_FILE)
        }
        if settings[_RUN_FILE] != "0":
            return False
        write_json(self._saved_file, settings)
        self._write({_SLEEP_FILE: str(_SLEEP_MILLISECONDS), _RUN_FILE: "1"})
        return True

    def _write(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            (self._sysfs_folder / name).write_text(value)
