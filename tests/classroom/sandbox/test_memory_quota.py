"""Memory quota where there are no cgroups: who uses too much is stopped, others go on."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
if sys.platform != "linux":
    pytest.skip("participants are kept apart on Linux", allow_module_level=True)

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.sandbox.memory_quota import MemoryQuota
from firstread.classroom.sandbox.processes import sandboxes_of

EATER = """
import os, sys, time
pieces = []
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        memory = bytearray(60 * 2**20)
        os.write(1, b"r")
        time.sleep(600)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    return ClassFolder.create("class", lesson="hello-world")


@pytest.fixture
def eat(folder):
    running = []

    def start(username, children):
        home = folder.path / "homes" / username
        home.mkdir(exist_ok=True)
        command = [sys.executable, "-c", EATER, str(children)]
        process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True, process_group=0)
        running.append(process)
        for _ in range(children):
            assert process.stdout.read(1) == "r"
        return process

    yield start
    for process in running:
        with pytest.MonkeyPatch.context():
            os.killpg(process.pid, 9)
        process.wait()


def test_several_processes_of_one_participant_count_together(folder, eat):
    greedy, modest = eat("p1-aa", 3), eat("p2-bb", 1)
    assert set(sandboxes_of(folder)) == {"p1-aa", "p2-bb"}
    quota = MemoryQuota(folder, limit_bytes=150 * 2**20)
    assert quota.enforce() == ["p1-aa"]
    assert greedy.wait(10) == -9
    assert modest.poll() is None


def test_pages_that_many_share_do_not_count_for_each(folder, eat):
    eat("p1-aa", 3)
    assert MemoryQuota(folder, limit_bytes=400 * 2**20).enforce() == []
