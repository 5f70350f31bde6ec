"""Cgroup of each participant (Linux, version 1 or 2): memory and processes of all their processes together.

What a process alone cannot be limited by counts here: shared memory, files in memory, many processes at once. Root may
create cgroups, and so may an ordinary user to whom a cgroup was delegated. Sources: cgroups(7), and "Control Group v2"
and "Memory Resource Controller", administration guide of the Linux kernel.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

CGROUP_ROOT = Path("/sys/fs/cgroup")
#: memory of all processes of a participant; on a small machine half of what it has
_MEMORY_BYTES, _MEMORY_SHARE, _MAX_PROCESSES = 6 * 2**30, 0.5, 800
_CONTROLLERS = ("memory", "pids")
_LIMIT_FILES = {1: ("memory.limit_in_bytes", "pids.max"), 2: ("memory.max", "pids.max")}


@dataclass(frozen=True)
class Cgroup:
    """The cgroup of one participant, or of a class.

    Attributes:
        folders: of the cgroup in each hierarchy: one in version 2, one a controller in version 1.
    """

    folders: tuple[Path, ...]

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
            for inner in (*_subfolders(folder), folder):
                with suppress(OSError):
                    inner.rmdir()


def participant_memory_bytes() -> int:
    """Memory that all processes of a participant may use together."""
    return min(_MEMORY_BYTES, int(psutil.virtual_memory().total * _MEMORY_SHARE))


def create_participant_cgroup(class_name: str, username: str, *, root: Path = CGROUP_ROOT) -> Cgroup | None:
    """Create a participant's cgroup with its limits, or find it; None where this user may not create cgroups.

    Args:
        class_name: name of the class's cgroup, unique on this machine.
        root: of the cgroup file system, for tests.
    """
    version = 2 if (root / "cgroup.controllers").exists() else 1
    group = class_cgroup(class_name, root=root)
    try:
        for folder in group.folders:
            folder.mkdir(exist_ok=True)
            if version == 2:
                _enable_controllers((folder.parent, folder))
        participant = Cgroup(tuple(folder / username for folder in group.folders))
        for folder in participant.folders:
            folder.mkdir(exist_ok=True)
        _write_limits(participant, _LIMIT_FILES[version])
    except OSError:
        return None
    return participant


def class_cgroup(class_name: str, *, root: Path = CGROUP_ROOT) -> Cgroup:
    """The cgroup of a class, below that of this process; it may not exist."""
    if (root / "cgroup.controllers").exists():
        return Cgroup((_own_folder(root, "") / class_name,))
    return Cgroup(tuple(_own_folder(root / name, name) / class_name for name in _CONTROLLERS))


def _enable_controllers(folders: Iterable[Path]) -> None:
    for folder in folders:
        missing = set(_CONTROLLERS) - set((folder / "cgroup.subtree_control").read_text().split())
        if missing:
            (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in sorted(missing)))


def _write_limits(group: Cgroup, names: tuple[str, str]) -> None:
    """Write the limits; in version 1 each file is in the folder of its controller.

    Raises:
        FileNotFoundError: a controller is missing, so the cgroup would limit nothing.
    """
    for name, value in zip(names, (participant_memory_bytes(), _MAX_PROCESSES), strict=True):
        folder = next((folder for folder in group.folders if (folder / name).exists()), None)
        if folder is None:
            raise FileNotFoundError(name)
        (folder / name).write_text(str(value))


def _own_folder(top: Path, controller: str) -> Path:
    """Folder of this process's cgroup in a hierarchy; the top one where it is not visible, as in a container."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            folder = top / path.lstrip("/")
            return folder if folder.is_dir() else top
    return top


def _subfolders(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [entry for entry in folder.iterdir() if entry.is_dir()]
    return []
