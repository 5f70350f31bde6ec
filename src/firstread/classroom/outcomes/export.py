"""Export of a class as CSV and Parquet tables with its report; under pseudonyms, or with names if asked for."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pandas as pd

from firstread.classroom.database.answers import COMMENT_QUESTION, load_quiz_answers, load_survey_answers
from firstread.classroom.database.forum import list_posts, pictures_by_post
from firstread.classroom.database.help_requests import help_queue
from firstread.classroom.database.store import Store, as_utc
from firstread.classroom.outcomes.class_data import load_class_data
from firstread.classroom.outcomes.class_summary import class_runs_table
from firstread.classroom.outcomes.engagement import Engagement, class_engagement
from firstread.classroom.outcomes.experiments import compare_groups, comparisons_table
from firstread.classroom.outcomes.participant_runs import runs_table
from firstread.classroom.outcomes.record_page import write_session_record
from firstread.classroom.outcomes.session_report import write_session_report
from firstread.core.csv_text import frame_csv
from firstread.core.files import write_atomically, write_bytes, write_text
from firstread.lessons.lesson_info import LessonInfo
from firstread.lessons.questionnaires import Item, load_quiz


def class_tables(store: Store, *, lesson: LessonInfo, names: bool = False) -> dict[str, pd.DataFrame]:
    """Tables of a class: participants, events, help, forum, quiz, survey, runs, comparisons and engagement.

    Args:
        names: True gives display names and free text; by default participants are "Participant 7".
    """
    participants = store.participants()
    labels = store.display_names() if names else {one.id: one.pseudonym for one in participants}
    rows = [
        {"participant": labels[p.id], "number": p.number, "joined": p.joined, "seen": p.seen}
        | {f"assigned {name}": group for name, group in p.arms.items()}
        for p in participants
    ]
    return {
        "participants": pd.DataFrame(rows, columns=list(rows[0]) if rows else ["participant"]),
        "events": _events_table(store, labels),
        "help": _help_table(store, labels, with_text=names),
        "forum": _forum_table(store, labels, with_text=names),
        "quiz": _quiz_table(store, labels, lesson),
        "survey": _survey_table(store, labels, with_text=names),
        "runs": _labeled_runs_table(store, labels, lesson),
        "comparisons": _comparisons_table(store, lesson),
        "engagement": _engagement_table(store, labels, lesson),
    }


def _events_table(store: Store, labels: Mapping[int, str]) -> pd.DataFrame:
    rows = [
        (labels[e.participant_id], e.kind, e.step, e.happened, e.received, json.dumps(e.values, ensure_ascii=False))
        for e in store.events()
    ]
    return pd.DataFrame(rows, columns=["participant", "kind", "step", "happened", "received", "values"])


def _help_table(store: Store, labels: Mapping[int, str], *, with_text: bool) -> pd.DataFrame:
    """Help requests, one row a request; free text only with names, because it may identify participants."""
    columns = ["participant", "asked", "step", "state", "changed"]
    rows = [
        dict(zip(columns, (labels[h.participant_id], h.asked, h.step, h.state, h.changed), strict=True))
        | ({"note": h.note, "answer": h.answer} if with_text else {})
        for h in help_queue(store, include_resolved=True)
    ]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def _forum_table(store: Store, labels: Mapping[int, str], *, with_text: bool) -> pd.DataFrame:
    """Posts of the forum, one row a post; text only with names, because it may identify participants."""
    columns = ["post", "participant", "answers", "posted", "audience", "state", "has_picture"]
    authors: dict[int | None, str] = {None: "The instructor"} | dict(labels)
    rows = [
        (p.id, authors[p.participant_id], p.parent_id, p.posted, p.audience, p.state, p.picture is not None, p.text)
        for p in list_posts(store)
        if p.participant_id in authors
    ]
    table = pd.DataFrame(rows, columns=[*columns, "text"]).astype({"answers": "Int64"})
    return table if with_text else table.drop(columns="text")


def _write_pictures(store: Store, folder: Path) -> list[Path]:
    """Pictures of the forum as files named after their post; only with names, because they may show anything."""
    kinds = {"image/png": "png", "image/jpeg": "jpg"}
    pictures = pictures_by_post(store)
    for post, (media_type, content) in pictures.items():
        write_bytes(folder / f"post-{post}.{kinds[media_type]}", content)
    return [folder] if pictures else []


def _quiz_table(store: Store, labels: Mapping[int, str], lesson: LessonInfo) -> pd.DataFrame:
    """Quiz answers, one row an answer, with the option's text; missing for "I do not know"."""
    quiz = load_quiz(lesson)
    items = {item.id: item for item in quiz.items} if quiz else {}
    rows = []
    for answer in load_quiz_answers(store):
        if answer.participant_id not in labels:  # joined a moment ago
            continue
        item = items.get(answer.item)
        option = _option_text(item, answer.chosen)
        label, concept = labels[answer.participant_id], item and item.concept
        answered = as_utc(answer.answered)
        rows.append((label, answer.occasion, answer.item, concept, option, answer.right, answered))
    return pd.DataFrame(rows, columns=["participant", "occasion", "question", "concept", "answer", "right", "answered"])


