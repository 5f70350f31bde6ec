"""The record of a session: at each moment what the events say, and in a small class nothing about anybody."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstread.classroom.database.schema import Broadcast, HelpRequest, Participant, SessionEvent
from firstread.classroom.outcomes.record_resolution import (
    DETAILED_CLASS,
    MAX_FRAMES,
    MIN_CLASS,
    resolution_of,
)
from firstread.classroom.outcomes.session_data import SessionData, find_sessions, load_session_data
from firstread.classroom.outcomes.session_entries import MIN_ERROR_PARTICIPANTS
from firstread.classroom.outcomes.session_record import MAX_ENTRIES, build_session_record
from firstread.classroom.progress.dashboard_values import BROADCAST_SECONDS
from firstread.classroom.progress.progress_tracker import class_progress
from firstread.lessons import find_lesson

from ..simulated_session import ACTIONS, BEGAN, simulate_session

LESSON = find_lesson("hello-world")
STEPS = [step["id"] for step in LESSON.steps]
NOON = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
#: minutes after noon, before and after which the clock may have been put
minutes = st.floats(-20, 100, allow_nan=False)


def at(minute):
    return NOON + timedelta(minutes=minute)


@st.composite
def sessions(draw):
    """Rows of a class in any order of time, as after jumps of the clock and uploads that came late."""
    people = [
        Participant(id=number, number=number, name=f"P{number}", joined=at(draw(st.floats(0, 30))))
        for number in range(1, draw(st.integers(0, 14)) + 1)
    ]
    ids = st.integers(1, len(people)) if people else st.nothing()
    events = st.builds(
        lambda id_, kind, step, minute: SimpleNamespace(
            participant_id=id_, kind=kind, step=step, values={}, received=at(minute)
        ),
        *(
            ids,
            st.sampled_from(("step", "step", "step", "finish")),
            st.sampled_from([*STEPS, "unknown", None]),
            minutes,
        ),
    )
    requests, actions = [], []
    for id_ in range(1, draw(st.integers(0, 4)) + 1 if people else 1):
        asked = draw(minutes)
        changes = draw(st.lists(st.tuples(st.sampled_from(("taken", "answered", "waiting")), minutes), max_size=4))
        is_resolved = draw(st.booleans())
        changes += [("resolved", draw(minutes))] if is_resolved else []
        state = next((value for value, _ in reversed(changes) if value != "answered"), "waiting")
        requests.append(
            HelpRequest(id=id_, participant_id=draw(ids), asked=at(asked), state=state, changed=at(asked), note="")
        )
        actions += [SessionEvent(kind="help", value=value, help_id=id_, happened=at(one)) for value, one in changes]
    calls = st.tuples(st.just("step"), st.sampled_from([*STEPS, None]))
    plans = st.tuples(st.just("plan"), st.sampled_from(("begun", "paused", "resumed", "ended")))
    for (kind, value), minute in draw(st.lists(st.tuples(st.one_of(calls, plans), minutes), max_size=8)):
        actions.append(SessionEvent(kind=kind, value=value, happened=at(minute)))
    sent = draw(st.lists(minutes, max_size=4))
    return SessionData(
        participants=people,
        events=draw(st.lists(events, max_size=40)) if people else [],
        failed_cells=[],
        help_requests=requests,
        actions=actions,
        broadcasts=[Broadcast(text=f"message {number}", sent=at(one)) for number, one in enumerate(sent)],
        quiz_answers=[],
    )


def help_state(request, data, moment):
    """State of a request at a moment, by going through its changes one after the other."""
    if request.asked > moment:
        return None
    state, latest = "waiting", request.asked
    for action in data.actions:
        if action.help_id == request.id:
            latest = max(latest, action.happened)
            if latest <= moment and action.value != "answered":
                state = action.value
    return state


def last_value(rows, moment):
    """The latest of (time, value) until a moment; of equal times the last recorded."""
    before = [row for row in rows if row[0] <= moment]
    return max(enumerate(before), key=lambda one: (one[1][0], one[0]))[1] if before else (None, None)


@settings(max_examples=150, deadline=None)
@given(sessions(), st.floats(0, 1))
def test_the_state_at_a_moment_is_that_of_the_events_until_then(data, share):
    record = build_session_record(data, LESSON)
    if record is None:
        assert [*data.participants, *data.actions, *data.broadcasts] == []
        return
    frame = record.resolution.frame_seconds
    second = int(share * record.seconds)
    found, shown = record.state_at(second), record.began + timedelta(seconds=second // frame * frame)
    until = [event for event in data.events if event.received <= shown]
    there = [
        one
        for one in data.participants
        if one.joined <= shown or any(event.participant_id == one.id for event in until)
    ]
    for one in there:
        one.seen = shown
    if record.resolution.places:
        expected = [0] * len(record.resolution.places)
        for one in class_progress(there, until, LESSON.steps, shown):
            position = len(STEPS) + 1 if one.finished else STEPS.index(one.step) + 1 if one.step else 0
            expected[record.resolution.place_of[position]] += 1
        assert list(found.at_place) == expected
    else:
        assert found.at_place == ()
    if record.queue:
        states = [help_state(request, data, shown) for request in data.help_requests]
        assert (found.waiting, found.taken) == (states.count("waiting"), states.count("taken"))

    moment = record.began + timedelta(seconds=second + 1, microseconds=-1)  # entries are of whole seconds
    calls = [(a.happened, a.value) for a in data.actions if a.kind == "step" or a.value == "ended"]
    call = last_value(calls, moment)[1]
    titles = {step["id"]: f"{number}. {step['title']}" for number, step in enumerate(LESSON.steps, start=1)}
    plan = last_value([(a.happened, a.value) for a in data.actions if a.kind == "plan"], moment)[1]
    sent, message = last_value([(one.sent, one.text) for one in data.broadcasts], moment)
    within_a_second = {
        int((row - record.began).total_seconds())
        for row in [*(a.happened for a in data.actions), *(one.sent for one in data.broadcasts)]
    }
    if len(within_a_second) == len(data.actions) + len(data.broadcasts):  # else their order is not seen
        assert found.call == titles.get(call, "")
        assert found.plan == {None: "before", "begun": "running", "resumed": "running"}.get(plan, plan)
        is_shown = sent is not None and second - int((sent - record.began).total_seconds()) < BROADCAST_SECONDS
        assert found.message == (message if is_shown else "")


@settings(max_examples=60, deadline=None)
@given(sessions())
def test_everyone_is_counted_once_and_entries_are_in_order(data):
    record = build_session_record(data, LESSON)
    if record is None:
        return
    people = len(find_largest(data).participants)
    totals = [sum(frame) for frame in record.frames]
    assert totals == sorted(totals)
    assert totals == [] or totals[-1] == people
    assert [entry.seconds for entry in record.entries] == sorted(entry.seconds for entry in record.entries)
    assert all(0 <= entry.seconds <= record.seconds for entry in record.entries)
    assert (record.participants is None) == (people < MIN_CLASS)


def find_largest(data):
    return max(find_sessions(data), key=lambda one: len(one.participants))


def test_a_class_in_which_nothing_happened_has_no_record(store):
    assert build_session_record(load_session_data(store), LESSON) is None


@pytest.mark.parametrize("people", range(1, MIN_CLASS))
def test_of_a_very_small_class_the_record_holds_only_what_the_instructor_did(store, people):
    simulate_session(store, LESSON, people)
    record = build_session_record(load_session_data(store), LESSON)
    assert (record.frames, record.queue, record.participants) == ((), (), None)
    assert {entry.kind for entry in record.entries} == {"door", "plan", "step", "message", "results"}
    assert "augmentation" not in " ".join(entry.text for entry in record.entries).lower()


def test_a_small_class_is_shown_coarsely(store):
    simulate_session(store, LESSON, DETAILED_CLASS - 1)
    record = build_session_record(load_session_data(store), LESSON)
    assert record.resolution.places == ("Steps 1 to 5, or before", "Steps 6 to 9", "Steps 10 to 13, or finished")
    assert record.queue == ()
    people = {"join", "finish", "help", "error", "quiz"}
    assert all(entry.seconds % 300 == 0 for entry in record.entries if entry.kind in people)
    assert [entry.text for entry in record.entries if entry.kind == "help"] == ["Requests for help in all: 3"]
    errors = [entry.text for entry in record.entries if entry.kind == "error"]
    assert errors
    assert all(int(text.split(": ")[-1].split()[0]) >= MIN_ERROR_PARTICIPANTS for text in errors)


def test_a_larger_class_is_shown_step_by_step(store):
    simulate_session(store, LESSON, 24)
    record = build_session_record(load_session_data(store), LESSON)
    assert record.began == BEGAN
    assert record.resolution.places[1] == "1. Hello, World!"
    assert len(record.resolution.places) == len(LESSON.steps) + 2
    texts = [entry.text for entry in record.entries]
    calls = [entry.text for entry in record.entries if entry.kind == "step"]
    assert len(calls) == sum(kind == "step" for _, kind, _ in ACTIONS)
    assert calls[0] == "Everyone called to 1. Hello, World!"
    assert {"Pause", "Plan goes on", "Plan ended", "Door: nobody new", "24 of 24 have joined"} <= set(texts)
    assert any(text.startswith("Quiz after the lesson: 19 have answered, on average") for text in texts)
    assert any("NameError in cell" in text and "participants so far" in text for text in texts)
    assert record.state_at(20 * 60).plan == "paused"
    assert record.state_at(8 * 60).call == "3. Read ten images yourself"
    assert record.state_at(20 * 60).message == "A short break. The training goes on without you."
    assert sum(record.last.at_place) == 24
    assert record.last.waiting == 1


def test_what_the_experiment_showed_is_that_of_the_moment_at_which_it_was_shown(store):
    simulate_session(store, LESSON, 40)
    data = load_session_data(store)
    shown = next(entry.text for entry in build_session_record(data, LESSON).entries if entry.kind == "results")
    assert shown.startswith("Results opened. Augmentation: on ")
    early = next(action for action in data.actions if action.kind == "results")
    early.happened = BEGAN + timedelta(minutes=20)  # before anybody had a result
    assert "Results opened" in [entry.text for entry in build_session_record(data, LESSON).entries]


def test_who_was_deleted_is_in_no_record(store):
    simulate_session(store, LESSON, 16)
    before = build_session_record(load_session_data(store), LESSON)
    for person in store.participants()[:4]:
        store.delete_participant(person.username)
    after = build_session_record(load_session_data(store), LESSON)
    assert (before.participants, after.participants) == (16, 12)
    assert sum(after.last.at_place) == 12
    assert sum(map(sum, after.queue)) < sum(map(sum, before.queue))


def test_a_class_that_met_twice_is_shown_as_it_met_most(store):
    simulate_session(store, LESSON, 12)
    for number in range(3):
        store.join(f"Late {number}", BEGAN + timedelta(days=2))
    sessions = find_sessions(load_session_data(store))
    assert [len(one.participants) for one in sessions] == [12, 3]
    record = build_session_record(load_session_data(store), LESSON)
    assert (record.participants, record.began) == (12, BEGAN)
    assert record.seconds < 2 * 3600


def test_a_class_of_an_older_version_has_what_was_kept(store):
    """Its actions were not recorded: of the plan the start is known, of a help request its beginning and its end."""
    people = [store.join(f"P{number}", BEGAN)[0] for number in range(DETAILED_CLASS)]
    data = load_session_data(store)
    asked, changed = BEGAN + timedelta(minutes=2), BEGAN + timedelta(minutes=9)
    request = HelpRequest(id=1, participant_id=people[0].id, asked=asked, state="resolved", changed=changed, note="")
    data = SessionData(**{**vars(data), "help_requests": [request], "plan_began": BEGAN})
    data = SessionData(**{**vars(data), "broadcasts": [Broadcast(text="Bye", sent=BEGAN + timedelta(minutes=10))]})
    record = build_session_record(data, LESSON)
    assert [record.state_at(60 * minute).waiting for minute in (1, 2, 8, 9)] == [0, 1, 1, 0]
    assert record.state_at(60).plan == "running"


def test_a_session_of_a_week_stays_small():
    people = [Participant(id=n, number=n, name="x", joined=NOON) for n in range(1, 101)]
    events = [
        SimpleNamespace(participant_id=n % 100 + 1, kind="step", step=STEPS[n % 13], values={}, received=at(60 * n))
        for n in range(24 * 7)
    ]
    sent = [Broadcast(text="x" * 500, sent=at(n / 10)) for n in range(2 * MAX_ENTRIES)]
    record = build_session_record(SessionData(people, events, [], [], [], sent, []), LESSON)
    assert len(record.frames) <= MAX_FRAMES + 1
    assert len(record.entries) == MAX_ENTRIES
    assert record.omitted > 0


def test_posts_in_the_forum_are_counted():
    people = [Participant(id=n, number=n, name="x", joined=NOON) for n in range(1, 13)]
    data = SessionData(people, [], [], [], [], [], [], forum_posts=[at(1.2), at(1.4), at(5)])
    texts = [entry.text for entry in build_session_record(data, LESSON).entries if entry.kind == "forum"]
    assert texts == ["2 posted in the forum", "1 posted in the forum"]


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 4, 13])
@pytest.mark.parametrize("people", [0, MIN_CLASS, DETAILED_CLASS])
def test_every_position_has_a_place(steps, people):
    resolution = resolution_of(people, [{"id": f"{n}", "title": "t"} for n in range(steps)])
    if people:
        assert len(resolution.place_of) == steps + 2
        assert set(resolution.place_of) == set(range(len(resolution.places)))
