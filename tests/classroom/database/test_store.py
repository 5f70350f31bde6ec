"""A class remembers everyone and everything, once, whatever stops in between."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from firstread.classroom.database.help_requests import (
    help_queue,
    request_help,
)
from firstread.classroom.database.store import AccessError
from firstread.core.errors import SettingError

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def happening(key, kind="step", step="look", **values):
    return {"key": key, "kind": kind, "step": step, "values": values, "happened": NOW}


def test_people_join_and_come_back_with_their_word(store):
    ana, word = store.join("Ana")
    other, _ = store.join("ana")
    assert (ana.number, other.number) == (1, 2)
    assert ana.username != other.username
    assert store.display_names() == {ana.id: "Ana", other.id: "ana (2)"}
    assert store.resume(word.upper()).username == ana.username
    with pytest.raises(AccessError, match="nobody's"):
        store.resume("otter-maple-000")
    assert ana.pseudonym == "Participant 1"
    assert set(ana.arms) == {"augmentation", "dropout"}


def test_the_word_itself_is_not_kept(store, reopen):
    _, word = store.join("Ana")
    assert word not in str([vars(person) for person in store.participants()])
    assert reopen().resume(word).name == "Ana"
    with pytest.raises(AccessError):
        reopen(key=b"another key").resume(word)


def test_a_full_class_lets_nobody_new_in_and_everybody_back(store):
    store.max_participants = 2
    _, word = store.join("Ana")
    store.join("Bea")
    with pytest.raises(AccessError, match="The class is full: 2 have joined"):
        store.join("Cem")
    assert store.resume(word).name == "Ana"
    store.delete_participant(store.participants()[1].username)
    store.join("Cem")


def test_doors(store):
    _, word = store.join("Ana")
    store.set_door("closed")
    with pytest.raises(AccessError, match="nobody new"):
        store.join("Bea")
    assert store.resume(word).name == "Ana"
    store.set_door("locked")
    with pytest.raises(AccessError, match="locked"):
        store.resume(word)
    with pytest.raises(SettingError, match="ajar"):
        store.set_door("ajar")


def test_many_join_at_once_and_each_gets_one_number(store):
    with ThreadPoolExecutor(8) as pool:
        joined = list(pool.map(lambda n: store.join(f"Person {n}")[0], range(24)))
    assert sorted(person.number for person in joined) == list(range(1, 25))
    groups = [tuple(person.arms.values()) for person in store.participants()]
    counts = [groups.count(one) for one in set(groups)]
    assert len(counts) == 4
    assert max(counts) - min(counts) <= 2


def test_the_number_of_somebody_forgotten_is_not_given_again(store):
    store.join("Ana")
    bea, _ = store.join("Bea")
    store.delete_participant(bea.username)
    assert store.join("Cleo")[0].number == 3


def test_events_are_kept_once_and_in_order(store):
    ana, _ = store.join("Ana")
    bea, _ = store.join("Bea")
    assert store.record_events(ana.username, [happening("a"), happening("b")]) == 2
    assert store.record_events(ana.username, [happening("b"), happening("c"), happening("c")]) == 1
    assert store.record_events(bea.username, [happening("a", kind="error", name="ValueError")]) == 1
    assert [(event.participant_id, event.key) for event in store.events()] == [
        (ana.id, "a"),
        (ana.id, "b"),
        (ana.id, "c"),
        (bea.id, "a"),
    ]
    assert [event.values for event in store.events(kinds=["error"])] == [{"name": "ValueError"}]
    assert len(store.events(after=store.events()[1].id)) == 2
    with pytest.raises(AccessError, match="no such participant"):
        store.record_events("stranger", [happening("x")])


def test_after_a_restart_everything_is_where_it_was(store, reopen):
    ana, word = store.join("Ana")
    store.record_events(ana.username, [happening("a")])
    store.set_door("closed")
    request_help(store, ana.username, "stuck")
    again = reopen()
    assert again.state().door == "closed"
    assert again.resume(word).arms == ana.arms
    assert len(again.events()) == len(help_queue(again)) == 1


def test_to_be_forgotten(store):
    ana, word = store.join("Ana")
    bea, _ = store.join("Bea")
    for person in (ana, bea):
        store.record_events(person.username, [happening("a")])
        request_help(store, person.username, "help")
    store.delete_participant(ana.username)
    assert [person.name for person in store.participants()] == ["Bea"]
    assert {event.participant_id for event in store.events()} == {bea.id}
    assert [asked.participant_id for asked in help_queue(store, include_resolved=True)] == [bea.id]
    with pytest.raises(AccessError):
        store.resume(word)
    store.delete_participant("nobody")
    assert store.join("Cem")[0].number == 3


def test_the_plan_stands_still_in_a_pause(store):
    assert store.elapsed_minutes(NOW) is None
    store.pause_plan(NOW)
    store.start_plan(NOW)
    assert store.elapsed_minutes(NOW + timedelta(minutes=5)) == pytest.approx(5)
    store.pause_plan(NOW + timedelta(minutes=5))
    assert store.elapsed_minutes(NOW + timedelta(minutes=9)) == pytest.approx(5)
    store.start_plan(NOW + timedelta(minutes=10))
    assert store.elapsed_minutes(NOW + timedelta(minutes=12)) == pytest.approx(7)
    store.start_plan(NOW + timedelta(minutes=12))
    assert store.elapsed_minutes(NOW + timedelta(minutes=12)) == pytest.approx(7)
    store.set_called_step("freeze")
    assert store.state().step == "freeze"


def test_what_is_said_to_everyone(store):
    store.add_broadcast("Five more minutes.")
    store.add_broadcast("Well done.")
    assert [line.text for line in store.broadcasts()] == ["Five more minutes.", "Well done."]
