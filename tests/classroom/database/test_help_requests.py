"""Help requests form a queue, and their notebooks are read one at a time, in SQLite and in PostgreSQL."""

import pytest

from firstread.classroom.database.help_requests import (
    get_help_request,
    help_queue,
    list_help_requests,
    open_help_requests,
    request_help,
    update_help_request,
    withdraw_help_request,
)
from firstread.classroom.database.instructor_store import load_session_events
from firstread.classroom.database.store import AccessError
from firstread.core.errors import SettingError


def test_help_is_a_queue(store):
    ana, _ = store.join("Ana")
    bea, _ = store.join("Bea")
    first = request_help(store, ana.username, "what is dropout?", step="choose")
    request_help(store, bea.username, "my cell is red", error="NameError")
    assert request_help(store, ana.username, "what is dropout, please?").id == first.id
    assert [asked.note for asked in help_queue(store)] == ["what is dropout, please?", "my cell is red"]
    update_help_request(store, first.id, state="resolved", answer="cells switched off at random")
    assert [asked.participant_id for asked in help_queue(store)] == [bea.id]
    assert request_help(store, ana.username, "another").id != first.id
    with pytest.raises(SettingError, match="no such request"):
        update_help_request(store, 999, state="taken")
    with pytest.raises(SettingError, match="lost"):
        update_help_request(store, first.id, state="lost")


def test_who_asks_again_after_an_answer_waits_again_and_keeps_the_answer(store):
    ana, bea = store.join("Ana")[0], store.join("Bea")[0]
    first = request_help(store, ana.username, "my cell is red", notebook='{"cells": []}')
    request_help(store, bea.username, "me too")
    update_help_request(store, first.id, state="taken")
    assert request_help(store, ana.username, "my cell is still red").id == first.id, "taken, and nothing said yet"
    update_help_request(store, first.id, state="taken", answer="Run the cell above.")
    again = request_help(store, ana.username, "I did")
    assert [(one.note, one.state) for one in help_queue(store)] == [("me too", "waiting"), ("I did", "waiting")]
    assert (again.answer, again.notebook) == (None, None)
    before = get_help_request(store, first.id)
    assert (before.state, before.answer) == ("resolved", "Run the cell above.")


def test_help_that_is_withdrawn_is_resolved_and_nobody_elses(store):
    ana, bea = store.join("Ana")[0], store.join("Bea")[0]
    request_help(store, ana.username, "help", notebook="{}")
    request_help(store, bea.username, "me too")
    withdraw_help_request(store, ana.username)
    withdraw_help_request(store, ana.username)
    assert [one.participant_id for one in help_queue(store)] == [bea.id]
    assert [one.state for one in help_queue(store, include_resolved=True)] == ["resolved", "waiting"]
    with pytest.raises(AccessError, match="no such participant"):
        withdraw_help_request(store, "stranger")


def test_lines_of_help_come_without_the_notebooks(store):
    ana, _ = store.join("Ana")
    request_help(store, ana.username, "help", notebook="x" * 1000)
    (line,) = list_help_requests(store)
    assert (line.note, line.state) == ("help", "waiting")
    with pytest.raises(Exception, match="notebook"):
        line.notebook  # noqa: B018 - asking for it is the mistake


def test_calls_for_help_come_without_the_notebooks_and_one_with_it(store):
    ana, bea = store.join("Ana")[0], store.join("Bea")[0]
    first = request_help(store, ana.username, "red", step="look", error="NameError", notebook='{"cells": []}')
    second = request_help(store, bea.username, "blue")
    calls = open_help_requests(store)
    assert [(call.id, call.note, call.has_copy) for call in calls] == [
        (first.id, "red", True),
        (second.id, "blue", False),
    ]
    assert not hasattr(calls[0], "notebook")
    assert get_help_request(store, first.id).notebook == '{"cells": []}'
    update_help_request(store, first.id, state="resolved")
    assert [call.id for call in open_help_requests(store)] == [second.id]
    with pytest.raises(SettingError, match="no such request"):
        get_help_request(store, 99)


def test_what_happens_to_a_request_is_recorded_and_deleted_with_its_participant(store):
    ana, _ = store.join("Ana")
    first = request_help(store, ana.username, "my note")
    for state, answer in (("taken", None), ("taken", "yes"), ("waiting", None), ("resolved", "done")):
        update_help_request(store, first.id, state=state, answer=answer)
    request_help(store, ana.username, "again")
    withdraw_help_request(store, ana.username)
    found = [(event.kind, event.value) for event in load_session_events(store)]
    values = ("taken", "answered", "waiting", "answered", "resolved", "withdrawn")
    assert found == [("help", value) for value in values]
    store.delete_participant(ana.username)
    assert load_session_events(store) == []
