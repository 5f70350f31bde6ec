"""Simulated results of a class, from a seed: participants, runs, quizzes before, after and weeks later, a survey."""

import secrets
from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import update
from sqlalchemy.orm import Session

from firstread.classroom.database.answers import save_quiz_answers, save_survey_answers
from firstread.classroom.database.schema import Participant, QuizAnswer
from firstread.lessons.questionnaires import load_quiz, load_survey

BEGAN = datetime(2026, 10, 1, 9, 0, tzinfo=UTC)
COMMENTS = (
    *("More time for the last step, please.", "I would like to try it on our own knee radiographs.", "", ""),
    *("What exactly does the learning rate do?", ""),
    "The figure with the marker was an eye-opener: a network can be right for the wrong reason.",
)


def make_event(kind, at, step=None, **values):
    return {"key": secrets.token_hex(16), "kind": kind, "step": step, "values": values, "happened": at}


def make_evaluation(accuracy, auc, brier):
    values = {"accuracy": accuracy, "AUC": auc, "Brier score (lower is better)": brier}
    metrics = {name: {"value": value, "low": 0, "high": 1} for name, value in values.items()}
    return {"cases": 40, "metrics": metrics}


def simulate_results(store, lesson, people, *, seed=0, effect=0.02, later=0.5):
    """Simulate `people` participants: nine of ten have a result, most answer, a share of `later` again weeks after."""
    rng, quiz, survey = np.random.default_rng(seed), load_quiz(lesson), load_survey(lesson)
    steps = [step["id"] for step in lesson.steps]
    for number in range(people):
        person, _ = store.join(f"Person {number + 1}", BEGAN + timedelta(seconds=7 * number))
        skill, at = rng.normal(0, 0.8), BEGAN + timedelta(minutes=2)
        answer_quiz(
            store, person, quiz, "pre", -0.6 + skill, rng, BEGAN + timedelta(minutes=1)
        ) if rng.random() < 0.9 else None
        has_result = rng.random() < 0.92
        for place, step in enumerate(steps if has_result else steps[:5]):
            store.record_events(person.username, [make_event("step", at, step, lesson=lesson.name)], at)
            failed = rng.random() < 0.08
            cell = make_event(
                "cell",
                at,
                step,
                cell=f"cell-{place + 5:03d}",
                ok=not failed,
                error="NameError" if failed else None,
                seconds=1.0,
            )
            store.record_events(person.username, [cell], at + timedelta(seconds=20))
            at += timedelta(minutes=float(rng.gamma(6, 0.5)))
        if not has_result:
            continue
        ran = {
            name: (group if rng.random() < 0.93 else rng.choice(["on", "off"])) for name, group in person.arms.items()
        }
        store.record_events(
            person.username,
            [
                make_event(
                    "record",
                    at,
                    name="arms",
                    value={"assigned": person.arms, "ran": {k: str(v) for k, v in ran.items()}},
                )
            ],
            at,
        )
        mean = 0.93 + effect * (ran.get("augmentation") == "on") - 0.25 * effect * (ran.get("dropout") == "on")
        right = rng.binomial(40, min(mean + rng.normal(0, 0.015), 1.0)) / 40
        result = make_evaluation(right, min(1.0, right + 0.03), max(0.0, 1.05 - right) * 0.5)
        store.record_events(
            person.username, [make_event("record", at, name="evaluation", value=result), make_event("finish", at)], at
        )
        if rng.random() < 0.85:
            answer_quiz(store, person, quiz, "post", 1.1 + skill, rng, at)
            if rng.random() < 0.9:
                agreed = {name: int(np.clip(round(rng.normal(4, 0.9)), 1, 5)) for name in survey.statements}
                save_survey_answers(store, person.id, survey=survey, ratings=agreed, comment=str(rng.choice(COMMENTS)))
            if rng.random() < later:
                days = float(rng.uniform(21, 60))
                answer_quiz(store, person, quiz, "retention", 0.7 + skill, rng, at + timedelta(days=days))
                store.record_events(
                    person.username,
                    [make_event("step", at + timedelta(days=days), "look", lesson=lesson.name)],
                    at + timedelta(days=days),
                )
        if rng.random() < 0.3:
            store.record_events(person.username, [make_event("download", at)], at)


def answer_quiz(store, person, quiz, occasion, ability, rng, at):
    chosen = {}
    for place, item in enumerate(quiz.items):
        right = rng.random() < 1 / (1 + np.exp(-(ability - 0.35 * (place - 3.5))))
        wrong = [n for n in range(len(item.options)) if n != item.correct_index]
        chosen[item.id] = (
            item.correct_index if right else None if rng.random() < 0.35 else int(rng.choice(wrong, p=[0.6, 0.2, 0.2]))
        )
    save_quiz_answers(store, person.id, occasion, items=quiz.items, chosen=chosen)
    with Session(store.engine) as session, session.begin():
        mine = (QuizAnswer.participant_id == person.id, QuizAnswer.occasion == occasion)
        session.execute(update(QuizAnswer).where(*mine).values(answered=at))
        session.execute(update(Participant).where(Participant.id == person.id).values(seen=at))
