"""Engagement of each participant after the session: what of it reached the class, how often and for how long.

Work at home leaves no trace here, so what is counted is a lower bound; what cannot be known is None, never zero.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any

import pandas as pd

from firstread.classroom.database.schema import Participant
from firstread.classroom.database.store import as_utc
from firstread.classroom.outcomes.class_data import ClassData, session_end
from firstread.classroom.outcomes.quiz_schedule import LESSON_ENDED_AFTER_HOURS
from firstread.classroom.outcomes.statistics import Difference, paired_gain, proportion
from firstread.lessons.lesson_info import LessonInfo
from firstread.lessons.questionnaires import Quiz, load_quiz

#: signs of activity that are at most so far apart belong to one visit
VISIT_GAP = timedelta(minutes=10)
#: how long a visit counts at least, since of a page that was opened the end is not seen
MIN_VISIT = timedelta(minutes=1)
#: personal page on how to go on at home; that it was opened is counted
INSTRUCTIONS_PAGE = "at-home"
#: kinds of events that are not the notebook's
_PAGE_KINDS = ("visit", "download", "quiz", "survey")


@dataclass(frozen=True)
class Engagement:
    """What one participant did after the session; None where it is not known, because the session is not over for them.

    Attributes:
        downloads: of their work, at any time.
        opened_page: True if they opened their page by the personal link after the session.
        opened_instructions: True if they opened the page on how to go on at home.
        reopened_notebook: True if something ran in their notebook after the session.
        other_lesson: True if they began another lesson.
        retention_quiz: True if they answered it; None before it is due for them.
        visits, minutes: number and total length of their visits, see `visits_of`.
    """

    participant_id: int
    downloads: int
    opened_page: bool | None
    opened_instructions: bool | None
    reopened_notebook: bool | None
    other_lesson: bool | None
    retention_quiz: bool | None
    visits: int | None
    minutes: float | None


#: label -> whether a participant did it
_ACTIVITIES: dict[str, Callable[[Engagement], bool | None]] = {
    "took their work home (ZIP)": lambda one: one.downloads > 0,
    "opened their page again, by the personal link": lambda one: one.opened_page,
    "looked up how to go on at home": lambda one: one.opened_instructions,
    f"opened their notebook again, more than {LESSON_ENDED_AFTER_HOURS} hours after they joined": (
        lambda one: one.reopened_notebook
    ),
    "went on with another lesson": lambda one: one.other_lesson,
    "answered the quiz some weeks later": lambda one: one.retention_quiz,
    "worked on at home": lambda _: None,
}


def class_engagement(data: ClassData, lesson: LessonInfo, now: datetime) -> list[Engagement]:
    """Engagement of each participant, in the order of joining."""
    events: dict[int, list[Any]] = {}
    for event in data.events:
        events.setdefault(event.participant_id, []).append(event)
    quiz = load_quiz(lesson)
    return [
        _engagement_of(one, data, events.get(one.id, []), lesson=lesson.name, quiz=quiz, now=now)
        for one in data.participants
    ]


def _engagement_of(
    participant: Participant, data: ClassData, own: Sequence[Any], *, lesson: str, quiz: Quiz | None, now: datetime
) -> Engagement:
    """Engagement of one participant, whose events are `own`."""
    signs = data.later_signs.get(participant.id, [])
    answered = {one.occasion: as_utc(one.answered) for one in data.quiz_answers if one.participant_id == participant.id}
    is_over = now > session_end(participant)
    due = None
    if quiz is not None:
        finished = [as_utc(event.received) for event in own if event.kind == "finish"]
        start = answered.get("post") or (finished[0] if finished else as_utc(participant.joined))
        due = now >= start + timedelta(days=quiz.followup_days)
    visits = visits_of(sign.moment for sign in signs)
    return Engagement(
        participant_id=participant.id,
        downloads=sum(event.kind == "download" for event in own),
        opened_page=any(sign.kind in _PAGE_KINDS for sign in signs) if is_over else None,
        opened_instructions=any(sign.page == INSTRUCTIONS_PAGE for sign in signs) if is_over else None,
        reopened_notebook=any(sign.kind not in _PAGE_KINDS for sign in signs) if is_over else None,
        other_lesson=any(event.kind == "step" and event.values.get("lesson", lesson) != lesson for event in own)
        if is_over
        else None,
        retention_quiz=True if "retention" in answered else False if due else None,
        visits=len(visits) if is_over else None,
        minutes=sum((end - begin).total_seconds() for begin, end in visits) / 60 if is_over else None,
    )


def visits_of(moments: Iterable[datetime]) -> list[tuple[datetime, datetime]]:
    """Begin and end of each visit: signs of activity at most `VISIT_GAP` apart; a visit lasts at least `MIN_VISIT`."""
    visits: list[tuple[datetime, datetime]] = []
    for moment in sorted(moments):
        if visits and moment - visits[-1][1] <= VISIT_GAP:
            visits[-1] = visits[-1][0], moment
        else:
            visits.append((moment, moment))
    return [(begin, max(end, begin + MIN_VISIT)) for begin, end in visits]


def summarize_engagement(engagement: Sequence[Engagement], *, least: int) -> dict[str, Any]:
    """Share of each activity of those of whom it is known, and the time that those who came back spent.

    Args:
        least: number of participants from which on the time is shown.
    """
    rows = []
    for label, did in _ACTIVITIES.items():
        known = [answer for answer in map(did, engagement) if answer is not None]
        rows.append({"label": label, **proportion(sum(known), len(known)), "not_known": len(engagement) - len(known)})
    minutes = [one.minutes for one in engagement if one.minutes]
    return {
        "rows": rows,
        "came_back": len(minutes),
        "least": least,
        "visits": sum(one.visits or 0 for one in engagement),
        "median_minutes": median(minutes) if len(minutes) >= least else None,
        "quartiles": quantiles(minutes, n=4, method="inclusive")[::2] if len(minutes) >= least else None,
        "ended_after_hours": LESSON_ENDED_AFTER_HOURS,
        "visit_gap_minutes": round(VISIT_GAP.total_seconds() / 60),
        "min_visit_minutes": round(MIN_VISIT.total_seconds() / 60),
    }


def compare_retention(
    after: pd.Series, later: pd.Series, went_on: Collection[int], *, least: int
) -> list[tuple[str, Difference | None]]:
    """Change of the score since the lesson, of those who went on before the last quiz and of the others.

    Args:
        after, later: shares of right answers after the lesson and weeks later, indexed by participant.
        went_on: see `went_on_before_last_quiz`.
        least: number of participants that both groups need; with fewer in one of them the list is empty.
    """
    both = after.index.intersection(later.index)
    groups = {"went on before it": both[both.isin(went_on)], "did not": both[~both.isin(went_on)]}
    if min(map(len, groups.values())) < least:
        return []
    return [(label, paired_gain(after[who], later[who])) for label, who in groups.items()]


def went_on_before_last_quiz(data: ClassData) -> set[int]:
    """Participants who took their work home, or ran something after the session, before they answered the last quiz."""
    answered = {one.participant_id: as_utc(one.answered) for one in data.quiz_answers if one.occasion == "retention"}
    moments = [(event.participant_id, as_utc(event.received)) for event in data.events if event.kind == "download"]
    for participant_id, signs in data.later_signs.items():
        moments += [(participant_id, sign.moment) for sign in signs if sign.kind not in _PAGE_KINDS]
    return {id_ for id_, moment in moments if id_ in answered and moment < answered[id_]}
