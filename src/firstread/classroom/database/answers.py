"""Answers of participants in quizzes and in the survey; the first answers count and are never overwritten."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from firstread.classroom.database.schema import Base, QuizAnswer, SurveyAnswer
from firstread.classroom.database.store import Store
from firstread.core.errors import FirstreadError
from firstread.lessons.questionnaires import Item, Survey

Occasion = Literal["pre", "post", "retention"]
OCCASIONS: tuple[Occasion, ...] = ("pre", "post", "retention")
COMMENT_QUESTION, MAX_COMMENT_CHARACTERS = "comment", 500


class AlreadyAnsweredError(FirstreadError):
    """The participant has answered this quiz or survey before."""


def save_quiz_answers(
    store: Store, participant_id: int, occasion: Occasion, *, items: Sequence[Item], chosen: Mapping[str, int | None]
) -> int:
    """Save all answers of a quiz.

    Args:
        chosen: item id -> index of the option, from 0; None for "I do not know".

    Returns:
        Number of correct answers.

    Raises:
        AlreadyAnsweredError: the participant has answered this quiz before.
    """
    now = datetime.now(UTC)
    common = {"participant_id": participant_id, "occasion": occasion, "answered": now}
    rows = [
        QuizAnswer(item=item.id, chosen=chosen[item.id], right=chosen[item.id] == item.correct_index, **common)
        for item in items
    ]
    _insert_answers(store, rows, "You have answered this quiz before; your first answers count")
    return sum(row.right for row in rows)


def save_survey_answers(
    store: Store, participant_id: int, *, survey: Survey, ratings: Mapping[str, int], comment: str
) -> None:
    """Save a survey: a rating for each statement, and the comment if there is one.

    Raises:
        AlreadyAnsweredError: the participant has answered it before.
    """
    now = datetime.now(UTC)
    rows = [
        SurveyAnswer(participant_id=participant_id, question=name, value=ratings[name], text=None, answered=now)
        for name in survey.statements
    ]
    text = comment.strip()[:MAX_COMMENT_CHARACTERS] or None
    rows.append(
        SurveyAnswer(participant_id=participant_id, question=COMMENT_QUESTION, value=None, text=text, answered=now)
    )
    _insert_answers(store, rows, "You have answered the survey before; your first answers count")


def load_quiz_answers(store: Store, participant_id: int | None = None) -> list[QuizAnswer]:
    """Quiz answers of all participants or of one, in the order in which they were saved."""
    query = select(QuizAnswer).order_by(QuizAnswer.id)
    if participant_id is not None:
        query = query.filter_by(participant_id=participant_id)
    with Session(store.engine, expire_on_commit=False) as session:
        return list(session.scalars(query))


def load_survey_answers(store: Store, participant_id: int | None = None) -> list[SurveyAnswer]:
    """Survey answers of all participants or of one, in the order in which they were saved."""
    query = select(SurveyAnswer).order_by(SurveyAnswer.id)
    if participant_id is not None:
        query = query.filter_by(participant_id=participant_id)
    with Session(store.engine, expire_on_commit=False) as session:
        return list(session.scalars(query))


def _insert_answers(store: Store, rows: Sequence[Base], error_message: str) -> None:
    try:
        with Session(store.engine) as session, session.begin():
            session.add_all(rows)
            session.flush()
            session.expunge_all()
    except IntegrityError as error:
        raise AlreadyAnsweredError(error_message) from error
