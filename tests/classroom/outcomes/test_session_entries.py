"""Entries of a record name nobody, and hold no text that a participant could have sent."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstread.classroom.database.schema import Broadcast, SessionEvent
from firstread.classroom.join_codes import clean_name
from firstread.classroom.outcomes.session_data import SessionData, SessionInterval
from firstread.classroom.outcomes.session_entries import (
    MAX_ERROR_KINDS,
    action_entries,
    counted_entries,
    error_entries,
    message_entries,
    quarter_entries,
)
from firstread.core.errors import SettingError

from ..simulated_class import ATTACK

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STEPS = [{"id": "look", "title": "Look at the images"}, {"id": "guess", "title": "Read ten images"}]
SESSION = SessionInterval(NOON, NOON + timedelta(hours=1), ())


def clock(moment):
    return int((moment - NOON).total_seconds())


def message(text, names):
    return next(iter(message_entries([Broadcast(text=text, sent=NOON)], names, clock))).value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ana, please show it", "[name], please show it"),
        ("Ask ANA MBEKI. Not Anatomy.", "Ask [name]. Not Anatomy."),
        ("Mbeki's figure", "[name]'s figure"),
        ("May it be that you may go?", "[name] it be that you may go?"),
        ("준 and O’Neill", "[name] and [name]"),
        ("Step 3 of 7, a break", "Step 3 of 7, a break"),
        ("Zoe\u0308 and Zo\u00eb", "[name] and [name]"),
    ],
)
def test_names_in_a_message_are_replaced(text, expected):
    assert message(text, ["Ana Mbeki", "May Lee", "준", "Grace O’Neill", "a", "Zo\u00eb"]) == expected


@given(st.lists(st.text(min_size=1, max_size=40), max_size=8), st.text(max_size=60))
def test_whatever_participants_are_called_a_message_stays_readable(names, text):
    found = message(text, names)
    assert isinstance(found, str)
    assert message("x", names) == "x"
    for name in map(clean, names):
        if len(name) > 1:
            assert message(f"Well done, {name}!", [name]) == "Well done, [name]!"


def clean(name):
    """A name as the class keeps it: one line of what can be seen."""
    try:
        return clean_name(name)
    except SettingError:
        return ""


def failed(people, error="NameError", cell="cell-004", step="look", minute=0.0):
    received = NOON + timedelta(minutes=minute)
    return [
        SimpleNamespace(participant_id=number, error=error, cell=cell, step=step, received=received)
        for number in range(people)
    ]


def errors_of(rows):
    data = SessionData([], [], rows, [], [], [], [])
    return [entry.text for entry in error_entries(data, SESSION, STEPS, clock)]


def test_an_error_is_shown_from_three_participants_on():
    assert errors_of(failed(2) + failed(2)) == []
    assert errors_of(failed(3)) == ["NameError in cell 4, 1. Look at the images: 3 participants so far"]
    counts = [int(text.split(": ")[-1].split()[0]) for text in errors_of(failed(13))]
    assert counts == [3, 6, 12]


@pytest.mark.parametrize("hostile", [ATTACK, "Ana", "print", "x" * 10_000, None, 7, "object", "__name__"])
def test_no_text_of_a_participant_is_shown(hostile):
    texts = errors_of(failed(5, error=hostile, cell=hostile, step=hostile))
    assert texts == ["An error in a cell of their own: 3 participants so far"]
    assert errors_of(failed(3, cell="cell-999"))[0].startswith("NameError in a cell of their own")


def test_errors_are_bounded_however_many_cells_are_named():
    rows = [row for number in range(400) for row in failed(3, cell=f"cell-{number:03d}")]
    assert len(errors_of(rows)) == MAX_ERROR_KINDS


def test_a_step_or_state_that_is_not_known_is_not_quoted():
    actions = [
        SessionEvent(kind="step", value=ATTACK[:60], happened=NOON),
        SessionEvent(kind="door", value=ATTACK[:60], happened=NOON),
        SessionEvent(kind="plan", value=ATTACK[:60], happened=NOON),
        SessionEvent(kind="step", value=None, happened=NOON),
    ]
    texts = [entry.text for entry in action_entries(actions, STEPS, clock)]
    assert texts == ["Everyone called to a step", "Everyone at their own pace"]


def test_what_several_did_is_one_entry_a_frame():
    moments = {"asked": [NOON, NOON], "answered": [NOON, NOON + timedelta(minutes=1)]}
    texts = {entry.seconds: entry.text for entry in counted_entries(moments, "help", clock)}
    assert texts == {0: "2 asked, 1 answered", 60: "1 answered"}
    assert list(counted_entries(moments, "help", lambda _: None)) == []


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [1]), (3, [1, 2, 3]), (26, [7, 13, 20, 26])])
def test_joining_is_told_by_quarters(count, expected):
    moments = [NOON + timedelta(minutes=number) for number in range(count)]
    entries = list(quarter_entries(moments, "have joined", "join", clock))
    assert [int(entry.text.split()[0]) for entry in entries] == expected
    assert [entry.seconds for entry in entries] == [60 * (number - 1) for number in expected]
