"""Summary of a class: experiment, quiz, retention, survey and engagement, every estimate with its interval."""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from firstread.classroom.database.answers import COMMENT_QUESTION
from firstread.classroom.database.store import as_utc
from firstread.classroom.outcomes.class_data import ClassData
from firstread.classroom.outcomes.engagement import (
    class_engagement,
    compare_retention,
    summarize_engagement,
    went_on_before_last_quiz,
)
from firstread.classroom.outcomes.experiments import summarize_experiments
from firstread.classroom.outcomes.participant_runs import OUTCOMES, Outcome, runs_table
from firstread.classroom.outcomes.statistics import group_means, item_difficulty, paired_gain, proportion
from firstread.lessons.lesson_info import LessonInfo
from firstread.lessons.questionnaires import Item, Quiz, Survey, load_quiz, load_survey

#: with fewer participants nothing is shown: it would show what one person answered
MIN_PARTICIPANTS = 3


def summarize_class(data: ClassData, lesson: LessonInfo, now: datetime | None = None) -> dict[str, Any]:
    """Summarize a class for the results page and the report.

    Args:
        now: the current time by default; what is not due until then is not known.
    """
    engagement = class_engagement(data, lesson, now or datetime.now(UTC))
    runs, answers = class_runs_table(data, lesson), answers_table(data)
    quiz, survey = load_quiz(lesson), load_survey(lesson)
    return {
        "joined": len(data.participants),
        "finished": len({event.participant_id for event in data.events if event.kind == "finish"}),
        "runs": runs,
        "experiments": summarize_experiments(runs, lesson.values.get("arms", {})),
        "test_images": sorted(int(count) for count in runs["test_images"].dropna().unique()),
        "outcomes": [_outcome_distribution(runs, outcome) for outcome in OUTCOMES],
        "quiz": quiz and _summarize_quiz(answers, quiz, went_on_before_last_quiz(data)),
        "survey": survey and _summarize_survey(data, survey),
        "engagement": summarize_engagement(engagement, least=MIN_PARTICIPANTS),
    }


def class_runs_table(data: ClassData, lesson: LessonInfo) -> pd.DataFrame:
    """Runs of a class, one row a participant; see `runs_table`."""
    records = [event for event in data.events if event.kind == "record"]
    return runs_table(data.participants, records, lesson.values.get("arms", {}))


def answers_table(data: ClassData) -> pd.DataFrame:
    """Quiz answers, one row an answer: participant, occasion, question, right, chosen, answered."""
    known = {one.id for one in data.participants}
    rows = [
        (a.participant_id, a.occasion, a.item, a.right, a.chosen, as_utc(a.answered))
        for a in data.quiz_answers
        if a.participant_id in known
    ]
    return pd.DataFrame(rows, columns=["participant", "occasion", "question", "right", "chosen", "answered"])


def _outcome_distribution(runs: pd.DataFrame, outcome: Outcome) -> dict[str, Any]:
    """Values of all runs, and the number of perfect ones: with many of them, groups cannot differ (ceiling effect)."""
    values = runs[outcome.name].dropna()
    best = 0.0 if outcome.lower_is_better else 1.0
    return {"outcome": outcome, "runs": len(values), "perfect": int((values == best).sum()), "values": sorted(values)}


def _summarize_quiz(answers: pd.DataFrame, quiz: Quiz, went_on: Collection[int]) -> dict[str, Any]:
    """Paired gain, item difficulty and retention of the quiz."""
    known = answers[answers["question"].isin([item.id for item in quiz.items])]
    shares = {name: part.groupby("participant")["right"].mean() for name, part in known.groupby("occasion")}
    none = pd.Series(dtype=float)
    before, after, later = (shares.get(name, none) for name in ("pre", "post", "retention"))
    both = before.index.intersection(after.index)
    return {
        "items": len(quiz.items),
        "counts": {name: len(shares.get(name, none)) for name in ("pre", "post", "retention")},
        "paired": len(both),
        "gain": paired_gain(before, after),
        "before": _mean_share(before[both]),
        "after": _mean_share(after[both]),
        "score_counts": {"before": _score_counts(before[both], quiz), "after": _score_counts(after[both], quiz)},
        "questions": _summarize_items(known, quiz),
        "retention": _summarize_retention(known, after, later)
        | {"by_engagement": compare_retention(after, later, went_on, least=MIN_PARTICIPANTS)},
    }


