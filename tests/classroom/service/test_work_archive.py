"""What somebody takes home is theirs, all of it that matters, and nothing of anybody else."""

import io
import os
import zipfile

import pytest

from firstread.classroom.service.work_archive import stream_work_zip
from firstread.lessons.install_requirement import pip_requirement

pytestmark = pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")


@pytest.fixture
def home(tmp_path):
    """A participant's folder beside a neighbour's."""
    files = {
        "hello-world.ipynb": b"{}" * 1000,
        "results/report.html": b"<p>report",
        "results/result.json": b"{}",
        "notes.txt": b"mine",
        "results/run/best.safetensors": b"w" * 5000,
        "results/run/last.safetensors": b"o" * 9000,
        "results/marked/1.png": b"p",
        ".firstread/spool/news.json": b"secret",
        ".jupyter/token": b"secret",
        "my resume word.txt": b"secret",
        ".hidden": b"secret",
    }
    for name, data in files.items():
        file = tmp_path / "homes" / "ana" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    neighbour = tmp_path / "homes" / "bea"
    neighbour.mkdir()
    (neighbour / "private.txt").write_bytes(b"secret of a neighbour")
    return tmp_path / "homes" / "ana"


def taken(home, **more):
    data = b"".join(stream_work_zip(home, lesson="hello-world", title="Lesson 1", **more))
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return {name.removeprefix("hello-world/"): archive.read(name) for name in archive.namelist()}


def test_notebook_results_report_and_network(home):
    found = taken(home)
    assert set(found) == {
        "hello-world.ipynb",
        "results/report.html",
        "results/result.json",
        "results/run/best.safetensors",
        "notes.txt",
        "README.txt",
    }
    assert found["results/run/best.safetensors"] == b"w" * 5000
    assert "firstread open hello-world" in found["README.txt"].decode()
    assert f'pip install "{pip_requirement("all")}"' in found["README.txt"].decode()
    assert not any(b"secret" in data for data in found.values())


def test_links_are_not_followed(home):
    neighbour = home.parent / "bea"
    (home / "link.txt").symlink_to(neighbour / "private.txt")
    (home / "folder").symlink_to(neighbour, target_is_directory=True)
    (home / "results" / "deep").symlink_to(neighbour, target_is_directory=True)
    os.link(neighbour / "private.txt", home / "hard.txt")
    os.mkfifo(home / "pipe")
    found = taken(home)
    assert not any(b"secret" in data for data in found.values())
    assert not {"link.txt", "hard.txt", "pipe"} & set(found)


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(home):
    pieces = stream_work_zip(home, lesson="hello-world", title="Lesson 1")
    first = next(pieces)
    (home / "results").rename(home / "moved")
    (home.parent / "bea" / "report.html").write_bytes(b"secret of a neighbour")
    (home / "results").symlink_to(home.parent / "bea", target_is_directory=True)
    (home / "notes.txt").unlink()
    data = first + b"".join(pieces)
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert not any(b"secret" in archive.read(name) for name in archive.namelist())


def test_what_does_not_fit_is_named(home):
    found = taken(home, max_bytes=4000)
    assert "hello-world.ipynb" in found
    assert "results/run/best.safetensors" not in found
    assert "results/run/best.safetensors" in found["README.txt"].decode()


def test_it_never_lies_in_memory_as_a_whole(home):
    (home / "large.bin").write_bytes(os.urandom(3 * 2**20))
    assert max(len(piece) for piece in stream_work_zip(home, lesson="hello-world", title="Lesson 1")) < 2**20
