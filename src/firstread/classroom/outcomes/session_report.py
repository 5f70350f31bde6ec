"""The session on one page: a self-contained HTML file to keep, to print and to send on. Numbers only, no names."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from jinja2 import Environment, FileSystemLoader
from sqlalchemy import select
from sqlalchemy.orm import Session

from firstread.classroom.database.schema import Event
from firstread.classroom.database.store import Store, aware
from firstread.classroom.outcomes import chart_axes
from firstread.classroom.outcomes.class_data import gather
from firstread.classroom.outcomes.class_summary import summarise
from firstread.classroom.progress.dashboard import PAGES
from firstread.classroom.progress.progress_tracker import seconds_of_steps
from firstread.core.files import write_text
from firstread.core.report import NOT_A_DEVICE
from firstread.lessons.lesson_info import LessonInfo

_MOST_ERRORS = 15


def write_session_report(store: Store, lesson: LessonInfo, path: Path, *, comments: bool = False) -> Path:
    """Write the report of a class's session.

    Args:
        comments: True also prints what participants wrote; it may tell who they are.
    """
    pages = Environment(loader=FileSystemLoader(PAGES), autoescape=True)
    gathered = gather(store)
    values = summarise(gathered, lesson)
    joined = sorted(aware(person.joined) for person in gathered.people)
    html = pages.get_template("report.html").render(
        **values, lesson=lesson.title, summary=lesson.values.get("summary", ""), draw=chart_axes, unfolded=True, comments=comments,
        steps=_steps(store, lesson), errors=_errors(store, lesson), helped=len(store.help_queue(everything=True)),
        began=joined[0] if joined else None, ended=joined[-1] if joined else None, now=datetime.now(UTC), note=NOT_A_DEVICE,
    )  # fmt: skip
    return write_text(path, html)


def _steps(store: Store, lesson: LessonInfo) -> list[dict[str, Any]]:
    """Each step: how many reached it, and how long those took who went on."""
    own: dict[int, list[Event]] = {}
    for event in store.events(kinds=["step", "finish"]):
        own.setdefault(event.participant_id, []).append(event)
    took = seconds_of_steps(own.values())
    rows = []
    for step in lesson.steps:
        minutes = [seconds / 60 for seconds in took[step["id"]]]
        quartiles = quantiles(minutes, n=4, method="inclusive") if len(minutes) > 1 else None
        reached = sum(any(event.step == step["id"] for event in events) for events in own.values())
        rows.append(
            {
                "title": step["title"], "planned": step["minutes"], "reached": reached,
                "median": median(minutes) if minutes else None, "quartiles": quartiles and (quartiles[0], quartiles[2]),
            }
        )  # fmt: skip
    return rows


def _errors(store: Store, lesson: LessonInfo) -> list[tuple[str, str, int, int]]:
    """Name of the error, step, how often, and how many people it met; the most frequent first."""
    wanted = select(Event.participant_id, Event.step, Event.values).where(Event.kind == "cell")
    with Session(store.engine) as session:
        failed = [row for row in session.execute(wanted) if not row[2].get("ok", True)]
    titles = {step["id"]: step["title"] for step in lesson.steps}
    met = [((str(values.get("error") or "Error"), titles.get(step, "")), who) for who, step, values in failed]
    times, people = Counter(key for key, _ in met), Counter(key for key, _ in set(met))
    return [(*key, count, people[key]) for key, count in times.most_common(_MOST_ERRORS)]
