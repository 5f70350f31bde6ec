"""Disk quota: kernels of participants over their quota are killed, others go on."""

import os
import subprocess
import sys
import time

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


#: keeps a deleted file of 300,000 bytes as the first argument says; its second descriptor is no second file
HOLDER = """
import mmap, os, sys, tempfile, time
if sys.argv[1] == "unnamed":
    file = tempfile.TemporaryFile(dir=".")
else:
    file = open("deleted", "w+b")
    os.unlink("deleted")
file.write(bytes(300_000))
file.flush()
if sys.argv[1] == "mapped":
    mapped = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)
    file.close()
else:
    again = os.dup(file.fileno())
if os.fork() == 0 and sys.argv[1] == "elsewhere":
    os.chdir("/")
    os.write(1, b"r")
elif sys.argv[1] != "elsewhere":
    os.write(1, b"r")
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed in /proc")
@pytest.mark.parametrize("how", ["open", "unnamed", "elsewhere", "mapped"])
def test_a_deleted_file_counts_until_its_process_has_closed_it(how, folder):
    if how == "mapped" and os.geteuid() != 0:
        pytest.skip("only root may look at mapped files")
    command = [sys.executable, "-c", HOLDER, how]
    home = folder.path / "homes" / "p1-aa"
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True, process_group=0)
    try:
        assert process.stdout.read(1) == "r"
        used = measure_participants(folder)
        assert 300_000 <= used["p1-aa"] < 400_000, "once, however often it is open"
        assert used["p2-bb"] < 100_000
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()
    deadline = time.monotonic() + 10  # a busy machine gives the blocks free a moment later
    while measure_participants(folder)["p1-aa"] >= 100_000 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert measure_participants(folder)["p1-aa"] < 100_000


def test_folders_are_left_alone_while_the_disk_does_not_shrink(folder, monkeypatch):
    quota = DiskQuota(folder, quota_bytes=1)
    fill(folder, "p1-aa", 100_000)
    monkeypatch.setattr(disk_quota, "folder_size_bytes", lambda _: pytest.fail("looked at the folders"))
    assert quota.enforce() == []
