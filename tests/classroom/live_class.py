"""Running class for tests, started with `firstread class start`."""

import asyncio
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.lifecycle import find_class
from firstread.classroom.rehearsal.scripted_participant import ScriptedParticipant


@contextmanager
def run_class(home, *options):
    """Run `firstread class start` on a free port; yields the process and the class's folder."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FIRSTREAD_HOME", str(home))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "firstread", "class", "start", "--lesson", "hello-world"]
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
