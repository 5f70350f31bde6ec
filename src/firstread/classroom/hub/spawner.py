"""A participant's own Jupyter server: their folder, their copy of the lesson, their groups."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from jupyterhub.utils import random_port
from traitlets import Unicode

from firstread.classroom.class_folder import open_class
from firstread.classroom.home_directory import environment_of, prepare_home
from firstread.classroom.prefork.zygote_client import ask_patiently, meeting_point, ticket
from firstread.classroom.sandbox.sandbox import missing


class ClassSpawner(LocalProcessSpawner):
    """Starts a participant's server as a process of this machine."""

    class_path = Unicode(help="The class's folder.").tag(config=True)

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.folder, self.store = open_class(self.class_path)

    @property
    def home(self) -> Path:
        """The participant's folder."""
        return self.folder.home_of(self.user.name)

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """What the new process does before it becomes the server."""
        home = self.home

        def prepare() -> None:
            os.umask(0o077)
            os.chdir(home)

        return prepare

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Who they are, on this system."""
        return {**env, "USER": self.user.name, "HOME": str(self.home), "SHELL": "/bin/sh"}

    def get_env(self) -> dict[str, str]:
        """The server's environment, which its kernels inherit."""
        folder, name, person = self.folder, self.user.name, self.store.person(self.user.name)
        told = environment_of(
            person, folder.settings, home=self.home, shared=folder.path, service=folder.service_address
        )
        if not missing():
            told["FIRSTREAD_WARM_KERNELS"] = str(meeting_point(folder, "kernel"))
            told["FIRSTREAD_TICKET"] = ticket(folder, "kernel", name)
        return {
            **super().get_env(),
            **told,
            "FIRSTREAD_QUEUE": str(folder.path / "queue"),
            "JUPYTER_RUNTIME_DIR": str(folder.sockets_of(name)),
        }

    async def start(self) -> tuple[str, int]:
        """Make their folder if it is not there, and start the server: forked from the warm one, or as a program of its own."""
        if self.store.person(self.user.name) is None:
            raise PermissionError("not a participant of this class")
        self.folder.make_home(self.user.name)
        if missing():  # then only those are let in who may read one another's files: see running.start_class
            prepare_home(self.folder, self.user.name)
            return await super().start()
        self.port = self.port or random_port()
        request = {
            "username": self.user.name, "ticket": ticket(self.folder, "server", self.user.name), "port": self.port,
            "environment": self.get_env(), "arguments": self.get_args(),
        }  # fmt: skip
        self.proc = None
        self.pid, handle = await ask_patiently(meeting_point(self.folder, "server"), request)
        os.close(handle)
        return "127.0.0.1", self.port
