"""What a participant takes home: their notebook, results, report and network, in one ZIP with a page on how to run it there.

Their folder is theirs: anything may lie in it. Only plain files of that folder are read, found without following a link at any point of the way.
"""

import os
import stat
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from firstread.classroom.home_directory import WORD_FILE

MOST_BYTES = 200 * 2**20
MOST_FILES = 2000
_AT_ONCE = 2**18
#: pictures that the lesson makes and can make again, and the optimiser's memory
_LEFT_OUT_FOLDERS = ("marked", "marker-on-", "__pycache__")
_LEFT_OUT_FILES = ("last.safetensors", WORD_FILE)

README = """What you did in the class "{title}".

Open it at home
  1. Install Python 3.11, 3.12 or 3.13.
  2. In a terminal:
       python -m pip install "firstread[all]"
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
class Found:
    """A plain file in a participant's folder.

    Attributes:
        parts: of its path within the folder.
    """

    parts: tuple[str, ...]
    bytes: int

    @property
    def name(self) -> str:
        """Its path within the ZIP."""
        return "/".join(self.parts)


def zip_of_work(home: Path, *, lesson: str, title: str, most_bytes: int = MOST_BYTES) -> Iterator[bytes]:
    """The ZIP, piece by piece, so that it never lies in memory or on disk as a whole.

    Args:
        home: the participant's folder.
        most_bytes: of all files together; notebook, report, results and network go first, and what is left out is named in the ZIP.
    """
    taken, left = _choose(_files(home), most_bytes)
    sink = _Sink()
    root = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload]
            for found in taken:
                file = _open_within(root, found.parts)
                if file is None:  # gone, or no plain file any more
                    continue
                with file, archive.open(_entry(lesson, found), "w") as into:
                    for piece in _pieces(file, found.bytes):
                        into.write(piece)
                        yield sink.take()
            archive.writestr(f"{lesson}/README.txt", _readme(lesson, title, left))
        yield sink.take()
    finally:
        os.close(root)


def _entry(lesson: str, found: Found) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"{lesson}/{found.name}", time.localtime()[:6])
    small_already = found.name.endswith((".safetensors", ".png", ".jpg", ".zip"))
    info.compress_type = zipfile.ZIP_STORED if small_already else zipfile.ZIP_DEFLATED
    info.external_attr = 0o600 << 16
    return info


def _pieces(file: IO[bytes], most: int) -> Iterator[bytes]:
    """A file in pieces; one that grows meanwhile is cut off."""
    while most and (piece := file.read(min(_AT_ONCE, most))):
        most -= len(piece)
        yield piece


def _files(home: Path) -> list[Found]:
    """Plain files, none that is hidden or linked; what the lesson can make again is left out."""
    found = []
    for path, folders, files, handle in os.fwalk(home, follow_symlinks=False):
        folders[:] = sorted(one for one in folders if not one.startswith((".", *_LEFT_OUT_FOLDERS)))
        above = Path(path).relative_to(home).parts
        for name in sorted(files):
            if name.startswith(".") or name in _LEFT_OUT_FILES or len(found) >= MOST_FILES:
                continue
            known = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if stat.S_ISREG(known.st_mode) and known.st_nlink == 1:
                found.append(Found((*above, name), known.st_size))
    return found


def _choose(files: list[Found], most_bytes: int) -> tuple[list[Found], list[Found]]:
    """What fits, the lesson's own first, and what does not."""
    taken, left, room = [], [], most_bytes
    for found in sorted(files, key=_rank):
        fits = found.bytes <= room
        (taken if fits else left).append(found)
        room -= found.bytes if fits else 0
    return taken, left


def _rank(found: Found) -> tuple[int, str]:
    order = (".ipynb", ".html", ".json", ".safetensors")
    place = next((number for number, ending in enumerate(order) if found.name.endswith(ending)), len(order))
    return place, found.name


def _open_within(root: int, parts: tuple[str, ...]) -> IO[bytes] | None:
    """Open a plain file by its path below `root`, where no part of the path may be a link; None if it is none."""
    folder = os.dup(root)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        handle = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return None
    finally:
        os.close(folder)
    known = os.fstat(handle)
    if stat.S_ISREG(known.st_mode) and known.st_nlink == 1:
        return os.fdopen(handle, "rb")
    os.close(handle)
    return None


def _readme(lesson: str, title: str, left: list[Found]) -> str:
    missing = ""
    if left:
        names = "\n".join(f"  {found.name}" for found in left[:50])
        missing = f"\nLeft out, because the ZIP would have become too large\n{names}\n"
    return README.format(title=title, lesson=lesson, missing=missing)


class _Sink:
    """A file that can only be written, and gives what was written piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def flush(self) -> None:
        """Nothing waits."""

    def take(self) -> bytes:
        """What was written since."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
