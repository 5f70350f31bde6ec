"""A class of scripted participants on this machine, and the same arrival at a plain JupyterHub."""

import asyncio
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from firstread.classroom.class_folder import free_ports
from firstread.classroom.lifecycle import find_class
from firstread.classroom.rehearsal.load_test import rehearse
from firstread.classroom.rehearsal.scripted_participant import _XSRF, RehearsalError, ScriptedParticipant
from firstread.classroom.rehearsal.verdict import spread

#: what a first cell of a lesson imports
FIRST_CELL = (
    "import torch, monai, timm, matplotlib.pyplot, pandas; print(float((torch.ones(8, 8) @ torch.ones(8, 8)).sum()))"
)
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
PLAIN = """
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.JupyterHub.proxy_class = "firstread.classroom.hub.proxy.HubProxy"
c.JupyterHub.concurrent_spawn_limit = 0
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
c.Spawner.args = ["--allow-root"]
c.Spawner.cmd = ["{python}", "-m", "jupyterhub.singleuser"]
"""


class PlainParticipant(ScriptedParticipant):
    """Someone with an account of a plain hub."""

    async def join(self, name: str = "", *, word: str = "") -> None:
        """Log in."""
        async with self.session.get(f"{self.address}/hub/login") as page:
            token = _XSRF.search(await page.text())
        form = {"_xsrf": token[1], "username": name, "password": self.code}
        async with self.session.post(
            f"{self.address}/hub/login", data=form, headers={"Sec-Fetch-Mode": "navigate"}
        ) as page:
            if page.status >= 400:
                raise RehearsalError(f"The hub answered {page.status}", where=self.address)


def classroom(*, quick: bool) -> dict[str, Any]:
    """A hundred through lesson 1."""
    whole = rehearse(
        participants=2 if quick else 100, lesson="hello-world", tell=lambda words: print(words, file=sys.stderr)
    )
    return {"rehearsal": whole.plain()}


def arrival(*, quick: bool) -> dict[str, Any]:
    """How some who come all at once arrive here and at a plain hub."""
    several = 2 if quick else 8
    return {
        f"{several} arrive at once": {
            "firstread": _arrival(_our_class, ScriptedParticipant, several),
            "plain JupyterHub, SimpleLocalProcessSpawner": _arrival(_plain_hub, PlainParticipant, several),
        }
    }


def _arrival(
    begin: Callable[[Path], tuple[subprocess.Popen, str, str]], kind: type[ScriptedParticipant], several: int
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="fr") as folder:
        process, address, code = begin(Path(folder))
        try:
            before = psutil.virtual_memory().available
            seconds = asyncio.run(_arrive(kind, address, code, several))
            used = before - psutil.virtual_memory().available
        finally:
            process.terminate()
            process.wait(60)
    return {name: spread(values) for name, values in seconds.items()} | {
        "memory_mb_each": round(used / several / 2**20)
    }


async def _arrive(kind: type[ScriptedParticipant], address: str, code: str, several: int) -> dict[str, list[float]]:
    """All at the same moment, until the first cell has answered; and stay until everyone is there."""
    seconds: dict[str, list[float]] = {"seconds until the server": [], "seconds until the first cell": []}
    there = asyncio.Barrier(several)

    async def one(number: int) -> None:
        async with kind(address, code) as person:
            begin = time.monotonic()
            await person.join(f"person{number}")
            await person.open(patience_seconds=300)
            seconds["seconds until the server"].append(time.monotonic() - begin)
            await person._get(f"{person.home}/lab")
            await person.api("PUT", "contents/n.ipynb", type="notebook", format="json", content=NOTEBOOK)
            begin = time.monotonic()
            await person.start_kernel("n.ipynb")
            answer = await person.run(FIRST_CELL, patience_seconds=600)
            if answer["status"] != "ok":
                raise RehearsalError(answer.get("ename", "error"))
            seconds["seconds until the first cell"].append(time.monotonic() - begin)
            await there.wait()
            await asyncio.sleep(3)

    await asyncio.gather(*(one(number) for number in range(several)))
    return seconds


def _our_class(folder: Path) -> tuple[subprocess.Popen, str, str]:
    os.environ["FIRSTREAD_HOME"] = str(folder)
    (port,) = free_ports(1)
    words = [sys.executable, "-m", "firstread", "class", "start", "--port", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if "Ctrl-C" in line:
            break
    return process, f"http://127.0.0.1:{port}", find_class(None).settings.join_code


def _plain_hub(folder: Path) -> tuple[subprocess.Popen, str, str]:
    (port, hub), password = free_ports(2), secrets.token_urlsafe(12)
    (folder / "homes").mkdir()
    (folder / "config.py").write_text(
        PLAIN.format(port=port, hub=hub, password=password, folder=folder, python=sys.executable)
    )
    words = [sys.executable, "-m", "jupyterhub", "-f", str(folder / "config.py")]
    with open(folder / "hub.log", "wb") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.2)
    return process, f"http://127.0.0.1:{port}", password
