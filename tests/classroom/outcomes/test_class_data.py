"""Only what results are made from is read, in SQLite and in PostgreSQL alike."""

from firstread.classroom.outcomes.class_data import gather, version_of

from ..simulated_results import BEGAN, evaluation, told


def test_records_of_use_and_nothing_else(store):
    ana, _ = store.join("Ana")
    news = [
        told("record", BEGAN, name="arms", value={"ran": {}}), told("record", BEGAN, name="planted_marker", value={"large": "x" * 1000}),
        told("record", BEGAN, name="evaluation", value=evaluation(0.9, 1.0, 0.1)), told("cell", BEGAN, ok=True), told("step", BEGAN, "look"),
        told("record", BEGAN, too_long=True), told("finish", BEGAN),
    ]  # fmt: skip
    store.record(ana.username, news, BEGAN)
    found = gather(store)
    assert [(event.kind, event.values.get("name")) for event in found.events] == [
        ("record", "arms"), ("record", "evaluation"), ("step", None), ("finish", None),
    ]  # fmt: skip
    assert found.first == found.last == {ana.id: BEGAN}


def test_the_version_changes_with_what_results_are_made_from(store):
    ana, _ = store.join("Ana")
    before = version_of(store)
    store.record(ana.username, [told("cell", BEGAN, ok=True)])
    assert version_of(store) == before, "cells change no result"
    store.record(ana.username, [told("finish", BEGAN)])
    assert version_of(store) != before
    before = version_of(store)
    store.forget(ana.username)
    assert version_of(store) != before
