"""Download of the published sets: resumption, mirrors, checksums, error messages.

A web server on loopback serves the real files, so the same code runs as against the internet."""

import hashlib
import io
import shutil
import threading
import zipfile
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from firstread.core.errors import DataError, NetworkError, SettingError, StorageError
from firstread.datasets import download
from firstread.datasets.catalogue import CATALOGUE
from firstread.datasets.download import download_dataset, read_stray_files


class Handler(SimpleHTTPRequestHandler):
    """Serves files with ranges, and breaks off after `server.break_after` bytes as often as `server.breaks` says."""

    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Range")))
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        rest = data[start:]
        if self.server.breaks > 0 and len(rest) > self.server.break_after:
            self.server.breaks -= 1
            self.wfile.write(rest[: self.server.break_after])
            self.wfile.flush()
            self.close_connection = True
            return
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@contextmanager
def serving(folder: Path, *, breaks: int = 0, break_after: int = 300_000):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    server.breaks, server.break_after, server.asked = breaks, break_after, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FIRSTREAD_DATA_MIRROR", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return tmp_path / "home"


def offline(url: str = "http://127.0.0.1:9/") -> str:
    return url  # nothing listens on the discard port


def test_the_published_radiographs_come_over_http_and_then_need_no_network(home, shared_data):
    with serving(shared_data) as (address, server):
        folder = download_dataset("hello-world/openi", mirror=address)
    assert len(list(folder.rglob("*.png"))) == len(server.asked) == 77
    assert download_dataset("hello-world/openi", mirror=offline()) == folder


def test_a_broken_connection_goes_on_where_it_stopped(home, shared_data):
    with serving(shared_data, breaks=2) as (address, server):
        folder = download_dataset("mednist/rsna", mirror=address)
    starts = [int((asked or "bytes=0-")[6:-1]) for _, asked in server.asked]
    assert starts[0] == 0
    assert 280_000 < starts[1] <= 300_000
    assert 560_000 < starts[2] <= 600_000
    assert len(list(folder.rglob("*.jpg"))) == 1800
    assert len(read_stray_files(folder)) == 6
    assert not list(folder.rglob(".DS_Store"))


def test_a_download_broken_off_for_good_is_resumed_by_the_next_call(home, shared_data):
    with serving(shared_data, breaks=99, break_after=100_000) as (address, server):
        with pytest.raises(NetworkError, match="could not be fetched"):
            download_dataset("mednist/rsna", mirror=address)
        before = len(server.asked)
        server.breaks = 0
        download_dataset("mednist/rsna", mirror=address)
    first = server.asked[before][1]
    assert first is not None
    assert int(first[6:-1]) >= 90_000


