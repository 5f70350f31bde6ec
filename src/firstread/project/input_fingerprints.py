"""Fingerprints of a step's inputs: what must not have changed since it ran."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG


@dataclass(frozen=True)
class Subfolders:
    """The subfolders of a folder whose names begin with a letter: outputs without the tables and pages beside them."""

    folder: Path
    prefix: str

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self.folder.is_dir()


def fingerprint(path: Path | Subfolders) -> str:
    """SHA-256 of a file's content; of a folder, of the names, sizes and times of change of all files below it.

    A folder of millions of files is not read again only to see whether it changed. A missing path is "missing".
    """
    if isinstance(path, Subfolders):
        return _folder_fingerprint(path.folder, path.prefix) if path.exists() else "missing"
    if path.is_dir():
        return _folder_fingerprint(path)
    if not path.is_file():
        return "missing"
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder_fingerprint(folder: Path, prefix: str = "") -> str:
    total, count = 0, 0
    for current, folders, names in os.walk(folder):
        is_top = bool(prefix) and current == str(folder)
        folders[:] = [name for name in folders if not name.startswith(".") and (not is_top or name.startswith(prefix))]
        for name in names:
            if is_top or name.startswith("."):
                continue
            path = Path(current) / name
            status = path.lstat()
            if not S_ISREG(status.st_mode):  # links are not followed, and not read by any step
                continue
            text = f"{path.relative_to(folder).as_posix()}\0{status.st_size}\0{status.st_mtime_ns}"
            # a sum does not depend on the order in which the files are found, so no list of them is kept
            total = (total + int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest())) % 2**256
            count += 1
    return f"{count}:{total:064x}"
