"""KSM is started when memory is short, and the system's settings are restored."""

import pytest

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.prefork.ksm import KsmController


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    return ClassFolder.create("a", lesson="hello-world")


@pytest.fixture
def ksm_folder(tmp_path):
    where = tmp_path / "ksm"
    where.mkdir()
    for name, value in {"run": "0", "pages_to_scan": "100", "sleep_millisecs": "200"}.items():
        (where / name).write_text(f"{value}\n")
    return where


def values(ksm_folder):
    return {file.name: file.read_text().strip() for file in ksm_folder.iterdir()}


def test_it_begins_when_memory_is_short_and_leaves_the_system_as_it_was(folder, ksm_folder):
    before, left = values(ksm_folder), [0.9]
    ksm = KsmController(folder, sysfs_folder=ksm_folder, memory_available_share=lambda: left[0])
    ksm.update()
    assert values(ksm_folder) == before
    left[0] = 0.45
    ksm.update()
    told = values(ksm_folder)
    assert told["run"] == "1"
    left[0] = 0.2
    ksm.update()
    assert int(values(ksm_folder)["pages_to_scan"]) > int(told["pages_to_scan"]), "the less is left, the faster"
    left[0] = 0.9  # which may be thanks to it
    ksm.update()
    assert values(ksm_folder)["run"] == "1"
    assert int(values(ksm_folder)["pages_to_scan"]) < int(told["pages_to_scan"])
    ksm.restore()
    assert values(ksm_folder) == before


def test_a_class_that_was_killed_is_put_right_by_the_next(folder, ksm_folder):
    before = values(ksm_folder)
    KsmController(folder, sysfs_folder=ksm_folder, memory_available_share=lambda: 0.1).update()
    assert values(ksm_folder) != before
    KsmController(folder, sysfs_folder=ksm_folder, memory_available_share=lambda: 0.9)
    assert values(ksm_folder) == before


def test_where_somebody_else_uses_it_nothing_is_changed(folder, ksm_folder):
    (ksm_folder / "run").write_text("1")
    before = values(ksm_folder)
    ksm = KsmController(folder, sysfs_folder=ksm_folder, memory_available_share=lambda: 0.1)
    ksm.update()
    ksm.restore()
    assert values(ksm_folder) == before


def test_a_system_without_it_is_left_alone(folder, tmp_path):
    ksm = KsmController(folder, sysfs_folder=tmp_path / "nothing", memory_available_share=lambda: 0.1)
    ksm.update()
    ksm.restore()
    assert not (tmp_path / "nothing").exists()
