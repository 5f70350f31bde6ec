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
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from firstread.classroom.class_folder import ClassFolder

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
    """Disk usage of each participant in bytes: their folders, and deleted files that a process keeps open."""
    used, owners = dict[str, int](), dict[Path | int | None, str]()
    for home in (folder.path / "homes").iterdir():
        own_folders = home.resolve(), (folder.sockets_folder / home.name).resolve()
        used[home.name] = sum(folder_size_bytes(one) for one in own_folders)
        owners |= dict.fromkeys((*own_folders, folder.uid_of(home.name)), home.name)
    for path, status in _find_deleted_files():
        owner = next((owners[key] for key in (status.st_uid, *path.parents) if key in owners), None)
        if owner is not None:
            used[owner] += status.st_blocks * 512
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


def _find_deleted_files() -> Iterator[tuple[Path, os.stat_result]]:
    """Deleted files that a process has open or mapped (Linux), each once, under the path that it had.

    The search ends after some seconds, and begins anywhere: nobody can stop the class with a great many open files.
    """
    deadline, seen = time.monotonic() + _SEARCH_SECONDS, set[tuple[int, int]]()
    processes = list(Path("/proc").glob("[0-9]*"))
    random.shuffle(processes)
    for process in processes:
        if time.monotonic() > deadline:
            return
        for link in _list_open_files(process):
            with suppress(OSError):  # closed, or not ours to look into
                path = os.readlink(link)
                if not path.endswith(_DELETED_SUFFIX):
                    continue
                status = os.stat(link)
                key = status.st_dev, status.st_ino
                if status.st_nlink == 0 and stat.S_ISREG(status.st_mode) and key not in seen:
                    seen.add(key)
                    yield Path(path.removesuffix(_DELETED_SUFFIX)), status


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


def kill_kernels(folder: ClassFolder, username: str) -> None:
    """Kill all processes of a participant except their server."""
    for process in _find_processes(folder, username):
        with suppress(psutil.Error):
            process.kill()


def _find_processes(folder: ClassFolder, username: str) -> Iterator[psutil.Process]:
    """A participant's processes without their server: by user id, or by working directory where all share one."""
    uid, home = folder.uid_of(username), str(folder.home_of(username))
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            owned = process.uids().real == uid if uid is not None else process.cwd().startswith(home)
            if owned and not {"server", "jupyterhub.singleuser"} & set(process.cmdline()):
                yield process


def _over_quota_folder(folder: ClassFolder) -> Path:
    return folder.path / "over-quota"
