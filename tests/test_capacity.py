"""Capacity page: its tables match the script and the measurements."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("yaml", reason="PyYAML is not installed")

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "capacity.py"


@pytest.fixture(scope="module")
def sheet():
    spec = importlib.util.spec_from_file_location("capacity", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_holds_what_the_script_writes(sheet):
    measurements = sheet.load_measurements()
    for _, name, _ in sheet.TABLE_BLOCK.findall(text := sheet.PAGE.read_text(encoding="utf-8")):
        assert sheet.TABLES[name](measurements) in text, "run: python benchmarks/capacity.py"


def test_every_figure_says_how_it_was_measured(sheet):
    for name, row in sheet.load_measurements().items():
        assert row["value"] > 0, name
        assert len(row["how"]) > 20, name


def test_whichever_ends_first_memory_or_cores(sheet, monkeypatch):
    monkeypatch.setattr(sheet, "load_guarantees", lambda: (2.0, 0.5))
    assert sheet.participants_per_node(16, 64) == 28  # (64 * 0.9 - 1) / 2 = 28.3, and 16 / 0.5 = 32
    assert sheet.participants_per_node(4, 64) == 8


def test_a_figure_that_is_not_measured_is_named_and_not_shown(sheet):
    measurements = {name: row for name, row in sheet.load_measurements().items() if name != "home_mb"}
    assert "home folder after lesson 1, MB" in sheet.inputs_table(measurements).split("Not measured yet")[1]
    assert "forked servers" in sheet.inputs_table(measurements)
    more = {**measurements, "forked.memory_mb": {"value": 130.0, "how": "a rehearsal of a hundred"}}
    assert "| 130 | a rehearsal of a hundred |" in sheet.inputs_table(more)
