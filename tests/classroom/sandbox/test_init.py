"""Init of a sandbox: exit status, signals, orphans, and the end of everything with its owner."""

import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
if sys.platform != "linux":
    pytest.skip("participants are kept apart on Linux", allow_module_level=True)

from firstread.classroom.sandbox.sandbox import missing_isolation

pytestmark = pytest.mark.skipif(missing_isolation() != "", reason=f"not possible here: {missing_isolation()}")
FRAME = """
import os, signal, socket, subprocess, sys, time
from contextlib import suppress
from pathlib import Path
from firstread.classroom.sandbox.init import start_sandboxed
from firstread.classroom.sandbox.sandbox import Sandbox, python_folders
from firstread.classroom.sandbox.syscalls import become_subreaper
become_subreaper()
sandbox = Sandbox(read_paths=tuple(python_folders()))

def exit_status(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def wait_for_byte(fd):
    return os.read(fd, 1)

"""


def run(code):
    """Run `code` in a process of its own; what it printed."""
    whole = FRAME + textwrap.dedent(code)
    ran = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout.split()


@pytest.mark.parametrize(("main", "status"), [("None", 0), ("sys.exit(3)", 3), ("1 / 0", 1), ("os._exit(7)", 7)])
def test_the_exit_status_is_that_of_the_participants_process(main, status):
    assert run(f"print(exit_status(start_sandboxed(sandbox, lambda: {main})))") == [str(status)]


def test_a_process_that_a_signal_ends_has_the_status_that_shells_give():
    assert run("print(exit_status(start_sandboxed(sandbox, lambda: os.kill(os.getpid(), 9))))") == [str(128 + 9)]


def test_sigterm_reaches_the_participants_process():
    told = run("""
        def main():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
            while True:
                time.sleep(0.1)
        pid = start_sandboxed(sandbox, main)
        time.sleep(1)  # until both have their handlers
        os.kill(pid, signal.SIGTERM)
        print(exit_status(pid))
    """)
    assert told == ["5"]


def test_everything_ends_with_its_owner_also_what_has_left_the_session():
    told = run("""
        own_end, other_end = socket.socketpair()
        read_end, write_end = os.pipe()
        os.dup2(write_end, 0)  # the only open files that a sandbox inherits are the first three
        def main():
            if os.fork() == 0:
                os.setsid()
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.write(0, b"r")
                time.sleep(600)
            time.sleep(600)
        pid = start_sandboxed(sandbox, main, owner_fds=[other_end.fileno()])
        other_end.close()
        wait_for_byte(read_end)
        os.close(write_end)
        os.close(0)
        own_end.close()
        print(exit_status(pid))
        print(wait_for_byte(read_end) == b"")  # nobody holds the other end of the pipe any more
    """)
    assert told == ["1", "True"]


def test_orphans_are_reaped():
    told = run("""
        def main():
            for _ in range(20):
                subprocess.run(["sh", "-c", "true & true"])
            end = time.monotonic() + 20
            def zombies():
                found = 0
                for name in filter(str.isdigit, os.listdir("/proc")):
                    with suppress(OSError):  # it has ended meanwhile
                        found += Path(f"/proc/{name}/stat").read_text().split()[2] == "Z"
                return found
            while zombies() and time.monotonic() < end:
                time.sleep(0.1)
            print(zombies(), flush=True)
        exit_status(start_sandboxed(sandbox, main))
    """)
    assert told == ["0"]


def test_without_a_sandbox_nothing_of_the_participant_runs():
    told = run("""
        class Refused(Sandbox):
            def enter(self):
                raise OSError("the system refuses")
        pid = start_sandboxed(Refused(), lambda: print("it ran", flush=True))
        print(exit_status(pid), flush=True)
        class Never(Sandbox):
            def unshare(self):
                raise OSError("the system refuses")
        try:
            start_sandboxed(Never(), lambda: print("it ran", flush=True))
        except OSError as error:
            print(error)
    """)
    assert " ".join(told) == "1 no sandbox could be made for this process"


def test_no_open_file_leads_out_of_the_sandbox():
    told = run("""
        os.open("/", os.O_RDONLY)
        os.pipe()
        def main():
            print(*os.listdir("/proc/self/fd"), flush=True)
        pid = start_sandboxed(sandbox, main)
        exit_status(pid)
    """)
    assert set(told) <= {"0", "1", "2", "3"}, "a folder that was open before would be a way out"
