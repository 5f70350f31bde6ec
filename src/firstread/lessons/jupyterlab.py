"""Open the learner's own copy of a lesson in JupyterLab on localhost (`firstread open`)."""

import os
import subprocess
import sys
import zlib
from datetime import datetime
from pathlib import Path

from firstread.core.errors import MissingDependencyError
from firstread.core.files import write_json, write_text
from firstread.core.paths import home_folder
from firstread.lessons.buttons import strip_widget_views
from firstread.lessons.lesson_info import find_lesson
from firstread.lessons.page_extension import install_lesson_extension

#: environment variable with the address that JupyterLab listens at, for containers
LISTEN_IP = "FIRSTREAD_LISTEN_IP"


def open_lesson(
    name: str, *, folder: str | Path | None = None, fresh: bool = False, browser: bool = True, port: int = 0
) -> int:
    """Copy a lesson to the learner's folder (unless it is there already) and start JupyterLab on it.

    Args:
        name: of the lesson.
        folder: of the learner's copy; default `firstread-lessons` in the current folder.
        fresh: make a new, dated copy; the old one is kept.
        browser: False prints the URL and opens no browser.
        port: 0 chooses a free one.

    Returns:
        JupyterLab's exit status, when it ends.

    Raises:
        MissingDependencyError: JupyterLab is not installed.
    """
    from importlib.util import find_spec

    if find_spec("jupyterlab") is None:
        raise MissingDependencyError(
            "JupyterLab is not installed", do='run: python -m pip install "firstread[all]", or see `firstread doctor`'
        )
    copy = copy_lesson(name, folder=Path(folder) if folder else Path.cwd() / "firstread-lessons", fresh=fresh)
    command, environment = jupyterlab_command(copy, browser=browser, port=port), jupyterlab_environment(copy)
    print(f"Your copy: {copy}\nTo end: press Ctrl+C here, or choose File > Shut Down in the browser.", flush=True)
    return subprocess.call(command, env=environment)  # noqa: S603 - fixed arguments and a path of ours


def copy_lesson(name: str, *, folder: Path, fresh: bool = False) -> Path:
    """Path of the learner's notebook, created if missing and never overwritten."""
    import nbformat

    info = find_lesson(name)
    copy = folder / f"{info.name}.ipynb"
    if fresh and copy.exists():
        copy = folder / f"{info.name}-{datetime.now():%Y%m%d-%H%M%S}.ipynb"
    if not copy.exists():
        write_text(copy, nbformat.writes(info.notebook()))
    return copy


def jupyterlab_command(notebook: Path, *, browser: bool = True, port: int = 0) -> list[str]:
    """Command line of JupyterLab: on localhost only, with a token, without requests to the internet.

    In a container localhost is the container's own: there FIRSTREAD_LISTEN_IP names the address to listen at.
    """
    options = [
        f"--ServerApp.ip={os.environ.get(LISTEN_IP, '127.0.0.1')}",
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={notebook.parent}",
        f"--LabApp.default_url=/lab/tree/{notebook.name}",
        f"--ServerApp.open_browser={browser}",
        f"--LabApp.app_settings_dir={Path(__file__).parent / 'jupyter'}",
        f"--ContentsManager.pre_save_hook={strip_widget_views.__module__}.{strip_widget_views.__name__}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--ServerApp.allow_root=True")
    return [sys.executable, "-m", "jupyterlab", *options]


def jupyterlab_environment(notebook: Path) -> dict[str, str]:
    """Environment of JupyterLab: with the look of a lesson, a kernel that explains errors, a workspace of its own.

    A workspace holds the tabs that are open: another lesson opens without those of this one.
    """
    folder = home_folder() / "jupyter"
    install_lesson_extension(folder)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    command.append("--ext=firstread.lessons.notebook_errors")
    kernel = {"argv": command, "display_name": "Python 3", "language": "python"}
    write_json(folder / "kernels" / "python3" / "kernel.json", kernel)
    workspace = f"{notebook.stem}-{zlib.crc32(str(notebook.resolve()).encode()):08x}"
    others = os.environ.get("JUPYTER_PATH")
    return {
        **os.environ,
        "JUPYTER_PATH": os.pathsep.join([str(folder), *([others] if others else [])]),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces" / workspace),
    }
