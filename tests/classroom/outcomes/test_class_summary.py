"""What a class is told of itself agrees with SciPy, counts everyone once, and is honest about few."""

import numpy as np
import pytest
from scipy import stats

from firstread.classroom.database.answers import save_survey_answers
from firstread.classroom.database.store import Store
from firstread.classroom.outcomes.class_data import data_version, load_class_data
from firstread.classroom.outcomes.class_summary import answers_table, proportion, summarize_class
from firstread.lessons import find_lesson
from firstread.lessons.questionnaires import load_survey

from ..simulated_results import BEGAN, make_evaluation, make_event, simulate_results

LESSON = find_lesson("hello-world")


@pytest.fixture
def empty(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'class.sqlite'}", key=b"key", experiments=LESSON.values["arms"], seed=3)
    store.create()
    yield store
    store.engine.dispose()


@pytest.fixture
def full(empty):
    simulate_results(empty, LESSON, 30, seed=4)
    return empty


def test_the_gain_is_scipys_paired_one(full):
    data = load_class_data(full)
    found = summarize_class(data, LESSON)["quiz"]
    shares = (
        answers_table(data)
        .groupby(["participant", "occasion"])["right"]
        .mean()
        .unstack()
        .dropna(subset=["pre", "post"])
    )
    test = stats.ttest_rel(shares["post"].astype(float), shares["pre"].astype(float))
    assert found["paired"] == len(shares) > 15
    assert (found["gain"].low, found["gain"].high) == pytest.approx(tuple(test.confidence_interval()))
    assert found["gain"].p_value == pytest.approx(test.pvalue)
    assert sum(found["score_counts"]["before"].values()) == len(shares)
    mean = stats.ttest_1samp(shares["pre"].astype(float), 0).confidence_interval()
    assert (found["before"]["low"], found["before"]["high"]) == pytest.approx(tuple(mean))


def test_groups_as_assigned_and_as_run_agree_with_scipy(full):
    summary = summarize_class(load_class_data(full), LESSON)
    runs = summary["runs"]
    assert any(experiment["switched"] for experiment in summary["experiments"]), "somebody ran another group"
    for experiment in summary["experiments"]:
        compared = experiment["outcomes"][0]
        for row in compared["differences"]:
            column = f"{row.analysis} {experiment['name']}"
            on, off = (runs.loc[runs[column] == group, "accuracy"] for group in ("on", "off"))
            expected = stats.ttest_ind(on, off, equal_var=False).confidence_interval()
            assert (row.difference.low, row.difference.high) == pytest.approx(tuple(expected))
            assert row.difference.value == pytest.approx(on.mean() - off.mean())
        assert {(row["analysis"], row["group"]) for row in compared["means"]} == {
            ("assigned", "on"),
            ("assigned", "off"),
            ("ran", "on"),
            ("ran", "off"),
        }
        assert (
            experiment["switched"]
            == (runs[f"assigned {experiment['name']}"] != runs[f"ran {experiment['name']}"]).sum()
        )


def test_lower_is_better_where_it_is(empty):
    for number in range(12):
        person, _ = empty.join(f"Person {number}")
        brier = (0.1 if person.arms["dropout"] == "on" else 0.5) + number / 1000
        news = [make_event("record", BEGAN, name="evaluation", value=make_evaluation(1 - brier, 1.0, brier))]
        empty.record_events(person.username, news)
    experiment = summarize_class(load_class_data(empty), LESSON)["experiments"][1]
    assert experiment["unconfirmed"] == 12
    brier = next(one for one in experiment["outcomes"] if one["outcome"].name == "Brier score")
    assert brier["differences"][0].interpretation.startswith("dropout on was better")


def test_a_share_has_wilsons_interval():
    expected = stats.binomtest(3, 17).proportion_ci(0.95, method="wilson")
    assert (proportion(3, 17)["low"], proportion(3, 17)["high"]) == pytest.approx((expected.low, expected.high))
    assert np.isnan(proportion(0, 0)["value"])


def test_nobody_is_no_trouble(empty):
    summary = summarize_class(load_class_data(empty), LESSON)
    assert summary["joined"] == summary["quiz"]["paired"] == summary["survey"]["answered"] == 0
    assert "Too few runs" in summary["experiments"][0]["outcomes"][0]["differences"][0].interpretation
    assert summary["quiz"]["gain"] is None


def test_what_one_person_wrote_is_not_shown(empty):
    survey = load_survey(LESSON)
    for number in range(3):
        assert summarize_class(load_class_data(empty), LESSON)["survey"]["comments"] == []
        person, _ = empty.join(f"Person {number}")
        save_survey_answers(
            empty,
            person.id,
            survey=survey,
            ratings=dict.fromkeys(survey.statements, 4 - number),
            comment=f"line {9 - number}",
        )
    found = summarize_class(load_class_data(empty), LESSON)["survey"]
    assert found["comments"] == ["line 7", "line 8", "line 9"], "not in the order in which they came"
    assert found["rows"][0]["counts"] == [0, 1, 1, 1, 0]
    assert (found["rows"][0]["agree"]["count"], found["rows"][0]["agree"]["total"]) == (1, 3)


def test_what_happens_after_the_session_is_counted_by_participant(empty):
    from datetime import timedelta

    ana, _ = empty.join("Ana", BEGAN)
    empty.join("Bea", BEGAN)
    for hours in (0, 1, 13, 30):
        at = BEGAN + timedelta(hours=hours)
        empty.record_events(
            ana.username, [make_event("step", at, "look", lesson="mednist" if hours == 30 else "hello-world")], at
        )
    empty.record_events(ana.username, [make_event("download", at), make_event("download", at)], at)
    rows = summarize_class(load_class_data(empty), LESSON, at)["engagement"]["rows"]
    assert [(row["count"], row["total"], row["not_known"]) for row in rows] == [
        (1, 2, 0),  # took their work home
        (1, 2, 0),  # opened their page, from where it is taken
        (0, 2, 0),
        (1, 2, 0),
        (1, 2, 0),
        (0, 0, 2),  # the last quiz is not due
        (0, 0, 2),  # work at home is never known
    ]


def test_who_was_forgotten_is_in_no_figure(full):
    before = data_version(full)
    gone = full.participants()[0]
    full.delete_participant(gone.username)
    summary = summarize_class(load_class_data(full), LESSON)
    assert data_version(full) != before
    assert summary["joined"] == 29
    assert gone.id not in set(summary["runs"]["participant"])


def test_the_hardest_question_comes_first(full):
    questions = summarize_class(load_class_data(full), LESSON)["quiz"]["questions"]
    shares = [row["after"]["right"] for row in questions]
    assert shares == sorted(shares)
    assert len(questions) == 8
    row = questions[0]["after"]
    expected = stats.binomtest(round(row["right"] * row["answers"]), row["answers"]).proportion_ci(
        0.95, method="wilson"
    )
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))
