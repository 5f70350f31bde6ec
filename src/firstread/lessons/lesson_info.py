"""Find and read lessons on disk: folders with lesson.toml, lesson.py (a notebook as text) and quiz.toml."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError, SettingError, suggest
from firstread.lessons.install_requirement import NAMED_IN_LESSONS, pip_requirement

#: tag of a lesson's cell that installs firstread where it is missing
SETUP_TAG = "setup"
_SOURCE = Path(__file__).resolve().parents[3] / "lessons"
_INSTALLED = Path(__file__).resolve().parents[1] / "_lessons"


@dataclass(frozen=True)
class LessonInfo:
    """Description of a lesson, read from its folder without running it.

    Attributes:
        folder: of its files.
        values: content of lesson.toml.
    """

    folder: Path
    values: dict[str, Any]

    @property
    def name(self) -> str:
        """Identifier, such as "hello-world"."""
        return self.values["name"]

    @property
    def title(self) -> str:
        """Title for display."""
        return self.values["title"]

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Steps of the lesson, each with id, title and minutes."""
        return self.values["steps"]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the supported datasets, the default first."""
        return (self.values["data"], *self.values.get("other_data", ()))

    @property
    def is_on_dicom(self) -> bool:
        """True if the lesson opens DICOM files, not classes of images."""
        return self.values.get("opens") == "dicom"

    @property
    def is_on_archive(self) -> bool:
        """True if the lesson opens DICOM series of many patients, not classes of images."""
        return self.values.get("opens") == "archive"

    def recipe(self, data: str) -> dict[str, Any]:
        """Training settings for a dataset: `[recipe]`, overridden by `[recipes."<data>"]`."""
        return {**self.values.get("recipe", {}), **self.values.get("recipes", {}).get(data, {})}

    def questions(self) -> dict[str, dict[str, Any]]:
        """Questions of quiz.toml by id."""
        file = self.folder / "quiz.toml"
        return {q["id"]: q for q in read_toml(file).get("questions", [])} if file.exists() else {}

    def notebook(self) -> Any:
        """Convert lesson.py into a notebook object (nbformat), always the same one: a cell's id is its place."""
        import jupytext

        notebook = jupytext.read(self.folder / "lesson.py", fmt="py:percent")
        for number, cell in enumerate(notebook.cells, start=1):
            cell["id"] = f"cell-{number:03d}"
            if SETUP_TAG in cell.metadata.get("tags", []):
                cell.source = cell.source.replace(NAMED_IN_LESSONS, pip_requirement(self.values.get("install", "learn")))
        notebook.metadata.pop("jupytext", None)  # of the conversion: its order differs from one process to the next
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.metadata["firstread"] = {"lesson": self.name}
        return notebook


def lessons_folder() -> Path:
    """Folder of the lessons: FIRSTREAD_LESSONS (an instructor's own), else source tree, else installed package."""
    own = os.environ.get("FIRSTREAD_LESSONS")
    if own and not any(Path(own).glob("*/lesson.toml")):
        raise DataError(
            "There is no lesson in the folder that FIRSTREAD_LESSONS names", where=own, expected="NAME/lesson.toml"
        )
    if own:
        return Path(own)
    for folder in (_SOURCE, _INSTALLED):
        if any(folder.glob("*/lesson.toml")):
            return folder
    raise DataError("The lessons are missing", where=_INSTALLED, do="install firstread again")


def find_lessons(folder: Path | None = None) -> list[LessonInfo]:
    """Find all lessons, sorted by folder name."""
    return [_read_lesson(file.parent) for file in sorted((folder or lessons_folder()).glob("*/lesson.toml"))]


def find_lesson(name: str, folder: Path | None = None) -> LessonInfo:
    """Find a lesson by name ("hello-world") or number ("1").

    Raises:
        SettingError: no lesson has that name.
    """
    lessons = find_lessons(folder)
    for number, info in enumerate(lessons, start=1):
        if name in (info.name, str(number), info.folder.name):
            return info
    names = [info.name for info in lessons]
    raise SettingError(f'There is no lesson called "{name}".{suggest(name, names)}', do="see `firstread lessons`")


def get_step_id(cell: Any) -> str | None:
    """Step id in a notebook cell's tag `step-...`; None without such a tag."""
    return next((tag.removeprefix("step-") for tag in cell.metadata.get("tags", []) if tag.startswith("step-")), None)


def _read_lesson(folder: Path) -> LessonInfo:
    values = read_toml(folder / "lesson.toml")
    missing = [key for key in ("name", "title", "minutes", "data", "steps") if key not in values]
    if missing:
        raise DataError(f"The lesson lacks {', '.join(missing)}", where=folder / "lesson.toml")
    return LessonInfo(folder, values)


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file of a lesson.

    Raises:
        DataError: it cannot be read, or is not valid TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise DataError("The lesson's description cannot be read", where=file, expected="valid TOML") from error
