"""A lesson of an instructor's own: the folder of docs/how-to/add-a-lesson.md is found, opened and run."""

import json

import nbformat
import pytest
from how_to_page import code_blocks

from firstread.core.errors import FirstreadError
from firstread.lessons import find_lessons, run_lesson
from firstread.lessons.jupyterlab import copy_lesson
from firstread.lessons.lesson_info import find_lesson
from firstread.lessons.questionnaires import load_quiz, load_survey

FILES = ("lesson.toml", "lesson.py", "quiz.toml", "test.toml", "survey.toml")


@pytest.fixture
def own_lessons(tmp_path, monkeypatch):
    """The page's lesson in a folder of lessons of its own."""
    folder = tmp_path / "my_lessons" / "01-windows"
    folder.mkdir(parents=True)
    files = {title: text for _, title, text in code_blocks("add-a-lesson.md") if title in FILES}
    assert set(files) == set(FILES)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("FIRSTREAD_LESSONS", str(folder.parent))
    return folder


def test_it_is_found_and_whole(own_lessons):
    (info,) = find_lessons()
    assert (info.name, info.folder) == ("windows", own_lessons)
    assert sum(step["minutes"] for step in info.steps) == info.values["minutes"]
    quiz, survey = load_quiz(info), load_survey(info)
    assert {item.concept for item in quiz.items} == set(info.questions())
    assert quiz.closing_step in {step["id"] for step in info.steps}
    assert survey.statements
    tags = {tag for cell in info.notebook().cells for tag in cell.metadata.get("tags", [])}
    assert {f"step-{step['id']}" for step in info.steps} | {"setup", "edit"} <= tags
    assert {edit["cell"] for edit in info.values["edits"]} <= tags


def test_it_is_opened_as_a_copy_of_ones_own(own_lessons, tmp_path):
    notebook = nbformat.read(copy_lesson("windows", folder=tmp_path / "mine"), as_version=4)
    nbformat.validate(notebook)
    assert 'WINDOW = "type one here"' in [cell.source for cell in notebook.cells]


def test_it_runs_to_the_end(own_lessons, tmp_path):
    summary = run_lesson("windows", folder=tmp_path / "out")
    assert len(summary["results"]["gray levels"]) > 3
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert list(result["steps"]) == ["look", "window"]
    assert (tmp_path / "out" / "windows.html").exists()


def test_a_questionnaire_with_a_key_missing_is_told(own_lessons):
    (own_lessons / "survey.toml").write_text('scale = ["no", "yes"]\n')
    with pytest.raises(FirstreadError, match=r"survey cannot be used.*survey\.toml"):
        load_survey(find_lesson("windows"))
