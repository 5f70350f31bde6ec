"""The look of a lesson in JupyterLab: found by it, nothing from elsewhere, a workspace for each notebook."""

import json
import re
from pathlib import Path

import pytest

import firstread.lessons.page_extension as page_extension
from firstread.lessons.buttons import strip_widget_views
from firstread.lessons.jupyterlab import jupyterlab_command, jupyterlab_environment
from firstread.lessons.page_extension import install_lesson_extension

STATIC = Path(page_extension.__file__).parent / "static"


def test_it_is_found_by_jupyterlab(tmp_path):
    folder = install_lesson_extension(tmp_path)
    described = json.loads((folder / "package.json").read_text())
    assert folder == tmp_path / "labextensions" / "firstread-lesson"
    assert (folder / described["jupyterlab"]["_build"]["load"]).is_file()
    config = pytest.importorskip("jupyterlab_server.config")
    assert "firstread-lesson" in config.get_federated_extensions([str(tmp_path / "labextensions")])


@pytest.mark.parametrize("file", sorted(STATIC.glob("*.js")), ids=lambda file: file.name)
def test_nothing_is_read_as_html_and_nothing_comes_from_elsewhere(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"[\"'`](?:https?:)?//", text)


def test_each_notebook_has_a_workspace_and_all_have_a_kernel_that_explains_errors(tmp_path, monkeypatch, firstread_home):
    monkeypatch.setenv("JUPYTER_PATH", "/somewhere/else")
    first = jupyterlab_environment(tmp_path / "hello-world.ipynb")
    second = jupyterlab_environment(tmp_path / "mednist.ipynb")
    assert first["JUPYTERLAB_WORKSPACES_DIR"] != second["JUPYTERLAB_WORKSPACES_DIR"]
    assert first["JUPYTER_PATH"].split(":")[-1] == "/somewhere/else" or ";" in first["JUPYTER_PATH"]
    kernel = json.loads((firstread_home / "jupyter" / "kernels" / "python3" / "kernel.json").read_text())
    assert "--ext=firstread.lessons.notebook_errors" in kernel["argv"]


def test_jupyter_finds_what_takes_the_buttons_out_of_a_saved_notebook(tmp_path):
    manager = pytest.importorskip("jupyter_server.services.contents.filemanager").FileContentsManager
    (option,) = [word for word in jupyterlab_command(tmp_path / "x.ipynb") if "pre_save_hook" in word]
    found = manager(root_dir=str(tmp_path), pre_save_hook=option.partition("=")[2])
    assert found.pre_save_hook is strip_widget_views
