"""Warm-up of a lesson: short, without side effects, also when a cell fails."""

import os
from pathlib import Path

import pytest

import firstread as fr
from firstread.lessons.lesson_info import find_lesson
from firstread.lessons.warmup import warm_up

LESSON = """
# %%
import os
import firstread as fr
lesson = fr.lesson("small")
seen = {"in class": lesson.in_class, "data": lesson.data, "place": os.getcwd(), "queue": os.environ["FIRSTREAD_QUEUE"]}

# %% tags=["edit", "choose"]
GROUP = "type on or off"

# %%
seen["group"] = GROUP
fr.train("a network", "a cohort", epochs=7, freeze=True)

# %%
class Shown:
    def _repr_html_(self):
        seen["shown"] = True

Shown()

# %%
fr.collected(seen)
"""
SETTINGS = """
name = "small"
title = "Small"
summary = "s"
minutes = 1
level = 1
data = "hello-world"
steps = []
[arms]
group = ["on", "off"]
[[edits]]
cell = "choose"
code = 'GROUP = "{group}"'
"""


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    folder = tmp_path / "lessons" / "01-small"
    folder.mkdir(parents=True)
    (folder / "lesson.toml").write_text(SETTINGS)
    (folder / "lesson.py").write_text(LESSON)
    monkeypatch.setenv("FIRSTREAD_LESSONS", str(tmp_path / "lessons"))
    trained, collected = [], []
    monkeypatch.setattr(fr, "train", lambda *_, **named: trained.append(named), raising=False)
    monkeypatch.setattr(fr, "collected", collected.append, raising=False)
    return folder, trained, collected


def test_all_cells_run_as_in_a_class_with_short_trainings_and_nothing_is_left(lesson):
    _, trained, collected = lesson
    before, cwd, train = dict(os.environ), Path.cwd(), fr.train
    warm_up(find_lesson("small"), data="hello-world/openi")
    assert trained == [{"epochs": 1, "freeze": True}]
    assert collected[0]["in class"] is True
    assert collected[0]["group"] == "on"
    assert collected[0]["data"] == "hello-world/openi"
    assert collected[0]["queue"] == "off"
    assert not Path(collected[0]["place"]).exists()
    assert (dict(os.environ), Path.cwd(), fr.train) == (before, cwd, train)


def test_a_lesson_that_fails_leaves_nothing_either(lesson):
    folder, _, _ = lesson
    (folder / "lesson.py").write_text("# %%\n1 / 0\n")
    before, cwd, train = dict(os.environ), Path.cwd(), fr.train
    with pytest.raises(ZeroDivisionError):
        warm_up(find_lesson("small"), data="hello-world")
    assert (dict(os.environ), Path.cwd(), fr.train) == (before, cwd, train)
