"""What a learner has done in a lesson: steps, answers and results, as JSON in the lesson's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstread.core.files import read_json, write_json


@dataclass(frozen=True)
class ResultFile:
    """`result.json` of a lesson.

    Attributes:
        path: the file; it is created with the first entry.
        header: what it says first: lesson, data, seed.
    """

    path: Path
    header: dict[str, Any]

    def read(self, part: str) -> dict[str, Any]:
        """One part of it: "steps", "answers", "reading", "results" or "files"; empty if nothing was recorded."""
        return dict(read_json(self.path).get(part, {})) if self.path.exists() else {}

    def update(self, part: str, values: dict[str, Any]) -> None:
        """Add values to a part, or replace them."""
        result = read_json(self.path) if self.path.exists() else dict(self.header)
        result.setdefault(part, {}).update(values)
        write_json(self.path, result)
