"""What a class has found out and learnt, worked out from what it remembers; every figure with its interval."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pandas as pd
from scipy import stats

from firstread.classroom.database.answers import COMMENT
from firstread.classroom.database.store import aware
from firstread.classroom.outcomes.class_data import Gathered
from firstread.classroom.outcomes.participant_runs import OUTCOMES, Outcome, class_runs
from firstread.classroom.outcomes.quiz_schedule import OVER_HOURS
from firstread.classroom.outcomes.statistics import compare_groups, difference, difficulty, gain, verdict
from firstread.lessons.lesson_info import LessonInfo
from firstread.lessons.questionnaires import Quiz, Survey, quiz_of, survey_of

#: with fewer answers nothing of a survey is shown: it would show what one person said
FEWEST = 3
WAYS = {"assigned": "as assigned", "ran": "as run"}


def summarise(gathered: Gathered, lesson: LessonInfo) -> dict[str, Any]:
    """Everything that the results page and the report show."""
    arms = lesson.values.get("arms", {})
    runs, answers = runs_of(gathered, lesson), answers_table(gathered)
    quiz, survey = quiz_of(lesson), survey_of(lesson)
    return {
        "joined": len(gathered.people),
        "finished": len({event.participant_id for event in gathered.events if event.kind == "finish"}),
        "runs": runs,
        "experiments": [_experiment(runs, name, groups) for name, groups in arms.items()],
        "outcomes": [_outcome(runs, outcome) for outcome in OUTCOMES],
        "quiz": quiz and _quiz(answers, quiz),
        "survey": survey and _survey(gathered, survey),
        "engagement": _engagement(gathered, lesson, answers),
    }


def runs_of(gathered: Gathered, lesson: LessonInfo) -> pd.DataFrame:
    """A row a participant with a run; see `outcomes.class_runs`."""
    records = [event for event in gathered.events if event.kind == "record"]
    return class_runs(gathered.people, records, lesson.values.get("arms", {}))


def answers_table(gathered: Gathered) -> pd.DataFrame:
    """A row an answer: participant, occasion, question, right, chosen, answered."""
    known = {person.id for person in gathered.people}
    rows = [
        (a.participant_id, a.occasion, a.item, a.right, a.chosen, aware(a.answered))
        for a in gathered.answers
        if a.participant_id in known
    ]
    return pd.DataFrame(rows, columns=["participant", "occasion", "question", "right", "chosen", "answered"])


def _experiment(runs: pd.DataFrame, name: str, groups: Sequence[str]) -> dict[str, Any]:
    """One experiment: each outcome by group, as assigned and as run, and what may be said of the difference."""
    both = runs.dropna(subset=[f"assigned {name}", f"ran {name}"])
    return {
        "name": name,
        "groups": list(groups),
        "switched": int((both[f"assigned {name}"] != both[f"ran {name}"]).sum()),
        "unconfirmed": int(runs[f"ran {name}"].isna().sum()),
        "outcomes": [_by_group(runs, name, groups, outcome) for outcome in OUTCOMES],
    }


def _by_group(runs: pd.DataFrame, name: str, groups: Sequence[str], outcome: Outcome) -> dict[str, Any]:
    means, differences = [], []
    first, *others = groups
    for way, words in WAYS.items():
        column = f"{way} {name}"
        table = compare_groups(runs, by=column, value=outcome.name).set_index("group")
        for group in groups:
            row = table.loc[group].to_dict() if group in table.index else {"runs": 0}
            means.append({"group": group, "way": way, "words": words, **row})
        for other in others:
            found = difference(runs, by=column, value=outcome.name, first=first, second=other)
            names = {"first": f"{name} {first}", "second": f"{name} {other}"}
            said = verdict(found, lower_is_better=outcome.lower_is_better, percent=outcome.percent, **names)
            row = {"way": way, "words": words, "first": first, "second": other, "verdict": said}
            differences.append(row | {"found": found, "reach": asdict(found) if found else None})
    return {"outcome": outcome, "means": means, "differences": differences}


def _outcome(runs: pd.DataFrame, outcome: Outcome) -> dict[str, Any]:
    """All runs together, and how many are as good as can be: where most are, groups cannot differ any more."""
    values = runs[outcome.name].dropna()
    best = 0.0 if outcome.lower_is_better else 1.0
    return {"outcome": outcome, "runs": len(values), "perfect": int((values == best).sum()), "values": sorted(values)}


def _quiz(answers: pd.DataFrame, quiz: Quiz) -> dict[str, Any]:
    """What was learnt, how hard each question was, and what stayed."""
    known = answers[answers["question"].isin([item.id for item in quiz.items])]
    shares = {name: part.groupby("participant")["right"].mean() for name, part in known.groupby("occasion")}
    none = pd.Series(dtype=float)
    before, after, later = (shares.get(name, none) for name in ("pre", "post", "retention"))
    both = before.index.intersection(after.index)
    return {
        "items": len(quiz.items),
        "counts": {name: len(shares.get(name, none)) for name in ("pre", "post", "retention")},
        "paired": len(both),
        "gain": gain(before, after),
        "before": _mean(before[both]),
        "after": _mean(after[both]),
        "spread": {"before": _spread(before[both], quiz), "after": _spread(after[both], quiz)},
        "questions": _questions(known, quiz),
        "retention": _retention(known, after, later),
    }


def _mean(shares: pd.Series) -> dict[str, float]:
    table = compare_groups(pd.DataFrame({"group": "all", "share": shares}), by="group", value="share")
    return table.iloc[0].to_dict() if len(table) else {"runs": 0}


def _spread(shares: pd.Series, quiz: Quiz) -> dict[int, int]:
    """Number of right answers -> how many participants."""
    return dict(sorted(Counter(round(share * len(quiz.items)) for share in shares).items()))


def _questions(answers: pd.DataFrame, quiz: Quiz) -> list[dict[str, Any]]:
    """Each question before and after, the one that is hardest after the lesson first."""
    tables = {
        name: difficulty(answers[answers["occasion"] == name]).set_index("question").to_dict("index")
        for name in ("pre", "post")
    }
    unknown = answers[answers["chosen"].isna()].groupby(["occasion", "question"]).size().to_dict()
    rows = [
        {
            "item": item, "before": tables["pre"].get(item.id), "after": tables["post"].get(item.id),
            "unknown": unknown.get(("post", item.id), 0), "wrong": _favourite(answers, item.id, item.right, item.options),
        }
        for item in quiz.items
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (row["after"] or row["before"] or {"right": 2})["right"])


def _favourite(answers: pd.DataFrame, item: str, right: int, options: Sequence[str]) -> tuple[str, int] | None:
    """The wrong option that most people chose after the lesson."""
    after = answers[(answers["occasion"] == "post") & (answers["question"] == item)]["chosen"].dropna()
    wrong = Counter(int(one) for one in after if int(one) != right and int(one) < len(options))
    return (options[wrong.most_common(1)[0][0]], wrong.most_common(1)[0][1]) if wrong else None


def _retention(answers: pd.DataFrame, after: pd.Series, later: pd.Series) -> dict[str, Any]:
    """What stayed, by the days since the quiz after the lesson."""
    times = answers.groupby(["occasion", "participant"])["answered"].min()
    points = []
    for who in after.index.intersection(later.index):
        days = (times["retention", who] - times["post", who]) / timedelta(days=1)
        points.append({"days": round(days, 1), "after": float(after[who]), "later": float(later[who])})
    return {"points": sorted(points, key=lambda point: point["days"]), "lost": gain(after, later)}


def _survey(gathered: Gathered, survey: Survey) -> dict[str, Any]:
    """Each statement: how many chose what, and the share that agrees."""
    values: dict[str, list[int]] = {name: [] for name in survey.statements}
    comments = []
    for answer in gathered.survey:
        if answer.question == COMMENT and answer.text:
            comments.append(answer.text)
        elif answer.question in values and answer.value is not None:
            values[answer.question].append(answer.value)
    answered = len({answer.participant_id for answer in gathered.survey})
    points = len(survey.scale)
    rows = [
        {
            "text": text,
            "counts": [values[name].count(value) for value in range(1, points + 1)],
            "agree": share(sum(value > points - 2 for value in values[name]), len(values[name])),
        }
        for name, text in survey.statements.items()
    ]
    enough = answered >= FEWEST
    # in the order of the alphabet: the order in which they came would say who wrote them
    return {
        "answered": answered, "fewest": FEWEST, "scale": survey.scale, "question": survey.comment,
        "rows": rows if enough else [], "comments": sorted(comments, key=str.casefold) if enough else [],
    }  # fmt: skip


def _engagement(gathered: Gathered, lesson: LessonInfo, answers: pd.DataFrame) -> list[dict[str, Any]]:
    """What happened after the session, as shares of those who joined."""
    known = {person.id for person in gathered.people}
    reopened = {who for who, last in gathered.last.items() if last - gathered.first[who] > timedelta(hours=OVER_HOURS)}
    went_on = {
        e.participant_id
        for e in gathered.events
        if e.kind == "step" and e.values.get("lesson", lesson.name) != lesson.name
    }
    took = {event.participant_id for event in gathered.events if event.kind == "download"}
    later = set(answers.loc[answers["occasion"] == "retention", "participant"])
    found: Mapping[str, set[int]] = {
        f"opened their notebook again, more than {OVER_HOURS} hours after they began": reopened,
        "took their work home (ZIP)": took,
        "went on with another lesson": went_on,
        "answered the quiz some weeks later": later,
    }
    return [{"words": words, **share(len(who & known), len(known))} for words, who in found.items()]


def share(count: int, of: int) -> dict[str, Any]:
    """A share with Wilson's interval; none of nobody."""
    if of == 0:
        return {"count": 0, "of": 0, "value": float("nan"), "low": float("nan"), "high": float("nan")}
    interval = stats.binomtest(count, of).proportion_ci(0.95, method="wilson")
    return {"count": count, "of": of, "value": count / of, "low": float(interval.low), "high": float(interval.high)}
