"""What the instructor does with a class's memory, in SQLite and in PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest

from firstread.classroom.database.instructor_store import (
    call_for_help,
    calls_for_help,
    end_plan,
    events_of,
    new_word,
    participant,
)
from firstread.classroom.database.store import DoorError
from firstread.core.errors import SettingError

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_calls_for_help_come_without_the_notebooks_and_one_with_it(store):
    ana, bea = store.join("Ana")[0], store.join("Bea")[0]
    first = store.ask_help(ana.username, "red", step="look", error="NameError", notebook='{"cells": []}')
    second = store.ask_help(bea.username, "blue")
    calls = calls_for_help(store)
    assert [(call.id, call.note, call.has_copy) for call in calls] == [
        (first.id, "red", True),
        (second.id, "blue", False),
    ]
    assert not hasattr(calls[0], "notebook")
    assert call_for_help(store, first.id).notebook == '{"cells": []}'
    store.change_help(first.id, state="resolved")
    assert [call.id for call in calls_for_help(store)] == [second.id]
    with pytest.raises(SettingError, match="no such request"):
        call_for_help(store, 99)


def test_a_new_word_takes_the_place_of_the_old_one_and_of_nobody_elses(store):
    ana, old = store.join("Ana")
    bea, other = store.join("Bea")
    person, word = new_word(store, ana.number)
    assert person.username == ana.username
    assert store.come_back(word).id == ana.id
    assert store.come_back(other).id == bea.id
    with pytest.raises(DoorError, match="nobody's"):
        store.come_back(old)
    with pytest.raises(DoorError, match="no such participant"):
        new_word(store, 7)


def test_two_never_get_the_same_word(store, monkeypatch):
    words = iter(["otter-maple-417", "otter-maple-417", "otter-maple-418"])
    monkeypatch.setattr("firstread.classroom.database.instructor_store.new_resume_word", lambda: next(words))
    ana, bea = store.join("Ana")[0], store.join("Bea")[0]
    assert new_word(store, ana.number)[1] == "otter-maple-417"
    assert new_word(store, bea.number)[1] == "otter-maple-418"


def test_a_plan_that_was_ended_begins_at_its_first_minute(store):
    store.begin(NOW)
    store.pause(NOW + timedelta(minutes=4))
    store.call_step("freeze")
    end_plan(store)
    assert store.minutes_gone(NOW + timedelta(minutes=9)) is None
    assert store.state().step is None
    store.begin(NOW + timedelta(minutes=10))
    assert store.minutes_gone(NOW + timedelta(minutes=11)) == pytest.approx(1)


def test_the_last_events_of_one_participant_in_order(store):
    ana, bea = store.join("Ana")[0], store.join("Bea")[0]
    rows = [{"key": str(n), "kind": "cell", "step": None, "values": {"n": n}, "happened": NOW} for n in range(6)]
    store.record(ana.username, [*rows, {**rows[0], "key": "a", "kind": "record"}])
    store.record(bea.username, rows)
    assert [event.values["n"] for event in events_of(store, participant(store, 1), most=3)] == [3, 4, 5]
