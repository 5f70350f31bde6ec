"""Report of a session: a self-contained HTML file with numbers only, no names."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from jinja2 import Environment, FileSystemLoader
from sqlalchemy import select
from sqlalchemy.orm import Session

from firstread.classroom.database.help_requests import help_queue
from firstread.classroom.database.schema import Event
from firstread.classroom.database.store import Store, as_utc
from firstread.classroom.outcomes import chart_axes
from firstread.classroom.outcomes.class_data import load_class_data
from firstread.classroom.outcomes.class_summary import summarize_class
from firstread.classroom.progress.dashboard import PAGES
from firstread.classroom.progress.progress_tracker import seconds_per_step
from firstread.core.files import write_text
from firstread.core.report import DISCLAIMER
from firstread.lessons.lesson_info import LessonInfo

_MAX_ERRORS = 15


def write_session_report(store: Store, lesson: LessonInfo, path: Path, *, comments: bool = False) -> Path:
    """Write the report of a class's session.

    Args:
        comments: True includes free-text comments, which may identify participants.
    """
    pages = Environment(loader=FileSystemLoader(PAGES), autoescape=True)
    data = load_class_data(store)
    values = summarize_class(data, lesson)
    joined = sorted(as_utc(one.joined) for one in data.participants)
    html = pages.get_template("report.html").render(
        **values,
        lesson=lesson.title,
        summary=lesson.values.get("summary", ""),
        charts=chart_axes,
        unfolded=True,
        comments=comments,
        steps=_step_rows(store, lesson),
        errors=_error_rows(store, lesson),
        helped=len(help_queue(store, include_resolved=True)),
        began=joined[0] if joined else None,
        ended=joined[-1] if joined else None,
        now=datetime.now(UTC),
        note=DISCLAIMER,
    )
    return write_text(path, html)


def _step_rows(store: Store, lesson: LessonInfo) -> list[dict[str, Any]]:
    """One row a step: number of participants who reached it, and quartiles of the time until the next step."""
    by_participant: dict[int, list[Event]] = {}
    for event in store.events(kinds=["step", "finish"]):
        by_participant.setdefault(event.participant_id, []).append(event)
    durations = seconds_per_step(by_participant.values())
    rows = []
    for step in lesson.steps:
        minutes = [seconds / 60 for seconds in durations[step["id"]]]
        quartiles = quantiles(minutes, n=4, method="inclusive") if len(minutes) > 1 else None
        reached = sum(any(event.step == step["id"] for event in events) for events in by_participant.values())
        rows.append(
            {
                "title": step["title"],
                "planned": step["minutes"],
                "reached": reached,
                "median": median(minutes) if minutes else None,
                "quartiles": quartiles and (quartiles[0], quartiles[2]),
            }
        )
    return rows


def _error_rows(store: Store, lesson: LessonInfo) -> list[tuple[str, str, int, int]]:
    """Error name, step, number of occurrences and of participants; the most frequent first."""
    query = select(Event.participant_id, Event.step, Event.values).where(Event.kind == "cell")
    with Session(store.engine) as session:
        failed = [row for row in session.execute(query) if not row[2].get("ok", True)]
    titles = {step["id"]: step["title"] for step in lesson.steps}
    errors = [((str(values.get("error") or "Error"), titles.get(step, "")), id_) for id_, step, values in failed]
    occurrences, participants = Counter(key for key, _ in errors), Counter(key for key, _ in set(errors))
    return [(*key, count, participants[key]) for key, count in occurrences.most_common(_MAX_ERRORS)]
