"""Start of a class: a process that ends again and again is named, with what it said last."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom import supervisor as supervisor_module
from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.startup_watch import ClassError
from firstread.classroom.supervisor import Supervisor

pytestmark = pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")


@pytest.fixture
def supervisor(monkeypatch, tmp_path):
    """A supervisor whose processes run `supervisor.code` in place of their own."""
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    monkeypatch.setattr(supervisor_module, "_RESTART_INTERVAL_SECONDS", 0.0)
    supervisor = Supervisor(ClassFolder.create("class", lesson="hello-world"))
    supervisor.started = []

    def start(command, *, log, environment=None):
        with open(supervisor.folder.path / "log" / log, "ab") as output:
            process = subprocess.Popen([sys.executable, "-c", supervisor.code], stderr=output)
        supervisor.started.append(process)
        return process.pid

    monkeypatch.setattr(supervisor, "_start_process", start)
    yield supervisor
    for process in supervisor.started:
        process.kill()
        process.wait()


def test_a_process_that_cannot_start_is_not_started_for_ever(supervisor):
    supervisor.code = "raise SystemExit('The proxy cannot listen: Address already in use')"
    with pytest.raises(ClassError, match=r"ended 3 times\. The proxy cannot listen: Address already in use") as caught:
        supervisor._wait_until(lambda: False, "Servers and kernels", ("proxy",))
    assert "proxy.log" in str(caught.value)
    assert len(supervisor.started) == 4


def test_a_process_that_ends_once_is_started_again(supervisor):
    supervisor.code = "import time; time.sleep(60)"
    supervisor._wait_until(lambda: True, "Servers and kernels", ("proxy", "server"))
    supervisor.started[0].kill()
    supervisor._wait_until(lambda: len(supervisor.started) == 3, "Servers and kernels", ("proxy", "server"))
