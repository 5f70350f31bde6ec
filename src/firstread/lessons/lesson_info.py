"""Lessons on disk: a folder with lesson.toml, lesson.py (a notebook as text) and quiz.toml."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError, SettingError, suggest

_SOURCE = Path(__file__).resolve().parents[3] / "lessons"
_INSTALLED = Path(__file__).resolve().parents[1] / "_lessons"


@dataclass(frozen=True)
class LessonInfo:
    """What is known of a lesson before it runs.

    Attributes:
        folder: where its files lie.
        values: lesson.toml.
    """

    folder: Path
    values: dict[str, Any]

    @property
    def name(self) -> str:
        """Such as "hello-world"."""
        return self.values["name"]

    @property
    def title(self) -> str:
        """For people."""
        return self.values["title"]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """id, title and minutes of each step."""
        return self.values["steps"]

    @property
    def data_sets(self) -> tuple[str, ...]:
        """The default first, then the others that the lesson is made for."""
        return (self.values["data"], *self.values.get("other_data", ()))

    def recipe(self, data: str) -> dict[str, Any]:
        """How the network is trained; what `[recipes."<data>"]` says goes before `[recipe]`."""
        return {**self.values.get("recipe", {}), **self.values.get("recipes", {}).get(data, {})}

    def questions(self) -> dict[str, dict[str, Any]]:
        """id -> question, from quiz.toml."""
        file = self.folder / "quiz.toml"
        return {q["id"]: q for q in read_toml(file).get("questions", [])} if file.exists() else {}

    def notebook(self) -> Any:
        """The lesson as a notebook object (nbformat)."""
        import jupytext

        notebook = jupytext.read(self.folder / "lesson.py", fmt="py:percent")
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.metadata["firstread"] = {"lesson": self.name}
        return notebook


def lessons_folder() -> Path:
    """Where the lessons lie: in FIRSTREAD_LESSONS, an instructor's own folder; else in the source tree, or in the installed package."""
    own = os.environ.get("FIRSTREAD_LESSONS")
    if own and not any(Path(own).glob("*/lesson.toml")):
        raise DataError("There is no lesson in the folder that FIRSTREAD_LESSONS names", where=own, expected="NAME/lesson.toml")
    if own:
        return Path(own)
    for folder in (_SOURCE, _INSTALLED):
        if any(folder.glob("*/lesson.toml")):
            return folder
    raise DataError("The lessons are missing", where=_INSTALLED, do="install firstread again")


def find_lessons(folder: Path | None = None) -> list[LessonInfo]:
    """All lessons, in the order of their folders."""
    return [_read(file.parent) for file in sorted((folder or lessons_folder()).glob("*/lesson.toml"))]


def find_lesson(name: str, folder: Path | None = None) -> LessonInfo:
    """One lesson by name ("hello-world") or number ("1").

    Raises:
        SettingError: there is none of that name.
    """
    lessons = find_lessons(folder)
    for number, info in enumerate(lessons, start=1):
        if name in (info.name, str(number), info.folder.name):
            return info
    names = [info.name for info in lessons]
    raise SettingError(f'There is no lesson called "{name}".{suggest(name, names)}', do="see `firstread lessons`")


def step_of(cell: Any) -> str | None:
    """The step that a notebook's cell begins, by its tag `step-...`; None if it begins none."""
    return next((tag.removeprefix("step-") for tag in cell.metadata.get("tags", []) if tag.startswith("step-")), None)


def _read(folder: Path) -> LessonInfo:
    values = read_toml(folder / "lesson.toml")
    missing = [key for key in ("name", "title", "minutes", "data", "steps") if key not in values]
    if missing:
        raise DataError(f"The lesson lacks {', '.join(missing)}", where=folder / "lesson.toml")
    return LessonInfo(folder, values)


def read_toml(file: Path) -> dict[str, Any]:
    """A file of a lesson's description, or a sentence on why it cannot be read."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise DataError("The lesson's description cannot be read", where=file, expected="valid TOML") from error
