"""Entries of a session's record: actions of the instructor, and what participants did as counts, never by whom."""

import builtins
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from firstread.classroom.database.answers import Occasion
from firstread.classroom.database.schema import Broadcast, SessionEvent
from firstread.classroom.database.store import as_utc
from firstread.classroom.outcomes.experiments import compare_groups
from firstread.classroom.outcomes.participant_runs import PRIMARY_OUTCOME, runs_table
from firstread.classroom.outcomes.quiz_schedule import QUIZ_TITLES
from firstread.classroom.outcomes.session_data import SessionData, SessionInterval
from firstread.classroom.outcomes.statistics import group_means
from firstread.core import errors
from firstread.lessons.lesson_info import LessonInfo
from firstread.lessons.questionnaires import load_quiz

#: an error is listed once so many participants have had it, and again at each doubling
MIN_ERROR_PARTICIPANTS = 3
MAX_ERROR_KINDS, MAX_CELL_NUMBER = 40, 400
#: of a name; shorter parts are mostly particles, and words that a message may well hold
MIN_NAME_PART = 3

_PLAN_TEXTS = {"begun": "Plan started", "paused": "Pause", "resumed": "Plan goes on", "ended": "Plan ended"}
_DOOR_TEXTS = {
    "open": "Door: anyone with the code may join",
    "closed": "Door: nobody new",
    "locked": "Door: locked",
}
_OWN_PACE = "Everyone at their own pace"

Steps = Sequence[Mapping[str, Any]]
#: seconds from the start of a session to a moment
Clock = Callable[[datetime], int]
#: the same to the frame that shows it; None outside the session
FrameClock = Callable[[datetime], int | None]


@dataclass(frozen=True)
class RecordEntry:
    """One line of a session's record.

    Attributes:
        seconds: from the start of the session.
        kind: "step", "plan", "door", "message", "results", "join", "finish", "help", "error", "quiz" or "forum".
        text: the line.
        value: title of the called step, new state of the plan, text of the message; else empty.
    """

    seconds: int
    kind: str
    text: str
    value: str = ""


def step_titles(steps: Steps) -> dict[str, str]:
    """Step id -> numbered title."""
    return {step["id"]: f"{number}. {step['title']}" for number, step in enumerate(steps, start=1)}


def action_entries(actions: Iterable[SessionEvent], steps: Steps, clock: Clock) -> Iterable[RecordEntry]:
    """Entries of the instructor's actions on the called step, the plan and the door."""
    titles = step_titles(steps)
    for action in actions:
        at, value = clock(action.happened), action.value or ""
        if action.kind == "step":
            title = titles.get(value, "a step") if value else ""
            yield RecordEntry(at, "step", f"Everyone called to {title}" if title else _OWN_PACE, title)
        elif action.kind == "plan" and value in _PLAN_TEXTS:
            yield RecordEntry(at, "plan", _PLAN_TEXTS[value], value)
        elif action.kind == "door" and value in _DOOR_TEXTS:
            yield RecordEntry(at, "door", _DOOR_TEXTS[value])


def message_entries(broadcasts: Iterable[Broadcast], names: Iterable[str], clock: Clock) -> Iterable[RecordEntry]:
    """Entries of messages to everyone, with the names of participants replaced."""
    pattern = _names_pattern(names)
    for broadcast in broadcasts:
        text = pattern.sub("[name]", unicodedata.normalize("NFC", broadcast.text))
        yield RecordEntry(clock(broadcast.sent), "message", f"To everyone: {text}", text)


