"""Nobody fills the disk for all: who takes far more than their share is stopped, before the others notice.

There are no quotas without the file system's help. So the class looks at what is free, which costs nothing, and at the homes only when it has shrunk.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from firstread.classroom.class_folder import ClassFolder

#: of one participant; lesson 1 leaves about 60 MB
SHARE_BYTES = 2 * 2**30
#: the homes are looked at when so much has gone since the last time
_STEP_BYTES = 2**29
#: what somebody over their share may still write, in one file: enough to tidy up and to save a notebook
LITTLE_BYTES = 2**20


class Space:
    """Watches a class's homes."""

    def __init__(self, folder: ClassFolder, *, share_bytes: int = SHARE_BYTES) -> None:
        self.folder, self.share_bytes = folder, share_bytes
        self._free = shutil.disk_usage(folder.path).free

    def look(self) -> list[str]:
        """Stop the kernels of those who take too much; who that was."""
        free = shutil.disk_usage(self.folder.path).free
        marked = list(_marks(self.folder).glob("*"))
        if free > self._free - _STEP_BYTES and not marked:
            self._free = max(self._free, free)
            return []
        self._free = free
        stopped = []
        for home in (self.folder.path / "homes").iterdir():
            mark, too_much = _marks(self.folder) / home.name, size_of(home) > self.share_bytes
            if too_much and not mark.exists():
                mark.parent.mkdir(mode=0o700, exist_ok=True)
                mark.touch()
                end_kernels(self.folder, home.name)
                stopped.append(home.name)
            elif not too_much:
                mark.unlink(missing_ok=True)
        return stopped


def over_share(folder: ClassFolder, username: str) -> bool:
    """True for somebody who was stopped, until they have tidied up."""
    return (_marks(folder) / username).exists()


def size_of(folder: Path) -> int:
    """Bytes on disk of everything in a folder; no link is followed."""
    total = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    total += size_of(Path(entry.path))
    return total


def end_kernels(folder: ClassFolder, username: str) -> None:
    """End everything that runs for a participant but their server."""
    for process in _processes_of(folder, username):
        with suppress(psutil.Error):
            process.kill()


def _processes_of(folder: ClassFolder, username: str) -> Iterator[psutil.Process]:
    user, home = folder.user_of(username), str(folder.home_of(username))
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            theirs = process.uids().real == user if user is not None else process.cwd().startswith(home)
            if theirs and not {"server", "jupyterhub.singleuser"} & set(process.cmdline()):
                yield process


def _marks(folder: ClassFolder) -> Path:
    return folder.path / "over share"
