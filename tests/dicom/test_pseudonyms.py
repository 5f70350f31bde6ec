"""Pseudonyms: stable on one computer, different on others, not reversible by hashing every number; their key."""

import hashlib
import os
import stat
import subprocess
import sys
import threading

import pytest

from firstread.core.errors import StorageError
from firstread.dicom import pseudonyms
from firstread.dicom.pseudonyms import make_pseudonym


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A firstread folder that does not exist yet."""
    folder = tmp_path / "home"
    monkeypatch.setenv("FIRSTREAD_HOME", str(folder))
    monkeypatch.setattr(pseudonyms, "_PATIENCE_SECONDS", 0.05)
    return folder


def test_the_same_here_another_elsewhere(tmp_path, monkeypatch):
    here = make_pseudonym("77")
    assert here == make_pseudonym("77")
    assert here != make_pseudonym("78")
    assert "77" not in here.removeprefix("P") or len(here) == 13
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    assert make_pseudonym("77") != here
    assert (tmp_path / "pseudonym.key").stat().st_mode & 0o077 == 0


def test_hashing_every_number_does_not_find_the_patient():
    assert make_pseudonym("77")[1:] not in {
        hashlib.sha256(str(number).encode()).hexdigest()[:12] for number in range(100)
    }


def test_processes_that_start_together_share_one_key(home):
    code = (
        "import sys; from firstread.dicom.pseudonyms import make_pseudonym; print('ready', flush=True); "
        "sys.stdin.readline(); print(make_pseudonym('77'))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(6)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # all have imported everything and ask at the same moment
        process.stdin.write("\n")
        process.stdin.flush()
    answers = {process.communicate(timeout=60)[0] for process in processes}
    assert answers == {make_pseudonym("77") + "\n"}


def test_threads_that_start_together_share_one_key(home, monkeypatch):
    monkeypatch.setattr(pseudonyms, "_PATIENCE_SECONDS", 10)
    answers, barrier = set(), threading.Barrier(8)

    def ask():
        barrier.wait()
        answers.add(make_pseudonym("77"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 1


def test_a_key_that_is_being_written_is_waited_for(home, monkeypatch):
    monkeypatch.setattr(pseudonyms, "_PATIENCE_SECONDS", 10)
    home.mkdir()
    (home / "pseudonym.key").touch()
    threading.Timer(0.2, (home / "pseudonym.key").write_bytes, [b"k" * 32]).start()
    assert make_pseudonym("77").startswith("P")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_the_key_is_never_readable_by_others(home, monkeypatch):
    modes = []
    fsync = os.fsync

    def spy(handle):
        modes.append(stat.S_IMODE(os.fstat(handle).st_mode))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", spy)
    make_pseudonym("77")
    assert modes == [0o600]


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 31, b"x" * 33])
def test_a_damaged_key_is_refused_and_stays(home, content):
    home.mkdir()
    key = home / "pseudonym.key"
    key.write_bytes(content)
    with pytest.raises(StorageError, match=f"is damaged: it has {len(content)} bytes"):
        make_pseudonym("77")
    assert key.read_bytes() == content


def test_a_folder_and_a_link_to_nowhere_are_refused(home):
    (home / "pseudonym.key").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot be read or created"):
        make_pseudonym("77")
    (home / "pseudonym.key").rmdir()
    (home / "pseudonym.key").symlink_to(home / "nowhere")
    with pytest.raises(StorageError, match="cannot be read or created"):
        make_pseudonym("77")
    assert not (home / "nowhere").exists()


def test_a_home_that_cannot_be_made_is_told_in_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(StorageError, match="point FIRSTREAD_HOME at a folder"):
        make_pseudonym("77")


def test_a_relative_home_is_another_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", "home")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "a")
    here = make_pseudonym("77")
    monkeypatch.chdir(tmp_path / "b")
    assert make_pseudonym("77") != here
    monkeypatch.chdir(tmp_path / "a")
    assert make_pseudonym("77") == here


def test_a_full_disk_leaves_no_half_key(home, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="cannot be read or created"):
        make_pseudonym("77")
    assert not (home / "pseudonym.key").exists()
    monkeypatch.undo()
