"""Lessons on disk are complete; a lesson runs headless, and a failing one keeps its notebook."""

import ast
import json
import re

import nbformat
import pytest

from firstread.lessons import find_lessons, run_lesson
from firstread.lessons.lesson_displays import SourceCode
from firstread.lessons.lesson_info import get_step_id
from firstread.lessons.jupyterlab import copy_lesson, jupyterlab_command
from firstread.lessons.runner import LessonFailedError, build_edited_notebook

LESSONS = find_lessons()
TRAINING_LESSONS = [info for info in LESSONS if not info.is_on_dicom]


@pytest.mark.parametrize("info", LESSONS, ids=lambda info: info.name)
def test_every_lesson_is_whole(info):
    notebook = info.notebook()
    nbformat.validate(notebook)
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    source = "\n".join(cell.source for cell in notebook.cells)
    assert sum(step["minutes"] for step in info.steps) <= info.values["minutes"]
    for step in info.steps:
        assert f'lesson.step("{step["id"]}")' in source
        assert f"step-{step['id']}" in tags
    for name, question in info.questions().items():
        assert f'lesson.question("{name}")' in source
        assert question["answer"] in "abcdefgh"[: len(question["options"])]
    for edit in info.values.get("edits", []):
        assert edit["cell"] in tags
    assert "reading room" in source
    assert "Not" in source or "not a medical device" in source.lower()
    assert 'importlib.util.find_spec("firstread")' in source


def code_cells(info):
    return [cell for cell in info.notebook().cells if cell.cell_type == "code"]


def tags_of(cell):
    return set(cell.metadata.get("tags", []))


@pytest.mark.parametrize("info", LESSONS, ids=lambda info: info.name)
def test_a_cell_holds_one_idea_in_public_verbs(info):
    """No plumbing before a learner's eyes: short cells without comprehensions, loops, imports from within, or hidden names."""
    plumbing = (ast.For, ast.While, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.Lambda, ast.If, ast.With)
    for cell in code_cells(info):
        if "setup" in tags_of(cell):
            assert cell.metadata["jupyter"] == {"source_hidden": True}
            continue
        lines = [line for line in cell.source.splitlines() if line.strip() and line != "import firstread as fr"]
        assert len(lines) <= 6, cell.source
        assert all(len(line) <= 120 for line in lines), cell.source
        tree = ast.parse(cell.source)
        assert not [node for node in ast.walk(tree) if isinstance(node, plumbing)], cell.source
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)], cell.source
        names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
        assert set(names) <= {"firstread"}, cell.source
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")]


@pytest.mark.parametrize("info", LESSONS, ids=lambda info: info.name)
def test_text_stands_before_what_it_explains(info):
    cells = info.notebook().cells
    assert sum(c.cell_type == "markdown" for c in cells) > 0.3 * len(cells)
    runs = [0]
    for cell in cells:
        runs.append(0 if cell.cell_type == "markdown" else runs[-1] + 1)
    assert max(runs) <= 3


@pytest.mark.parametrize("info", TRAINING_LESSONS, ids=lambda info: info.name)
def test_every_network_and_training_has_the_seed_of_its_learner(info):
    """Else all participants of a class have the same first weights, and pooled intervals are too narrow."""
    random = [call for call in calls_of(info.notebook()) if ast.unparse(call.func) in ("fr.build_model", "fr.train")]
    assert len(random) >= 3
    assert {arguments_of(call).get("seed", "") for call in random} == {"lesson.seed"}


@pytest.mark.parametrize("info", TRAINING_LESSONS, ids=lambda info: info.name)
def test_what_a_training_cell_says_is_the_recipe(info):
    """`epochs` and `learning_rate` stand in the cell, to be seen and changed, and are those that were measured."""
    notebook = build_edited_notebook(info, seed=0)
    shown = set()
    for cell in notebook.cells:
        phase = next((info.recipe(info.values["data"])[tag] for tag in tags_of(cell) if tag in PHASES), None)
        if phase is None:
            continue
        shown |= tags_of(cell) & set(PHASES)
        (training,) = [call for call in calls_of_source(cell.source) if ast.unparse(call.func) == "fr.train"]
        said = {name: ast.literal_eval(text) for name, text in arguments_of(training).items() if name in phase}
        assert said == phase, cell.source
    assert shown == {name for name, value in info.recipe(info.values["data"]).items() if name in PHASES}
    networks = [call for call in calls_of(notebook) if ast.unparse(call.func) == "fr.build_model"]
    for name in ("size", "weights", "backbone"):
        first = arguments_of(networks[0]).get(name) or ast.unparse(networks[0].args[0])
        assert ast.literal_eval(first) == info.recipe(info.values["data"])[name]


#: tables of a recipe that a training cell with the tag of this name follows
PHASES = ("frozen", "unfrozen", "first", "more", "transfer")


def calls_of_source(source):
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def calls_of(notebook):
    return calls_of_source("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code"))


def arguments_of(call):
    return {word.arg: ast.unparse(word.value) for word in call.keywords}


