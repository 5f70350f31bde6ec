"""A participant's own Jupyter server: their folder, their copy of the lesson, their groups."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from jupyterhub.utils import random_port
from traitlets import Unicode

from firstread.classroom.bar import put_bar
from firstread.classroom.folder import ClassFolder, open_class
from firstread.classroom.separation.fence import missing
from firstread.classroom.warm.asking import ask_patiently, meeting_point, ticket
from firstread.core.files import write_bytes, write_json


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
        env = super().get_env()
        person = self.store.person(self.user.name)
        settings, private = self.folder.settings, self.home / ".firstread"
        if not missing():
            env |= {
                "FIRSTREAD_WARM_KERNELS": str(meeting_point(self.folder, "kernel")),
                "FIRSTREAD_TICKET": ticket(self.folder, "kernel", self.user.name),
            }
        return env | {
            "FIRSTREAD_HOME": str(private),
            "FIRSTREAD_SPOOL": str(private / "spool"),
            "FIRSTREAD_QUEUE": str(self.folder.path / "queue"),
            "FIRSTREAD_LESSON_DATA": settings.data,
            "FIRSTREAD_LESSON_FOLDER": str(self.home / "results"),
            "FIRSTREAD_ARMS": json.dumps(person.arms if person else {}),
            "FIRSTREAD_SEED": str((settings.seed + (person.number if person else 0)) % 2**31),
            "FIRSTREAD_CLASSROOM": self.folder.service_address,
            "JUPYTER_RUNTIME_DIR": str(self.folder.sockets_of(self.user.name)),
            "JUPYTER_PATH": str(self.folder.path / "jupyter"),
            "JUPYTER_CONFIG_PATH": str(self.folder.path / "jupyter"),
            "TMPDIR": str(private / "tmp"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONSAFEPATH": "1",  # a file of theirs is not imported in place of a part of the server
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


def prepare_home(folder: ClassFolder, username: str) -> Path:
    """A participant's folder with their copy of the lesson; what they have changed stays. It runs as the participant where that can be."""
    home = folder.home_of(username)
    for part in ("tmp", "spool"):
        (home / ".firstread" / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    measured = folder.path / "machine.json"
    if measured.exists():
        write_bytes(home / ".firstread" / measured.name, measured.read_bytes())
    data = home / ".firstread" / "data"
    if not data.is_symlink() and not data.exists():
        data.symlink_to(folder.path / "data", target_is_directory=True)
    notebook = home / f"{folder.settings.lesson}.ipynb"
    if not notebook.exists():
        write_bytes(notebook, (folder.path / "template.ipynb").read_bytes())
    return home


def prepare_class(folder: ClassFolder) -> None:
    """What all participants share: the lesson's notebook, its kernel, and its data."""
    import nbformat

    lesson = folder.lesson
    template = folder.path / "template.ipynb"
    if not template.exists():
        notebook = lesson.notebook()
        for number, cell in enumerate(
            notebook.cells, start=1
        ):  # the same in every copy, so that errors can be counted by cell
            cell["id"] = f"cell-{number:03d}"
        write_bytes(template, nbformat.writes(notebook).encode("utf-8"))
    kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--ext=firstread.lessons.telling"]
    write_json(
        folder.path / "jupyter" / "kernels" / "python3" / "kernel.json",
        {
            "argv": kernel,
            "display_name": "Python 3",
            "language": "python",
            "interrupt_mode": "message",
            "metadata": {"debugger": False, "kernel_provisioner": {"provisioner_name": "firstread-class"}},
        },
    )
    write_json(
        folder.path / "jupyter" / "jupyter_server_config.json",
        {
            "ServerApp": {
                "jpserver_extensions": {"firstread.classroom.carrying": True},
                "terminals_enabled": False,
                "allow_root": hasattr(os, "geteuid") and os.geteuid() == 0,  # participants are whoever starts the class
            },
            "KernelManager": {"transport": "ipc"},
            "ConnectionFileMixin": {"transport": "ipc"},
        },
    )
    put_bar(folder.path / "jupyter")
    queue = folder.path / "queue"
    queue.mkdir(exist_ok=True)
    queue.chmod(0o1777)
    _fetch_data(folder)
    for path in (
        template,
        *(folder.path / "jupyter").rglob("*"),
        folder.path / "jupyter",
        *(folder.path / "data").rglob("*"),
        folder.path / "data",
    ):
        path.chmod(
            path.stat().st_mode | (0o055 if path.is_dir() else 0o044)
        )  # for participants, who may be other users of the system


def _fetch_data(folder: ClassFolder) -> None:
    """The lesson's data, once for all: downloaded or simulated by a process of its own, because the hub has no use for what that needs."""
    import subprocess

    from firstread.core.errors import DataError

    done = subprocess.run(  # noqa: S603 - our own command, no shell
        [sys.executable, "-m", "firstread", "data", "get", folder.settings.data],
        env={**os.environ, "FIRSTREAD_HOME": str(folder.path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DataError(f"The lesson's data cannot be had: {done.stderr.strip()}", where=folder.settings.data)
