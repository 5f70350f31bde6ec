"""Running class for tests, started with `firstread class start`."""

import asyncio
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
import pytest

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.lifecycle import find_class, find_supervisor
from firstread.classroom.prefork.zygote_client import PROCESS_KINDS
from firstread.classroom.rehearsal.scripted_participant import ScriptedParticipant
from firstread.classroom.sandbox.processes import kernels_of, sandboxes_of


@contextmanager
def run_class(home, *options, python=(sys.executable,)):
    """Run `firstread class start` on a free port; yields the process and the class's folder."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FIRSTREAD_HOME", str(home))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*python, "-m", "firstread", "class", "start", "--lesson", "hello-world"]
    command += ["--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    output = []
    try:
        for line in process.stdout:
            output.append(line)
            if "Ctrl-C" in line:
                break
        else:
            log = home / "classes" / "class" / "log" / "hub.log"
            pytest.fail("".join(output) + (log.read_text()[-3000:] if log.exists() else ""))
        yield process, find_class(None)
    finally:
        process.terminate()
        process.wait(60)
        patch.undo()


def participant(folder: ClassFolder, code=None) -> ScriptedParticipant:
    """A scripted participant of this class."""
    return ScriptedParticipant(folder.public_url, code or folder.settings.join_code)


def zygotes_of(folder):
    """kind -> the process that servers or kernels are forked from."""
    sandboxes = {process.pid for each in sandboxes_of(folder).values() for process in each}
    found = {}
    for process in find_supervisor(folder).children():
        if process.pid not in sandboxes and "firstread.classroom.prefork.zygote" in process.cmdline():
            found |= {kind: process for kind in PROCESS_KINDS if kind in process.cmdline()}
    return found


def kernel_process(folder, username):
    """The process, on this machine, of the participant's only kernel; in its sandbox it has another number."""
    (init,) = kernels_of(folder, username)
    return init.children()[0]


def server_process(folder, username):
    """The process, on this machine, in which the participant's server runs."""
    kernels = kernels_of(folder, username)
    (init,) = [process for process in sandboxes_of(folder)[username] if process not in kernels]
    return init.children()[0]


def is_alive(process):
    """Whether the process runs, and is not a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def run_async(coroutine):
    """Run a coroutine in a new event loop."""
    return asyncio.run(coroutine)


async def wait_until(condition, *, seconds=30):
    """Wait until `condition()` is true; returns its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        await asyncio.sleep(0.2)
    raise AssertionError("it did not happen")
