"""Lesson session: experiment groups, questions, recorded results."""

import json
import shutil
from collections import Counter

import pytest

from firstread.core.errors import DataError, SettingError
from firstread.lessons import arm, find_lesson, find_lessons, lesson
from firstread.lessons.session import draw_arm


@pytest.fixture
def running(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_LESSON_FOLDER", str(tmp_path))
    monkeypatch.setenv("FIRSTREAD_SEED", "7")
    return lesson("hello-world")


def kept(running):
    return json.loads((running.folder / "result.json").read_text())


def test_an_instructor_may_bring_their_own_lessons(monkeypatch, tmp_path):
    mine = tmp_path / "01-mine"
    shutil.copytree(find_lesson("hello-world").folder, mine)
    text = (mine / "lesson.toml").read_text(encoding="utf-8")
    (mine / "lesson.toml").write_text(text.replace('name = "hello-world"', 'name = "mine"', 1), encoding="utf-8")
    monkeypatch.setenv("FIRSTREAD_LESSONS", str(tmp_path))
    assert [info.name for info in find_lessons()] == ["mine"]
    monkeypatch.setenv("FIRSTREAD_LESSONS", str(tmp_path / "empty"))
    with pytest.raises(DataError, match="FIRSTREAD_LESSONS"):
        find_lessons()


def test_groups_are_drawn_by_seed_and_evenly():
    drawn = Counter(
        (draw_arm("augmentation", ["on", "off"], seed=s), draw_arm("dropout", ["on", "off"], seed=s))
        for s in range(800)
    )
    assert set(drawn) == {("on", "on"), ("on", "off"), ("off", "on"), ("off", "off")}
    assert all(150 < count < 250 for count in drawn.values())


def test_a_learner_keeps_their_group(monkeypatch):
    monkeypatch.delenv("FIRSTREAD_SEED", raising=False)
    assert len({arm("augmentation") for _ in range(5)}) == 1
    monkeypatch.setenv("FIRSTREAD_SEED", "not a number")
    with pytest.raises(SettingError, match="FIRSTREAD_SEED"):
        arm("augmentation")


def test_the_check_of_the_edit(running):
    assigned = {name: running.arm(name) for name in ("augmentation", "dropout")}
    untouched = running.check_arms({"augmentation": "type on or off", "dropout": "on"})
    assert untouched.good is False
    assert "Not yet" in untouched.text
    assert running.check_arms(assigned).text.startswith("Success!")
    other = {**assigned, "dropout": "off" if assigned["dropout"] == "on" else "on"}
    assert "another group" in running.check_arms(other).text
    assert kept(running)["results"]["arms"] == {"assigned": assigned, "ran": other}


def test_questions_are_answered_offline(running):
    asked = running.question("interval")
    assert "a)" in repr(asked)
    assert running.question("interval", "b").good is True
    assert running.question("interval", "A").good is False
    assert "one letter" in running.question("interval", "maybe").text
    assert kept(running)["answers"]["interval"]["answer"] == "a"
    with pytest.raises(SettingError, match="no question"):
        running.question("intervall")


def test_what_is_recorded_stays(running):
    running.step("look")
    running.record("a", {"b": 1.5})
    running.finish(report=running.folder / "report.html")
    again = kept(running)
    assert "look" in again["steps"]
    assert again["results"]["a"] == {"b": 1.5}
    assert again["files"]["report"].endswith("report.html")
    with pytest.raises(SettingError, match='Did you mean "look"'):
        running.step("loook")


def test_text_from_a_learner_is_escaped(running):
    note = running.check_arms({"augmentation": "<script>x</script>", "dropout": "on"})
    assert "<script>" not in note._repr_html_()


def test_an_unknown_lesson_gets_a_suggestion():
    with pytest.raises(SettingError, match='Did you mean "hello-world"'):
        find_lesson("hello-wrold")
    assert find_lesson("1").name == find_lessons()[0].name