def _names_pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Whole names in any case, and their parts as they are written, so that "may" stays where a May takes part.

    Somebody who calls themselves "a" is recognised by nobody, and would take the letter out of each message.
    """
    whole = sorted({name for name in names if len(name) > 1 or not name.isascii()}, key=len, reverse=True)
    parts = sorted({part for name in whole for part in re.findall(rf"[\w’'-]{{{MIN_NAME_PART},}}", name)}, key=len)
    choices = [f"(?i:{re.escape(name)})" for name in whole] + [re.escape(part) for part in reversed(parts)]
    return re.compile(rf"(?<!\w)(?:{'|'.join(choices)})(?!\w)" if choices else r"(?!)")


def counted_entries(moments: Mapping[str, Iterable[datetime]], kind: str, clock: FrameClock) -> Iterable[RecordEntry]:
    """One entry for each frame in which something happened, such as "2 asked for help, 1 answered"."""
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for words, times in moments.items():
        for moment in times:
            at = clock(moment)
            if at is not None:
                counts[at][words] += 1
    for at, count in counts.items():
        yield RecordEntry(at, kind, ", ".join(f"{count[words]} {words}" for words in moments if count[words]))


def quarter_entries(moments: Iterable[datetime], words: str, kind: str, clock: FrameClock) -> Iterable[RecordEntry]:
    """An entry when each quarter of those who ever did so had done it, such as "13 of 26 have joined"."""
    times = sorted(at for at in map(clock, moments) if at is not None)
    for count in sorted({math.ceil(quarter * len(times) / 4) for quarter in (1, 2, 3, 4)} - {0}):
        yield RecordEntry(times[count - 1], kind, f"{count} of {len(times)} {words}")


def error_entries(
    data: SessionData, session: SessionInterval, steps: Steps, clock: FrameClock
) -> Iterable[RecordEntry]:
    """Errors by kind and cell, each once `MIN_ERROR_PARTICIPANTS` have had it and at each doubling of their number.

    Every part is checked against a list, because a participant can send any text as kind, cell and step.
    """
    titles = step_titles(steps)
    first: dict[tuple[str, str, str], dict[int, datetime]] = defaultdict(dict)
    for row in sorted(data.failed_cells, key=lambda row: as_utc(row.received)):
        if as_utc(row.received) in session:
            key = (_error_name(row.error), _cell_name(row.cell), titles.get(row.step, ""))
            first[key].setdefault(row.participant_id, as_utc(row.received))
    for (error, cell, title), times in sorted(first.items(), key=lambda item: -len(item[1]))[:MAX_ERROR_KINDS]:
        count, moments = MIN_ERROR_PARTICIPANTS, sorted(times.values())
        while count <= len(moments):
            at = clock(moments[count - 1])
            if at is not None:
                where = f"{cell}, {title}" if title else cell
                yield RecordEntry(at, "error", f"{error} in {where}: {count} participants so far")
            count *= 2


def _error_name(name: object) -> str:
    known = getattr(builtins, str(name), None) or getattr(errors, str(name), None)
    return str(name) if isinstance(known, type) and issubclass(known, BaseException) else "An error"


def _cell_name(cell: object) -> str:
    found = re.fullmatch(r"cell-([0-9]{3})", str(cell))
    return f"cell {int(found[1])}" if found and int(found[1]) <= MAX_CELL_NUMBER else "a cell of their own"


def quiz_entries(
    data: SessionData, session: SessionInterval, lesson: LessonInfo, clock: FrameClock, *, least: int
) -> Iterable[RecordEntry]:
    """Result of each quiz at the last answer within the session, from `least` participants on."""
    quiz = load_quiz(lesson)
    items = {item.id for item in quiz.items} if quiz else set()
    occasions: tuple[Occasion, ...] = ("pre", "post")
    for occasion in occasions:
        answers = [
            one
            for one in data.quiz_answers
            if one.occasion == occasion and one.item in items and as_utc(one.answered) in session
        ]
        people = {one.participant_id for one in answers}
        if len(people) < least:
            continue
        at = clock(max(as_utc(one.answered) for one in answers))
        mean = sum(one.right for one in answers) / len(people)
        if at is not None:
            text = f"{len(people)} have answered, on average {mean:.1f} of {len(items)} right"
            yield RecordEntry(at, "quiz", f"{QUIZ_TITLES[occasion]}: {text}")


def result_entries(
    data: SessionData, session: SessionInterval, lesson: LessonInfo, clock: Clock, *, least: int
) -> Iterable[RecordEntry]:
    """Each opening of the results page, with what it said of the experiment, from `least` runs in each group on."""
    for action in data.actions:
        if action.kind == "results" and as_utc(action.happened) in session:
            found = [*_experiment_texts(data, as_utc(action.happened), lesson, least)]
            text = f"Results opened. {' '.join(found)}" if found else "Results opened"
            yield RecordEntry(clock(action.happened), "results", text)


def _experiment_texts(data: SessionData, moment: datetime, lesson: LessonInfo, least: int) -> Iterable[str]:
    """A sentence for each experiment, of the runs until a moment, by the group that was drawn."""
    arms = lesson.values.get("arms", {})
    records = [event for event in data.events if event.kind == "record" and as_utc(event.received) <= moment]
    runs = runs_table(data.participants, records, arms).astype({PRIMARY_OUTCOME.name: float})
    comparisons = [one for one in compare_groups(runs, arms) if one.role == "primary"]
    for name, groups in arms.items():
        means = group_means(runs, by=f"assigned {name}", value=PRIMARY_OUTCOME.name).set_index("group")
        if any(group not in means.index or means.loc[group, "runs"] < least for group in groups):
            continue
        shown = ", ".join(f"{group} {_percent(means.loc[group])}" for group in groups)
        interpretation = " ".join(one.interpretation for one in comparisons if one.experiment == name)
        yield f"{name.capitalize()}: {shown} {PRIMARY_OUTCOME.name}. {interpretation}"


def _percent(row: pd.Series) -> str:
    return f"{100 * row['mean']:.1f} % ({int(row['runs'])} runs)"
