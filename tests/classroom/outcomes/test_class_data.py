"""Only what results are made from is read, in SQLite and in PostgreSQL alike."""

from firstread.classroom.outcomes.class_data import data_version, load_class_data

from ..simulated_results import BEGAN, make_evaluation, make_event


def test_records_of_use_and_nothing_else(store):
    ana, _ = store.join("Ana")
    news = [
        make_event("record", BEGAN, name="arms", value={"ran": {}}),
        make_event("record", BEGAN, name="planted_marker", value={"large": "x" * 1000}),
        make_event("record", BEGAN, name="evaluation", value=make_evaluation(0.9, 1.0, 0.1)),
        make_event("cell", BEGAN, ok=True),
        make_event("step", BEGAN, "look"),
        make_event("record", BEGAN, too_long=True),
        make_event("finish", BEGAN),
    ]
    store.record_events(ana.username, news, BEGAN)
    found = load_class_data(store)
    assert [(event.kind, event.values.get("name")) for event in found.events] == [
        ("record", "arms"),
        ("record", "evaluation"),
        ("step", None),
        ("finish", None),
    ]


def test_the_version_changes_with_what_results_are_made_from(store):
    ana, _ = store.join("Ana")
    before = data_version(store)
    store.record_events(ana.username, [make_event("cell", BEGAN, ok=True)])
    assert data_version(store) == before, "cells change no result"
    store.record_events(ana.username, [make_event("finish", BEGAN)])
    assert data_version(store) != before
    before = data_version(store)
    store.delete_participant(ana.username)
    assert data_version(store) != before
