"""Examples in docstrings run, and every public name has one."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import firstread as fr

SOURCE = Path(fr.__file__).parent
WITH_EXAMPLES = [
    ".".join(("firstread", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8") and "classroom" not in path.parts
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = doctest.testmod(import_module(name), extraglobs={"fr": fr}, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize("name", [name for name in fr.__all__ if not name.startswith("_")])
def test_every_public_name_has_an_example_that_runs(name):
    text = getattr(fr, name).__doc__
    assert ">>> " in text
    assert "+SKIP" not in text
