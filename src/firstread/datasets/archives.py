"""Unpacking a ZIP or TAR archive that may be broken or hostile: nothing is written outside the folder, and nothing
without limit."""

import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from firstread.core.errors import DataError
from firstread.core.images import STRAY_FILES
from firstread.core.progress_bar import track

LARGEST_ENTRIES = 200_000
LARGEST_BYTES = 8 * 1024**3
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Entry:
    name: str
    size: int
    plain_file: bool
    source: Any


def unpack(archive: Path, folder: Path) -> list[str]:
    """Unpack `archive` into the empty `folder`, leaving out the stray files of operating systems.

    Returns:
        Names of the stray files, which were left out.

    Raises:
        DataError: the archive is broken, has a name that leads outside the folder, a link, or too much in it.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                return _unpack(archive, folder, list(_zip_entries(opened)), opened.open)
        with tarfile.open(archive) as opened:
            return _unpack(archive, folder, list(_tar_entries(opened)), opened.extractfile)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(
            "The archive is broken or locked with a password",
            where=archive,
            expected="a whole ZIP or TAR file",
            do="delete it and fetch it again",
        ) from error


def is_stray(name: str) -> bool:
    """Whether a file is one that operating systems strew about: .DS_Store, Thumbs.db, anything under __MACOSX."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or (bool(parts) and (parts[-1].lower() in STRAY_FILES or parts[-1].startswith("._")))


def _unpack(archive: Path, folder: Path, entries: list[_Entry], open_entry: Any) -> list[str]:
    _check_limits(archive, entries)
    stray = [entry.name for entry in entries if is_stray(entry.name)]
    wanted = [entry for entry in entries if not is_stray(entry.name)]
    left = LARGEST_BYTES
    for entry in track(wanted, "Unpacking", unit="file"):
        target = folder.joinpath(*_safe_parts(archive, entry))
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            raise _refusal(archive, "holds the same name twice")
        with open_entry(entry.source) as source, open(target, "wb") as output:
            left = _copy(archive, source, output, left)
    return stray


def _check_limits(archive: Path, entries: list[_Entry]) -> None:
    if len(entries) > LARGEST_ENTRIES:
        raise _refusal(archive, f"holds more than {LARGEST_ENTRIES:,} files")
    if sum(entry.size for entry in entries) > LARGEST_BYTES:
        raise _refusal(archive, f"unpacks to more than {LARGEST_BYTES // 1024**3} GB")


def _safe_parts(archive: Path, entry: _Entry) -> tuple[str, ...]:
    path = PurePosixPath(entry.name)
    bad = path.is_absolute() or ".." in path.parts or not path.parts or any(sign in entry.name for sign in "\\:\x00")
    if bad or not entry.plain_file:
        raise _refusal(archive, "holds a link, or a name that leads outside its folder")
    return path.parts


def _copy(archive: Path, source: IO[bytes], output: IO[bytes], left: int) -> int:
    while chunk := source.read(_CHUNK):
        left -= len(chunk)
        if left < 0:  # the sizes in the archive's table were a lie
            raise _refusal(archive, f"unpacks to more than {LARGEST_BYTES // 1024**3} GB")
        output.write(chunk)
    return left


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[_Entry]:
    for info in archive.infolist():
        if not info.is_dir():
            mode = info.external_attr >> 16
            yield _Entry(info.filename, info.file_size, not stat.S_IFMT(mode) or stat.S_ISREG(mode), info)


def _tar_entries(archive: tarfile.TarFile) -> Iterator[_Entry]:
    for count, info in enumerate(archive):
        if count > LARGEST_ENTRIES:
            raise _refusal(Path(str(archive.name)), f"holds more than {LARGEST_ENTRIES:,} files")
        if not info.isdir():
            yield _Entry(info.name, info.size, info.isreg(), info)


def _refusal(archive: Path, what: str) -> DataError:
    return DataError(f"The archive {what}, so it was not unpacked", where=archive, do="get it from another source")
