"""A class as tables, under pseudonyms unless names are asked for."""

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from firstread.classroom.database.answers import COMMENT, quiz_answers, survey_answers
from firstread.classroom.database.store import Store, aware
from firstread.classroom.outcomes.class_data import gather
from firstread.classroom.outcomes.participant_runs import class_runs
from firstread.classroom.outcomes.session_report import write_session_report
from firstread.core.files import write_atomically
from firstread.lessons.lesson_info import LessonInfo
from firstread.lessons.questionnaires import quiz_of


def class_tables(store: Store, *, lesson: LessonInfo, names: bool = False) -> dict[str, pd.DataFrame]:
    """participants, events, help, quiz, survey and runs of a class.

    Args:
        names: True gives display names; by default everyone is "Participant 7".
    """
    people = store.people()
    shown = store.shown_names() if names else {person.id: person.pseudonym for person in people}
    participants = [
        {"participant": shown[p.id], "number": p.number, "joined": p.joined, "seen": p.seen}
        | {f"assigned {name}": group for name, group in p.arms.items()}
        for p in people
    ]
    events = [
        {
            "participant": shown[e.participant_id], "kind": e.kind, "step": e.step, "happened": e.happened,
            "received": e.received, "values": json.dumps(e.values, ensure_ascii=False),
        }
        for e in store.events()
    ]  # fmt: skip
    asked = [
        {
            "participant": shown[h.participant_id],
            "asked": h.asked,
            "step": h.step,
            "state": h.state,
            "changed": h.changed,
        }
        | ({"note": h.note, "answer": h.answer} if names else {})
        for h in store.help_queue(everything=True)
    ]
    return {
        "participants": pd.DataFrame(participants, columns=list(participants[0]) if participants else ["participant"]),
        "events": pd.DataFrame(events, columns=["participant", "kind", "step", "happened", "received", "values"]),
        "help": pd.DataFrame(asked)
        if asked
        else pd.DataFrame(columns=["participant", "asked", "step", "state", "changed"]),
        "quiz": _quiz(store, shown, lesson),
        "survey": _survey(store, shown, texts=names),
        "runs": _runs(store, shown, lesson),
    }


def _quiz(store: Store, shown: Mapping[int, str], lesson: LessonInfo) -> pd.DataFrame:
    """A row an answer; the option in words, empty for "I do not know"."""
    quiz = quiz_of(lesson)
    items = {item.id: item for item in quiz.items} if quiz else {}
    rows = []
    for answer in quiz_answers(store):
        if answer.participant_id not in shown:  # joined a moment ago
            continue
        item = items.get(answer.item)
        words = (
            item.options[answer.chosen]
            if item and answer.chosen is not None and answer.chosen < len(item.options)
            else None
        )
        rows.append(
            (
                shown[answer.participant_id],
                answer.occasion,
                answer.item,
                item and item.concept,
                words,
                answer.right,
                aware(answer.answered),
            )
        )
    return pd.DataFrame(rows, columns=["participant", "occasion", "question", "concept", "answer", "right", "answered"])


def _survey(store: Store, shown: Mapping[int, str], *, texts: bool) -> pd.DataFrame:
    """A row a statement, with its value; what somebody wrote may tell who they are, so it comes with names only."""
    rows = [
        (shown[answer.participant_id], answer.question, answer.value, aware(answer.answered), answer.text)
        for answer in survey_answers(store)
        if answer.participant_id in shown and (texts or answer.question != COMMENT)
    ]
    table = pd.DataFrame(rows, columns=["participant", "statement", "value", "answered", "text"])
    return table.astype({"value": "Int64"}) if texts else table.drop(columns="text").astype({"value": "Int64"})


def _runs(store: Store, shown: Mapping[int, str], lesson: LessonInfo) -> pd.DataFrame:
    """A row a participant with a result: groups as assigned and as run, and the outcomes."""
    gathered = gather(store)
    records = [event for event in gathered.events if event.kind == "record"]
    runs = class_runs(gathered.people, records, lesson.values.get("arms", {})).drop(columns="number")
    return runs.assign(
        participant=runs["participant"].map(shown), received=[aware(moment) for moment in runs["received"]]
    )


def export_class(store: Store, folder: Path, *, lesson: LessonInfo, names: bool = False) -> list[Path]:
    """Write the tables as CSV and Parquet, and the report of the session."""
    written = [write_session_report(store, lesson, folder / "report.html", comments=names)]
    for name, table in class_tables(store, lesson=lesson, names=names).items():
        written.append(write_atomically(folder / f"{name}.csv", lambda f, table=table: table.to_csv(f, index=False)))
        written.append(
            write_atomically(folder / f"{name}.parquet", lambda f, table=table: table.to_parquet(f, index=False))
        )
    return written