def _option_text(item: Item | None, index: int | None) -> str | None:
    return item.options[index] if item and index is not None and index < len(item.options) else None


def _survey_table(store: Store, labels: Mapping[int, str], *, with_text: bool) -> pd.DataFrame:
    """Survey answers, one row a statement; free text only with names, because it may identify participants."""
    rows = [
        (labels[answer.participant_id], answer.question, answer.value, as_utc(answer.answered), answer.text)
        for answer in load_survey_answers(store)
        if answer.participant_id in labels and (with_text or answer.question != COMMENT_QUESTION)
    ]
    table = pd.DataFrame(rows, columns=["participant", "statement", "value", "answered", "text"])
    return table.astype({"value": "Int64"}) if with_text else table.drop(columns="text").astype({"value": "Int64"})


def _labeled_runs_table(store: Store, labels: Mapping[int, str], lesson: LessonInfo) -> pd.DataFrame:
    """Runs, one row a participant with a result: groups as assigned and as run, and the outcomes."""
    data = load_class_data(store)
    records = [event for event in data.events if event.kind == "record"]
    runs = runs_table(data.participants, records, lesson.values.get("arms", {})).drop(columns="number")
    return runs.assign(
        participant=runs["participant"].map(labels), received=[as_utc(moment) for moment in runs["received"]]
    )


def _comparisons_table(store: Store, lesson: LessonInfo) -> pd.DataFrame:
    """Comparisons of the experiments' groups, one row a comparison, with its role and its corrected p value."""
    runs = class_runs_table(load_class_data(store), lesson)
    return comparisons_table(compare_groups(runs, lesson.values.get("arms", {})))


def _engagement_table(store: Store, labels: Mapping[int, str], lesson: LessonInfo) -> pd.DataFrame:
    """Engagement after the session, one row a participant; missing where it is not known."""
    rows = [asdict(one) for one in class_engagement(load_class_data(store), lesson, datetime.now(UTC))]
    columns = [field.name for field in fields(Engagement)]
    table = pd.DataFrame(rows, columns=columns).rename(columns={"participant_id": "participant"})
    kinds = dict.fromkeys(("opened_page", "opened_instructions", "reopened_notebook", "other_lesson"), "boolean")
    kinds |= {"retention_quiz": "boolean", "visits": "Int64", "minutes": "Float64"}
    return table.assign(participant=table["participant"].map(labels)).dropna(subset="participant").astype(kinds)


def export_class(store: Store, folder: Path, *, lesson: LessonInfo, names: bool = False) -> list[Path]:
    """Write report and record of the session, tables as CSV and as Parquet, and, with names, the forum's pictures."""
    written = [
        write_session_report(store, lesson, folder / "report.html", comments=names),
        write_session_record(store, lesson, folder / "record.html"),
    ]
    for name, table in class_tables(store, lesson=lesson, names=names).items():
        written.append(write_text(folder / f"{name}.csv", frame_csv(table)))
        written.append(write_atomically(folder / f"{name}.parquet", partial(_write_parquet, table)))
    return [*written, *(_write_pictures(store, folder / "forum") if names else [])]


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    table.to_parquet(path, index=False)
