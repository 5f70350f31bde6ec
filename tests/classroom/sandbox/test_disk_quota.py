"""Disk quota: kernels of participants over their quota are killed, others go on."""

import mmap
import os
import sys
import tempfile

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.sandbox import disk_quota
from firstread.classroom.sandbox.disk_quota import DiskQuota, folder_size_bytes, is_over_quota, measure_participants


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.create("class", lesson="hello-world")
    for name in ("p1-aa", "p2-bb"):
        (folder.path / "homes" / name / "deep").mkdir(parents=True)
    return folder


def fill(folder, name, size):
    (folder.path / "homes" / name / "deep" / "large").write_bytes(bytes(size))


def test_a_folders_size_counts_everything_in_it_and_follows_no_link(folder, tmp_path):
    fill(folder, "p1-aa", 300_000)
    (folder.path / "homes" / "p1-aa" / "link").symlink_to("/usr", target_is_directory=True)
    assert 300_000 <= folder_size_bytes(folder.path / "homes" / "p1-aa") < 400_000
    assert folder_size_bytes(tmp_path / "nowhere") == 0


def test_who_takes_too_much_is_stopped_once_and_free_again_after_tidying_up(folder, monkeypatch):
    ended = []
    monkeypatch.setattr(disk_quota, "kill_kernels", lambda _, username: ended.append(username))
    monkeypatch.setattr(disk_quota, "_CHECK_STEP_BYTES", -(2**60))
    quota = DiskQuota(folder, quota_bytes=200_000)
    fill(folder, "p1-aa", 100_000)
    assert quota.enforce() == []
    fill(folder, "p1-aa", 400_000)
    assert quota.enforce() == ["p1-aa"]
    assert quota.enforce() == []
    assert ended == ["p1-aa"]
    assert is_over_quota(folder, "p1-aa")
    assert not is_over_quota(folder, "p2-bb")
    fill(folder, "p1-aa", 10)
    quota.enforce()
    assert not is_over_quota(folder, "p1-aa")


def test_the_folder_of_a_participants_sockets_counts_too(folder):
    (folder.sockets_folder_of("p2-bb") / "large").write_bytes(bytes(300_000))
    used = measure_participants(folder)
    assert used["p1-aa"] < 100_000 < 300_000 <= used["p2-bb"] < 400_000


def test_measuring_makes_no_folder(folder):
    measure_participants(folder)
    assert not (folder.sockets_folder / "p1-aa").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed in /proc")
def test_a_deleted_file_that_is_kept_open_counts_until_it_is_closed(folder):
    fill(folder, "p1-aa", 300_000)
    file = folder.path / "homes" / "p1-aa" / "deep" / "large"
    with file.open("rb"), file.open("rb"):
        file.unlink()
        used = measure_participants(folder)
        assert 300_000 <= used["p1-aa"] < 400_000, "once, however often it is open"
        assert used["p2-bb"] < 100_000
    assert measure_participants(folder)["p1-aa"] < 100_000


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed in /proc")
def test_a_file_that_never_had_a_name_counts(folder):
    with tempfile.TemporaryFile(dir=folder.path / "homes" / "p2-bb") as file:
        file.write(bytes(300_000))
        file.flush()
        assert 300_000 <= measure_participants(folder)["p2-bb"] < 400_000


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may look at mapped files")
def test_a_deleted_file_that_is_mapped_and_not_open_counts(folder):
    fill(folder, "p1-aa", 300_000)
    file = folder.path / "homes" / "p1-aa" / "deep" / "large"
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 4096, prot=mmap.PROT_READ)
    file.unlink()
    with mapped:
        assert 300_000 <= measure_participants(folder)["p1-aa"] < 400_000


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="participants are users only if root starts")
def test_as_root_a_deleted_file_is_its_users_wherever_it_lay(folder, tmp_path):
    with (tmp_path / "elsewhere").open("wb") as file:
        file.write(bytes(300_000))
        file.flush()
        os.chown(file.fileno(), folder.uid_of("p2-bb"), -1)
        (tmp_path / "elsewhere").unlink()
        assert 300_000 <= measure_participants(folder)["p2-bb"] < 400_000


def test_folders_are_left_alone_while_the_disk_does_not_shrink(folder, monkeypatch):
    quota = DiskQuota(folder, quota_bytes=1)
    fill(folder, "p1-aa", 100_000)
    monkeypatch.setattr(disk_quota, "folder_size_bytes", lambda _: pytest.fail("looked at the folders"))
    assert quota.enforce() == []
