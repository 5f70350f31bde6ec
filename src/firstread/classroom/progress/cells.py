"""Cells of a class's lesson by cell id, to name "cell-009" as the instructor knows it: number, step and first line."""

from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

from firstread.classroom.class_folder import ClassFolder
from firstread.core.files import read_json
from firstread.lessons.lesson_info import get_step_id

MAX_LINE_CHARACTERS = 90


@dataclass(frozen=True)
class Cell:
    """A cell of the lesson.

    Attributes:
        number: position in the notebook, from 1; 0 for a cell that the lesson does not have.
        step: id of the step that it belongs to; empty before the first step.
        line: first line of its source that is neither empty nor a comment.
    """

    number: int
    step: str
    line: str

    def __str__(self) -> str:
        name = f"cell {self.number}" if self.number else "a cell of their own"
        return name + (f", {self.step}" if self.step else "")


class Cells:
    """The cells of a class's lesson by id."""

    def __init__(self, folder: ClassFolder) -> None:
        self._file = folder.path / "template.ipynb"
        self._cells: dict[str, Cell] = {}
        self._mtime_ns: int | None = None

    def find(self, cell_id: str) -> Cell:
        """Find a cell by id; an unknown id gives a cell with number 0, which a participant has added."""
        self._load()
        return self._cells.get(cell_id) or Cell(0, "", "")

    def to_dict(self, cell_id: str) -> dict[str, Any]:
        """The cell of this id as a dictionary, with its name."""
        return {**asdict(self.find(cell_id)), "name": str(self.find(cell_id))}

    def _load(self) -> None:
        """Read the notebook, if it has changed since the last time."""
        try:
            mtime_ns = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if mtime_ns == self._mtime_ns:
            return
        cells, step = {}, ""
        # plain JSON, since nbformat would validate the notebook, which is slow; the file is our own
        for number, cell in enumerate(read_json(self._file)["cells"], start=1):
            step = get_step_id(SimpleNamespace(metadata=cell.get("metadata", {}))) or step
            cells[cell["id"]] = Cell(number, step, _first_line("".join(cell["source"])))
        self._cells, self._mtime_ns = cells, mtime_ns


def _first_line(source: str) -> str:
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    code_lines = [line for line in lines if not line.startswith("#")] or lines or [""]
    return code_lines[0][:MAX_LINE_CHARACTERS]
