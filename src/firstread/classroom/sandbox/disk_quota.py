"""Disk quota of participants, enforced by the class: kernels of participants over their quota are killed.

A participant can write to their home and to the folder of their kernels' sockets; all else is private memory of limited
size. File system quotas need support that a machine may not have. So the class watches the free disk space, which costs
nothing, and measures the folders only when it has shrunk. A file that was deleted takes room as long as a process has
it open: it is in no folder, but in the process's list of open files.
"""

import os
import random
import shutil
import stat
import time
from contextlib import suppress
from pathlib import Path

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.sandbox.processes import kill_kernels, sandboxes_of, with_descendants

#: disk quota of one participant; lesson 1 leaves about 60 MB
QUOTA_BYTES = 2 * 2**30
#: the folders are measured once the free disk space has shrunk by this much
_CHECK_STEP_BYTES = 2**29
#: largest file of a participant over their quota: enough to tidy up and to save a notebook
OVER_QUOTA_FILE_BYTES = 2**20
#: how Linux marks the path of a deleted file in /proc
_DELETED_SUFFIX = " (deleted)"
#: the longest search for deleted files that are open
_SEARCH_SECONDS = 3.0


class DiskQuota:
    """Watches a class's disk and kills the kernels of participants over their quota."""

    def __init__(self, folder: ClassFolder, *, quota_bytes: int = QUOTA_BYTES) -> None:
        self.folder, self.quota_bytes = folder, quota_bytes
        self._free_bytes = _free_disk_bytes(folder)

    def enforce(self) -> list[str]:
        """Kill the kernels of participants who are newly over their quota; returns their usernames."""
        free_bytes = _free_disk_bytes(self.folder)
        over_quota = list(_over_quota_folder(self.folder).glob("*"))
        if free_bytes > self._free_bytes - _CHECK_STEP_BYTES and not over_quota:
            self._free_bytes = max(self._free_bytes, free_bytes)
            return []
        self._free_bytes = free_bytes
        stopped = []
        used = measure_participants(self.folder)
        for home in (self.folder.path / "homes").iterdir():
            marker = _over_quota_folder(self.folder) / home.name
            exceeded = used.get(home.name, 0) > self.quota_bytes
            if exceeded and not marker.exists():
                marker.parent.mkdir(mode=0o700, exist_ok=True)
                marker.touch()
                kill_kernels(self.folder, home.name)
                stopped.append(home.name)
            elif not exceeded:
                marker.unlink(missing_ok=True)
        return stopped


def is_over_quota(folder: ClassFolder, username: str) -> bool:
    """True from when a participant was stopped until their files are below the quota again."""
    return (_over_quota_folder(folder) / username).exists()


def measure_participants(folder: ClassFolder) -> dict[str, int]:
    """Disk usage of each participant in bytes: their folders, and deleted files that a process of theirs keeps open."""
    used = {
        home.name: folder_size_bytes(home) + folder_size_bytes(folder.sockets_folder / home.name)
        for home in (folder.path / "homes").iterdir()
    }
    disks = {one.stat().st_dev for one in (folder.path, folder.sockets_folder)}
    sandboxes, deadline = list(sandboxes_of(folder).items()), time.monotonic() + _SEARCH_SECONDS
    random.shuffle(sandboxes)  # with a great many open files nobody can keep the search from others for good
    for username, inits in sandboxes:
        files: dict[int, int] = {}
        for process in with_descendants(inits):
            if time.monotonic() < deadline:
                files |= _deleted_files(process.pid, disks)
        used[username] = used.get(username, 0) + sum(files.values())
    return used


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


def _free_disk_bytes(folder: ClassFolder) -> int:
    """Free space of the disks that participants can write to, which may be one."""
    disks = {path.stat().st_dev: path for path in (folder.path, folder.sockets_folder)}
    return sum(shutil.disk_usage(path).free for path in disks.values())


def _deleted_files(pid: int, disks: set[int]) -> dict[int, int]:
    """Deleted files on these disks that a process has open or mapped (Linux): inode -> disk usage in bytes."""
    files = {}
    for link in _list_open_files(Path(f"/proc/{pid}")):
        with suppress(OSError):  # closed, or not ours to look into
            if os.readlink(link).endswith(_DELETED_SUFFIX):
                status = os.stat(link)
                if status.st_nlink == 0 and stat.S_ISREG(status.st_mode) and status.st_dev in disks:
                    files[status.st_ino] = status.st_blocks * 512
    return files


def _list_open_files(process: Path) -> list[str]:
    """Links in /proc to the files that a process has open, and to the deleted ones that it has mapped."""
    links = []
    with suppress(OSError):  # the process has ended, or is not ours to look into
        links = [f"{process}/fd/{name}" for name in os.listdir(process / "fd")]
        for line in (process / "maps").read_bytes().splitlines():
            if line.endswith(_DELETED_SUFFIX.encode()):
                begin, end = (int(address, 16) for address in line.split(maxsplit=1)[0].split(b"-"))
                links.append(f"{process}/map_files/{begin:x}-{end:x}")
    return links


def _over_quota_folder(folder: ClassFolder) -> Path:
    return folder.path / "over-quota"
