"""Extraction of hostile archives: path traversal, links, decompression bombs."""

import errno
import io
import tarfile
import zipfile

import pytest

from firstread.core.errors import DataError, StorageError
from firstread.datasets import archives
from firstread.datasets.archives import extract_archive, is_stray_file


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "deep" / "out"
    folder.mkdir(parents=True)
    return folder


def zip_of(path, names, data=b"abc"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return path


def tar_of(path, names, data=b"abc"):
    with tarfile.open(path, "w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", ["../evil.png", "/tmp/evil.png", "a/../../evil.png", "C:\\evil.png", "a\\..\\b.png"])
def test_names_that_lead_outside_are_refused(tmp_path, out, name):
    with pytest.raises(DataError, match="leads outside"):
        extract_archive(zip_of(tmp_path / "a.zip", [name]), out)
    assert [path.name for path in tmp_path.rglob("evil*")] == []


def test_links_are_refused(tmp_path, out):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("link.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(DataError, match="link"):
        extract_archive(tmp_path / "a.tar", out)


def test_links_in_a_zip_are_refused(tmp_path, out):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="link"):
        extract_archive(tmp_path / "a.zip", out)


def test_a_bomb_is_stopped(tmp_path, out, monkeypatch):
    monkeypatch.setattr(archives, "MAX_EXTRACTED_BYTES", 10_000)
    with pytest.raises(DataError, match="unpacks to more"):
        extract_archive(zip_of(tmp_path / "a.zip", ["big.png"], b"\0" * 1_000_000), out)


def test_too_many_files_are_stopped(tmp_path, out, monkeypatch):
    monkeypatch.setattr(archives, "MAX_ENTRIES", 3)
    names = [f"{number}.png" for number in range(5)]
    with pytest.raises(DataError, match="more than 3 files"):
        extract_archive(zip_of(tmp_path / "a.zip", names), out)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(DataError, match="more than 3 files"):
        extract_archive(tmp_path / "a.tar", out)


def test_a_file_that_is_no_archive(tmp_path, out):
    (tmp_path / "a.zip").write_text("hello")
    with pytest.raises(DataError, match="broken"):
        extract_archive(tmp_path / "a.zip", out)


def test_stray_files_are_told_apart():
    assert is_stray_file("__MACOSX/CXR/._.DS_Store")
    assert is_stray_file("CXR/.DS_Store")
    assert is_stray_file("Thumbs.db")
    assert not is_stray_file("CXR/1.jpg")


@pytest.mark.parametrize("names", [["a", "a/b"], ["a/b", "a"], ["x/a", "x/a/b/c"]])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_name_that_is_a_file_and_a_folder_is_refused(tmp_path, out, names, kind):
    archive = zip_of(tmp_path / "a.zip", names) if kind == "zip" else tar_of(tmp_path / "a.tar", names)
    with pytest.raises(DataError, match=r"a file and a folder at once|the same name twice"):
        extract_archive(archive, out)


@pytest.mark.parametrize("name", ["n" * 300, "n" * 300 + "/a.png", "/".join(["folder" * 20] * 60) + "/a.png"])
def test_a_name_that_is_too_long_is_refused(tmp_path, out, name):
    with pytest.raises(DataError, match="too long"):
        extract_archive(zip_of(tmp_path / "a.zip", [name]), out)


def test_a_full_disk_is_no_fault_of_the_archive(tmp_path, out, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "_copy_stream", full)
    with pytest.raises(StorageError, match="disk is full"):
        extract_archive(zip_of(tmp_path / "a.zip", ["a.png"]), out)
