"""A participant's own Jupyter server: their folder, their copy of the lesson, their groups."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterhub.spawner import LocalProcessSpawner
from jupyterhub.utils import random_port
from traitlets import Unicode

from firstread import lessons
from firstread.classroom.folder import ClassFolder, open_class
from firstread.classroom.hub.homes import environment_of, furnish
from firstread.classroom.participant.bar import put_bar
from firstread.classroom.separation.fence import missing
from firstread.classroom.warm.asking import ask_patiently, meeting_point, ticket
from firstread.core.files import write_bytes, write_json

if TYPE_CHECKING:
    from firstread.classroom.cluster.serving import ImageFolder


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


def prepare_home(folder: ClassFolder, username: str) -> Path:
    """A participant's folder with their copy of the lesson; what they have changed stays. It runs as the participant where that can be."""
    return furnish(folder.home_of(username), shared=folder.path, lesson=folder.settings.lesson)


def prepare_class(folder: "ClassFolder | ImageFolder", *, with_data: bool = True) -> None:
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
    # without a history of outputs, which would keep every figure in memory to the end
    kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel += ["--ext=firstread.lessons.telling", "--InteractiveShell.cache_size=0"]
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
                "jpserver_extensions": {
                    "firstread.classroom.participant.carrying": True,
                    **dict.fromkeys(("jupyter_lsp", "jupyter_server_terminals", "jupyterlab_jupytext"), False),
                },
                "terminals_enabled": False,
                "allow_root": hasattr(os, "geteuid") and os.geteuid() == 0,  # participants are whoever starts the class
            },
            "KernelManager": {"transport": "ipc"},
            "ConnectionFileMixin": {"transport": "ipc"},
        },
    )
    put_bar(folder.path / "jupyter")
    # as with `firstread open`: nobody is asked about news, and nothing asks the internet for it
    settings = (Path(lessons.__file__).parent / "jupyter" / "overrides.json").read_bytes()
    write_bytes(folder.path / "jupyter" / "labconfig" / "default_setting_overrides.json", settings)
    queue = folder.path / "queue"
    queue.mkdir(exist_ok=True)
    queue.chmod(0o1777)
    if with_data:
        _fetch_data(folder)
    for shared in (template, folder.path / "jupyter", folder.path / "data"):
        for path in (
            (shared, *shared.rglob("*")) if shared.exists() else ()
        ):  # for participants, who may be other users of the system
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


def _fetch_data(folder: "ClassFolder | ImageFolder") -> None:
    """The lesson's data, once for all: downloaded or simulated by a process of its own, because the hub has no use for what that needs."""
    import subprocess

    from firstread.core.errors import DataError

    done = subprocess.run(  # noqa: S603 - our own command, no shell
        [sys.executable, "-m", "firstread", "data", "get", folder.settings.data],
        env={**os.environ, "FIRSTREAD_HOME": str(folder.path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DataError(f"The lesson's data cannot be had: {done.stderr.strip()}", where=folder.settings.data)
