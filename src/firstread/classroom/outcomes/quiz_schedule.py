"""When a participant is asked what: a quiz before the lesson, one after it with a survey, and one weeks later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.answers import Occasion, quiz_answers, survey_answers
from firstread.classroom.database.schema import Event, Participant
from firstread.classroom.database.store import Store, aware
from firstread.lessons.questionnaires import Quiz, quiz_of, survey_of

#: after so many hours a lesson is over, also for those who did not reach its end
OVER_HOURS = 12
NAMES = {"pre": "Quiz before the lesson", "post": "Quiz after the lesson", "retention": "Quiz some weeks later"}


@dataclass(frozen=True)
class Due:
    """What one participant may do now.

    Attributes:
        quizzes: occasion -> "due", "done", "early" (not yet) or "late" (not any more).
        survey: the same for the survey; None where the lesson has none.
        retention_day: when the last quiz is due; None before the lesson is over.
    """

    quizzes: dict[Occasion, str]
    survey: str | None
    retention_day: datetime | None


def due(folder: ClassFolder, store: Store, person: Participant, now: datetime | None = None) -> Due:
    """What is due for a participant."""
    now = now or datetime.now(UTC)
    quiz, survey = quiz_of(folder.lesson), survey_of(folder.lesson)
    answers = quiz_answers(store, person.id)
    done = {answer.occasion: aware(answer.answered) for answer in answers}
    reached, questions, ended = _way(store, person.id)
    steps = [step["id"] for step in folder.lesson.steps]
    late = bool(questions) or (quiz is not None and _beyond(steps, reached, quiz.closes))
    last_step = bool(steps) and steps[-1] in reached
    joined = aware(person.joined)
    over = ended is not None or last_step or now - joined > timedelta(hours=OVER_HOURS)
    day = _retention_day(quiz, done.get("post") or ended, joined) if quiz and over else None
    states: dict[Occasion, str] = {
        "pre": "late" if late or over else "due",
        "post": "due" if over else "early",
        "retention": "due" if day and now >= day else "early",
    }
    quizzes = {name: "done" if name in done else state for name, state in states.items()} if quiz else {}
    if quizzes.get("retention") in ("due", "done") and quizzes["post"] == "due":
        quizzes["post"] = "late"  # weeks later it would measure something else
    asked = None if survey is None else "done" if survey_answers(store, person.id) else "due" if over else "early"
    return Due(quizzes, asked, day)


def _way(store: Store, participant_id: int) -> tuple[set[str], int, datetime | None]:
    """Which steps somebody reached, how many of the lesson's questions they answered, and when they came to its end."""
    wanted = select(Event.kind, Event.step, Event.received).where(
        Event.participant_id == participant_id, Event.kind.in_(("step", "answer", "finish"))
    )
    with Session(store.engine) as session:
        events = session.execute(wanted.order_by(Event.id)).all()
    reached = {event.step for event in events if event.kind == "step"}
    ends = [aware(event.received) for event in events if event.kind == "finish"]
    return reached, sum(event.kind == "answer" for event in events), ends[0] if ends else None


def _beyond(steps: Sequence[str], reached: set[str], step: str) -> bool:
    """True if this step, or one after it, was reached."""
    return step in steps and any(one in reached for one in steps[steps.index(step) :])


def _retention_day(quiz: Quiz, after: datetime | None, joined: datetime) -> datetime:
    return (after or joined) + timedelta(days=quiz.days)
