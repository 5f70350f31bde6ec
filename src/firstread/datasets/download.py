"""Download of named data sets: resumable, with checksums, from their origin or from a mirror.

Pooch keeps the files and their checksums. Added here: partial downloads are resumed, archives are extracted atomically,
a damaged cache is repaired, and every failure is explained in a sentence.

`FIRSTREAD_DATA_MIRROR` (an address, or a folder) serves the data in place of their origin: `<mirror>/<set>/<file>`,
with the folder of each set as in the catalogue (`hello-world-openi/train/abd/abd0.png`, `mednist-rsna/MedNIST.zip`).
"""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from firstread.core.errors import DataError, NetworkError, SettingError
from firstread.core.files import atomic_folder, read_json, translate_os_errors, write_json
from firstread.core.paths import data_folder
from firstread.core.progress_bar import ProgressBar, track
from firstread.datasets.archives import extract_archive
from firstread.datasets.catalogue import NamedDataset, find_named_dataset

MIRROR_VARIABLE = "FIRSTREAD_DATA_MIRROR"
_MAX_ATTEMPTS = 4
_TIMEOUT_SECONDS = 30
_BYTES_PER_MEGABYTE = 1_000_000
_CHUNK_BYTES = 16 * 1024  # at most this much of a download is lost when the connection breaks
_MAX_HASHED_FILES = 5000  # of more files only the sizes are compared


def download_dataset(name: str, *, mirror: str | Path | None = None) -> Path:
    """Download a named data set, unless it is on this computer already; afterwards no network is needed.

    Args:
        name: a downloadable name of the catalogue, such as "hello-world/openi".
        mirror: an address or a folder that serves the data; by default FIRSTREAD_DATA_MIRROR, else their origin.

    Returns:
        The folder that holds the images.

    Raises:
        NetworkError: no network, or the server refuses.
        DataError: the download is not the published file (wrong checksum), or the archive is broken.
        StorageError: the disk is full or cannot be written.
        SettingError: the name is not known, or names phantoms, which are simulated and not downloaded.
    """
    entry = find_named_dataset(name)
    if entry.factory:
        raise SettingError(f'"{name}" is simulated, not downloaded', do=f'open it with open_dataset("{name}")')
    root = data_folder() / entry.folder
    mirror_address = str(mirror or os.environ.get(MIRROR_VARIABLE, "")) or None
    with translate_os_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        if not entry.archive:
            _fetch_files(entry, root, list(entry.checksums), mirror_address)
            return root
        unpacked = root / "unpacked"
        if not _is_complete(unpacked):
            archive = _fetch_files(entry, root, [entry.archive], mirror_address)[0]
            _extract_atomically(archive, unpacked)
        return unpacked


def read_stray_files(folder: Path) -> list[str]:
    """Names of the stray files of operating systems that were left out when the archive was extracted."""
    manifest = folder / "manifest.json"
    return list(read_json(manifest)["stray"]) if manifest.is_file() else []


def _fetch_files(entry: NamedDataset, root: Path, names: list[str], mirror: str | None) -> list[Path]:
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    urls = entry.urls if mirror is None else {n: _mirror_url(mirror, entry.folder, n) for n in entry.urls}
    cache = pooch.create(
        path=root, base_url="", registry=dict(entry.checksums), urls=urls, retry_if_failed=1, allow_updates=True
    )
    with _open_downloader(entry) as downloader, _translate_network_errors(entry, mirror):
        return [Path(cache.fetch(n, downloader=downloader)) for n in track(names, "Checking the files", unit="file")]


def _mirror_url(mirror: str, folder: str, name: str) -> str:
    if mirror.startswith(("http://", "https://")):
        return f"{mirror.rstrip('/')}/{folder}/{name}"
    return str(Path(mirror).expanduser() / folder / name)


@contextmanager
def _open_downloader(entry: NamedDataset) -> Iterator[Any]:
    import requests

    with requests.Session() as session:
        session.headers["Accept-Encoding"] = "identity"
        yield ResumingDownloader(session, entry.name)


