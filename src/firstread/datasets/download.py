"""Fetching named data sets once, whole, and from where the user wants.

Pooch keeps the files and their checksums. What is added here: a download that was cut off goes on where it stopped,
archives are unpacked in one step, a damaged cache mends itself, and every failure is a sentence.

`FIRSTREAD_DATA_MIRROR` (an address, or a folder) serves the data in place of their origin: `<mirror>/<set>/<file>`,
with the folder of each set as in the catalogue (`hello-world-openi/train/abd/abd0.png`, `mednist-rsna/MedNIST.zip`).
"""

import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from firstread.core.errors import DataError, NetworkError, SettingError
from firstread.core.files import atomic_folder, read_json, storage_errors, write_json
from firstread.core.paths import data_folder
from firstread.core.progress_bar import Progress, track
from firstread.datasets.archives import unpack
from firstread.datasets.catalogue import NamedData, find_named

MIRROR_VARIABLE = "FIRSTREAD_DATA_MIRROR"
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 30
_MEGABYTE = 1_000_000
_CHUNK_BYTES = 16 * 1024  # what is lost of a download when the connection breaks
_HASHED_ON_OPENING = 5000  # with more files than this, only their sizes are compared


def get_dataset(name: str, *, mirror: str | Path | None = None) -> Path:
    """Bring a named data set to this computer, unless it is here already; afterwards no network is needed.

    Args:
        name: a downloadable name of the catalogue, such as "hello-world/openi".
        mirror: an address or a folder that serves the data; by default FIRSTREAD_DATA_MIRROR, else their origin.

    Returns:
        The folder that holds the images.

    Raises:
        NetworkError: no network, or the server refuses.
        DataError: what came is not what was published (wrong checksum), or the archive is broken.
        StorageError: the disk is full or cannot be written.
        SettingError: the name is not known, or is of phantoms, which are made and not fetched.
    """
    entry = find_named(name)
    if entry.make:
        raise SettingError(f'"{name}" is simulated, not downloaded', do=f'open it with open_dataset("{name}")')
    root = data_folder() / entry.folder
    chosen = str(mirror or os.environ.get(MIRROR_VARIABLE, "")) or None
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        if not entry.archive:
            return _fetch_files(entry, root, chosen)
        unpacked = root / "unpacked"
        if not _is_whole(unpacked):
            archive = _fetch_all(entry, root, [entry.archive], chosen)[0]
            _unpack_whole(archive, unpacked)
        return unpacked


def stray_files(folder: Path) -> list[str]:
    """Names of the files of operating systems that were left out when the archive was unpacked."""
    manifest = folder / "manifest.json"
    return list(read_json(manifest)["stray"]) if manifest.is_file() else []


def _fetch_files(entry: NamedData, root: Path, mirror: str | None) -> Path:
    _fetch_all(entry, root, list(entry.checksums), mirror)
    return root


def _fetch_all(entry: NamedData, root: Path, names: list[str], mirror: str | None) -> list[Path]:
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    addresses = entry.addresses if mirror is None else {n: _mirrored(mirror, entry.folder, n) for n in entry.addresses}
    cache = pooch.create(
        path=root, base_url="", registry=dict(entry.checksums), urls=addresses, retry_if_failed=1, allow_updates=True
    )
    with _downloader(entry) as downloader, _network_errors(entry, mirror):
        return [Path(cache.fetch(n, downloader=downloader)) for n in track(names, "Checking the files", unit="file")]


def _mirrored(mirror: str, folder: str, name: str) -> str:
    if mirror.startswith(("http://", "https://")):
        return f"{mirror.rstrip('/')}/{folder}/{name}"
    return str(Path(mirror).expanduser() / folder / name)


@contextmanager
def _downloader(entry: NamedData) -> Iterator[Any]:
    import requests

    with requests.Session() as session:
        session.headers["Accept-Encoding"] = "identity"
        yield ResumingDownloader(session, entry.name)


class ResumingDownloader:
    """Fetches one file for pooch; what had come before a connection broke is kept and gone on from."""

    def __init__(self, session: Any, title: str) -> None:
        self.session, self.title = session, title

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> bool | None:
        """Pooch's interface: bring `url` to `output_file`."""
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

        for attempt in range(_ATTEMPTS):
            before = partial.seek(0, os.SEEK_END)
            try:
                if self._fetch_rest(url, partial, before):
                    return
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if attempt == _ATTEMPTS - 1 or partial.tell() == before:
                    raise
        raise requests.ConnectionError("the connection broke again and again")

    def _fetch_rest(self, url: str, partial: IO[bytes], start: int) -> bool:
        """Ask for what is missing; True when the file is whole by the server's word."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self.session.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as response:
            if start and response.status_code == 416:  # nothing left to send, or another file by now
                partial.truncate(0)
                return self._fetch_rest(url, partial, 0)
            response.raise_for_status()
            if response.status_code != 206:
                partial.truncate(0)
                start = 0
            partial.seek(start)
            length = int(response.headers.get("Content-Length") or 0)
            total = max(1, round((start + length) / _MEGABYTE))
            with Progress(f"Fetching {self.title}", total, unit="megabyte") as bar:
                bar.step(start // _MEGABYTE)
                for chunk in response.iter_content(_CHUNK_BYTES):
                    partial.write(chunk)
                    bar.step(partial.tell() // _MEGABYTE - bar.done)
            return not length or partial.tell() >= start + length


@contextmanager
def _partial_file(url: str, output: Path) -> Iterator[IO[bytes]]:
    """The file in which a download of `url` collects, kept when it breaks off; a second process gets one of its own."""
    folder = data_folder() / ".partial"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.sha256(url.encode()).hexdigest()[:24]}.part"
    with open(path, "a+b") as file:
        if _locked(file):
            yield file
            return
    with tempfile.NamedTemporaryFile("w+b", dir=output.parent, delete=False) as own:
        try:
            yield own
        finally:
            with suppress(OSError):
                os.unlink(own.name)


def _locked(file: IO[bytes]) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows: every download gets a file of its own
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _network_errors(entry: NamedData, mirror: str | None) -> Iterator[None]:
    import requests

    source = mirror or next(iter(entry.addresses.values()))
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


def _unpack_whole(archive: Path, folder: Path) -> None:
    with atomic_folder(folder) as temporary:
        stray = unpack(archive, temporary)
        names = sorted(path.relative_to(temporary).as_posix() for path in temporary.rglob("*") if path.is_file())
        listed = {name: _fingerprint(temporary / name, hashed=len(names) <= _HASHED_ON_OPENING) for name in names}
        write_json(temporary / "manifest.json", {"files": listed, "stray": stray})


def _is_whole(folder: Path) -> bool:
    """Whether everything that was unpacked is still there and unchanged."""
    try:
        listed = read_json(folder / "manifest.json")["files"]
        hashed = len(listed) <= _HASHED_ON_OPENING
        return bool(listed) and all(_fingerprint(folder / name, hashed=hashed) == was for name, was in listed.items())
    except (DataError, OSError, KeyError, TypeError, AttributeError):
        return False


def _fingerprint(path: Path, *, hashed: bool) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if hashed else str(path.stat().st_size)
