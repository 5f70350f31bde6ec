"""Disk quota of participants' homes, enforced by the class: kernels of participants over their quota are killed.

File system quotas need support that a machine may not have. So the class watches the free disk space, which costs
nothing, and measures the homes only when it has shrunk.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.sandbox.processes import kill_kernels

#: disk quota of one participant; lesson 1 leaves about 60 MB
QUOTA_BYTES = 2 * 2**30
#: the homes are measured once the free disk space has shrunk by this much
_CHECK_STEP_BYTES = 2**29
#: largest file of a participant over their quota: enough to tidy up and to save a notebook
OVER_QUOTA_FILE_BYTES = 2**20


class DiskQuota:
    """Watches a class's homes and kills the kernels of participants over their quota."""

    def __init__(self, folder: ClassFolder, *, quota_bytes: int = QUOTA_BYTES) -> None:
        self.folder, self.quota_bytes = folder, quota_bytes
        self._free_bytes = shutil.disk_usage(folder.path).free

    def enforce(self) -> list[str]:
        """Kill the kernels of participants who are newly over their quota; returns their usernames."""
        free_bytes = shutil.disk_usage(self.folder.path).free
        over_quota = list(_over_quota_folder(self.folder).glob("*"))
        if free_bytes > self._free_bytes - _CHECK_STEP_BYTES and not over_quota:
            self._free_bytes = max(self._free_bytes, free_bytes)
            return []
        self._free_bytes = free_bytes
        stopped = []
        for home in (self.folder.path / "homes").iterdir():
            marker = _over_quota_folder(self.folder) / home.name
            exceeded = folder_size_bytes(home) > self.quota_bytes
            if exceeded and not marker.exists():
                marker.parent.mkdir(mode=0o700, exist_ok=True)
                marker.touch()
                kill_kernels(self.folder, home.name)
                stopped.append(home.name)
            elif not exceeded:
                marker.unlink(missing_ok=True)
        return stopped


def is_over_quota(folder: ClassFolder, username: str) -> bool:
    """True from when a participant was stopped until their home is below the quota again."""
    return (_over_quota_folder(folder) / username).exists()


def folder_size_bytes(folder: Path) -> int:
    """Disk usage of everything in a folder, in bytes; links are not followed."""
    total = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    total += folder_size_bytes(Path(entry.path))
    return total


def _over_quota_folder(folder: ClassFolder) -> Path:
    return folder.path / "over-quota"
