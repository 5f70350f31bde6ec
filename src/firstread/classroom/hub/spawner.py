"""JupyterHub spawner of a class on one machine: participants' servers are forked from a zygote."""

import asyncio
import os
import select
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from jupyterhub.utils import random_port
from traitlets import Unicode

from firstread.classroom.class_folder import open_class
from firstread.classroom.home_directory import build_server_environment, prepare_home
from firstread.classroom.prefork.zygote_client import make_request_token, request_process_with_retry, socket_path
from firstread.classroom.sandbox.sandbox import missing_isolation
from firstread.core.queue_rules import SOCKET_PREFIX


class ClassSpawner(LocalProcessSpawner):
    """Starts a participant's server as a local process, with their home, lesson and arms."""

    port: int
    class_path = Unicode(help="The class's folder.").tag(config=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.folder, self.store = open_class(self.class_path)

    @property
    def home(self) -> Path:
        """Home folder of the participant."""
        return self.folder.home_of(self.user.name)

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Function that a new server process calls before exec."""
        home = self.home

        def prepare() -> None:
            os.umask(0o077)
            os.chdir(home)

        return prepare

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Set the variables that identify the user on this system."""
        return {**env, "USER": self.user.name, "HOME": str(self.home), "SHELL": "/bin/sh"}

    def get_env(self) -> dict[str, str]:
        """Environment of the server, which its kernels inherit."""
        folder, name, participant = self.folder, self.user.name, self.store.find_participant(self.user.name)
        environment = build_server_environment(
            participant, folder.settings, home=self.home, shared=folder.path, service_url=folder.service_url
        )
        if not missing_isolation():
            environment["FIRSTREAD_KERNEL_ZYGOTE"] = str(socket_path(folder, "kernel"))
            environment["FIRSTREAD_KERNEL_TOKEN"] = make_request_token(folder, "kernel", name)
        return {
            **super().get_env(),
            **environment,
            "FIRSTREAD_QUEUE": f"{SOCKET_PREFIX}{folder.queue_socket}",
            "FIRSTREAD_QUEUE_TOKEN": f"{name}:{make_request_token(folder, 'queue', name)}",
            "JUPYTER_RUNTIME_DIR": str(folder.sockets_folder_of(name)),
        }

    async def start(self) -> tuple[str, int]:
        """Start the server, forked from a zygote or as a subprocess; returns its address and port."""
        if self.store.find_participant(self.user.name) is None:
            raise PermissionError("not a participant of this class")
        self.folder.ensure_home(self.user.name)
        if missing_isolation():  # then start_class serves this computer only, or with --trust-everyone
            prepare_home(self.folder, self.user.name)
            return await super().start()
        self.port = self.port or random_port()
        request = {
            "username": self.user.name,
            "token": make_request_token(self.folder, "server", self.user.name),
            "port": self.port,
            "environment": self.get_env(),
            "arguments": self.get_args(),
        }
        self.proc = None
        self.pid, pidfd = await request_process_with_retry(socket_path(self.folder, "server"), request)
        try:
            await self._wait_until_listening(pidfd)
        finally:
            os.close(pidfd)
        return "127.0.0.1", self.port

    async def _wait_until_listening(self, pidfd: int) -> None:
        """Wait until the server accepts connections; JupyterHub alone would wait two minutes for one that has ended.

        Raises:
            RuntimeError: the server has ended.
        """
        pause_seconds, ended = 0.1, select.poll()
        ended.register(pidfd, select.POLLIN)
        while True:
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(1.0, 1.5 * pause_seconds)
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.close()
                return
            if ended.poll(0):
                log = self.home / ".firstread" / "server.log"
                raise RuntimeError(f"The server of {self.user.name} has ended; see {log}")
