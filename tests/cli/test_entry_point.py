"""Command line: help with examples, JSON output, exit statuses 0, 1, 2, no traceback."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command

from firstread import cli

COMMANDS = [
    [],
    ["lessons"],
    ["open"],
    ["run"],
    ["doctor"],
    ["data"],
    ["data", "list"],
    ["data", "get"],
    ["data", "show"],
    ["data", "check"],
    ["class"],
    ["class", "start"],
    ["class", "status"],
    ["class", "stop"],
    ["class", "export"],
    ["class", "links"],
    ["class", "rehearse"],
    ["project"],
    ["project", "new"],
    ["project", "status"],
    ["project", "index"],
    ["project", "deidentify"],
    ["project", "verify"],
    ["project", "curate"],
    ["project", "curate", "list"],
    ["project", "curate", "put-back"],
    ["project", "curate", "exclude"],
    ["project", "clinical"],
    ["project", "cohort"],
    ["project", "split"],
    ["project", "open-test"],
    ["project", "demo"],
    ["project", "reidentify"],
    ["project", "withdraw"],
    ["project", "hold"],
    ["project", "hold", "list"],
    ["project", "hold", "sheets"],
    ["project", "hold", "release"],
    ["project", "hold", "drop"],
    ["project", "hold", "keep"],
    ["project", "hold", "join"],
    ["project", "hold", "separate"],
]
GROUPS = ["data"], ["class"], ["project"], ["project", "hold"], ["project", "curate"]


def run(capsys, monkeypatch, *words):
    """Exit status, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["firstread", *words])
    try:
        cli.main()
        status = 0
    except SystemExit as end:
        status = end.code or 0
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for index in range(12):
            pixels = rng.integers(0, 200, (32, 32), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / label / f"{index}.png")
    return tmp_path / "images"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(capsys, monkeypatch, words):
    status, out, _ = run(capsys, monkeypatch, *words, "--help")
    assert status == 0
    if words and words not in GROUPS:
        assert "Example" in out


def test_every_command_is_tested_here():
    def names(command, words):
        yield words
        for name, inner in getattr(command, "commands", {}).items():
            yield from names(inner, [*words, name])

    assert sorted(names(get_command(cli.app), [])) == sorted(COMMANDS)


def test_lessons_and_data_as_json(capsys, monkeypatch):
    _, out, _ = run(capsys, monkeypatch, "lessons", "--json")
    assert [entry["name"] for entry in json.loads(out)] == ["hello-world", "mednist", "dicom", "archive"]
    _, out, _ = run(capsys, monkeypatch, "data", "list", "--json")
    assert "hello-world/openi" in [entry["name"] for entry in json.loads(out)]


def test_wrong_use_is_2(capsys, monkeypatch):
    status, _, err = run(capsys, monkeypatch, "run", "hello-wrold")
    assert status == 2
    assert 'Did you mean "hello-world"' in err
    assert "Traceback" not in err
    assert run(capsys, monkeypatch, "no-such-command")[0] == 2


def test_a_failure_is_1_and_one_paragraph(capsys, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    status, _, err = run(capsys, monkeypatch, "data", "check", str(tmp_path / "empty"))
    assert status in (1, 2)
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_the_unforeseen_is_1_and_leaves_places_without_values(capsys, monkeypatch, firstread_home):
    def breaks(*_arguments, **_keywords):
        raise KeyError("SECRET^PATIENT")

    monkeypatch.setattr("firstread.lessons.lesson_info.find_lessons", breaks)
    status, _, err = run(capsys, monkeypatch, "lessons")
    assert status == 1
    assert "did not foresee (KeyError)" in err
    assert "SECRET" not in err
    logs = list((firstread_home / "runs" / "errors").glob("*.txt"))
    assert logs
    assert all("SECRET" not in log.read_text() for log in logs)


def test_check_and_show_a_folder(capsys, monkeypatch, folder, tmp_path):
    status, out, _ = run(capsys, monkeypatch, "data", "check", str(folder), "--report", str(tmp_path / "check.html"))
    assert status == 0
    assert "8x8 thumbnail" in out
    assert "What is there" in (tmp_path / "check.html").read_text()
    status, out, _ = run(capsys, monkeypatch, "data", "check", str(folder), "--json")
    assert json.loads(out)["shortcuts"]
    status, _, _ = run(capsys, monkeypatch, "data", "show", str(folder), "--output", str(tmp_path / "sheet.png"))
    assert status == 0
    assert Image.open(tmp_path / "sheet.png").width > 200


def test_version(capsys, monkeypatch):
    assert run(capsys, monkeypatch, "--version")[1].startswith("firstread ")


def test_help_needs_nothing_heavy():
    code = (
        "import sys; sys.argv = ['firstread', '--help']\nfrom firstread.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'sklearn', 'pydicom', 'scipy'} & set(sys.modules)\n"
        "sys.exit(len(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
