"""Names of modules: nouns of the field, each in one room only, no code squeezed past the formatter."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "firstread"
MODULES = [path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py")]

#: gerunds that are the field's own words
FIELD_WORDS = {"padding", "preprocessing", "stopping", "training"}


def test_no_module_name_stands_in_two_rooms():
    rooms = defaultdict(set)
    for path in [*MODULES, *(init.parent.relative_to(SOURCE) for init in SOURCE.rglob("*/__init__.py"))]:
        if path.stem != path.parent.name:  # a folder may hold the module that it is named after, as in many libraries
            rooms[path.stem].add(path.parent.as_posix())
    assert {name: places for name, places in rooms.items() if len(places) > 1} == {}


def test_module_names_are_no_gerunds():
    assert [
        module.as_posix()
        for module in MODULES
        if module.stem.endswith("ing") and module.stem.split("_")[-1] not in FIELD_WORDS
    ] == []


def test_no_code_is_kept_from_the_formatter():
    marks = ("fmt: " + "skip", "fmt: " + "off")
    files = [path for room in ("src", "tests", "benchmarks", "pretraining") for path in (ROOT / room).rglob("*.py")]
    assert [path.name for path in files if any(mark in path.read_text(encoding="utf-8") for mark in marks)] == []


def test_the_first_line_of_a_docstring_is_one_line():
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    wrong = []
    for module in MODULES:
        for node in ast.walk(ast.parse((SOURCE / module).read_text(encoding="utf-8"))):
            if isinstance(node, nodes) and (text := ast.get_docstring(node)):
                first, _, rest = text.partition("\n")
                if rest and not rest.startswith("\n"):
                    wrong.append(f"{module}: {getattr(node, 'name', 'module')}: {first}")
    assert wrong == []
