"""Disk quota: kernels of participants over their quota are killed, others go on."""

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.sandbox import disk_quota
from firstread.classroom.sandbox.disk_quota import DiskQuota, folder_size_bytes, is_over_quota


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


def test_homes_are_left_alone_while_the_disk_does_not_shrink(folder, monkeypatch):
    quota = DiskQuota(folder, quota_bytes=1)
    fill(folder, "p1-aa", 100_000)
    monkeypatch.setattr(disk_quota, "folder_size_bytes", lambda _: pytest.fail("looked at the homes"))
    assert quota.enforce() == []