def test_a_folder_serves_as_a_mirror(home, shared_data, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_DATA_MIRROR", str(shared_data))
    assert len(list(download_dataset("mednist/rsna").rglob("*.jpg"))) == 1800


@pytest.mark.parametrize("name", ["hello-world/openi", "mednist/rsna", "mednist/monai"])
def test_offline_says_so_and_what_to_do(home, name):
    with pytest.raises(NetworkError, match=r"could not be fetched.*FIRSTREAD_DATA_MIRROR.*phantoms") as error:
        download_dataset(name, mirror=offline())
    assert "Traceback" not in str(error.value)
    assert "Max retries" not in str(error.value)


def test_a_server_without_the_file_and_a_mirror_folder_without_it(home, tmp_path):
    (tmp_path / "nothing").mkdir()
    with serving(tmp_path / "nothing") as (address, _), pytest.raises(NetworkError, match="answered 404"):
        download_dataset("mednist/rsna", mirror=address)
    with pytest.raises(NetworkError, match="not in the mirror folder"):
        download_dataset("mednist/rsna", mirror=tmp_path / "nothing")


def test_a_file_that_is_not_the_published_one_is_thrown_away(home, tmp_path):
    folder = tmp_path / "mirror" / "mednist-rsna"
    folder.mkdir(parents=True)
    (folder / "MedNIST.zip").write_bytes(b"PK\x03\x04 something else")
    with serving(tmp_path / "mirror") as (address, _), pytest.raises(DataError, match="checksum is wrong"):
        download_dataset("mednist/rsna", mirror=address)
    assert not list(home.rglob("MedNIST.zip"))


def test_a_damaged_cache_mends_itself_or_says_what_is_missing(home, shared_data):
    folder = download_dataset("hello-world/openi", mirror=shared_data)
    victim = folder / "train" / "abd" / "abd7.png"
    whole = victim.read_bytes()
    victim.write_bytes(whole[:100])
    with pytest.raises(NetworkError, match="could not be fetched"):
        download_dataset("hello-world/openi", mirror=offline())
    download_dataset("hello-world/openi", mirror=shared_data)
    assert victim.read_bytes() == whole


def test_damaged_unpacked_images_are_unpacked_again_without_network(home, shared_data):
    folder = download_dataset("mednist/rsna", mirror=shared_data)
    victim = next(folder.rglob("*.jpg"))
    whole = victim.read_bytes()
    victim.write_bytes(b"x" * len(whole))
    next(reversed(sorted(folder.rglob("*.jpg")))).unlink()
    download_dataset("mednist/rsna", mirror=offline())
    assert victim.read_bytes() == whole
    assert len(list(folder.rglob("*.jpg"))) == 1800


def test_a_full_disk_is_named(home, shared_data, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.shutil, "copyfile", full)
    with pytest.raises(StorageError, match="disk is full"):
        download_dataset("mednist/rsna", mirror=shared_data)


def test_two_at_once_both_get_everything(home, shared_data):
    results = []
    with serving(shared_data) as (address, _):
        threads = [
            threading.Thread(target=lambda: results.append(download_dataset("mednist/rsna", mirror=address)))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 3
    assert len(list(results[0].rglob("*.jpg"))) == 1800


def test_phantoms_are_not_downloaded(home):
    with pytest.raises(SettingError, match="simulated"):
        download_dataset("mednist")


def test_the_checksums_that_ship_are_those_of_the_published_files(shared_data):
    entry = CATALOGUE["hello-world/openi"]
    assert len(entry.checksums) == len(entry.urls) == 77
    for name, checksum in entry.checksums.items():
        data = (shared_data / "hello-world-openi" / name).read_bytes()
        assert "sha256:" + hashlib.sha256(data).hexdigest() == checksum
    assert all(address.startswith("https://") for named in CATALOGUE.values() for address in named.urls.values())


def test_a_named_set_can_be_unpacked_from_a_tar(home, tmp_path, monkeypatch):
    """The archive of MONAI is a .tar.gz: a small one takes its place."""
    import tarfile
    from dataclasses import replace

    mirror = tmp_path / "mirror" / "mednist-monai"
    mirror.mkdir(parents=True)
    with tarfile.open(mirror / "MedNIST.tar.gz", "w:gz") as archive:
        for name in ("MedNIST/Hand/000001.jpeg", "MedNIST/._Hand", "MedNIST/CXR/000001.jpeg"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
    checksum = hashlib.md5((mirror / "MedNIST.tar.gz").read_bytes()).hexdigest()
    entry = replace(CATALOGUE["mednist/monai"], checksums={"MedNIST.tar.gz": f"md5:{checksum}"})
    monkeypatch.setitem(CATALOGUE, "mednist/monai", entry)
    folder = download_dataset("mednist/monai", mirror=tmp_path / "mirror")
    assert sorted(path.name for path in folder.rglob("*.jpeg")) == ["000001.jpeg"] * 2
    assert read_stray_files(folder) == ["MedNIST/._Hand"]


def test_a_zip_that_is_cut_short_is_refused(tmp_path, shared_data):
    whole = (shared_data / "mednist-rsna" / "MedNIST.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    from firstread.datasets.archives import extract_archive

    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match="broken"):
        extract_archive(tmp_path / "cut.zip", tmp_path / "out")


def test_nothing_is_left_half_unpacked(home, shared_data, monkeypatch):
    real = zipfile.ZipFile.open
    calls = []

    def broken(self, name, *rest, **more):
        calls.append(name)
        if len(calls) == 50:
            raise zipfile.BadZipFile("broken in the middle")
        return real(self, name, *rest, **more)

    monkeypatch.setattr(zipfile.ZipFile, "open", broken)
    with pytest.raises(DataError, match="broken"):
        download_dataset("mednist/rsna", mirror=shared_data)
    assert not list(home.rglob("*.jpg"))
    monkeypatch.undo()
    shutil.rmtree(home, ignore_errors=True)
