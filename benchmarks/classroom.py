"""Classroom load tests on this machine: a rehearsal of lesson 1, and simultaneous logins compared with a plain hub."""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from firstread.classroom.class_folder import find_free_ports
from firstread.classroom.lifecycle import find_class
from firstread.classroom.rehearsal.load_test import run_load_test
from firstread.classroom.rehearsal.load_test_result import percentiles
from firstread.classroom.rehearsal.scripted_participant import _XSRF, LoadTestError, ScriptedParticipant

#: imports of a lesson's first cell
FIRST_CELL = (
    "import torch, monai, timm, matplotlib.pyplot, pandas; print(float((torch.ones(8, 8) @ torch.ones(8, 8)).sum()))"
)
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
PLAIN_HUB_CONFIG = """
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.ConfigurableHTTPProxy.command = ["{python}", "-m", "firstread.classroom.proxy"]
c.ConfigurableHTTPProxy.api_url = "http+unix://" + "{folder}/api".replace("/", "%2F")
c.JupyterHub.concurrent_spawn_limit = 0
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
c.Spawner.args = ["--allow-root"]
c.Spawner.cmd = ["{python}", "-m", "jupyterhub.singleuser"]
"""


class PlainParticipant(ScriptedParticipant):
    """Scripted user of a plain JupyterHub."""

    async def join(self, name: str = "", *, resume_word: str = "") -> None:
        """Log in with the hub's password."""
        async with self.session.get(f"{self.address}/hub/login") as page:
            token = _XSRF.search(await page.text())
        form = {"_xsrf": token[1], "username": name, "password": self.code}
        async with self.session.post(
            f"{self.address}/hub/login", data=form, headers={"Sec-Fetch-Mode": "navigate"}
        ) as page:
            if page.status >= 400:
                raise LoadTestError(f"The hub answered {page.status}", where=self.address)


def rehearse_class(*, quick: bool) -> dict[str, Any]:
    """Run 100 scripted participants through lesson 1."""
    count = 2 if quick else 100
    report = partial(print, file=sys.stderr)
    result = run_load_test(participants=count, lesson="hello-world", report=report)
    return {"rehearsal": result.to_dict()}


def compare_arrival(*, quick: bool) -> dict[str, Any]:
    """Measure simultaneous logins at a firstread class and at a plain JupyterHub."""
    count = 2 if quick else 8
    return {
        f"{count} arrive at once": {
            "firstread": _measure_arrival(_start_class, ScriptedParticipant, count),
            "plain JupyterHub, SimpleLocalProcessSpawner": _measure_arrival(_start_plain_hub, PlainParticipant, count),
        }
    }


def _measure_arrival(
    start_hub: Callable[[Path], tuple[subprocess.Popen, str, str]],
    participant_class: type[ScriptedParticipant],
    count: int,
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="fr") as folder:
        process, url, code = start_hub(Path(folder))
        try:
            before = psutil.virtual_memory().available
            seconds = asyncio.run(_join_all(participant_class, url, code, count))
            used = before - psutil.virtual_memory().available
        finally:
            process.terminate()
            process.wait(60)
    distributions = {name: percentiles(values) for name, values in seconds.items()}
    return {**distributions, "memory_mb_each": round(used / count / 2**20)}


async def _join_all(
    participant_class: type[ScriptedParticipant], url: str, code: str, count: int
) -> dict[str, list[float]]:
    """Let all join at once and run a first cell; each stays until all have finished it."""
    seconds: dict[str, list[float]] = {"seconds until the server": [], "seconds until the first cell": []}
    all_finished = asyncio.Barrier(count)

    async def join(number: int) -> None:
        async with participant_class(url, code) as participant:
            begin = time.monotonic()
            await participant.join(f"person{number}")
            await participant.open_server(timeout_seconds=300)
            seconds["seconds until the server"].append(time.monotonic() - begin)
            await participant._get(f"{participant.server_url}/lab")
            await participant.api_request("PUT", "contents/n.ipynb", type="notebook", format="json", content=NOTEBOOK)
            begin = time.monotonic()
            await participant.start_kernel("n.ipynb")
            reply = await participant.run_cell(FIRST_CELL, timeout_seconds=600)
            if reply["status"] != "ok":
                raise LoadTestError(reply.get("ename", "error"))
            seconds["seconds until the first cell"].append(time.monotonic() - begin)
            await all_finished.wait()
            await asyncio.sleep(3)

    await asyncio.gather(*(join(number) for number in range(count)))
    return seconds


def _start_class(folder: Path) -> tuple[subprocess.Popen, str, str]:
    os.environ["FIRSTREAD_HOME"] = str(folder)
    (port,) = find_free_ports(1)
    command = [sys.executable, "-m", "firstread", "class", "start", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if "Ctrl-C" in line:
            break
    return process, f"http://127.0.0.1:{port}", find_class(None).settings.join_code


def _start_plain_hub(folder: Path) -> tuple[subprocess.Popen, str, str]:
    (port, hub), password = find_free_ports(2), secrets.token_urlsafe(12)
    (folder / "homes").mkdir()
    settings = {"port": port, "hub": hub, "password": password, "folder": folder, "python": sys.executable}
    (folder / "config.py").write_text(PLAIN_HUB_CONFIG.format(**settings))
    command = [sys.executable, "-m", "jupyterhub", "-f", str(folder / "config.py")]
    with open(folder / "hub.log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.2)
    return process, f"http://127.0.0.1:{port}", password
