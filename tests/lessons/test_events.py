"""Event spool: every event once, nothing outside a class, no error messages."""

import json

import pytest
from IPython.core.interactiveshell import InteractiveShell

from firstread.lessons import lesson
from firstread.lessons.events import MAX_EVENT_CHARACTERS, emit_event, pending_events, register_cell_hooks
from firstread.lessons.session import arm


@pytest.fixture
def spool_folder(monkeypatch, tmp_path):
    folder = tmp_path / "spool"
    monkeypatch.setenv("FIRSTREAD_SPOOL", str(folder))
    monkeypatch.setenv("FIRSTREAD_LESSON_FOLDER", str(tmp_path))
    monkeypatch.setenv("FIRSTREAD_SEED", "7")
    return folder


def read_events(folder):
    return [event for _, event in pending_events(folder)]


def test_outside_a_class_nothing_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv("FIRSTREAD_SPOOL", raising=False)
    monkeypatch.setenv("FIRSTREAD_LESSON_FOLDER", str(tmp_path))
    emit_event("step", step="look")
    lesson("hello-world").step("look")
    assert not [file for file in tmp_path.rglob("*") if "spool" in file.name]


def test_a_lesson_tells_what_happens_in_it(spool_folder):
    running = lesson("hello-world")
    running.step("look")
    running.question("flip", "c")
    running.join_group(augmentation=running.arm("augmentation"), dropout=running.arm("dropout"))
    running.finish()
    kinds = [(event["kind"], event["step"]) for event in read_events(spool_folder)]
    assert kinds == [("step", "look"), ("answer", None), ("record", None), ("finish", None)]
    assert read_events(spool_folder)[1]["values"]["question"] == "flip"
    assert len({event["key"] for event in read_events(spool_folder)}) == 4


def test_cells_are_told_with_the_name_of_an_error_and_not_its_words(spool_folder):
    shell = InteractiveShell()
    register_cell_hooks(shell)
    lesson("hello-world").step("guess")
    shell.run_cell("1 + 1", cell_id="first")
    shell.run_cell("raise ValueError('Mrs Miller, born 1950')", cell_id="second")
    shell.run_cell("this is no Python", cell_id="third")
    cells = [event for event in read_events(spool_folder) if event["kind"] == "cell"]
    assert [(event["values"]["cell"], event["values"]["ok"], event["values"]["error"]) for event in cells] == [
        ("first", True, None),
        ("second", False, "ValueError"),
        ("third", False, "SyntaxError"),
    ]
    assert {event["step"] for event in cells} == {"guess"}
    assert "Miller" not in json.dumps(read_events(spool_folder))


def test_what_nobody_takes_stays_and_what_is_broken_is_put_aside(spool_folder):
    emit_event("step", step="look")
    (spool_folder / "broken.json").write_text("{")
    (spool_folder / ".half.json").write_text("{")
    assert len(read_events(spool_folder)) == len(read_events(spool_folder)) == 1
    assert (spool_folder / "broken.unreadable").exists()
    for file, _ in pending_events(spool_folder):
        file.unlink()
    assert read_events(spool_folder) == []


def test_a_lesson_goes_on_when_nothing_can_be_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FIRSTREAD_SPOOL", str(tmp_path / "file" / "spool"))
    emit_event("step", step="look")
    monkeypatch.setenv("FIRSTREAD_SPOOL", str(tmp_path / "spool"))
    emit_event("record", name="long", value="x" * (MAX_EVENT_CHARACTERS + 1))
    assert read_events(tmp_path / "spool")[0]["values"] == {"too_long": True, "name": "long"}
    emit_event("record", name="object", value=object())


@pytest.mark.parametrize(("given", "expected"), [('{"augmentation": "off"}', "off"), ('{"augmentation": "on"}', "on")])
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
