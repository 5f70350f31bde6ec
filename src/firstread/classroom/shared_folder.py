"""Files that all participants of a class share: the lesson's notebook, its kernel specification, server settings and data."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from firstread import lessons
from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.participant.labextension import put_bar
from firstread.core.files import write_bytes, write_json
from firstread.lessons.lesson_info import LessonInfo, find_lesson


@dataclass(frozen=True)
class LessonChoice:
    """A lesson and the data that it runs on."""

    lesson: str
    data: str


@dataclass(frozen=True)
class ImageFolder:
    """What an image holds before there is a class: the lesson's notebook, its kernel and its data."""

    path: Path
    settings: LessonChoice

    @property
    def lesson(self) -> LessonInfo:
        """The lesson of this image."""
        return find_lesson(self.settings.lesson)


def prepare_class(folder: ClassFolder | ImageFolder, *, with_data: bool = True) -> None:
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
    kernel += ["--ext=firstread.lessons.events", "--InteractiveShell.cache_size=0"]
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
                    "firstread.classroom.participant.event_uploader": True,
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


def _fetch_data(folder: ClassFolder | ImageFolder) -> None:
    """The lesson's data, once for all: downloaded or simulated by a process of its own, because the hub has no use for what that needs."""
    import subprocess

    from firstread.core.errors import DataError

    done = subprocess.run(  # noqa: S603 - our own command, no shell
        [sys.executable, "-m", "firstread", "data", "get", folder.settings.data],
        env={**os.environ, "FIRSTREAD_HOME": str(folder.path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise DataError(f"The lesson's data cannot be had: {done.stderr.strip()}", where=folder.settings.data)