class ResumingDownloader:
    """Downloader for pooch that resumes partial downloads."""

    def __init__(self, session: Any, title: str) -> None:
        self.session, self.title = session, title

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> bool | None:
        """Download `url` to `output_file` (the interface that pooch calls)."""
        if not url.startswith(("http://", "https://")):
            shutil.copyfile(url, output_file)
            return None
        with _partial_file(url, Path(output_file)) as partial:
            self._fetch(url, partial)
            partial.flush()
            shutil.copyfile(partial.name, output_file)
            partial.truncate(0)
        return None

    def _fetch(self, url: str, partial: IO[bytes]) -> None:
        import requests

        for attempt in range(_MAX_ATTEMPTS):
            before = partial.seek(0, os.SEEK_END)
            try:
                if self._fetch_range(url, partial, before):
                    return
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if attempt == _MAX_ATTEMPTS - 1 or partial.tell() == before:
                    raise
        raise requests.ConnectionError("the connection broke again and again")

    def _fetch_range(self, url: str, partial: IO[bytes], start: int) -> bool:
        """Request the bytes from `start` on; True when the file has the length that the server announced."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self.session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as response:
            if start and response.status_code == 416:  # the partial file is complete, or the server's file has changed
                partial.truncate(0)
                return self._fetch_range(url, partial, 0)
            response.raise_for_status()
            if response.status_code != 206:
                partial.truncate(0)
                start = 0
            partial.seek(start)
            length = int(response.headers.get("Content-Length") or 0)
            total = max(1, round((start + length) / _BYTES_PER_MEGABYTE))
            with ProgressBar(f"Fetching {self.title}", total, unit="megabyte") as bar:
                bar.update(start // _BYTES_PER_MEGABYTE)
                for chunk in response.iter_content(_CHUNK_BYTES):
                    partial.write(chunk)
                    bar.update(partial.tell() // _BYTES_PER_MEGABYTE - bar.completed)
            return not length or partial.tell() >= start + length


@contextmanager
def _partial_file(url: str, output: Path) -> Iterator[IO[bytes]]:
    """Partial download of `url`, kept for resuming; a temporary file while another process holds it."""
    from filelock import FileLock

    folder = data_folder() / ".partial"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:24]}.part"
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(path.with_suffix(".lock")).acquire(blocking=False))
        except (OSError, NotImplementedError):
            # Timeout is an OSError. On a file system without flock, filelock 4 falls back to SoftFileLock; older
            # versions raise the second.
            file = stack.enter_context(_temporary_file(output.parent))
        else:
            file = stack.enter_context(open(path, "a+b"))
        yield file


@contextmanager
def _temporary_file(folder: Path) -> Iterator[IO[bytes]]:
    with tempfile.NamedTemporaryFile("w+b", dir=folder, delete=False) as temporary:
        try:
            yield temporary
        finally:
            with suppress(OSError):
                os.unlink(temporary.name)


@contextmanager
def _translate_network_errors(entry: NamedDataset, mirror: str | None) -> Iterator[None]:
    import requests

    source = mirror or next(iter(entry.urls.values()))
    remedy = (
        f"connect to the internet, or set {MIRROR_VARIABLE} to a folder or an address that serves the data; "
        f'the phantoms, open_dataset("{entry.name.split("/")[0]}"), need no network'
    )
    try:
        yield
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        raise NetworkError(
            f'The server answered {status} when "{entry.name}" was asked for', where=source, do=remedy
        ) from error
    except requests.RequestException as error:
        raise NetworkError(
            f'"{entry.name}" is not on this computer yet and could not be fetched', where=source, do=remedy
        ) from error
    except FileNotFoundError as error:
        raise NetworkError(
            f'"{entry.name}" is not in the mirror folder', where=error.filename or source, do=remedy
        ) from error
    except ValueError as error:  # pooch: the checksum differs
        raise DataError(
            f'What came for "{entry.name}" is not the published file: its checksum is wrong, so it was thrown away',
            where=source,
            expected="the file as published",
            do=f"try again; if it happens again, the source has changed or something on the way alters files; {remedy}",
        ) from error


def _extract_atomically(archive: Path, folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        stray = extract_archive(archive, temporary)
        names = sorted(path.relative_to(temporary).as_posix() for path in temporary.rglob("*") if path.is_file())
        use_hash = len(names) <= _MAX_HASHED_FILES
        fingerprints = {name: _fingerprint(temporary / name, use_hash=use_hash) for name in names}
        write_json(temporary / "manifest.json", {"files": fingerprints, "stray": stray})


def _is_complete(folder: Path) -> bool:
    """Whether all extracted files are still there and unchanged."""
    try:
        fingerprints = read_json(folder / "manifest.json")["files"]
        use_hash = len(fingerprints) <= _MAX_HASHED_FILES
        return bool(fingerprints) and all(
            _fingerprint(folder / name, use_hash=use_hash) == expected for name, expected in fingerprints.items()
        )
    except (DataError, OSError, KeyError, TypeError, AttributeError):
        return False


def _fingerprint(path: Path, *, use_hash: bool) -> str:
    """SHA-256 of a file, or its size in bytes where hashing takes too long."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if use_hash else str(path.stat().st_size)
