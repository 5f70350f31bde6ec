"""Preloaded modules: nothing in them has read what differs between participants."""

import json
import os
import subprocess
import sys

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
if sys.platform != "linux":
    pytest.skip("nothing is forked elsewhere", allow_module_level=True)

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.prefork.child_process import build_sandbox, neutral_environment, shared_read_paths

#: preloads a server's modules; prints which environment variables module-level code has read, and what was imported
RECORDER = """
import json, os, sys
from pathlib import Path
from types import SimpleNamespace

read = set()
environ = type(os.environ)
get = environ.__getitem__

def note(self, key):
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != "<module>":
        frame = frame.f_back
    if frame is not None and frame.f_globals["__name__"] != "__main__":
        read.add(str(key))
    return get(self, key)

environ.__getitem__ = note
from firstread.classroom.prefork.child_process import preload
preload("server", SimpleNamespace(path=Path(sys.argv[1])), with_lesson=False)
environ.__getitem__ = get
print(json.dumps([sorted(read), sorted(sys.modules), dict(os.environ)]))
"""
#: what JupyterHub tells one participant's server and no other
OF_ONE_PARTICIPANT = (
    *("JUPYTERHUB_API_TOKEN", "JPY_API_TOKEN", "JUPYTERHUB_CLIENT_ID", "JUPYTERHUB_USER", "JUPYTERHUB_SERVER_NAME"),
    *("JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_OAUTH_CALLBACK_URL", "JUPYTERHUB_PUBLIC_URL"),
    *("JUPYTERHUB_OAUTH_SCOPES", "JUPYTERHUB_OAUTH_ACCESS_SCOPES", "JUPYTERHUB_ACTIVITY_URL", "JUPYTERHUB_API_URL"),
    *("JUPYTERHUB_BASE_URL", "JUPYTERHUB_HOST", "JUPYTERHUB_COOKIE_OPTIONS", "JUPYTER_RUNTIME_DIR", "TMPDIR"),
    *("FIRSTREAD_HOME", "FIRSTREAD_SPOOL", "FIRSTREAD_ARMS", "FIRSTREAD_SEED", "FIRSTREAD_KERNEL_TOKEN"),
)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.create("class", lesson="hello-world")
    folder.store().create()
    return folder


def test_no_preloaded_module_has_read_one_participants_environment(tmp_path):
    command = [sys.executable, "-c", RECORDER, str(tmp_path)]
    given = {name: value for name, value in os.environ.items() if name not in OF_ONE_PARTICIPANT}  # as a zygote has it
    out = subprocess.run(command, env=given, capture_output=True, text=True, check=True)
    read, modules, environment = json.loads(out.stdout.splitlines()[-1])
    assert {"HOME", "USER"} <= set(read), "the recorder sees what is read"
    assert set(read) & set(OF_ONE_PARTICIPANT) == set()
    assert "jupyterhub.services.auth" not in modules
    assert "jupyter_server.serverapp" in modules
    own = neutral_environment(ClassFolderPath(tmp_path))
    assert {name: environment[name] for name in own} == own, "what was read is nobody's"


def test_the_names_of_the_lesson_modules_are_found_without_the_command_line():
    code = "import sys; from firstread.classroom.prefork.child_process import _lesson_modules as names; "
    code += "assert 'firstread.learning.trainer' in names(); print('firstread.cli' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


class ClassFolderPath:
    def __init__(self, path):
        self.path = path


@pytest.mark.parametrize("kind", ["server", "kernel"])
def test_no_participant_may_read_the_classes_secrets(folder, kind):
    ana, _ = folder.store().join("Ana")
    folder.ensure_home(ana.username)
    sandbox = build_sandbox(folder, kind, ana.username, port=1)
    secrets = [folder.path / "hub" / "cookie_secret", folder.path / "class.json", folder.path / "class.sqlite"]
    for secret in secrets:
        assert not any(secret.is_relative_to(path) for path in (*sandbox.read_paths, *sandbox.write_paths))


def test_what_was_measured_of_the_machine_can_be_read_by_all(folder):
    assert folder.path / "machine.json" in shared_read_paths(folder)


def test_a_class_whose_secrets_all_could_read_gives_no_sandbox(folder, monkeypatch):
    monkeypatch.setattr("firstread.classroom.prefork.child_process.python_folders", lambda: (folder.path.parent,))
    ana, _ = folder.store().join("Ana")
    with pytest.raises(PermissionError, match="which participants may read"):
        build_sandbox(folder, "kernel", ana.username)
