"""Command of a participant's pod: lesson and resume word in the volume, and neither in the server's environment."""

import subprocess
import sys

import pytest

from firstread.classroom.cluster.pod import prepare_pod


@pytest.fixture
def environment(tmp_path):
    shared = tmp_path / "shared"
    (shared / "data").mkdir(parents=True)
    (shared / "template.ipynb").write_text("the lesson")
    (tmp_path / "volume").mkdir()
    return {
        "HOME": str(tmp_path / "volume"),
        "FIRSTREAD_SHARED": str(shared),
        "FIRSTREAD_LESSON": "hello-world",
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "FIRSTREAD_RESUME_WORD": "otter-maple-417",
        "KEPT": "yes",
    }


def test_the_lesson_and_the_word_go_into_the_volume_and_the_word_no_further(environment, tmp_path):
    left = prepare_pod(environment)
    assert (tmp_path / "volume" / "hello-world.ipynb").read_text() == "the lesson"
    assert "otter-maple-417" in (tmp_path / "volume" / "my resume word.txt").read_text()
    assert "FIRSTREAD_RESUME_WORD" not in left
    assert left["KEPT"] == "yes"


def test_a_second_start_finds_the_work_and_writes_no_word(environment, tmp_path):
    prepare_pod(environment)
    (tmp_path / "volume" / "hello-world.ipynb").write_text("my work")
    (tmp_path / "volume" / "my resume word.txt").write_text("mine")
    prepare_pod({name: value for name, value in environment.items() if name != "FIRSTREAD_RESUME_WORD"})
    assert (tmp_path / "volume" / "hello-world.ipynb").read_text() == "my work"
    assert (tmp_path / "volume" / "my resume word.txt").read_text() == "mine"


@pytest.mark.parametrize("missing", ["HOME", "FIRSTREAD_SHARED", "JUPYTER_RUNTIME_DIR"])
def test_started_by_hand_it_says_one_sentence(environment, missing):
    import os

    bare = {name: value for name, value in environment.items() if name != missing}
    kept = {name: value for name, value in os.environ.items() if name in ("PYTHONPATH", "PATH")}
    done = subprocess.run(
        [sys.executable, "-m", "firstread.classroom.cluster.pod"],
        env=kept | bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert missing in done.stderr
    assert "Traceback" not in done.stderr


def test_an_image_without_the_lesson_says_so(environment):
    import os

    kept = {name: value for name, value in os.environ.items() if name in ("PYTHONPATH", "PATH")}
    done = subprocess.run(
        [sys.executable, "-m", "firstread.classroom.cluster.pod"],
        env=kept | environment | {"FIRSTREAD_SHARED": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be prepared" in done.stderr
    assert "Traceback" not in done.stderr
