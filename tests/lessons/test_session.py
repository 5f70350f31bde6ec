"""Lesson session: experiment groups, questions, recorded results."""

import json
import shutil
from collections import Counter

import pytest

from firstread.core.errors import DataError, SettingError
from firstread.lessons import arm, find_lesson, find_lessons, lesson
from firstread.lessons.experiment_groups import draw_arm
from firstread.lessons.notes import NotYetError


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


def test_a_group_is_typed_and_stands_beside_the_draw(running):
    assigned = {name: running.arm(name) for name in ("augmentation", "dropout")}
    joined = running.join_group(**assigned)
    assert joined.note.text.startswith("Success! You run the group that you were drawn into")
    other = {**assigned, "dropout": "off" if assigned["dropout"] == "on" else "on"}
    assert "another group" in running.join_group(**other).note.text
    assert kept(running)["results"]["arms"] == {"assigned": assigned, "ran": other}


@pytest.mark.parametrize("typed", ["type on or off", "", "yes", "onn", "<script>x</script>"])
def test_what_is_no_group_is_not_recorded_and_stops_the_cells_below(running, typed):
    with pytest.raises(NotYetError, match='Not yet: AUGMENTATION.*Expected: "on" or "off"'):
        running.join_group(augmentation=typed, dropout="on")
    assert not (running.folder / "result.json").exists()


@pytest.mark.parametrize("typed", ["on", "ON", " On ", '"on"'])
def test_a_group_may_be_typed_in_any_case(running, typed):
    group = running.join_group(augmentation=typed, dropout="off")
    assert group.arms == {"augmentation": "on", "dropout": "off"}
    assert group.augmentation.flip
    assert group.dropout == 0.0
    assert running.join_group(augmentation="off", dropout="on").augmentation is None
    assert running.join_group(augmentation="off", dropout="on").dropout == running.recipe["dropout"]


def test_questions_are_answered_offline(running):
    asked = running.question("interval")
    assert "a)" in repr(asked)
    assert running.question("interval", "b").good is True
    assert running.question("interval", "A").good is False
    assert "one of the letters" in running.question("interval", "maybe").text
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


def test_an_unknown_lesson_gets_a_suggestion():
    with pytest.raises(SettingError, match='Did you mean "hello-world"'):
        find_lesson("hello-wrold")
    assert find_lesson("1").name == find_lessons()[0].name
