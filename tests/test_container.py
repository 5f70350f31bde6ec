"""The container for one person: its file is sound, its commands are firstread's. Nothing is built here."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firstread.cli import app
from firstread.lessons.jupyterlab import jupyterlab_command

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy" / "container"


@pytest.fixture(scope="module")
def instructions():
    """Instructions of the Containerfile as (name, rest), continued lines joined."""
    text = (FOLDER / "Containerfile").read_text(encoding="utf-8")
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def test_it_is_made_of_known_instructions_and_of_files_that_are_here(instructions):
    known = {"FROM", "ARG", "ENV", "RUN", "COPY", "WORKDIR", "USER", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in instructions} <= known
    stages = [rest.split()[-1] for name, rest in instructions if name == "FROM" and " AS " in rest]
    allowed = (FOLDER / "Containerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    for sources in (rest.split()[:-1] for name, rest in instructions if name == "COPY"):
        if sources[0].startswith("--from="):
            assert sources[0].removeprefix("--from=") in stages
            continue
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in allowed, source


def test_what_runs_is_no_root_and_no_installer(instructions):
    last = len(instructions) - [name for name, _ in instructions][::-1].index("FROM")
    image = instructions[last:]
    assert [rest for name, rest in image if name == "USER"] == ["1000:1000"]
    installing = [rest for name, rest in image if name == "RUN" and "install" in rest]
    assert all("uninstall --yes pip" in rest for rest in installing)
    assert [name for name, _ in image].index("USER") > max(i for i, (_, rest) in enumerate(image) if "apt-get" in rest)


def test_its_command_and_settings_are_firstreads(instructions):
    (command,) = [json.loads(rest) for name, rest in instructions if name == "CMD"]
    assert command[0] == "firstread"
    assert CliRunner().invoke(app, [*command[1:], "--help"]).exit_code == 0
    for line in (rest for name, rest in instructions if name == "RUN" and rest.startswith("firstread")):
        for step in line.split("&&"):
            assert CliRunner().invoke(app, [*step.split()[1:], "--help"]).exit_code == 0
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "firstread").rglob("*.py"))
    names = {name for kind, rest in instructions if kind == "ENV" for name in re.findall(r"(FIRSTREAD_\w+)=", rest)}
    assert names == {"FIRSTREAD_HOME", "FIRSTREAD_LISTEN_IP"}
    assert all(f'"{name}"' in source for name in names)
    (port,) = [rest for name, rest in instructions if name == "EXPOSE"]
    assert port == command[command.index("--port") + 1]


def test_only_a_container_listens_beyond_this_computer_and_with_a_token_there(tmp_path, monkeypatch):
    assert "--ServerApp.ip=127.0.0.1" in jupyterlab_command(tmp_path / "x.ipynb")
    monkeypatch.setenv("FIRSTREAD_LISTEN_IP", "0.0.0.0")
    words = jupyterlab_command(tmp_path / "x.ipynb")
    assert "--ServerApp.ip=0.0.0.0" in words
    assert not [word for word in words if "token" in word or "password" in word], "Jupyter draws a token itself"