def _mean_share(shares: pd.Series) -> dict[str, Any]:
    """Mean share of right answers with its interval."""
    table = group_means(pd.DataFrame({"group": "all", "share": shares}), by="group", value="share", highest=1.0)
    return _to_dict(table.iloc[0]) if len(table) else {"runs": 0}


def _to_dict(row: pd.Series) -> dict[str, Any]:
    return {str(name): value for name, value in row.to_dict().items()}


def _score_counts(shares: pd.Series, quiz: Quiz) -> dict[int, int]:
    """Number of right answers -> number of participants."""
    return dict(sorted(Counter(round(share * len(quiz.items)) for share in shares).items()))


def _summarize_items(answers: pd.DataFrame, quiz: Quiz) -> list[dict[str, Any]]:
    """Difficulty of each item before and after the lesson, the item that is hardest after it first."""
    tables = {
        name: item_difficulty(answers[answers["occasion"] == name]).set_index("question").to_dict("index")
        for name in ("pre", "post")
    }
    unknown = answers[answers["chosen"].isna()].groupby(["occasion", "question"]).size().to_dict()
    rows = [
        {
            "item": item,
            "before": tables["pre"].get(item.id),
            "after": tables["post"].get(item.id),
            "unknown": unknown.get(("post", item.id), 0),
            "distractor": _most_chosen_distractor(answers, item),
        }
        for item in quiz.items
    ]
    return sorted(rows, key=lambda row: (row["after"] or row["before"] or {"right": 2})["right"])


def _most_chosen_distractor(answers: pd.DataFrame, item: Item) -> tuple[str, int] | None:
    """The wrong option that was chosen most often after the lesson, and how often."""
    after = answers[(answers["occasion"] == "post") & (answers["question"] == item.id)]["chosen"].dropna()
    wrong = Counter(int(one) for one in after if int(one) != item.correct_index and int(one) < len(item.options))
    if not wrong:
        return None
    index, count = wrong.most_common(1)[0]
    return item.options[index], count


def _summarize_retention(answers: pd.DataFrame, after: pd.Series, later: pd.Series) -> dict[str, Any]:
    """Change of the score since the quiz after the lesson, by days since then."""
    times = answers.groupby(["occasion", "participant"])["answered"].min()
    points = []
    for participant in after.index.intersection(later.index):
        days = (times["retention", participant] - times["post", participant]) / timedelta(days=1)
        points.append({"days": round(days, 1), "after": float(after[participant]), "later": float(later[participant])})
    return {"points": sorted(points, key=lambda point: point["days"]), "change": paired_gain(after, later)}


def _summarize_survey(data: ClassData, survey: Survey) -> dict[str, Any]:
    """Ratings of each statement: counts by value, and the share of those who agree (the two highest values)."""
    values: dict[str, list[int]] = {name: [] for name in survey.statements}
    comments = []
    for answer in data.survey_answers:
        if answer.question == COMMENT_QUESTION and answer.text:
            comments.append(answer.text)
        elif answer.question in values and answer.value is not None:
            values[answer.question].append(answer.value)
    answered = len({answer.participant_id for answer in data.survey_answers})
    points = len(survey.scale)
    rows = [
        {
            "text": text,
            "counts": [values[name].count(value) for value in range(1, points + 1)],
            "agree": proportion(sum(value > points - 2 for value in values[name]), len(values[name])),
        }
        for name, text in survey.statements.items()
    ]
    enough = answered >= MIN_PARTICIPANTS
    return {
        "answered": answered,
        "fewest": MIN_PARTICIPANTS,
        "scale": survey.scale,
        "question": survey.comment,
        "rows": rows if enough else [],
        # in alphabetical order, because the order of arrival would say who wrote them
        "comments": sorted(comments, key=str.casefold) if enough else [],
    }
