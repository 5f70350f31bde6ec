"""Safe extraction of ZIP and TAR archives: no path traversal, no links, limits on size and number of files."""

import errno
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from firstread.core.errors import DataError
from firstread.core.files import translate_os_errors
from firstread.core.images import STRAY_FILES
from firstread.core.progress_bar import track

MAX_ENTRIES = 200_000
MAX_EXTRACTED_BYTES = 8 * 1024**3
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class _Entry:
    name: str
    size_bytes: int
    is_regular_file: bool
    info: zipfile.ZipInfo | tarfile.TarInfo


def extract_archive(archive: Path, folder: Path) -> list[str]:
    """Extract `archive` into the empty `folder`, without the stray files of operating systems.

    Returns:
        Names of the stray files, which were left out.

    Raises:
        DataError: the archive is broken, has a name that leads outside the folder or cannot be written, a link, or too
            much in it.
        StorageError: the disk is full, or the folder cannot be written.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zip_file:
                return _extract_entries(archive, folder, list(_zip_entries(zip_file)), zip_file.open)
        with tarfile.open(archive) as tar_file:
            return _extract_entries(archive, folder, list(_tar_entries(tar_file)), tar_file.extractfile)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise DataError(
            "The archive is broken or locked with a password",
            where=archive,
            expected="a whole ZIP or TAR file",
            do="delete it and fetch it again",
        ) from error


def is_stray_file(name: str) -> bool:
    """Whether a file is operating system metadata: .DS_Store, Thumbs.db, anything under __MACOSX."""
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or (bool(parts) and (parts[-1].lower() in STRAY_FILES or parts[-1].startswith("._")))


def _extract_entries(archive: Path, folder: Path, entries: list[_Entry], open_entry: Callable[[Any], Any]) -> list[str]:
    _check_limits(archive, entries)
    stray = [entry.name for entry in entries if is_stray_file(entry.name)]
    wanted = [entry for entry in entries if not is_stray_file(entry.name)]
    remaining_bytes = MAX_EXTRACTED_BYTES
    for entry in track(wanted, "Unpacking", unit="file"):
        target = folder.joinpath(*_safe_parts(archive, entry))
        with translate_os_errors(target), _refuse_impossible_names(archive):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                raise _archive_error(archive, "holds the same name twice")
            with open_entry(entry.info) as source, open(target, "wb") as output:
                remaining_bytes = _copy_stream(archive, source, output, remaining_bytes)
    return stray


@contextmanager
def _refuse_impossible_names(archive: Path) -> Iterator[None]:
    """Convert errors of the file system about a name to a DataError."""
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise _archive_error(archive, "holds a name that is a file and a folder at once") from None
    except UnicodeEncodeError:
        raise _archive_error(archive, "holds a name that this system cannot write") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            raise _archive_error(archive, "holds a name that is too long, or that this system cannot write") from None
        raise


def _check_limits(archive: Path, entries: list[_Entry]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise _archive_error(archive, f"holds more than {MAX_ENTRIES:,} files")
    if sum(entry.size_bytes for entry in entries) > MAX_EXTRACTED_BYTES:
        raise _archive_error(archive, f"unpacks to more than {MAX_EXTRACTED_BYTES // 1024**3} GB")


def _safe_parts(archive: Path, entry: _Entry) -> tuple[str, ...]:
    path = PurePosixPath(entry.name)
    unsafe = path.is_absolute() or ".." in path.parts or not path.parts or any(sign in entry.name for sign in "\\:\x00")
    if unsafe or not entry.is_regular_file:
        raise _archive_error(archive, "holds a link, or a name that leads outside its folder")
    return path.parts


def _copy_stream(archive: Path, source: IO[bytes], output: IO[bytes], remaining_bytes: int) -> int:
    while chunk := source.read(_CHUNK_BYTES):
        remaining_bytes -= len(chunk)
        if remaining_bytes < 0:  # the sizes in the archive's directory were false
            raise _archive_error(archive, f"unpacks to more than {MAX_EXTRACTED_BYTES // 1024**3} GB")
        output.write(chunk)
    return remaining_bytes


def _zip_entries(archive: zipfile.ZipFile) -> Iterator[_Entry]:
    for info in archive.infolist():
        if not info.is_dir():
            mode = info.external_attr >> 16
            yield _Entry(info.filename, info.file_size, not stat.S_IFMT(mode) or stat.S_ISREG(mode), info)


def _tar_entries(archive: tarfile.TarFile) -> Iterator[_Entry]:
    for count, info in enumerate(archive):
        if count > MAX_ENTRIES:
            raise _archive_error(Path(str(archive.name)), f"holds more than {MAX_ENTRIES:,} files")
        if not info.isdir():
            yield _Entry(info.name, info.size, info.isreg(), info)


def _archive_error(archive: Path, reason: str) -> DataError:
    return DataError(f"The archive {reason}, so it was not unpacked", where=archive, do="get it from another source")
