"""Will this machine hold? In words, and for the right reasons."""

import dataclasses

import psutil
import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.class_folder import classes_folder
from firstread.classroom.rehearsal.load_test import run_load_test
from firstread.classroom.rehearsal.load_test_result import LoadTestResult, percentiles
from firstread.classroom.sandbox.sandbox import missing_isolation
from firstread.lessons.lesson_info import find_lesson

GOOD = LoadTestResult(
    participants=20,
    lesson="hello-world",
    minutes_planned=45,
    cores=2,
    memory_of_machine_mb=24_000,
    joined=20,
    finished=20,
    seconds_to_join={"median": 3.0, "95th percentile": 9.0, "longest": 12.0},
    minutes_of_lesson=9.5,
    memory_mb=6_000,
    dashboard_seconds={"median": 0.5, "95th percentile": 1.1, "longest": 2.0},
    cells_run=900,
)


def test_a_machine_that_holds():
    assert GOOD.problems == []
    assert GOOD.to_dict()["will_hold"] is True


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"joined": 18, "finished": 18}, "2 of 20 never came in"),
        ({"seconds_to_join": {"longest": 140.0}}, "waited 140 s to come in"),
        ({"finished": 19}, "1 did not come to the end"),
        ({"minutes_of_lesson": 61.0}, "took 61 minutes; 45 are planned"),
        ({"memory_mb": 22_000}, "Memory was nearly used up: 22000 of 24000 MB"),
        ({"dashboard_seconds": {"95th percentile": 4.2}}, "board was late: 4.2 s"),
        ({"events_lost": 3, "events_duplicated": 1}, "3 events were lost and 1 doubled"),
    ],
)
def test_each_reason_not_to_hold_is_said(changed, words):
    found = dataclasses.replace(GOOD, **changed)
    assert len(found.problems) == 1
    assert words in found.problems[0]
    assert found.to_dict()["will_hold"] is False


def test_memory_that_could_not_be_read_is_said():
    assert GOOD.notes == []
    found = dataclasses.replace(GOOD, unreadable_processes=12).to_dict()
    assert "memory of 12 processes could not be read in full" in found["notes"][0]
    assert found["will_hold"] is True


def test_the_spread_of_some_seconds():
    assert percentiles([]) == {}
    assert percentiles([3.0]) == {"median": 3.0, "95th percentile": 3.0, "longest": 3.0}
    assert percentiles([float(number) for number in range(101)]) == {
        "median": 50.0,
        "95th percentile": 95.0,
        "longest": 100.0,
    }


@pytest.mark.slow
@pytest.mark.skipif(missing_isolation() != "", reason=f"not possible here: {missing_isolation()}")
def test_two_rehearse_and_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    found = run_load_test(participants=2, lesson="hello-world", ramp_up_seconds=0)
    assert (found.joined, found.finished, found.failures) == (2, 2, {})
    assert (found.events_lost, found.events_duplicated) == (0, 0)
    assert found.cells_run > 60
    assert 200 < found.memory_mb < 6000
    assert found.unreadable_processes == 0
    assert list(found.minutes_by_step) == [step["id"] for step in find_lesson("hello-world").steps]
    assert not list(classes_folder().iterdir())
    ours = [
        one for one in psutil.process_iter(["cmdline"]) if "firstread.classroom" in " ".join(one.info["cmdline"] or [])
    ]
    assert not [one for one in ours if str(tmp_path) in "".join(one.environ().values())]
