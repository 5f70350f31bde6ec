"""Who is where, and who is stuck."""

from datetime import UTC, datetime, timedelta

import pytest

from firstread.classroom.standing import errors_by_kind, stand, step_of_plan

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
