"""Equal pages are merged when memory is short, and the system is left as it was."""

import pytest

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.prefork.ksm import Merging


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    return ClassFolder.make("a", lesson="hello-world")


@pytest.fixture
def switches(tmp_path):
    where = tmp_path / "ksm"
    where.mkdir()
    for name, value in {"run": "0", "pages_to_scan": "100", "sleep_millisecs": "200"}.items():
        (where / name).write_text(f"{value}\n")
    return where


def values(switches):
    return {file.name: file.read_text().strip() for file in switches.iterdir()}


def test_it_begins_when_memory_is_short_and_leaves_the_system_as_it_was(folder, switches):
    before, left = values(switches), [0.9]
    merging = Merging(folder, switches=switches, left=lambda: left[0])
    merging.look()
    assert values(switches) == before
    left[0] = 0.45
    merging.look()
    told = values(switches)
    assert told["run"] == "1"
    left[0] = 0.2
    merging.look()
    assert int(values(switches)["pages_to_scan"]) > int(told["pages_to_scan"]), "the less is left, the faster"
    left[0] = 0.9  # which may be thanks to it
    merging.look()
    assert values(switches)["run"] == "1"
    assert int(values(switches)["pages_to_scan"]) < int(told["pages_to_scan"])
    merging.end()
    assert values(switches) == before


def test_a_class_that_was_killed_is_put_right_by_the_next(folder, switches):
    before = values(switches)
    Merging(folder, switches=switches, left=lambda: 0.1).look()
    assert values(switches) != before
    Merging(folder, switches=switches, left=lambda: 0.9)
    assert values(switches) == before


def test_where_somebody_else_uses_it_nothing_is_changed(folder, switches):
    (switches / "run").write_text("1")
    before = values(switches)
    merging = Merging(folder, switches=switches, left=lambda: 0.1)
    merging.look()
    merging.end()
    assert values(switches) == before


def test_a_system_without_it_is_left_alone(folder, tmp_path):
    merging = Merging(folder, switches=tmp_path / "nothing", left=lambda: 0.1)
    merging.look()
    merging.end()
    assert not (tmp_path / "nothing").exists()
