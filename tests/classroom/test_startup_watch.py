"""Startup: waited for as long as something moves, however slow, and given up when nothing does."""

import subprocess
import sys
import time

import pytest

from firstread.classroom import startup_watch
from firstread.classroom.startup_watch import STALL_SECONDS, ClassError, StartupWatch, last_line

HOUR = 3600


class SlowStart:
    """A process that starts in simulated time: how much processor time it has had and what it has logged by then."""

    def __init__(self, monkeypatch, log, *, cpu_seconds=lambda now: 0.0, logged=lambda now: ""):
        self.now, self.log, self.cpu_seconds, self.logged, self.reports = 0.0, log, cpu_seconds, logged, []
        monkeypatch.setattr(startup_watch.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(startup_watch, "_cpu_seconds", lambda pid: self.cpu_seconds(self.now))

    def wait(self, seconds):
        watch = StartupWatch("The hub", {"hub.log": self.log}, report=self.reports.append)
        while self.now < seconds:
            self.now += 1
            self.log.write_text(self.logged(self.now))
            watch.check([1])


@pytest.fixture
def start(monkeypatch, tmp_path):
    return lambda **values: SlowStart(monkeypatch, tmp_path / "hub.log", **values)


def test_a_process_that_gets_a_hundredth_of_a_processor_is_waited_for(start):
    start(cpu_seconds=lambda now: now / 100).wait(HOUR)


def test_a_process_that_writes_a_line_now_and_then_is_waited_for(start):
    start(logged=lambda now: "importing\n" * int(now // (STALL_SECONDS - 5))).wait(HOUR)


def test_a_process_that_only_waits_is_given_up_with_its_last_words(start):
    slow = start(cpu_seconds=lambda now: now / 1000, logged=lambda now: "12:00:01 importing torch\n")
    with pytest.raises(ClassError, match=r"nothing has moved.*12:00:01 importing torch"):
        slow.wait(HOUR)
    assert STALL_SECONDS < slow.now < STALL_SECONDS + 5


def test_what_has_come_to_a_stop_after_some_work_is_given_up(start):
    slow = start(cpu_seconds=lambda now: min(now, 300))
    with pytest.raises(ClassError, match="nothing said yet"):
        slow.wait(HOUR)
    assert 300 + STALL_SECONDS - 5 < slow.now < 300 + STALL_SECONDS + 5


def test_a_process_in_place_of_one_that_ended_has_its_own_time(start):
    start(cpu_seconds=lambda now: now % 100).wait(HOUR)


def test_now_and_then_the_terminal_hears_what_is_done(start):
    slow = start(cpu_seconds=lambda now: now / 10, logged=lambda now: "12:00:01 going through the lesson once\n\n")
    slow.wait(100)
    assert 5 <= len(slow.reports) <= 7
    assert slow.reports[0].startswith("The hub: starting for 16 s, of which 2 s on a processor.")
    assert slow.reports[0].endswith("hub.log: 12:00:01 going through the lesson once")


def test_the_time_of_a_process_counts_its_children_and_none_of_another():
    child = "while True: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as parent:
        try:
            end = time.monotonic() + 60
            while startup_watch._cpu_seconds(parent.pid) < 0.5:
                assert time.monotonic() < end
                time.sleep(0.05)
        finally:
            for process in startup_watch.psutil.Process(parent.pid).children():
                process.kill()
            parent.kill()
    assert startup_watch._cpu_seconds(parent.pid) == 0


def test_the_last_line_of_a_log_is_short_and_never_missing(tmp_path):
    (tmp_path / "log").write_bytes(b"\xff" * 5000 + b"\nend " + b"x" * 300 + b"\n")
    assert last_line(tmp_path / "log") == "end " + "x" * 196
    assert last_line(tmp_path / "none") == ""
