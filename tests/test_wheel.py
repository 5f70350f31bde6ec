"""The package as one file: it is whole, and a fresh environment without the source tree runs a lesson from it."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest

from classroom.browser import CHROMIUM, launch_browser, open_page
from firstread.lessons.notebook_page import render_notebook_page

ROOT = Path(__file__).resolve().parents[1]
#: what the notebook servers of Colab and Kaggle need not have: none of it belongs to `firstread[learn]`
NOT_IN_COLAB = (
    "alembic",
    "fastapi",
    "jupyterhub",
    "jupyterlab",
    "jupytext",
    "nbclient",
    "nbconvert",
    "segno",
    "sqlalchemy",
)
SITECUSTOMIZE = """
import os, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in os.environ["MISSING_MODULES"].split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

if "MISSING_MODULES" in os.environ:
    sys.meta_path.insert(0, Missing())
"""
#: runs the notebook of lesson 1 from the installed package, up to a step or to its end, as Colab would
RUN_NOTEBOOK = r"""
import os, sys
import nbformat
from nbclient import NotebookClient
from firstread.lessons import find_lesson
from firstread.lessons.lesson_info import get_step_id
from firstread.lessons.runner import build_edited_notebook

info = find_lesson("hello-world")
notebook = nbformat.read(info.folder / "lesson.ipynb", as_version=4)
typed = {cell.id: cell.source for cell in build_edited_notebook(info, seed=0).cells}
for cell in notebook.cells:
    if "edit" in cell.metadata.get("tags", []):
        cell.source = typed[cell.id]
steps = [get_step_id(cell) for cell in notebook.cells]
if sys.argv[1] != "end":
    del notebook.cells[steps.index(sys.argv[1]):]
probe = "try:\n    import jupytext\nexcept ModuleNotFoundError:\n    print('without jupytext')"
notebook.cells.append(nbformat.v4.new_code_cell(probe))
environment = {**os.environ, "MISSING_MODULES": sys.argv[2], "FIRSTREAD_SEED": "0"}
NotebookClient(notebook, timeout=1800).execute(env=environment)
nbformat.write(notebook, "executed.ipynb")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package, built from this source tree without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True)
    (file,) = folder.glob("firstread-*.whl")
    return file


@pytest.fixture(scope="module")
def fresh(wheel, tmp_path_factory):
    """Run a program of a new environment that has the package installed, and sees the libraries of this one."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "env")], check=True)
    python = folder / "env" / "bin" / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, str(wheel)], check=True)
    (site_packages,) = (folder / "env").glob("lib/python*/site-packages")
    here = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    others = [entry for entry in sys.path if entry.endswith("-packages") and entry not in here]
    (site_packages / "libraries.pth").write_text("\n".join(dict.fromkeys([*here, *others])))
    (site_packages / "sitecustomize.py").write_text(SITECUSTOMIZE)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "FIRSTREAD_LESSONS")}
    environment |= {"FIRSTREAD_HOME": str(folder / "home")}

    def run(program, *arguments):
        command = [str(python.with_name(program)), *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.folder = folder
    return run


def test_it_holds_every_file_of_the_package_and_of_the_lessons(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    source, lessons = ROOT / "src" / "firstread", ROOT / "lessons"
    files = {path for folder in (source, lessons) for path in folder.rglob("*") if path.is_file()}
    files = {path for path in files if "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts}
    wanted = {f"firstread/{path.relative_to(source).as_posix()}" for path in files if path.is_relative_to(source)}
    wanted |= {
        f"firstread/_lessons/{path.relative_to(lessons).as_posix()}" for path in files if path.is_relative_to(lessons)
    }
    held = {name for name in names if name.startswith("firstread/")}
    assert held == wanted
    for kind in (
        "_lessons/01-hello-world/lesson.ipynb",
        "labextension/static/bar.js",
        ".safetensors",
        "pages/dashboard.html",
    ):
        assert any(name.endswith(kind) for name in held), kind


def test_a_fresh_environment_opens_a_lesson_from_it(fresh):
    where = fresh("python", "-c", "import firstread; print(firstread.__file__)").strip()
    assert Path(where).is_relative_to(fresh.folder)
    found = {one["part"]: one for one in json.loads(fresh("firstread", "doctor", "--json"))}
    lessons = [tomllib.loads(path.read_text())["name"] for path in sorted(ROOT.glob("lessons/*/lesson.toml"))]
    assert found["lessons"]["text"] == ", ".join(lessons)
    assert {one["state"] for one in found.values()} <= {"ok", "warning"}
    copy = "from firstread.lessons.jupyterlab import copy_lesson; from pathlib import Path\n"
    copy += "print(copy_lesson('mednist', folder=Path('mine')).read_text())"
    assert json.loads(fresh("python", "-c", copy))["nbformat"] == 4
    url = "from firstread.lessons import install_requirement as i; print(i._PYPROJECT.exists(), i.repository_url())"
    assert fresh("python", "-c", url).startswith("False https://")


def test_the_notebook_begins_where_only_the_packages_for_learning_are(fresh):
    fresh("python", "-c", RUN_NOTEBOOK, "look", " ".join(NOT_IN_COLAB))
    cells = json.loads((fresh.folder / "executed.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert outputs[0]["text"] == ["Hello, World!\n"]
    assert "Train the last layers" in json.dumps(outputs)
    assert outputs[-1]["text"] == ["without jupytext\n"], "the packages were really missing"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_lesson_1_runs_to_its_end_from_its_notebook(fresh):
    fresh("python", "-c", RUN_NOTEBOOK, "end", " ".join(NOT_IN_COLAB))
    cells = json.loads((fresh.folder / "executed.ipynb").read_text())["cells"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
    report = fresh.folder / "home" / "runs" / "lessons" / "hello-world" / "report.html"
    page_file = fresh.folder / "lesson.html"
    notebook = nbformat.read(fresh.folder / "executed.ipynb", as_version=4)
    page_file.write_text(render_notebook_page(notebook, title="Lesson 1"), encoding="utf-8")
    with launch_browser() as browser, open_page(browser) as page:  # which also sees to it that they ask nobody
        for path in (page_file, report):
            page.goto(path.as_uri())
            assert page.locator("img").count() >= 5
            assert page.locator("script:not([type='application/vnd.jupyter.widget-state+json'])").count() == 0
