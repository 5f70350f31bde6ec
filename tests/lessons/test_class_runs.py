"""Class results in a notebook: the own run among the others; without a class, a note."""

import json

import numpy as np
import pytest
from scipy import stats

from firstread.lessons import lesson
from firstread.lessons.class_runs import class_runs_file
from firstread.lessons.session import Note


@pytest.fixture
def running(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_LESSON_FOLDER", str(tmp_path / "results"))
    monkeypatch.setenv("FIRSTREAD_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("FIRSTREAD_SEED", "7")
    return lesson("hello-world")


def write_class_runs(tmp_path, runs, **other):
    values = {
        "lesson": "hello-world",
        "arms": ["augmentation"],
        "outcomes": ["accuracy"],
        "fewest": 3,
        "runs": runs,
        **other,
    }
    class_runs_file(tmp_path / "spool").write_text(json.dumps(values))


RUNS = [
    {"ran augmentation": arm, "accuracy": value}
    for arm, value in (("on", 0.9), ("on", 0.95), ("off", 0.8), (None, 0.7))
]


def test_alone_there_is_a_note(running, monkeypatch):
    monkeypatch.delenv("FIRSTREAD_SPOOL")
    assert isinstance(running.class_runs(), Note)
    assert "on your own" in running.class_runs().text


@pytest.mark.parametrize("text", ["{", "[]", '{"lesson": "hello-world"}', '{"lesson": 7, "runs": 3}'])
def test_a_broken_file_disturbs_nobody(running, tmp_path, text):
    class_runs_file(tmp_path / "spool").write_text(text)
    assert isinstance(running.class_runs(), Note)


def test_too_few_others_are_not_shown(running, tmp_path):
    assert "at least 3 others" in running.class_runs().text
    write_class_runs(tmp_path, [])
    assert "at least 3 others" in running.class_runs().text
    write_class_runs(tmp_path, RUNS, lesson="mednist")
    assert isinstance(running.class_runs(), Note)


def test_ones_own_run_stands_among_the_others(running, tmp_path):
    write_class_runs(tmp_path, RUNS)
    before = running.class_runs().table.set_index("group")
    assert (before.loc["augmentation on", "runs"], before.loc["augmentation off", "runs"]) == (2, 1)
    running.join_group(augmentation="on", dropout="off")
    running.record("evaluation", {"metrics": {"accuracy": {"value": 1.0}}})
    shown = running.class_runs()
    row = shown.table.set_index("group").loc["augmentation on"]
    low, high = stats.ttest_1samp([0.9, 0.95, 1.0], 0).confidence_interval(0.95)
    assert (row["runs"], row["mean"], row["low"]) == (3, pytest.approx(0.95), pytest.approx(low))
    assert row["high"] == 1.0 < high, "no accuracy is above 100 %"
    assert row[""] == "yours"
    assert np.isnan(shown.table.set_index("group").loc["augmentation off", "low"])
    assert "and you" in repr(shown)
    assert "<img" in shown._repr_html_()
    assert [axis.get_xlabel()[:8] for axis in shown.figure().axes] == ["accuracy"]


def test_a_lesson_without_experiments_shows_everyone(running, tmp_path):
    write_class_runs(tmp_path, [{"accuracy": value} for value in (0.8, 0.9, 1.0)], arms=[])
    assert list(running.class_runs().table["group"]) == ["everyone"]
