"""Cgroups of a class's servers and kernels (Linux, version 1 or 2): limits of memory and processes, and CPU weights.

    CLASS / server / PARTICIPANT        a server, weight of an ordinary program
    CLASS / kernel / PARTICIPANT        all kernels of a participant, with all that they start; a third of the weight

What a process alone cannot be limited by counts here: shared memory, files in memory, many processes at once. Beside
other programs a class has the weight of one of them, however many participants it has; among participants each has the
same. Root may create cgroups, and so may an ordinary user to whom a cgroup was delegated. Sources: cgroups(7), and
"Control Group v2" and "Memory Resource Controller", administration guide of the Linux kernel.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

CGROUP_ROOT = Path("/sys/fs/cgroup")
#: memory of a process, and of all of its kind of one participant; lesson 1 with the largest network fits a kernel
MEMORY_BYTES = {"kernel": 6 * 2**30, "server": 2 * 2**30}
#: a cgroup has at most so much of a small machine's memory
_MEMORY_SHARE = 0.5
_MAX_PROCESSES = 800
#: CPU weights, 100 is that of any other program
_CPU_WEIGHTS = {"kernel": 33, "server": 100}
_REQUIRED, _OPTIONAL = ("memory", "pids"), "cpu"

ProcessKind = Literal["server", "kernel"]


@dataclass(frozen=True)
class Cgroup:
    """A cgroup.

    Attributes:
        folders: of the cgroup in each hierarchy: one in version 2, one a controller in version 1.
        has_cpu_weight: False where there is no CPU controller, so that niceness has to do.
    """

    folders: tuple[Path, ...]
    has_cpu_weight: bool = False

    def add_this_process(self) -> None:
        """Move the calling process into the cgroup; its children start there.

        Raises:
            OSError: the system refuses.
        """
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """Remove the cgroup and those in it, which must have no processes; what the system keeps is left."""
        for folder in self.folders:
            for inner, _, _ in os.walk(folder, topdown=False):
                with suppress(OSError):
                    os.rmdir(inner)


def kernels_memory_bytes() -> int:
    """Memory that all kernels of a participant may use together."""
    return _memory_bytes("kernel")


def create_participant_cgroup(
    class_name: str, kind: ProcessKind, username: str, *, root: Path = CGROUP_ROOT
) -> Cgroup | None:
    """Create the cgroup of a participant's server or kernels with its limits, or find it.

    Args:
        class_name: name of the class's cgroup, unique on this machine.
        root: of the cgroup file system, for tests.

    Returns:
        None where this user may not create cgroups.
    """
    create = _create_v2 if (root / "cgroup.controllers").exists() else _create_v1
    try:
        return create(class_name, kind, username, root)
    except OSError:
        return None


def class_cgroup(class_name: str, *, root: Path = CGROUP_ROOT) -> Cgroup:
    """The cgroup of a class, below that of this process; it may not exist."""
    if (root / "cgroup.controllers").exists():
        return Cgroup((_own_folder(root, "") / class_name,))
    return Cgroup(tuple(_own_folder(root / name, name) / class_name for name in (*_REQUIRED, _OPTIONAL)))


def _create_v2(class_name: str, kind: ProcessKind, username: str, root: Path) -> Cgroup:
    (class_folder,) = class_cgroup(class_name, root=root).folders
    kind_folder = class_folder / kind
    has_cpu_weight = _OPTIONAL in (root / "cgroup.controllers").read_text().split()
    wanted = (*_REQUIRED, _OPTIONAL) if has_cpu_weight else _REQUIRED
    _enable_controllers(class_folder.parent, wanted)
    for folder in (class_folder, kind_folder):
        folder.mkdir(exist_ok=True)
        _enable_controllers(folder, wanted)
    if has_cpu_weight:
        (kind_folder / "cpu.weight").write_text(str(_CPU_WEIGHTS[kind]))
    folder = kind_folder / username
    folder.mkdir(exist_ok=True)
    _write_limit(folder / "memory.max", _memory_bytes(kind))
    _write_limit(folder / "pids.max", _MAX_PROCESSES)
    return Cgroup((folder,), has_cpu_weight)


def _create_v1(class_name: str, kind: ProcessKind, username: str, root: Path) -> Cgroup:
    memory, processes, cpu = (folder / kind / username for folder in class_cgroup(class_name, root=root).folders)
    for folder in (memory, processes):
        folder.mkdir(parents=True, exist_ok=True)
    _write_limit(memory / "memory.limit_in_bytes", _memory_bytes(kind))
    _write_limit(processes / "pids.max", _MAX_PROCESSES)
    try:
        cpu.mkdir(parents=True, exist_ok=True)
        _write_limit(cpu.parent / "cpu.shares", 1024 * _CPU_WEIGHTS[kind] // 100)
    except OSError:
        return Cgroup((memory, processes))
    return Cgroup((memory, processes, cpu), has_cpu_weight=True)


def _memory_bytes(kind: ProcessKind) -> int:
    return min(MEMORY_BYTES[kind], int(psutil.virtual_memory().total * _MEMORY_SHARE))


def _enable_controllers(folder: Path, names: Iterable[str]) -> None:
    missing = set(names) - set((folder / "cgroup.subtree_control").read_text().split())
    if missing:
        (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(missing)))


def _write_limit(file: Path, value: int) -> None:
    """Write a limit.

    Raises:
        FileNotFoundError: the controller is missing, so the cgroup would limit nothing.
    """
    if not file.exists():
        raise FileNotFoundError(file)
    file.write_text(str(value))


def _own_folder(top: Path, controller: str) -> Path:
    """Folder of this process's cgroup in a hierarchy; the top one where it is not visible, as in a container."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            folder = top / path.lstrip("/")
            return folder if folder.is_dir() else top
    return top
