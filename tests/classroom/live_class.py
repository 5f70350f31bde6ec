"""A class that runs, for tests: started as an instructor starts it."""

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
def class_of_its_own(home, *words):
    """`firstread class start`, on a port of its own; gives the process and the class's folder."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FIRSTREAD_HOME", str(home))
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "firstread",
        "class",
        "start",
        "--lesson",
        "hello-world",
        "--port",
        str(port),
        *words,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        else:
            log = home / "classes" / "class" / "log" / "hub.log"
            pytest.fail("".join(said) + (log.read_text()[-3000:] if log.exists() else ""))
        yield process, find_class(None)
    finally:
        process.terminate()
        process.wait(60)
        patch.undo()


def participant(folder: ClassFolder, code=None) -> ScriptedParticipant:
    """Someone who may join."""
    return ScriptedParticipant(folder.address, code or folder.settings.join_code)


def ask(coroutine):
    """Run a story to its end."""
    return asyncio.run(coroutine)


async def until(condition, *, seconds=30):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        await asyncio.sleep(0.2)
    raise AssertionError("it did not happen")
