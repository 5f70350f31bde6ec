"""Progress of each participant, and who is stuck."""

from datetime import UTC, datetime, timedelta

import pytest

from firstread.classroom.progress.progress_tracker import (
    ProgressTracker,
    class_progress,
    median_step,
    minutes_behind_plan,
    planned_step,
    seconds_per_step,
)

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
STEPS = [{"id": "hello", "minutes": 2}, {"id": "look", "minutes": 4}, {"id": "guess", "minutes": 4}]


@pytest.fixture
def room(store):
    class Room:
        def __init__(self):
            self.people = [store.join(name, now=START)[0] for name in ("Ana", "Bea", "Cem", "Dov", "Eva")]
            self.count = 0

        def record(self, who, kind, at, step=None, **values):
            self.count += 1
            moment = START + timedelta(seconds=at)
            row = {"key": str(self.count), "kind": kind, "step": step, "values": values, "happened": moment}
            store.record_events(self.people[who].username, [row], now=moment)

        def events(self):
            return store.events()

        def progress(self, at):
            return class_progress(store.participants(), store.events(), STEPS, START + timedelta(seconds=at))

    return Room()


def test_steps_are_followed(room):
    assert [one.step for one in room.progress(0)] == [None] * 5
    room.record(0, "step", 10, "hello")
    room.record(0, "step", 40, "look")
    ana = room.progress(70)[0]
    assert (ana.step, ana.completed_steps, ana.seconds_at_step, ana.problem) == ("look", ("hello",), 30, "")
    room.record(0, "finish", 80)
    assert room.progress(9999)[0].finished
    assert room.progress(9999)[0].problem == ""


def test_an_error_is_seen_at_once_and_gone_when_mended(room):
    room.record(1, "step", 10, "guess")
    room.record(1, "cell", 12, "guess", ok=False, error="NameError", cell="guess")
    room.record(2, "cell", 12, "guess", ok=False, error="NameError", cell="guess")
    room.record(3, "cell", 12, "guess", ok=False, error="SyntaxError", cell="choose")
    progress = room.progress(13)
    assert [one.problem for one in progress] == ["", "error", "error", "error", ""]
    assert [one.error for one in progress[1:4]] == [("NameError", "guess")] * 2 + [("SyntaxError", "choose")]
    room.record(1, "cell", 20, "guess", ok=True, cell="guess")
    assert room.progress(21)[1].problem == ""


def test_slow_is_slower_than_the_others(room):
    for who in range(4):
        room.record(who, "step", 0, "look")
    room.record(4, "step", 0, "look")
    for who in range(3):
        room.record(who, "step", 50 + who, "guess")
    assert room.progress(100)[4].problem == "", "two and a half times the others, and at least a minute and a half"
    assert room.progress(130)[4].problem == "slow"


def test_before_others_are_through_the_plan_decides(room):
    room.record(0, "step", 0, "look")
    assert room.progress(350)[0].problem == ""
    assert room.progress(361)[0].problem == "slow"


def test_who_is_not_heard_of_is_away(room):
    room.record(0, "cell", 10, ok=True)
    assert not room.progress(40)[0].away
    assert room.progress(60)[0].away


@pytest.mark.parametrize(
    ("minutes", "step", "left"),
    [(None, None, 0), (0, "hello", 2), (1.5, "hello", 0.5), (2, "look", 4), (9.9, "guess", 0.1), (10, None, 0)],
)
def test_the_plan(minutes, step, left):
    found, rest = planned_step(STEPS, minutes)
    assert (found, rest) == (step, pytest.approx(left))


def test_who_catches_up_after_a_restart_stays_where_they_were(room):
    room.record(0, "step", 0, "hello")
    room.record(0, "step", 60, "look")
    room.record(0, "step", 200, "guess")
    for at, step in ((300, "hello"), (301, "look"), (302, "guess")):
        room.record(0, "step", at, step)
    ana = room.progress(310)[0]
    assert (ana.step, ana.seconds_at_step, ana.completed_steps) == ("guess", 110, ("hello", "look"))


def test_running_all_steps_again_does_not_make_others_slow(room):
    for who in range(3):
        room.record(who, "step", 0, "hello")
        room.record(who, "step", 100, "look")
        for step in ("hello", "look"):
            room.record(who, "step", 101, step)
    room.record(4, "step", 0, "hello")
    assert room.progress(200)[4].problem == "", "the others took 100 seconds, not one"


def test_who_never_begins_is_seen_once_the_others_have(room):
    assert room.progress(500)[4].problem == ""
    for who in range(3):
        room.record(who, "step", 20, "hello")
    assert room.progress(80)[4].problem == ""
    assert room.progress(95)[4].problem == "slow"


def test_a_pause_of_the_class_counts_for_nobody(room):
    room.record(0, "step", 0, "look")
    tracker = ProgressTracker(STEPS)
    tracker.add_events(room.events())
    now, pause = START + timedelta(seconds=400), (START + timedelta(seconds=100), START + timedelta(seconds=300))
    assert tracker.progress_of(room.people[:1], now)[0].problem == "slow"
    ana = tracker.progress_of(room.people[:1], now, [pause])[0]
    assert (ana.problem, ana.seconds_at_step) == ("", 200)


def test_who_has_left_is_not_stuck(room):
    room.record(0, "cell", 10, "hello", ok=False, error="NameError", cell="x")
    assert room.progress(500)[0].problem == "error"
    assert (room.progress(700)[0].problem, room.progress(700)[0].error, room.progress(700)[0].away) == ("", None, True)


def test_steps_and_errors_that_the_lesson_does_not_know_do_no_harm(room):
    room.record(0, "step", 0, "no such step")
    room.record(0, "cell", 1, "x" * 60, ok=False, error="E" * 500, cell={"a": "b"})
    ana = room.progress(5)[0]
    assert (ana.step, len(ana.error[0])) == (None, 60)


@pytest.mark.parametrize(
    ("middle", "minutes", "late"),
    [(None, 5, None), (1, None, None), (1, 3, 0), (1, 9, 3), (1, 1, -1), (0, 0, 0), (3, 8, -2), (3, 12, 0)],
)
def test_how_far_the_class_is_behind(middle, minutes, late):
    assert minutes_behind_plan(middle, STEPS, minutes) == late


def test_the_middle_of_the_class(room):
    assert median_step([], STEPS) is None
    assert median_step(room.progress(0), STEPS) is None
    for who in range(3):
        room.record(who, "step", 10, "look")
    assert median_step(room.progress(12), STEPS) == 1
    for who in range(3):
        room.record(who, "finish", 20)
    assert median_step(room.progress(21), STEPS) == 3


def test_how_long_steps_took_counts_each_step_once(room):
    for at, step in ((0, "hello"), (60, "look"), (200, "hello"), (201, "look"), (202, "guess")):
        room.record(0, "step", at, step)
    room.record(0, "finish", 300)
    room.record(0, "finish", 400)
    assert seconds_per_step([room.events()]) == {"hello": [60], "look": [142], "guess": [98]}
    assert seconds_per_step([[]]) == {}
