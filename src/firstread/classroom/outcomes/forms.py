"""A quiz and a survey as forms: shown in an order of each participant's own, and read back."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from firstread.classroom.database.answers import COMMENT, MOST_COMMENT
from firstread.lessons.questionnaires import Item, Quiz, Survey

#: what is sent for "I do not know"; it stands last
NOT_KNOWN = "x"


@dataclass(frozen=True)
class Question:
    """One item as one participant sees it.

    Attributes:
        name: of the form's field; says nothing about the item.
        options: words and what is sent for them; the order is the participant's own.
        chosen: what they chose before something was missing.
    """

    item: Item
    name: str
    options: tuple[tuple[str, str], ...]
    chosen: str | None = None


def questions_for(quiz: Quiz, *, who: str, occasion: str, typed: Mapping[str, str] | None = None) -> list[Question]:
    """The quiz for one participant; the same for them each time they open it.

    Args:
        who: says who they are; with the occasion it decides the order.
        typed: what they have chosen so far.
    """
    rng = np.random.default_rng(list(hashlib.sha256(f"{who}\0{occasion}".encode()).digest()))
    shown = []
    for number, place in enumerate(rng.permutation(len(quiz.items)), start=1):
        item = quiz.items[place]
        order = rng.permutation(len(item.options))
        options = tuple((item.options[one], f"{position}") for position, one in enumerate(order))
        name = f"q{number}"
        shown.append(Question(item, name, options, (typed or {}).get(name)))
    return shown


def read_quiz(questions: list[Question]) -> tuple[dict[str, int | None], list[str]]:
    """item -> number of the option that was chosen, and the names of those that were not answered."""
    chosen: dict[str, int | None] = {}
    missing = []
    for question in questions:
        words = {value: text for text, value in question.options}
        if question.chosen == NOT_KNOWN:
            chosen[question.item.id] = None
        elif question.chosen in words:
            chosen[question.item.id] = question.item.options.index(words[question.chosen])
        else:
            missing.append(question.name)
    return chosen, missing


def read_survey(survey: Survey, typed: Mapping[str, str]) -> tuple[dict[str, int], str, list[str]]:
    """Statement -> value, the comment, and what is missing: statements without an answer, or the comment if it is too long."""
    allowed = {f"{number}" for number in range(1, len(survey.scale) + 1)}
    agreed = {name: int(typed[name]) for name in survey.statements if typed.get(name) in allowed}
    comment = typed.get(COMMENT, "").replace("\r\n", "\n")
    missing = [name for name in survey.statements if name not in agreed]
    return agreed, comment, missing + ([COMMENT] if len(comment) > MOST_COMMENT else [])
