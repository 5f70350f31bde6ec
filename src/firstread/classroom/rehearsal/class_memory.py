"""Memory of a class (PSS and tmpfs): of its own processes and files, so that other programs are not counted."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from firstread.classroom.sandbox.disk_quota import folder_size_bytes
from firstread.classroom.sandbox.namespaces import TEMPORARY_FOLDERS

_IN_MEMORY = ("tmpfs", "ramfs")


@dataclass(frozen=True)
class ClassMemory:
    """Memory of a class at one moment.

    Attributes:
        bytes: resident memory of its processes, where a page that several share counts once, and its files in tmpfs.
            A file in tmpfs that is also mapped counts twice.
        unreadable: number of processes whose shared pages could not be told; they are counted whole (RSS).
    """

    bytes: int
    unreadable: int


def measure_class_memory(supervisor: psutil.Process, folder: Path) -> ClassMemory:
    """Memory of a class: of the supervisor with all processes below it, and of the class's folder if it is in tmpfs.

    Reading the shares of a process takes milliseconds, since the kernel goes through all its pages.
    """
    processes = [supervisor, *supervisor.children(recursive=True)]
    sizes = [size for size in map(_process_size, processes) if size is not None]
    in_files = _private_tmpfs_bytes(processes) + (folder_size_bytes(folder) if _is_in_memory(folder) else 0)
    total = sum(size for size, _ in sizes) + in_files
    return ClassMemory(total, sum(not is_share for _, is_share in sizes))


def _process_size(process: psutil.Process) -> tuple[int, bool] | None:
    """Bytes of a process, and whether they are its share (PSS) or all that it has mapped; None if it has ended."""
    with suppress(psutil.NoSuchProcess):
        try:
            return int(process.memory_full_info().pss), True
        except psutil.AccessDenied:  # of another user, or closed to others
            with suppress(psutil.AccessDenied):
                return int(process.memory_info().rss), False
            return 0, False
    return None


def _private_tmpfs_bytes(processes: Iterable[psutil.Process]) -> int:
    """Bytes in the temporary folders that isolated processes have in place of the machine's; each counts once."""
    used: dict[int, int] = {}
    shared = {os.stat(folder).st_dev for folder in TEMPORARY_FOLDERS if folder.exists()}
    for process in processes:
        for folder in TEMPORARY_FOLDERS:
            path = f"/proc/{process.pid}/root{folder}"
            with suppress(OSError):  # it has ended, or its namespace is closed to this user
                device, filesystem = os.stat(path).st_dev, os.statvfs(path)
                if device not in shared:
                    used[device] = filesystem.f_frsize * (filesystem.f_blocks - filesystem.f_bfree)
    return sum(used.values())


def _is_in_memory(folder: Path) -> bool:
    path = folder.resolve()
    mounts = {Path(one.mountpoint): one.fstype for one in psutil.disk_partitions(all=True)}
    return next((mounts[parent] in _IN_MEMORY for parent in (path, *path.parents) if parent in mounts), False)
