"""A participant's home folder: their copy of the lesson, their resume word, and their server's environment.

The same on one machine and in a cluster.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.files import write_bytes, write_text

if TYPE_CHECKING:
    from firstread.classroom.class_folder import ClassFolder, ClassSettings
    from firstread.classroom.database.schema import Participant

RESUME_WORD_FILE = "my resume word.txt"
#: measured by firstread.learning.hardware, once for all participants
HARDWARE_FILE = "machine.json"


def build_server_environment(
    participant: "Participant | None", settings: "ClassSettings", *, home: Path, shared: Path, service_url: str
) -> dict[str, str]:
    """Environment variables of a participant's server and its kernels.

    Args:
        participant: None gives no arms and the class's own seed.
        home: path of their home, as their server sees it.
        shared: path of the lesson's notebook, kernel and data, as their server sees it.
        service_url: of the classroom service, as their server reaches it.
    """
    private = home / ".firstread"
    return {
        "FIRSTREAD_HOME": str(private),
        "FIRSTREAD_SPOOL": str(private / "spool"),
        "FIRSTREAD_LESSON_DATA": settings.data,
        "FIRSTREAD_LESSON_FOLDER": str(home / "results"),
        "FIRSTREAD_ARMS": json.dumps(participant.arms if participant else {}),
        "FIRSTREAD_SEED": str((settings.seed + (participant.number if participant else 0)) % 2**31),
        "FIRSTREAD_CLASSROOM": service_url,
        "JUPYTER_PATH": str(shared / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(shared / "jupyter"),
        "JUPYTER_CONFIG_DIR": str(shared / "jupyter"),  # what JupyterLab reads from there becomes part of its page
        "JUPYTERLAB_SETTINGS_DIR": str(home / ".jupyter" / "lab" / "user-settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / ".jupyter" / "lab" / "workspaces"),
        "TMPDIR": str(private / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",  # the server does not import a participant's files in place of its own modules
    }


def create_home(home: Path, *, shared: Path, lesson: str) -> Path:
    """Create a participant's home with their copy of the lesson; files that exist stay as they are."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("", "tmp", "spool"):
        (home / ".firstread" / name).mkdir(mode=0o700, exist_ok=True)
    hardware = shared / HARDWARE_FILE
    if hardware.exists():
        write_bytes(home / ".firstread" / hardware.name, hardware.read_bytes())
    data = home / ".firstread" / "data"
    if not data.is_symlink() and not data.exists():
        data.symlink_to(shared / "data", target_is_directory=True)
    notebook = home / f"{lesson}.ipynb"
    if not notebook.exists():
        write_bytes(notebook, (shared / "template.ipynb").read_bytes())
    return home


def prepare_home(folder: "ClassFolder", username: str) -> Path:
    """`create_home` for a participant of a class on one machine; runs as the participant's own user where possible."""
    return create_home(folder.home_of(username), shared=folder.path, lesson=folder.settings.lesson)


def write_resume_word(home: Path, word: str) -> None:
    """Write a participant's resume word into their home, readable by them only."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_text(
        home / RESUME_WORD_FILE,
        f"{word}\n\nWith this word and the class's code you come back to your work from any browser.\n",
    )
    (home / RESUME_WORD_FILE).chmod(0o600)
