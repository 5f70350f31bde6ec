"""HTML form data of quiz and survey: items and options in random order for each participant, and parsing of answers."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from firstread.classroom.database.answers import COMMENT_QUESTION, MAX_COMMENT_CHARACTERS
from firstread.lessons.questionnaires import Item, Quiz, Survey

#: form value of the option "I do not know", which is always the last
NOT_KNOWN = "x"


@dataclass(frozen=True)
class Question:
    """One item of the quiz as a field of one participant's form.

    Attributes:
        name: of the form's field; independent of the item.
        options: text and form value of each option, in the participant's order.
        chosen: form value that was chosen when the form was sent before; None if there was none.
    """

    item: Item
    name: str
    options: tuple[tuple[str, str], ...]
    chosen: str | None = None


def questions_for(quiz: Quiz, *, username: str, occasion: str, form: Mapping[str, str] | None = None) -> list[Question]:
    """Questions of a quiz in the participant's random order, the same at each call.

    Args:
        username: with the occasion, the seed of the order.
        form: field name -> value of the form as sent before.
    """
    rng = np.random.default_rng(list(hashlib.sha256(f"{username}\0{occasion}".encode()).digest()))
    questions = []
    for number, item_index in enumerate(rng.permutation(len(quiz.items)), start=1):
        item = quiz.items[item_index]
        order = rng.permutation(len(item.options))
        options = tuple((item.options[option_index], f"{position}") for position, option_index in enumerate(order))
        name = f"q{number}"
        questions.append(Question(item, name, options, (form or {}).get(name)))
    return questions


def parse_quiz_form(questions: list[Question]) -> tuple[dict[str, int | None], list[str]]:
    """Parse the answers of a quiz form.

    Returns:
        Item id -> index of the chosen option (None for "I do not know"), and names of the fields without an answer.
    """
    chosen: dict[str, int | None] = {}
    missing = []
    for question in questions:
        texts = {value: text for text, value in question.options}
        if question.chosen == NOT_KNOWN:
            chosen[question.item.id] = None
        elif question.chosen in texts:
            chosen[question.item.id] = question.item.options.index(texts[question.chosen])
        else:
            missing.append(question.name)
    return chosen, missing


def parse_survey_form(survey: Survey, form: Mapping[str, str]) -> tuple[dict[str, int], str, list[str]]:
    """Parse the answers of a survey form.

    Returns:
        Statement -> rating, the comment, and names of fields to correct: statements without a rating, a comment that is
        too long.
    """
    allowed = {f"{number}" for number in range(1, len(survey.scale) + 1)}
    ratings = {name: int(form[name]) for name in survey.statements if form.get(name) in allowed}
    comment = form.get(COMMENT_QUESTION, "").replace("\r\n", "\n")
    missing = [name for name in survey.statements if name not in ratings]
    return ratings, comment, missing + ([COMMENT_QUESTION] if len(comment) > MAX_COMMENT_CHARACTERS else [])
