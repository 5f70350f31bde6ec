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
                command = names[:2] if names[:1] in (["data"], ["project"]) else names[:1]
                assert CliRunner().invoke(app, [*command, "--help"]).exit_code == 0, line


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_within_the_project_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_page_of_tables_names_every_column_with_its_type():
    import pyarrow as pa

    from firstread.core.table_schemas import CASES, IMAGES, TARGETS

    words = {pa.string(): "text", pa.int32(): "whole number", pa.float32(): "number", pa.float64(): "number"}
    words |= {pa.list_(pa.string()): "list of text", pa.list_(pa.float64()): "list of numbers"}
    text = (ROOT / "docs" / "reference" / "tables.md").read_text(encoding="utf-8")
    for name, schema in (("cases", CASES), ("images", IMAGES), ("targets", TARGETS)):
        rows = re.findall(r"^\| (`.+?) \| (.+?) \|", text.split(f"### {name}\n")[1].split("\n#")[0], re.MULTILINE)
        stated = [(column, kind) for columns, kind in rows for column in re.findall(r"`(\w+)`", columns)]
        kinds = [one.type.value_type if pa.types.is_dictionary(one.type) else one.type for one in schema]
        assert stated == [(one.name, words[kind]) for one, kind in zip(schema, kinds, strict=True)]
