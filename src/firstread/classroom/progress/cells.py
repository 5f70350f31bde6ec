"""The lesson's cells, so that "cell-009" can be called what the instructor knows it by."""

from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

from firstread.classroom.class_folder import ClassFolder
from firstread.core.files import read_json
from firstread.lessons.lesson_info import step_of

MOST_CHARACTERS = 90


@dataclass(frozen=True)
class Cell:
    """A cell of the lesson.

    Attributes:
        number: in the notebook, from 1; 0 for a cell that the lesson does not have.
        step: that it belongs to; empty before the first.
        line: the first line of its source that says something.
    """

    number: int
    step: str
    line: str

    def __str__(self) -> str:
        return ("a cell of their own" if not self.number else f"cell {self.number}") + (
            f", {self.step}" if self.step else ""
        )


class Cells:
    """The cells of a class's lesson by id."""

    def __init__(self, folder: ClassFolder) -> None:
        self._file = folder.path / "template.ipynb"
        self._cells: dict[str, Cell] = {}
        self._read_at: int | None = None

    def find(self, identity: str) -> Cell:
        """The cell of this id; one that a participant made is called so."""
        self._read()
        return self._cells.get(identity) or Cell(0, "", "")

    def plain(self, identity: str) -> dict[str, Any]:
        """The same as plain values, with its name."""
        return {**asdict(self.find(identity)), "name": str(self.find(identity))}

    def _read(self) -> None:
        """Once, and again should the lesson be prepared anew."""
        try:
            changed = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed == self._read_at:
            return
        cells, step = {}, ""
        for number, cell in enumerate(
            read_json(self._file)["cells"], start=1
        ):  # our own file: no need to check it, which is slow
            step = step_of(SimpleNamespace(metadata=cell.get("metadata", {}))) or step
            cells[cell["id"]] = Cell(number, step, _first_line("".join(cell["source"])))
        self._cells, self._read_at = cells, changed


def _first_line(source: str) -> str:
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("#")] or lines or [""]
    return telling[0][:MOST_CHARACTERS]