def minutes_to_read(info):
    """Step -> minutes for somebody who reads everything, answers, and waits 15 seconds for a cell."""
    cells = info.notebook().cells[:-1]  # the last one is for afterwards
    step, minutes = info.steps[0]["id"], {step["id"]: 0.0 for step in info.steps}
    for index, cell in enumerate(cells):
        ahead = next((get_step_id(one) for one in cells[index:] if one.cell_type == "code"), None)
        step = (ahead if re.search(r"^## ", cell.source, re.MULTILINE) else get_step_id(cell)) or step
        words = len(cell.source.split()) if cell.cell_type == "markdown" else 0
        for name in re.findall(r'lesson\.question\("([^"]+)"', cell.source):
            question = info.questions()[name]
            words += len(" ".join([question["text"], *question["options"], question["because"]]).split())
        minutes[step] += words / 150 + 0.25 * (cell.cell_type == "code")
    return minutes


@pytest.mark.parametrize("info", LESSONS, ids=lambda info: info.name)
def test_each_step_can_be_read_in_its_minutes_and_ten_are_left_for_talk(info):
    needed = minutes_to_read(info)
    assert [(step["id"], needed[step["id"]]) for step in info.steps if needed[step["id"]] > step["minutes"]] == []
    assert sum(needed.values()) + 10 <= sum(step["minutes"] for step in info.steps) <= 45


@pytest.mark.parametrize("info", LESSONS, ids=lambda info: info.name)
def test_every_lesson_has_cells_to_edit_and_boxes_that_open(info):
    assert sum("edit" in tags_of(cell) for cell in code_cells(info)) >= 2
    for place in info.values.get("boxes", {}).values():
        assert SourceCode.of(place).text


def test_edits_are_typed_into_their_cells():
    info = LESSONS[0]
    for seed in range(4):
        source = "\n".join(cell.source for cell in build_edited_notebook(info, seed=seed).cells)
        assert "type on or off" not in source
        assert 'AUGMENTATION = "o' in source


def test_a_learners_copy_is_never_overwritten(tmp_path):
    copy = copy_lesson("hello-world", folder=tmp_path)
    copy.write_text("my work")
    assert copy_lesson("hello-world", folder=tmp_path).read_text() == "my work"
    fresh = copy_lesson("hello-world", folder=tmp_path, fresh=True)
    assert fresh != copy
    nbformat.read(fresh, as_version=4)
    assert copy.read_text() == "my work"


def test_jupyter_listens_on_this_computer_only_and_asks_nobody(tmp_path):
    words = " ".join(jupyterlab_command(tmp_path / "x.ipynb", browser=False))
    assert "--ServerApp.ip=127.0.0.1" in words
    assert "NeverCheckForUpdate" in words
    assert "token=" not in words  # Jupyter draws one itself


@pytest.fixture
def small_lesson(tmp_path, monkeypatch):
    """A lesson of three cells that needs no network, in a folder of lessons of its own."""

    def make(third="lesson.record('evaluation', {})"):
        folder = tmp_path / "lessons" / "01-small"
        folder.mkdir(parents=True)
        (folder / "lesson.toml").write_text(
            'name = "small"\ntitle = "Small"\nminutes = 1\ndata = "hello-world"\n'
            '[[steps]]\nid = "one"\ntitle = "One"\nminutes = 1\n'
            '[arms]\ndropout = ["on", "off"]\n[[edits]]\ncell = "choose"\ncode = "chosen = \'{dropout}\'"\n'
        )
        (folder / "lesson.py").write_text(
            "# %% tags=['step-one']\nfrom firstread.lessons import lesson_info\nfrom pathlib import Path\n"
            f"lesson_info._SOURCE = Path({str(tmp_path / 'lessons')!r})\nimport firstread as fr\n"
            "lesson = fr.lesson('small')\nlesson.step('one')\n\n"
            '# %% tags=["edit", "choose"]\nchosen = "?"\n\n'
            f"# %%\nassert chosen in ('on', 'off')\nlesson.record('data', lesson.data)\n{third}\n"
        )
        monkeypatch.setattr("firstread.lessons.lesson_info._SOURCE", tmp_path / "lessons")

    return make


def test_a_lesson_runs_to_the_end(small_lesson, tmp_path):
    small_lesson()
    summary = run_lesson("small", seed=3, folder=tmp_path / "out")
    assert summary["results"]["data"] == "hello-world"
    assert summary["seconds"]["notebook"] > 0
    assert summary["peak_memory_mb"] > 10
    assert summary["versions"]["python"]
    page = (tmp_path / "out" / "small.html").read_text()
    assert "jp-Cell" in page
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == json.loads(json.dumps(summary))


def test_a_cell_that_fails_keeps_what_was_done_and_says_where(small_lesson, tmp_path):
    small_lesson(third="raise ValueError('the reason')")
    with pytest.raises(LessonFailedError, match=r"ValueError: the reason.*step one of small.*small.ipynb"):
        run_lesson("small", folder=tmp_path / "out")
    notebook = nbformat.read(tmp_path / "out" / "small.ipynb", as_version=4)
    assert notebook.cells[0].execution_count == 1
