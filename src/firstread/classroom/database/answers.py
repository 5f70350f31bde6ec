"""What participants answered in quizzes and in the survey. What was sent first counts; nothing is overwritten."""

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
COMMENT, MOST_COMMENT = "comment", 500


class AnsweredError(FirstreadError):
    """Somebody answers a second time."""


def keep_quiz(
    store: Store, participant_id: int, occasion: Occasion, *, items: Sequence[Item], chosen: Mapping[str, int | None]
) -> int:
    """Keep a whole quiz.

    Args:
        chosen: item -> number of the option, from 0; None for "I do not know".

    Returns:
        How many answers are right.

    Raises:
        AnsweredError: this quiz was answered before.
    """
    rows = [
        QuizAnswer(
            participant_id=participant_id, occasion=occasion, item=item.id, chosen=chosen[item.id],
            right=chosen[item.id] == item.right, answered=datetime.now(UTC),
        )
        for item in items
    ]  # fmt: skip
    _keep(store, rows, "You have answered this quiz before; your first answers count")
    return sum(row.right for row in rows)


def keep_survey(store: Store, participant_id: int, *, survey: Survey, agreed: Mapping[str, int], comment: str) -> None:
    """Keep a survey: a value for each statement, and what was written, if anything was.

    Raises:
        AnsweredError: it was answered before.
    """
    now = datetime.now(UTC)
    rows = [
        SurveyAnswer(participant_id=participant_id, question=name, value=agreed[name], text=None, answered=now)
        for name in survey.statements
    ]
    text = comment.strip()[:MOST_COMMENT] or None
    rows.append(SurveyAnswer(participant_id=participant_id, question=COMMENT, value=None, text=text, answered=now))
    _keep(store, rows, "You have answered the survey before; your first answers count")


def quiz_answers(store: Store, participant_id: int | None = None) -> list[QuizAnswer]:
    """Everyone's answers, or one participant's, in the order in which they came."""
    wanted = select(QuizAnswer).order_by(QuizAnswer.id)
    with Session(store.engine, expire_on_commit=False) as session:
        return list(
            session.scalars(wanted if participant_id is None else wanted.filter_by(participant_id=participant_id))
        )


def survey_answers(store: Store, participant_id: int | None = None) -> list[SurveyAnswer]:
    """Everyone's, or one participant's, in the order in which they came."""
    wanted = select(SurveyAnswer).order_by(SurveyAnswer.id)
    with Session(store.engine, expire_on_commit=False) as session:
        return list(
            session.scalars(wanted if participant_id is None else wanted.filter_by(participant_id=participant_id))
        )


def _keep(store: Store, rows: Sequence[Base], again: str) -> None:
    try:
        with Session(store.engine) as session, session.begin():
            session.add_all(rows)
            session.flush()
            session.expunge_all()
    except IntegrityError as error:
        raise AnsweredError(again) from error
