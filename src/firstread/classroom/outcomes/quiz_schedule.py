"""Schedule of the quiz (before, after and weeks after the lesson) and of the survey, for each participant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.answers import Occasion, load_quiz_answers, load_survey_answers
from firstread.classroom.database.schema import Event, Participant
from firstread.classroom.database.store import Store, as_utc
from firstread.lessons.questionnaires import Quiz, load_quiz, load_survey

#: hours after joining when the lesson counts as over, also for participants who did not reach its end
LESSON_ENDED_AFTER_HOURS = 12
QUIZ_TITLES = {"pre": "Quiz before the lesson", "post": "Quiz after the lesson", "retention": "Quiz some weeks later"}


@dataclass(frozen=True)
class QuizSchedule:
    """State of each quiz and of the survey for one participant.

    Attributes:
        quizzes: occasion -> "due", "done", "early" (not open yet) or "late" (closed).
        survey: state of the survey; None if the lesson has none.
        retention_day: time from which the retention quiz is due; None before the lesson is over.
    """

    quizzes: dict[Occasion, str]
    survey: str | None
    retention_day: datetime | None


def participant_schedule(
    folder: ClassFolder, store: Store, participant: Participant, now: datetime | None = None
) -> QuizSchedule:
    """Schedule of one participant.

    Args:
        now: the current time by default.
    """
    now = now or datetime.now(UTC)
    quiz, survey = load_quiz(folder.lesson), load_survey(folder.lesson)
    answers = load_quiz_answers(store, participant.id)
    done = {answer.occasion: as_utc(answer.answered) for answer in answers}
    reached, question_count, finished = _read_lesson_progress(store, participant.id)
    steps = [step["id"] for step in folder.lesson.steps]
    closed = bool(question_count) or (quiz is not None and _is_past_step(steps, reached, quiz.closing_step))
    at_last_step = bool(steps) and steps[-1] in reached
    joined = as_utc(participant.joined)
    over = finished is not None or at_last_step or now - joined > timedelta(hours=LESSON_ENDED_AFTER_HOURS)
    retention_day = _retention_day(quiz, done.get("post") or finished, joined) if quiz and over else None
    states: dict[Occasion, str] = {
        "pre": "late" if closed or over else "due",
        "post": "due" if over else "early",
        "retention": "due" if retention_day and now >= retention_day else "early",
    }
    quizzes = {name: "done" if name in done else state for name, state in states.items()} if quiz else {}
    if quizzes.get("retention") in ("due", "done") and quizzes["post"] == "due":
        quizzes["post"] = "late"  # weeks later it would measure something else
    survey_state = None
    if survey is not None:
        survey_state = "done" if load_survey_answers(store, participant.id) else "due" if over else "early"
    return QuizSchedule(quizzes, survey_state, retention_day)


def _read_lesson_progress(store: Store, participant_id: int) -> tuple[set[str], int, datetime | None]:
    """Steps reached, number of the lesson's questions answered, and time at which the lesson was finished."""
    query = select(Event.kind, Event.step, Event.received).where(
        Event.participant_id == participant_id, Event.kind.in_(("step", "answer", "finish"))
    )
    with Session(store.engine) as session:
        events = session.execute(query.order_by(Event.id)).all()
    reached = {event.step for event in events if event.kind == "step"}
    finished = [as_utc(event.received) for event in events if event.kind == "finish"]
    return reached, sum(event.kind == "answer" for event in events), finished[0] if finished else None


def _is_past_step(steps: Sequence[str], reached: set[str], step: str) -> bool:
    """True if this step or a later one was reached."""
    return step in steps and any(one in reached for one in steps[steps.index(step) :])


def _retention_day(quiz: Quiz, finished: datetime | None, joined: datetime) -> datetime:
    return (finished or joined) + timedelta(days=quiz.followup_days)
