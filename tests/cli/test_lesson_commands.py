"""`firstread run` from outside: interrupted, with other class names, and where nothing can be written."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from firstread.cli.entry_point import app
from firstread.cli.lesson_commands import parse_class_names
from firstread.core.errors import SettingError

LESSON_TOML = """
name = "slow"
title = "Slow"
minutes = 1
data = "hello-world"
[[steps]]
id = "one"
title = "One"
minutes = 1
[[steps]]
id = "two"
title = "Two"
minutes = 1
"""
LESSON_PY = """
# %% tags=["step-one"]
print("the first cell")

# %% tags=["step-two"]
{second}
"""


def make_lesson(folder, second):
    (folder / "01-slow").mkdir(parents=True)
    (folder / "01-slow" / "lesson.toml").write_text(LESSON_TOML)
    (folder / "01-slow" / "lesson.py").write_text(LESSON_PY.format(second=second))


def start(tmp_path, *words, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "firstread", *words],
        env={**os.environ, "FIRSTREAD_LESSONS": str(tmp_path / "lessons"), **environment},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.skipif(os.name != "posix", reason="signals as a terminal sends them")
def test_an_interrupt_is_said_and_loses_nothing(tmp_path):
    make_lesson(tmp_path / "lessons", "import pathlib, time\npathlib.Path('running').touch()\ntime.sleep(600)")
    process = start(tmp_path, "run", "slow", "--folder", str(tmp_path / "out"))
    deadline = time.monotonic() + 120
    while not (tmp_path / "out" / "running").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == "Interrupted. What was finished is kept."
    assert "Traceback" not in said
    assert "did not foresee" not in said
    cells = json.loads((tmp_path / "out" / "slow.ipynb").read_text())["cells"]
    assert any("the first cell" in json.dumps(cell.get("outputs", [])) for cell in cells)


def test_where_it_failed_is_the_step_of_the_cell(tmp_path):
    make_lesson(tmp_path / "lessons", "1 / 0")
    process = start(tmp_path, "run", "slow", "--folder", str(tmp_path / "out"))
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "ZeroDivisionError: division by zero. Where: step two of slow." in said


@pytest.mark.parametrize(
    "words",
    [
        ["run", "hello-world"],
        ["open", "hello-world", "--no-browser"],
        ["data", "show", "hello-world"],
        ["data", "get", "hello-world"],
        ["class", "status"],
        ["class", "start"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("kind", ["file", "below a file", *(["unwritable"] if os.path.isdir("/proc") else [])])
def test_a_home_that_cannot_be_used_is_named_with_a_remedy(tmp_path, words, kind):
    (tmp_path / "lessons").mkdir()
    blocked = tmp_path / "blocked"
    blocked.write_text("a file")
    home = {"file": blocked, "below a file": blocked / "home", "unwritable": "/proc/firstread"}[kind]
    if kind == "unwritable" and words == ["class", "status"]:
        return  # it writes nothing
    environment = {**os.environ, "FIRSTREAD_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-m", "firstread", *words],
        env=environment,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()[-1]
    assert "did not foresee" not in said
    assert str(blocked if kind != "unwritable" else "/proc/firstread") in said
    assert "FIRSTREAD_HOME" in said


def test_class_names_are_pairs():
    assert parse_class_names("abd=abdomen, chst = chest") == {"abd": "abdomen", "chst": "chest"}
    for wrong in ("abd", "abd=", "=x", "a=b=c", ""):
        with pytest.raises(SettingError, match=r"--classes.*name=new name"):
            parse_class_names(wrong)


def test_data_with_a_typo_are_wrong_use():
    result = CliRunner().invoke(app, ["run", "hello-world", "--data", "hello-wolrd"])
    assert isinstance(result.exception, SettingError)  # `main` makes it status 2
