"""Home folder of a participant: lesson, resume word and server environment."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the classroom needs firstread[classroom]")

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.schema import Participant
from firstread.classroom.home_directory import (
    RESUME_WORD_FILE,
    build_server_environment,
    create_home,
    write_resume_word,
)


@pytest.fixture
def shared(tmp_path):
    folder = tmp_path / "shared"
    (folder / "data").mkdir(parents=True)
    (folder / "template.ipynb").write_text("the lesson")
    return folder


def test_a_home_gets_the_lesson_once_and_what_was_changed_stays(shared, tmp_path):
    home = create_home(tmp_path / "ana", shared=shared, lesson="hello-world")
    assert (home / "hello-world.ipynb").read_text() == "the lesson"
    assert (home / ".firstread" / "data").resolve() == shared / "data"
    assert home.stat().st_mode & 0o077 == 0
    (home / "hello-world.ipynb").write_text("my work")
    create_home(home, shared=shared, lesson="hello-world")
    assert (home / "hello-world.ipynb").read_text() == "my work"


def test_the_resume_word_lies_beside_the_notebook_for_its_owner_only(tmp_path):
    write_resume_word(tmp_path / "ana", "otter-maple-417")
    file = tmp_path / "ana" / RESUME_WORD_FILE
    assert file.read_text().startswith("otter-maple-417\n")
    assert file.stat().st_mode & 0o077 == 0


def test_a_server_is_told_its_groups_and_a_seed_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    settings = ClassFolder.create("class", lesson="hello-world").settings
    now = datetime.now(UTC)
    common = {"name": "A", "resume_mark": "", "arms": {"dropout": "on"}, "joined": now, "seen": now}
    people = [Participant(id=n, username=f"p{n}", number=n, **common) for n in (1, 2)]
    told = [
        build_server_environment(
            one, settings, home=Path("/home/a"), shared=Path("/shared"), service_url="http://service/"
        )
        for one in people
    ]
    assert json.loads(told[0]["FIRSTREAD_ARMS"]) == {"dropout": "on"}
    assert told[0]["FIRSTREAD_SEED"] != told[1]["FIRSTREAD_SEED"]
    assert told[0]["FIRSTREAD_SPOOL"].startswith("/home/a/")
    secrets = (settings.join_code, settings.instructor_key, settings.class_key)
    assert not any(secret in value for secret in secrets for value in told[0].values())


def test_sockets_have_a_short_path_wherever_temporary_files_are(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.create("class", lesson="hello-world")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 20)))
    socket_path = folder.sockets_folder_of("p100-abcdef12") / f"kernel-{'0' * 36}-ipc-5"
    assert len(str(socket_path)) <= 107
    assert folder.sockets_folder.stat().st_mode & 0o077 == 0o011
