"""Files shared by all participants of a class: notebook template, kernel specification, server settings and data."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from firstread import lessons
from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.participant.labextension import install_labextension
from firstread.core.files import write_bytes, write_json
from firstread.lessons.buttons import strip_widget_views
from firstread.lessons.lesson_info import SETUP_TAG, LessonInfo, find_lesson
from firstread.lessons.page_extension import install_lesson_extension

#: what JupyterLab calls that which the class bar does with one button; a lesson's lines may break anywhere
_RESTART = re.compile(r"choose\s+\*Kernel\s+→\s+Restart\s+Kernel\s+and\s+Run\s+up\s+to\s+Selected\s+Cell\*")
_RESTART_IN_CLASS = "press **Restart and catch up** above"


@dataclass(frozen=True)
class ImageSettings:
    """Settings of a container image: a lesson and its data set."""

    lesson: str
    data: str


@dataclass(frozen=True)
class ContainerImageFolder:
    """Folder of shared files inside a container image, which belongs to no class yet."""

    path: Path
    settings: ImageSettings

    @property
    def lesson(self) -> LessonInfo:
        """The lesson of this container image."""
        return find_lesson(self.settings.lesson)


def prepare_shared_files(folder: ClassFolder | ContainerImageFolder, *, with_data: bool = True) -> None:
    """Write the files that all participants share, readable by every user: notebook, kernel, settings and data."""
    template, jupyter = folder.path / "template.ipynb", folder.path / "jupyter"
    if not template.exists():
        write_template(template, folder.lesson)
    _write_kernel_spec(jupyter / "kernels" / "python3" / "kernel.json")
    _write_server_config(jupyter / "jupyter_server_config.json")
    install_labextension(jupyter)
    install_lesson_extension(jupyter)
    # as with `firstread open`: JupyterLab shows and fetches no news
    overrides = (Path(lessons.__file__).parent / "jupyter" / "overrides.json").read_bytes()
    write_bytes(jupyter / "labconfig" / "default_setting_overrides.json", overrides)
    # nothing that only fails: see the server's authorizer and `extension_manager`
    disabled = ("@jupyterlab/notebook-extension:export", "@jupyterlab/extensionmanager-extension:plugin")
    write_json(jupyter / "labconfig" / "page_config.json", {"disabledExtensions": dict.fromkeys(disabled, True)})
    # servers have this folder as their own for configuration, and would move what is left of IPython 3 into it
    write_bytes(jupyter / "migrated", b"")
    if with_data:
        _download_data(folder)
    for shared in (template, jupyter, folder.path / "data"):
        for path in (shared, *shared.rglob("*")) if shared.exists() else ():  # participants may be other users
            path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


def write_template(path: Path, lesson: LessonInfo) -> None:
    """Write the lesson's notebook as a class has it: in the class's words, without the cell that installs firstread."""
    import nbformat

    notebook = lesson.notebook()
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _RESTART.sub(_RESTART_IN_CLASS, cell.source)
    notebook.cells = [cell for cell in notebook.cells if SETUP_TAG not in cell.metadata.get("tags", [])]
    write_bytes(path, nbformat.writes(notebook).encode("utf-8"))


def _write_kernel_spec(path: Path) -> None:
    # without a history of outputs, which would keep every figure in memory
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    # figures in the notebook: the zygote imports matplotlib before ipykernel could choose that
    command += ["--ext=firstread.lessons.events", "--ext=firstread.lessons.notebook_errors"]
    command += ["--InteractiveShell.cache_size=0", "--matplotlib=inline"]
    spec = {
        "argv": command,
        "display_name": "Python 3",
        "language": "python",
        "interrupt_mode": "message",
        "metadata": {"debugger": False, "kernel_provisioner": {"provisioner_name": "firstread-class"}},
    }
    write_json(path, spec)


def _write_server_config(path: Path) -> None:
    disabled = ("jupyter_lsp", "jupyter_server_terminals", "jupyterlab_jupytext")
    extensions = {"firstread.classroom.participant.event_uploader": True, **dict.fromkeys(disabled, False)}
    config = {
        "ServerApp": {
            "jpserver_extensions": extensions,
            "terminals_enabled": False,
            "authorizer_class": "firstread.classroom.participant.authorizer.ParticipantAuthorizer",
            # participants' servers run as the user who starts the class where they cannot be isolated
            "allow_root": hasattr(os, "geteuid") and os.geteuid() == 0,
        },
        "ContentsManager": {"pre_save_hook": f"{strip_widget_views.__module__}.{strip_widget_views.__name__}"},
        "LabApp": {"extension_manager": "readonly"},
        # another kernel specification would be started outside the sandbox, with the server's secrets
        "KernelSpecManager": {"allowed_kernelspecs": ["python3"], "ensure_native_kernel": False},
        "KernelManager": {"transport": "ipc"},
        "ConnectionFileMixin": {"transport": "ipc"},
    }
    write_json(path, config)


def _download_data(folder: ClassFolder | ContainerImageFolder) -> None:
    """Download or simulate the lesson's data in a subprocess, because the hub does not need the modules for that."""
    import subprocess

    from firstread.core.errors import DataError

    result = subprocess.run(  # noqa: S603 - our own command, no shell
        [sys.executable, "-m", "firstread", "data", "get", folder.settings.data],
        env={**os.environ, "FIRSTREAD_HOME": str(folder.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise DataError(f"The lesson's data cannot be had: {result.stderr.strip()}", where=folder.settings.data)
