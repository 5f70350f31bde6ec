"""What a lesson asks outside its notebook: test.toml, a quiz before and after it and weeks later, and survey.toml, a short survey."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError
from firstread.lessons.lesson_info import LessonInfo, read_toml

_LETTERS = "abcdefgh"


@dataclass(frozen=True)
class Item:
    """One question with one right answer.

    Attributes:
        concept: the question of quiz.toml that teaches it.
        right: number of the right option, from 0.
        because: why, shown only after the quiz that follows the lesson.
    """

    id: str
    concept: str
    text: str
    options: tuple[str, ...]
    right: int
    because: str


@dataclass(frozen=True)
class Quiz:
    """The questions of a lesson's quizzes.

    Attributes:
        closes: the step from which on it is too late to ask what was known before.
        days: after the lesson, when the last quiz is due.
    """

    items: tuple[Item, ...]
    closes: str
    days: int


@dataclass(frozen=True)
class Survey:
    """Statements that a participant agrees with or not.

    Attributes:
        statements: id -> text.
        scale: words for 1, 2, ... from the least to the most agreement.
        comment: what the one free answer is about.
    """

    statements: dict[str, str]
    scale: tuple[str, ...]
    comment: str


def quiz_of(info: LessonInfo) -> Quiz | None:
    """The quiz of a lesson; None where it has none.

    Raises:
        DataError: something is missing in test.toml, or an answer is none of the options.
    """
    file = info.folder / "test.toml"
    return _read_quiz(file, file.stat().st_mtime_ns) if file.exists() else None


@lru_cache
def _read_quiz(file: Path, _: int) -> Quiz:
    """Read once, until the file changes."""
    values = read_toml(file)
    try:
        items = tuple(_item(one) for one in values["items"])
        return Quiz(items=items, closes=str(values["closes"]), days=int(values["days"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "The lesson's quiz cannot be used", where=file,
            expected="closes, days, and [[items]] with id, concept, text, options, answer (a letter) and because",
        ) from error  # fmt: skip


def survey_of(info: LessonInfo) -> Survey | None:
    """The survey of a lesson; None where it has none.

    Raises:
        DataError: something is missing in survey.toml.
    """
    file = info.folder / "survey.toml"
    return _read_survey(file, file.stat().st_mtime_ns) if file.exists() else None


@lru_cache
def _read_survey(file: Path, _: int) -> Survey:
    """Read once, until the file changes."""
    values = read_toml(file)
    try:
        statements = {str(one["id"]): str(one["text"]) for one in values["statements"]}
        return Survey(statements, tuple(map(str, values["scale"])), str(values["comment"]))
    except (KeyError, TypeError) as error:
        raise DataError(
            "The lesson's survey cannot be used", where=file, expected="scale, comment, and [[statements]] with id and text"
        ) from error  # fmt: skip


def _item(values: dict[str, Any]) -> Item:
    options = tuple(map(str, values["options"]))
    right = _LETTERS.index(values["answer"])
    if right >= len(options):
        raise ValueError("the answer is none of the options")
    text = {name: str(values[name]) for name in ("id", "concept", "text", "because")}
    return Item(options=options, right=right, **text)
