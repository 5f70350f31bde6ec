"""Who trains next: in order of arrival, one place a participant, and nobody is waited for beyond the longest wait."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.classroom.queue_schedule import QueueSchedule, ScheduledTraining
from firstread.core.queue_rules import MAX_WAIT_SECONDS, QueuePosition

CORES = 2


class Line:
    """A schedule with a clock of its own."""

    def __init__(self, *, grace_seconds=0.0):
        self.now = 0.0
        self.schedule = QueueSchedule(cores=CORES, now=self.now, grace_seconds=grace_seconds)

    def join(self, username, *, threads=CORES, running=False, seconds_left=None, device="cpu"):
        training = ScheduledTraining(username, device, threads=threads, running=running, seconds_left=seconds_left)
        self.schedule.add(training, self.now)
        self.schedule.update(self.now)
        return training

    def end(self, training):
        self.schedule.remove(training)
        self.schedule.update(self.now)

    def pass_time(self, seconds):
        for _ in range(round(seconds)):
            self.now += 1.0
            self.schedule.update(self.now)

    def position(self, training):
        return dict(self.schedule.positions(self.now))[training]


@pytest.fixture
def line():
    return Line()


def test_they_run_one_after_the_other_in_the_order_in_which_they_came(line):
    trainings = [line.join(name) for name in ("ana", "bea", "carl")]
    for position, training in enumerate(trainings):
        assert [one.running for one in trainings[position:]] == [True] + [False] * (2 - position)
        line.end(training)


def test_trainings_whose_threads_fit_run_side_by_side(line):
    first, second, third = (line.join(name, threads=1) for name in ("ana", "bea", "carl"))
    assert (first.running, second.running, third.running) == (True, True, False)
    line.end(first)
    assert third.running


def test_a_small_training_does_not_overtake_a_large_one_that_came_before(line):
    line.join("ana", threads=1)
    large, small = line.join("bea", threads=2), line.join("carl", threads=1)
    assert (large.running, small.running) == (False, False)


def test_more_threads_than_cores_are_as_many_as_there_are(line):
    first = line.join("ana", threads=10**9)
    assert first.running
    assert first.threads == CORES
    assert line.join("bea", threads=-5).threads == 1


def test_each_device_has_a_queue_of_its_own_and_a_gpu_one_training_at_a_time(line):
    assert line.join("ana").running
    gpu = line.join("bea", device="cuda-0", threads=1)
    assert gpu.running
    assert not line.join("carl", device="cuda-0", threads=1).running


def test_a_participant_has_one_place_however_many_trainings(line):
    many = [line.join("mallory") for _ in range(5)]
    ana, bea = line.join("ana"), line.join("bea")
    assert line.position(ana).position == 1
    assert line.position(bea).position == 2
    line.end(many[0])
    assert ana.running, "the next of mallory's stands behind everybody's first"
    line.end(ana)
    assert bea.running
    line.end(bea)
    assert many[1].running


def test_after_their_turn_what_else_a_participant_has_goes_to_the_end(line):
    first = line.join("mallory")
    second = line.join("mallory")
    ana = line.join("ana")
    line.end(first)
    assert (ana.running, second.running) == (True, False)
    again = line.join("bea")
    line.end(ana)
    assert second.running, "it came to the end before bea"
    assert not again.running


def test_nobody_is_waited_for_beyond_the_longest_wait_and_only_waiting_counts(line):
    hog = line.join("mallory", seconds_left=1e6)
    line.pass_time(2 * MAX_WAIT_SECONDS)
    ana = line.join("ana")
    assert not ana.running, "nobody has waited yet"
    line.pass_time(MAX_WAIT_SECONDS - 1)
    assert not ana.running
    line.pass_time(1)
    assert ana.running
    line.end(ana)
    assert line.join("bea").running, "who was waited for long enough is waited for by nobody"
    assert hog.running


def test_a_new_connection_buys_no_more_of_the_others_patience(line):
    """Whoever says that it runs already could have waited."""
    for _ in range(3):
        line.join("mallory", running=True)
    assert line.join("ana").running


def test_after_a_restart_the_running_ones_come_back_first():
    line = Line(grace_seconds=5.0)
    waiting = line.join("ana")
    line.pass_time(2)
    running = line.join("bea", running=True, seconds_left=30)
    line.pass_time(20)
    assert not waiting.running
    line.end(running)
    assert waiting.running


def test_after_a_restart_with_nothing_running_the_line_moves_when_the_grace_is_over():
    line = Line(grace_seconds=5.0)
    waiting = line.join("ana")
    line.pass_time(4)
    assert not waiting.running
    line.pass_time(1)
    assert waiting.running


def test_position_and_estimate(line):
    running = line.join("ana", seconds_left=40)
    first, second = line.join("bea", seconds_left=20), line.join("carl")
    line.pass_time(10)
    assert line.position(first) == QueuePosition(1, 30)
    assert line.position(second) == QueuePosition(2, 50)
    running.update_seconds_left(1e9, line.now)
    assert line.position(first).seconds_left == MAX_WAIT_SECONDS, "nobody is waited for longer"
    running.update_seconds_left(None, line.now)
    assert line.position(first).seconds_left is None


def test_who_runs_hears_whether_others_wait_for_the_same_device(line):
    running = line.join("ana")
    line.join("bea", device="mps")
    assert not line.schedule.others_wait(running)
    line.join("carl")
    assert line.schedule.others_wait(running)
    assert line.schedule.count_trainings() == (2, 1)


steps = st.one_of(
    st.tuples(st.just("join"), st.sampled_from("abcd"), st.integers(-1, 5), st.booleans()),
    st.tuples(st.just("end"), st.integers(0, 30)),
    st.tuples(st.just("time"), st.integers(1, 40)),
)


@given(st.lists(steps, max_size=40))
@settings(max_examples=150, deadline=None)
def test_whatever_they_do_the_cores_are_kept_and_the_line_moves(story):
    line, trainings = Line(), []
    for kind, *values in story:
        if kind == "join":
            username, threads, running = values
            trainings.append(line.join(username, threads=threads, running=running))
        elif kind == "end" and trainings:
            line.end(trainings.pop(values[0] % len(trainings)))
        elif kind == "time":
            line.pass_time(values[0])
        positions = dict(line.schedule.positions(line.now))
        waiting = [one for one in trainings if not one.running]
        assert set(positions) == set(waiting)
        assert sorted(one.position for one in positions.values()) == list(range(1, len(waiting) + 1))
        assert any(one.running for one in trainings) or not trainings
        fair = [one for one in trainings if one.running and one.seconds_waited_for < MAX_WAIT_SECONDS]
        first = {one.username: one for one in sorted(fair, key=lambda one: -one.number)}
        assert sum(one.threads for one in first.values()) <= CORES


@given(st.lists(st.tuples(st.sampled_from("wxyz"), st.booleans()), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_hostile_participants_hold_nobody_up_for_longer_than_the_longest_wait_each(hostile):
    """However many connections they have, and though none of their trainings ever ends."""
    line = Line()
    for username, running in hostile:
        line.join(username, running=running, seconds_left=1e6)
    ana = line.join("ana")
    line.pass_time(MAX_WAIT_SECONDS * len({username for username, _ in hostile}))
    assert ana.running
