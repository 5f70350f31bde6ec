"""Questionnaires of a lesson: the quiz before, after and weeks later (test.toml), and the survey (survey.toml)."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError
from firstread.lessons.lesson_info import LessonInfo, read_toml

_LETTERS = "abcdefgh"


@dataclass(frozen=True)
class Item:
    """Multiple-choice quiz item with one correct option.

    Attributes:
        concept: id of the question in quiz.toml that teaches it.
        correct_index: index of the correct option, from 0.
        explanation: shown only after the quiz that follows the lesson.
    """

    id: str
    concept: str
    text: str
    options: tuple[str, ...]
    correct_index: int
    explanation: str


@dataclass(frozen=True)
class Quiz:
    """Quiz of a lesson, the same items on each occasion.

    Attributes:
        closing_step: step from which on the quiz before the lesson is closed.
        followup_days: days from the lesson until the last quiz is due.
    """

    items: tuple[Item, ...]
    closing_step: str
    followup_days: int


@dataclass(frozen=True)
class Survey:
    """Likert survey of a lesson.

    Attributes:
        statements: id -> text.
        scale: labels of 1, 2, ... from the least to the most agreement.
        comment: question of the one free-text answer.
    """

    statements: dict[str, str]
    scale: tuple[str, ...]
    comment: str


def load_quiz(info: LessonInfo) -> Quiz | None:
    """Load the quiz of a lesson (test.toml); None without one.

    Raises:
        DataError: a key is missing in test.toml, or an answer is none of the options.
    """
    file = info.folder / "test.toml"
    return _read_quiz(file, file.stat().st_mtime_ns) if file.exists() else None


@lru_cache
def _read_quiz(file: Path, _mtime_ns: int) -> Quiz:
    """Read test.toml, cached until its modification time changes."""
    values = read_toml(file)
    try:
        items = tuple(_parse_item(item) for item in values["items"])
        return Quiz(items=items, closing_step=str(values["closes"]), followup_days=int(values["days"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            "The lesson's quiz cannot be used",
            where=file,
            expected="closes, days, and [[items]] with id, concept, text, options, answer (a letter) and because",
        ) from error


def load_survey(info: LessonInfo) -> Survey | None:
    """Load the survey of a lesson (survey.toml); None without one.

    Raises:
        DataError: a key is missing in survey.toml.
    """
    file = info.folder / "survey.toml"
    return _read_survey(file, file.stat().st_mtime_ns) if file.exists() else None


@lru_cache
def _read_survey(file: Path, _mtime_ns: int) -> Survey:
    """Read survey.toml, cached until its modification time changes."""
    values = read_toml(file)
    try:
        statements = {str(statement["id"]): str(statement["text"]) for statement in values["statements"]}
        return Survey(statements, tuple(map(str, values["scale"])), str(values["comment"]))
    except (KeyError, TypeError) as error:
        raise DataError(
            "The lesson's survey cannot be used",
            where=file,
            expected="scale, comment, and [[statements]] with id and text",
        ) from error


def _parse_item(values: dict[str, Any]) -> Item:
    options = tuple(map(str, values["options"]))
    correct_index = _LETTERS.index(values["answer"])
    if correct_index >= len(options):
        raise ValueError("the answer is none of the options")
    return Item(
        id=str(values["id"]),
        concept=str(values["concept"]),
        text=str(values["text"]),
        options=options,
        correct_index=correct_index,
        explanation=str(values["because"]),
    )
