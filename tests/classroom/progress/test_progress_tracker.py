"""Who is where, and who is stuck."""

from datetime import UTC, datetime, timedelta

import pytest

from firstread.classroom.progress.progress_tracker import (
    Following,
    behind,
    errors_by_kind,
    middle_step,
    seconds_of_steps,
    stand,
    step_of_plan,
)

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
STEPS = [{"id": "hello", "minutes": 2}, {"id": "look", "minutes": 4}, {"id": "guess", "minutes": 4}]


@pytest.fixture
def room(store):
    class Room:
        def __init__(self):
            self.people = [store.join(name, now=START)[0] for name in ("Ana", "Bea", "Cem", "Dov", "Eva")]
            self.count = 0

        def tell(self, who, kind, at, step=None, **values):
            self.count += 1
            moment = START + timedelta(seconds=at)
            row = {"key": str(self.count), "kind": kind, "step": step, "values": values, "happened": moment}
            store.record(self.people[who].username, [row], now=moment)

        def events(self):
            return store.events()

        def stand(self, at):
            return stand(store.people(), store.events(), STEPS, START + timedelta(seconds=at))

    return Room()


def test_steps_are_followed(room):
    assert [one.step for one in room.stand(0)] == [None] * 5
    room.tell(0, "step", 10, "hello")
    room.tell(0, "step", 40, "look")
    ana = room.stand(70)[0]
    assert (ana.step, ana.done, ana.seconds, ana.trouble) == ("look", ("hello",), 30, "")
    room.tell(0, "finish", 80)
    assert room.stand(9999)[0].finished
    assert room.stand(9999)[0].trouble == ""


def test_an_error_is_seen_at_once_and_gone_when_mended(room):
    room.tell(1, "step", 10, "guess")
    room.tell(1, "cell", 12, "guess", ok=False, error="NameError", cell="guess")
    room.tell(2, "cell", 12, "guess", ok=False, error="NameError", cell="guess")
    room.tell(3, "cell", 12, "guess", ok=False, error="SyntaxError", cell="choose")
    standings = room.stand(13)
    assert [one.trouble for one in standings] == ["", "error", "error", "error", ""]
    assert errors_by_kind(standings) == [("NameError", "guess", 2), ("SyntaxError", "choose", 1)]
    room.tell(1, "cell", 20, "guess", ok=True, cell="guess")
    assert room.stand(21)[1].trouble == ""


def test_slow_is_slower_than_the_others(room):
    for who in range(4):
        room.tell(who, "step", 0, "look")
    room.tell(4, "step", 0, "look")
    for who in range(3):
        room.tell(who, "step", 50 + who, "guess")
    assert room.stand(100)[4].trouble == "", "two and a half times the others, and at least a minute and a half"
    assert room.stand(130)[4].trouble == "slow"


def test_before_others_are_through_the_plan_decides(room):
    room.tell(0, "step", 0, "look")
    assert room.stand(350)[0].trouble == ""
    assert room.stand(361)[0].trouble == "slow"


def test_who_is_not_heard_of_is_away(room):
    room.tell(0, "cell", 10, ok=True)
    assert not room.stand(40)[0].away
    assert room.stand(60)[0].away


@pytest.mark.parametrize(
    ("minutes", "step", "left"),
    [(None, None, 0), (0, "hello", 2), (1.5, "hello", 0.5), (2, "look", 4), (9.9, "guess", 0.1), (10, None, 0)],
)
def test_the_plan(minutes, step, left):
    found, rest = step_of_plan(STEPS, minutes)
    assert (found, rest) == (step, pytest.approx(left))


def test_who_catches_up_after_a_restart_stays_where_they_were(room):
    room.tell(0, "step", 0, "hello")
    room.tell(0, "step", 60, "look")
    room.tell(0, "step", 200, "guess")
    for at, step in ((300, "hello"), (301, "look"), (302, "guess")):
        room.tell(0, "step", at, step)
    ana = room.stand(310)[0]
    assert (ana.step, ana.seconds, ana.done) == ("guess", 110, ("hello", "look"))


def test_running_all_steps_again_does_not_make_others_slow(room):
    for who in range(3):
        room.tell(who, "step", 0, "hello")
        room.tell(who, "step", 100, "look")
        for step in ("hello", "look"):
            room.tell(who, "step", 101, step)
    room.tell(4, "step", 0, "hello")
    assert room.stand(200)[4].trouble == "", "the others took 100 seconds, not one"


def test_who_never_begins_is_seen_once_the_others_have(room):
    assert room.stand(500)[4].trouble == ""
    for who in range(3):
        room.tell(who, "step", 20, "hello")
    assert room.stand(80)[4].trouble == ""
    assert room.stand(95)[4].trouble == "slow"


def test_a_pause_of_the_class_counts_for_nobody(room):
    room.tell(0, "step", 0, "look")
    following = Following(STEPS)
    following.take(room.events())
    now, pause = START + timedelta(seconds=400), (START + timedelta(seconds=100), START + timedelta(seconds=300))
    assert following.standings(room.people[:1], now)[0].trouble == "slow"
    ana = following.standings(room.people[:1], now, [pause])[0]
    assert (ana.trouble, ana.seconds) == ("", 200)


def test_who_has_left_is_not_stuck(room):
    room.tell(0, "cell", 10, "hello", ok=False, error="NameError", cell="x")
    assert room.stand(500)[0].trouble == "error"
    assert (room.stand(700)[0].trouble, room.stand(700)[0].error, room.stand(700)[0].away) == ("", None, True)


def test_steps_and_errors_that_the_lesson_does_not_know_do_no_harm(room):
    room.tell(0, "step", 0, "no such step")
    room.tell(0, "cell", 1, "x" * 60, ok=False, error="E" * 500, cell={"a": "b"})
    ana = room.stand(5)[0]
    assert (ana.step, len(ana.error[0])) == (None, 60)


@pytest.mark.parametrize(
    ("middle", "minutes", "late"),
    [(None, 5, None), (1, None, None), (1, 3, 0), (1, 9, 3), (1, 1, -1), (0, 0, 0), (3, 8, -2), (3, 12, 0)],
)
def test_how_far_the_class_is_behind(middle, minutes, late):
    assert behind(middle, STEPS, minutes) == late


def test_the_middle_of_the_class(room):
    assert middle_step([], STEPS) is None
    assert middle_step(room.stand(0), STEPS) is None
    for who in range(3):
        room.tell(who, "step", 10, "look")
    assert middle_step(room.stand(12), STEPS) == 1
    for who in range(3):
        room.tell(who, "finish", 20)
    assert middle_step(room.stand(21), STEPS) == 3


def test_how_long_steps_took_counts_each_step_once(room):
    for at, step in ((0, "hello"), (60, "look"), (200, "hello"), (201, "look"), (202, "guess")):
        room.tell(0, "step", at, step)
    room.tell(0, "finish", 300)
    room.tell(0, "finish", 400)
    assert seconds_of_steps([room.events()]) == {"hello": [60], "look": [142], "guess": [98]}
    assert seconds_of_steps([[]]) == {}
