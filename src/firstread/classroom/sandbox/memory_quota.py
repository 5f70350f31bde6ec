"""Memory quota of participants where there are no cgroups: kernels of participants over it are killed.

A process's own limit leaves out what it does with several processes at once. Cgroups count that; where this user may
not create any, the class looks itself every few seconds.
"""

from contextlib import suppress

import psutil

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.sandbox.cgroups import create_participant_cgroup, kernels_memory_bytes
from firstread.classroom.sandbox.processes import kill_kernels, sandboxes_of, with_descendants


class MemoryQuota:
    """Watches the memory of a class's participants.

    Args:
        limit_bytes: of all processes of a participant; default: as a cgroup would have it.
    """

    def __init__(self, folder: ClassFolder, *, limit_bytes: int | None = None) -> None:
        self.folder = folder
        self.limit_bytes = kernels_memory_bytes() if limit_bytes is None else limit_bytes
        self._has_cgroups = (
            limit_bytes is None and create_participant_cgroup(folder.cgroup_name, "kernel", "test") is not None
        )

    def enforce(self) -> list[str]:
        """Kill the kernels of participants over the limit; returns their usernames."""
        if self._has_cgroups:
            return []
        stopped = []
        for username, inits in sandboxes_of(self.folder).items():
            processes = with_descendants(inits)
            # resident pages include those shared with all others: quick to read, and never too low
            if _sum(processes, "rss") > self.limit_bytes and _sum(processes, "pss") > self.limit_bytes:
                kill_kernels(self.folder, username)
                stopped.append(username)
        return stopped


def _sum(processes: list[psutil.Process], kind: str) -> int:
    total = 0
    for process in processes:
        with suppress(psutil.Error):
            total += process.memory_full_info().pss if kind == "pss" else process.memory_info().rss
    return total
