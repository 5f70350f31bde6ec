"""What the instructor does with a class's memory, in SQLite and in PostgreSQL."""

from datetime import UTC, datetime, timedelta

import pytest

from firstread.classroom.database.instructor_store import (
    end_plan,
    participant_by_number,
    recent_events,
    renew_resume_word,
)
from firstread.classroom.database.store import AccessError

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_a_new_word_takes_the_place_of_the_old_one_and_of_nobody_elses(store):
    ana, old = store.join("Ana")
    bea, other = store.join("Bea")
    person, word = renew_resume_word(store, ana.number)
    assert person.username == ana.username
    assert store.resume(word).id == ana.id
    assert store.resume(other).id == bea.id
    with pytest.raises(AccessError, match="nobody's"):
        store.resume(old)
    with pytest.raises(AccessError, match="no such participant"):
        renew_resume_word(store, 7)


def test_two_never_get_the_same_word(store, monkeypatch):
    words = iter(["otter-maple-417", "otter-maple-417", "otter-maple-418"])
    monkeypatch.setattr("firstread.classroom.database.instructor_store.generate_resume_word", lambda: next(words))
    ana, bea = store.join("Ana")[0], store.join("Bea")[0]
    assert renew_resume_word(store, ana.number)[1] == "otter-maple-417"
    assert renew_resume_word(store, bea.number)[1] == "otter-maple-418"


def test_a_plan_that_was_ended_begins_at_its_first_minute(store):
    store.start_plan(NOW)
    store.pause_plan(NOW + timedelta(minutes=4))
    store.set_called_step("freeze")
    end_plan(store)
    assert store.elapsed_minutes(NOW + timedelta(minutes=9)) is None
    assert store.state().step is None
    store.start_plan(NOW + timedelta(minutes=10))
    assert store.elapsed_minutes(NOW + timedelta(minutes=11)) == pytest.approx(1)


def test_the_last_events_of_one_participant_in_order(store):
    ana, bea = store.join("Ana")[0], store.join("Bea")[0]
    rows = [{"key": str(n), "kind": "cell", "step": None, "values": {"n": n}, "happened": NOW} for n in range(6)]
    store.record_events(ana.username, [*rows, {**rows[0], "key": "a", "kind": "record"}])
    store.record_events(bea.username, rows)
    assert [event.values["n"] for event in recent_events(store, participant_by_number(store, 1), limit=3)] == [3, 4, 5]
