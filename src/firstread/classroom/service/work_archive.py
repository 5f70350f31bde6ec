"""ZIP archive of a participant's work: notebook, results, report, network, and a README on how to run it at home.

A participant may put anything into their folder. Only regular files of that folder are read, and no symbolic link is
followed in any component of a path.
"""

import os
import stat
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from firstread.classroom.home_directory import RESUME_WORD_FILE
from firstread.lessons.install_requirement import pip_requirement

MAX_BYTES = 200 * 2**20
MAX_FILES = 2000
_CHUNK_BYTES = 2**18
#: images that the lesson can make again, the optimizer's state, and the resume word
_EXCLUDED_FOLDERS = ("marked", "marker-on-", "__pycache__")
_EXCLUDED_FILES = ("last.safetensors", RESUME_WORD_FILE)

README = """What you did in the class "{title}".

Open it at home
  1. Install Python 3.11, 3.12 or 3.13.
  2. In a terminal:
       python -m pip install "{requirement}"
       firstread open {lesson}
     This opens a fresh copy of the lesson. To go on with your own notebook, put {lesson}.ipynb
     into the folder firstread-lessons first, then run the same command.

What lies here, as far as you got
  {lesson}.ipynb                    your notebook, as you left it
  results/report.html               your report; opens in any browser
  results/result.json               your results, answers and times
  results/.../best.safetensors      your network's weights
{missing}
For teaching and research. Not a medical device; not for decisions about patients.
"""


@dataclass(frozen=True)
class ArchiveFile:
    """A regular file in a participant's folder.

    Attributes:
        parts: components of its path within the folder.
    """

    parts: tuple[str, ...]
    size_bytes: int

    @property
    def name(self) -> str:
        """Path within the ZIP."""
        return "/".join(self.parts)


def stream_work_zip(home: Path, *, lesson: str, title: str, max_bytes: int = MAX_BYTES) -> Iterator[bytes]:
    """Stream the ZIP in chunks, so that it is never in memory or on disk as a whole.

    Args:
        home: the participant's folder.
        max_bytes: of all files together; notebook, report, results and network go first, and the README of the ZIP
            lists what was left out.
    """
    included, omitted = _select_files(_list_files(home), max_bytes)
    buffer = _ChunkBuffer()
    root = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with zipfile.ZipFile(buffer, "w") as archive:  # type: ignore[call-overload]
            for entry in included:
                source = _open_beneath(root, entry.parts)
                if source is None:  # deleted, or no longer a regular file
                    continue
                with source, archive.open(_zip_info(lesson, entry), "w") as target:
                    for chunk in _read_chunks(source, entry.size_bytes):
                        target.write(chunk)
                        yield buffer.drain()
            archive.writestr(f"{lesson}/README.txt", _readme(lesson, title, omitted))
        yield buffer.drain()
    finally:
        os.close(root)


def _zip_info(lesson: str, entry: ArchiveFile) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"{lesson}/{entry.name}", time.localtime()[:6])
    is_compressed = entry.name.endswith((".safetensors", ".png", ".jpg", ".zip"))
    info.compress_type = zipfile.ZIP_STORED if is_compressed else zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


def _read_chunks(file: IO[bytes], max_bytes: int) -> Iterator[bytes]:
    """Read a file in chunks, at most as many bytes as were announced, since it may grow meanwhile."""
    while max_bytes and (chunk := file.read(min(_CHUNK_BYTES, max_bytes))):
        max_bytes -= len(chunk)
        yield chunk


def _list_files(home: Path) -> list[ArchiveFile]:
    """Regular files that are neither hidden nor links; files that the lesson can make again are excluded."""
    entries: list[ArchiveFile] = []
    for path, folders, files, descriptor in os.fwalk(home, follow_symlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith((".", *_EXCLUDED_FOLDERS)))
        parents = Path(path).relative_to(home).parts
        for name in sorted(files):
            if name.startswith(".") or name in _EXCLUDED_FILES or len(entries) >= MAX_FILES:
                continue
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if _is_single_regular_file(status):
                entries.append(ArchiveFile((*parents, name), status.st_size))
    return entries


def _is_single_regular_file(status: os.stat_result) -> bool:
    """A regular file with one hard link, which cannot be somebody else's file under another name."""
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _select_files(entries: list[ArchiveFile], max_bytes: int) -> tuple[list[ArchiveFile], list[ArchiveFile]]:
    """Split files into those that fit, the lesson's own first, and those that do not."""
    included: list[ArchiveFile] = []
    omitted: list[ArchiveFile] = []
    free_bytes = max_bytes
    for entry in sorted(entries, key=_sort_key):
        fits = entry.size_bytes <= free_bytes
        (included if fits else omitted).append(entry)
        free_bytes -= entry.size_bytes if fits else 0
    return included, omitted


def _sort_key(entry: ArchiveFile) -> tuple[int, str]:
    suffixes = (".ipynb", ".html", ".json", ".safetensors")
    priority = next((index for index, suffix in enumerate(suffixes) if entry.name.endswith(suffix)), len(suffixes))
    return priority, entry.name


def _open_beneath(root: int, parts: tuple[str, ...]) -> IO[bytes] | None:
    """Open a regular file by its path below `root` without following a symbolic link; None if that is not possible."""
    folder = os.dup(root)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    finally:
        os.close(folder)
    if _is_single_regular_file(os.fstat(descriptor)):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    return None


def _readme(lesson: str, title: str, omitted: list[ArchiveFile]) -> str:
    missing = ""
    if omitted:
        names = "\n".join(f"  {entry.name}" for entry in omitted[:50])
        missing = f"\nLeft out, because the ZIP would have become too large\n{names}\n"
    return README.format(title=title, lesson=lesson, missing=missing, requirement=pip_requirement("all"))


class _ChunkBuffer:
    """Write-only, unseekable file for `zipfile`, whose content is drained chunk by chunk."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._length = 0

    def write(self, data: bytes) -> int:
        self._chunks.append(bytes(data))
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def flush(self) -> None:
        """Nothing is buffered elsewhere."""

    def drain(self) -> bytes:
        """Return and clear what was written since the last call."""
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)
