"""What a notebook tells its class: everything once, nothing outside a class, and never a word out of an error."""

import json

import pytest
from IPython.core.interactiveshell import InteractiveShell

from firstread.lessons import lesson
from firstread.lessons.session import arm
from firstread.lessons.events import MOST_CHARACTERS, tell, waiting, watch_cells


@pytest.fixture
def news(monkeypatch, tmp_path):
    folder = tmp_path / "spool"
    monkeypatch.setenv("FIRSTREAD_SPOOL", str(folder))
    monkeypatch.setenv("FIRSTREAD_LESSON_FOLDER", str(tmp_path))
    monkeypatch.setenv("FIRSTREAD_SEED", "7")
    return folder


def told(folder):
    return [told for _, told in waiting(folder)]


def test_outside_a_class_nothing_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv("FIRSTREAD_SPOOL", raising=False)
    monkeypatch.setenv("FIRSTREAD_LESSON_FOLDER", str(tmp_path))
    tell("step", step="look")
    lesson("hello-world").step("look")
    assert not [file for file in tmp_path.rglob("*") if "spool" in file.name]


def test_a_lesson_tells_what_happens_in_it(news):
    running = lesson("hello-world")
    running.step("look")
    running.question("flip", "c")
    running.check_arms({"augmentation": running.arm("augmentation"), "dropout": running.arm("dropout")})
    running.finish()
    kinds = [(one["kind"], one["step"]) for one in told(news)]
    assert kinds == [("step", "look"), ("answer", None), ("record", None), ("finish", None)]
    assert told(news)[1]["values"]["question"] == "flip"
    assert len({one["key"] for one in told(news)}) == 4


def test_cells_are_told_with_the_name_of_an_error_and_not_its_words(news):
    shell = InteractiveShell()
    watch_cells(shell)
    lesson("hello-world").step("guess")
    shell.run_cell("1 + 1", cell_id="first")
    shell.run_cell("raise ValueError('Mrs Miller, born 1950')", cell_id="second")
    shell.run_cell("this is no Python", cell_id="third")
    cells = [one for one in told(news) if one["kind"] == "cell"]
    assert [(one["values"]["cell"], one["values"]["ok"], one["values"]["error"]) for one in cells] == [
        ("first", True, None), ("second", False, "ValueError"), ("third", False, "SyntaxError"),
    ]  # fmt: skip
    assert {one["step"] for one in cells} == {"guess"}
    assert "Miller" not in json.dumps(told(news))


def test_what_nobody_takes_stays_and_what_is_broken_is_put_aside(news):
    tell("step", step="look")
    (news / "broken.json").write_text("{")
    (news / ".half.json").write_text("{")
    assert len(told(news)) == len(told(news)) == 1
    assert (news / "broken.unreadable").exists()
    for file, _ in waiting(news):
        file.unlink()
    assert told(news) == []


def test_a_lesson_goes_on_when_nothing_can_be_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FIRSTREAD_SPOOL", str(tmp_path / "file" / "spool"))
    tell("step", step="look")
    monkeypatch.setenv("FIRSTREAD_SPOOL", str(tmp_path / "spool"))
    tell("record", name="long", value="x" * (MOST_CHARACTERS + 1))
    assert told(tmp_path / "spool")[0]["values"] == {"too_long": True, "name": "long"}
    tell("record", name="object", value=object())


@pytest.mark.parametrize(
    ("given", "expected"), [('{"augmentation": "off"}', "off"), ('{"augmentation": "on"}', "on")]
)
def test_the_class_assigns_the_group(monkeypatch, given, expected):
    monkeypatch.setenv("FIRSTREAD_ARMS", given)
    assert arm("augmentation") == expected


@pytest.mark.parametrize("given", ["", "no json", "[]", '{"augmentation": "sideways"}', "{}"])
def test_without_a_word_from_the_class_it_is_drawn(monkeypatch, given):
    monkeypatch.setenv("FIRSTREAD_SEED", "7")
    monkeypatch.delenv("FIRSTREAD_ARMS", raising=False)
    drawn = arm("augmentation")
    monkeypatch.setenv("FIRSTREAD_ARMS", given)
    assert arm("augmentation") == drawn
