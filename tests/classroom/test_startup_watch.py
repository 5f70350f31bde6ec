"""Startup: waited for as long as something moves, however slow, and given up when nothing does."""

import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from firstread.classroom.startup_watch import ClassError, StartupWatch, last_line

STALL_SECONDS = 2.0


@contextmanager
def run(code, log):
    with open(log, "ab") as output:
        process = subprocess.Popen([sys.executable, "-u", "-c", code], stdout=output, stderr=output)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


def watch_for(seconds, pid, log, report=lambda _: None):
    watch = StartupWatch("The hub", {"hub.log": log}, report=report, stall_seconds=STALL_SECONDS)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        watch.check([pid])
        time.sleep(0.05)


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time\nwhile True: print('still importing'); time.sleep(0.5)",
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])",
    ],
    ids=["it computes", "it writes to its log", "its child computes"],
)
def test_a_slow_process_is_waited_for(tmp_path, code):
    with run(code, tmp_path / "hub.log") as pid:
        watch_for(3 * STALL_SECONDS, pid, tmp_path / "hub.log")


def test_a_process_that_only_waits_is_given_up(tmp_path):
    log = tmp_path / "hub.log"
    code = "import time; print('12:00:01 importing torch')\nwhile True: time.sleep(0.01)"
    with run(code, log) as pid, pytest.raises(ClassError, match=r"nothing has moved.*12:00:01 importing torch"):
        watch_for(60, pid, log)


def test_a_process_that_has_ended_is_given_up(tmp_path):
    with run("", tmp_path / "hub.log") as pid, pytest.raises(ClassError, match="nothing said yet"):
        watch_for(60, pid, tmp_path / "hub.log")


def test_now_and_then_the_terminal_hears_what_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr("firstread.classroom.startup_watch._REPORT_INTERVAL_SECONDS", 0.5)
    (tmp_path / "hub.log").write_text("12:00:01 going through the lesson once\n\n")
    said = []
    with run("while True: pass", tmp_path / "hub.log") as pid:
        watch_for(2, pid, tmp_path / "hub.log", said.append)
    assert 2 <= len(said) <= 4
    assert "hub.log: 12:00:01 going through the lesson once" in said[0]


def test_the_last_line_of_a_log_is_short_and_never_missing(tmp_path):
    (tmp_path / "log").write_bytes(b"\xff" * 5000 + b"\nend " + b"x" * 300 + b"\n")
    assert last_line(tmp_path / "log") == "end " + "x" * 196
    assert last_line(tmp_path / "none") == ""
