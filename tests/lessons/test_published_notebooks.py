"""What is published from the lessons equals what would be written now, and a notebook says where firstread comes from."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from firstread.lessons import find_lessons
from firstread.lessons.install_requirement import pip_requirement, repository_url

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "scripts"))

from notebooks import published_files, render_links, render_notebook  # noqa: E402

LESSONS = find_lessons(ROOT / "lessons")


def test_every_published_file_is_up_to_date():
    stale = [path.relative_to(ROOT).as_posix() for path, text in published_files().items() if path.read_text("utf-8") != text]
    assert stale == [], "run: make notebooks"
    assert {path.name for path in published_files()} == {"lesson.ipynb", "colab-kaggle.md"}


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_a_notebook_is_always_the_same_and_can_be_told_apart_cell_by_cell(lesson):
    text = render_notebook(lesson)
    code = "import sys; from firstread.lessons import find_lesson; import nbformat\n"
    code += "sys.stdout.write(nbformat.writes(find_lesson(sys.argv[1]).notebook()) + '\\n')"
    for seed in ("1", "2", "3"):  # sets are in another order with each
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        made = subprocess.run([sys.executable, "-c", code, lesson.name], env=environment, capture_output=True, check=True)
        assert made.stdout.decode("utf-8") == text
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(not cell.get("outputs") for cell in notebook.cells)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_the_first_code_cell_installs_from_the_repository(lesson, monkeypatch):
    """Run where firstread is missing, with pip kept from running: what would it be told?"""
    import importlib.util

    asked = []
    cell = next(cell for cell in lesson.notebook().cells if cell.cell_type == "code")
    assert "setup" in cell.metadata["tags"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(subprocess, "run", lambda command, **options: asked.append(command))
    exec(compile(cell.source, "setup", "exec"), {})
    ((*pip, wanted),) = asked
    assert pip[1:4] == ["-m", "pip", "install"]
    requirement = Requirement(wanted)
    assert (requirement.name, requirement.extras) == ("firstread", {lesson.values.get("install", "learn")})
    assert requirement.url == f"git+{repository_url()}"


def test_the_links_follow_the_address():
    links = render_links(LESSONS, repository="https://github.com/somebody/somewhere.git")
    for lesson in LESSONS:
        file = f"somebody/somewhere/blob/main/lessons/{lesson.folder.name}/lesson.ipynb"
        assert f"https://colab.research.google.com/github/{file}" in links
        assert f"https://www.kaggle.com/kernels/welcome?src=https://github.com/{file}" in links
    assert "no public address" not in links
    assert "no public address" in render_links(LESSONS, repository="https://github.com/-owner-/firstread")


def test_the_documentation_asks_no_index_for_firstread():
    """There is none that has it: from a folder, a file or the repository only, or beside the packages that were carried over."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    lines = [line for page in pages for line in page.read_text("utf-8").splitlines() if "pip install" in line]
    assert lines
    for line in lines:
        assert '"firstread' not in line or "--no-index" in line, line
    assert Requirement(pip_requirement("all")).extras == {"all"}
