"""A participant's home: what their server is told, their copy of the lesson, their resume word. The same on one machine and in a cluster."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from firstread.core.files import write_bytes, write_text

if TYPE_CHECKING:
    from firstread.classroom.class_folder import ClassFolder, ClassSettings
    from firstread.classroom.database.schema import Participant

WORD_FILE = "my resume word.txt"


def environment_of(
    person: "Participant | None", settings: "ClassSettings", *, home: Path, shared: Path, service: str
) -> dict[str, str]:
    """What a participant's server and its kernels are told.

    Args:
        person: who they are; None gives no groups and the class's own seed.
        home: their folder, as their server sees it.
        shared: the lesson's notebook, kernel and data, as their server sees them.
        service: address of the classroom service, as their server reaches it.
    """
    private = home / ".firstread"
    return {
        "FIRSTREAD_HOME": str(private),
        "FIRSTREAD_SPOOL": str(private / "spool"),
        "FIRSTREAD_LESSON_DATA": settings.data,
        "FIRSTREAD_LESSON_FOLDER": str(home / "results"),
        "FIRSTREAD_ARMS": json.dumps(person.arms if person else {}),
        "FIRSTREAD_SEED": str((settings.seed + (person.number if person else 0)) % 2**31),
        "FIRSTREAD_CLASSROOM": service,
        "JUPYTER_PATH": str(shared / "jupyter"),
        "JUPYTER_CONFIG_PATH": str(shared / "jupyter"),
        "TMPDIR": str(private / "tmp"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",  # a file of theirs is not imported in place of a part of the server
    }


def furnish(home: Path, *, shared: Path, lesson: str) -> Path:
    """A participant's folder with their copy of the lesson; what they have changed stays."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for part in ("", "tmp", "spool"):
        (home / ".firstread" / part).mkdir(mode=0o700, exist_ok=True)
    measured = shared / "machine.json"
    if measured.exists():
        write_bytes(home / ".firstread" / measured.name, measured.read_bytes())
    data = home / ".firstread" / "data"
    if not data.is_symlink() and not data.exists():
        data.symlink_to(shared / "data", target_is_directory=True)
    notebook = home / f"{lesson}.ipynb"
    if not notebook.exists():
        write_bytes(notebook, (shared / "template.ipynb").read_bytes())
    return home


def prepare_home(folder: "ClassFolder", username: str) -> Path:
    """A participant's folder with their copy of the lesson; what they have changed stays. It runs as the participant where that can be."""
    return furnish(folder.home_of(username), shared=folder.path, lesson=folder.settings.lesson)


def keep_word(home: Path, word: str) -> None:
    """Put a resume word beside the notebook, for their eyes only."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_text(
        home / WORD_FILE,
        f"{word}\n\nWith this word and the class's code you come back to your work from any browser.\n",
    )
    (home / WORD_FILE).chmod(0o600)
