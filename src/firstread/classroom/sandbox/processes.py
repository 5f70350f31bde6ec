"""Find the processes of participants' sandboxes on this machine."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from firstread.classroom.class_folder import ClassFolder


def sandboxes_of(folder: ClassFolder) -> dict[str, list[psutil.Process]]:
    """Init processes of a class's sandboxes: username -> one for each server and kernel.

    Killing one ends everything in its sandbox.
    """
    homes = folder.path.resolve() / "homes"
    inside = {process.pid: home for process in psutil.process_iter() if (home := _home_of(process, homes))}
    found: dict[str, list[psutil.Process]] = {}
    for pid, home in inside.items():
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if inside.get(process.ppid()) != home:
                found.setdefault(home, []).append(process)
    return found


def kernels_of(folder: ClassFolder, username: str) -> list[psutil.Process]:
    """Init processes of a participant's kernels."""
    return [process for process in sandboxes_of(folder).get(username, []) if not _is_server(process)]


def kill_kernels(folder: ClassFolder, username: str) -> None:
    """Kill a participant's kernels with all that they have started."""
    for process in kernels_of(folder, username):
        with suppress(psutil.Error):
            process.kill()


def with_descendants(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """The processes and all that they have started, as far as they still run."""
    found = []
    for process in processes:
        with suppress(psutil.Error):
            found += [process, *process.children(recursive=True)]
    return found


def _home_of(process: psutil.Process, homes: Path) -> str:
    """Name of the home that is, or contains, the process's working folder; empty for any other process."""
    with suppress(psutil.Error, ValueError, IndexError):
        return Path(process.cwd()).relative_to(homes).parts[0]
    return ""


def _is_server(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool({"server", "jupyterhub.singleuser"} & set(process.cmdline()))
    return False
