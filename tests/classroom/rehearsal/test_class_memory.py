"""Memory of a class: its own processes and files, and nobody else's."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from firstread.classroom.rehearsal.class_memory import measure_class_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="classes run on Linux")
MB = 2**20
HOLD = "data = bytearray(b'x') * (100 * 2**20); import os, sys; {fork}; os.write(1, b'ready\\n'); sys.stdin.read()"


@contextmanager
def process(fork=""):
    """A process that holds 100 MB, and, with `fork`, a child that shares them."""
    started = subprocess.Popen(
        [sys.executable, "-c", HOLD.format(fork=fork or "pass")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        for _ in range(2 if fork else 1):
            assert started.stdout.readline() == b"ready\n"
        yield psutil.Process(started.pid)
    finally:
        started.stdin.close()
        started.wait(10)


def test_what_processes_share_counts_once_and_other_programs_do_not(tmp_path):
    with process(), process("os.fork()") as supervisor:
        children = supervisor.children()
        assert len(children) == 1
        resident = sum(one.memory_info().rss for one in (supervisor, *children))
        memory = measure_class_memory(supervisor, tmp_path)
    assert resident > 200 * MB
    assert 100 * MB < memory.bytes < 150 * MB
    assert memory.unreadable == 0


def test_a_process_that_cannot_be_read_is_counted_whole_and_said(tmp_path, monkeypatch):
    def refuse(self):
        raise psutil.AccessDenied(self.pid)

    monkeypatch.setattr(psutil.Process, "memory_full_info", refuse)
    with process("os.fork()") as supervisor:
        memory = measure_class_memory(supervisor, tmp_path)
    assert memory.bytes > 200 * MB
    assert memory.unreadable == 2


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no /dev/shm")
def test_files_in_memory_are_counted(tmp_path):
    import tempfile

    with tempfile.TemporaryDirectory(dir="/dev/shm") as in_memory, process() as supervisor:
        before = measure_class_memory(supervisor, Path(in_memory)).bytes
        (Path(in_memory) / "weights").write_bytes(b"x" * 20 * MB)
        after = measure_class_memory(supervisor, Path(in_memory)).bytes
        assert 15 * MB < after - before < 25 * MB


def test_a_class_that_has_ended_is_no_traceback(tmp_path):
    with process() as supervisor:
        pass
    with pytest.raises(psutil.NoSuchProcess):
        measure_class_memory(supervisor, tmp_path)
