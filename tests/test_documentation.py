"""Python snippets in README and docs run, each file as one session; every command shown exists."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from firstread.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"(<!-- skip -->\s*\n)?^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def fences(page, language):
    return [
        body for skip, kind, body in FENCE.findall(page.read_text(encoding="utf-8")) if kind == language and not skip
    ]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if fences(p, "python")], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    session: dict = {}
    for number, body in enumerate(fences(page, "python"), start=1):
        exec(compile(body, f"{page.name}, block {number}", "exec"), session)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_exist(page):
    for body in fences(page, "bash"):
        for line in body.splitlines():
            words = shlex.split(line, comments=True)
            if words and Path(words[0]).name == "firstread":
                names = [w for w in words[1:3] if not w.startswith("-")]
                command = names[:2] if names[:1] == ["data"] else names[:1]
                assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0, line


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
