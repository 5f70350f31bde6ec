"""Spawner: a server is waited for until it listens, or has ended."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
if sys.platform != "linux":
    pytest.skip("servers are forked on Linux", allow_module_level=True)

from firstread.classroom.class_folder import find_free_ports
from firstread.classroom.hub.spawner import ClassSpawner

LISTENER = """
import socket, sys, time
time.sleep(0.3)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    time.sleep(60)
"""


def wait_for(code, *arguments):
    (port,) = find_free_ports(1)
    process = subprocess.Popen([sys.executable, "-c", code, str(port), *arguments])
    pidfd = os.pidfd_open(process.pid)
    spawner = SimpleNamespace(port=port, home=Path("/home-of-ana"), user=SimpleNamespace(name="p1-aa"))
    try:
        asyncio.run(asyncio.wait_for(ClassSpawner._wait_until_listening(spawner, pidfd), 30))
    finally:
        os.close(pidfd)
        process.kill()
        process.wait()


def test_a_server_is_waited_for_until_it_listens():
    wait_for(LISTENER)


def test_a_server_that_ends_at_once_is_not_waited_for():
    with pytest.raises(RuntimeError, match=r"p1-aa has ended; see .*server.log"):
        wait_for("raise SystemExit(1)")
