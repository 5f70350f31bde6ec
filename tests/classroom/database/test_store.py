"""A class remembers everyone and everything, once, whatever stops in between."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from firstread.classroom.database.store import DoorError
from firstread.core.errors import SettingError

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def happening(key, kind="step", step="look", **values):
    return {"key": key, "kind": kind, "step": step, "values": values, "happened": NOW}


def test_people_join_and_come_back_with_their_word(store):
    ana, word = store.join("Ana")
    other, _ = store.join("ana")
    assert (ana.number, other.number) == (1, 2)
    assert ana.username != other.username
    assert store.shown_names() == {ana.id: "Ana", other.id: "ana (2)"}
    assert store.come_back(word.upper()).username == ana.username
    with pytest.raises(DoorError, match="nobody's"):
        store.come_back("otter-maple-000")
    assert ana.pseudonym == "Participant 1"
    assert set(ana.arms) == {"augmentation", "dropout"}


def test_the_word_itself_is_not_kept(store, reopen):
    _, word = store.join("Ana")
    assert word not in str([vars(person) for person in store.people()])
    assert reopen().come_back(word).name == "Ana"
    with pytest.raises(DoorError):
        reopen(key=b"another key").come_back(word)


def test_doors(store):
    _, word = store.join("Ana")
    store.set_door("closed")
    with pytest.raises(DoorError, match="nobody new"):
        store.join("Bea")
    assert store.come_back(word).name == "Ana"
    store.set_door("locked")
    with pytest.raises(DoorError, match="locked"):
        store.come_back(word)
    with pytest.raises(SettingError, match="ajar"):
        store.set_door("ajar")


def test_many_join_at_once_and_each_gets_one_number(store):
    with ThreadPoolExecutor(8) as pool:
        joined = list(pool.map(lambda n: store.join(f"Person {n}")[0], range(24)))
    assert sorted(person.number for person in joined) == list(range(1, 25))
    groups = [tuple(person.arms.values()) for person in store.people()]
    counts = [groups.count(one) for one in set(groups)]
    assert len(counts) == 4
    assert max(counts) - min(counts) <= 2


def test_the_number_of_somebody_forgotten_is_not_given_again(store):
    store.join("Ana")
    bea, _ = store.join("Bea")
    store.forget(bea.username)
    assert store.join("Cleo")[0].number == 3


def test_events_are_kept_once_and_in_order(store):
    ana, _ = store.join("Ana")
    bea, _ = store.join("Bea")
    assert store.record(ana.username, [happening("a"), happening("b")]) == 2
    assert store.record(ana.username, [happening("b"), happening("c"), happening("c")]) == 1
    assert store.record(bea.username, [happening("a", kind="error", name="ValueError")]) == 1
    assert [(event.participant_id, event.key) for event in store.events()] == [
        (ana.id, "a"), (ana.id, "b"), (ana.id, "c"), (bea.id, "a"),
    ]  # fmt: skip
    assert [event.values for event in store.events(kinds=["error"])] == [{"name": "ValueError"}]
    assert len(store.events(after=store.events()[1].id)) == 2
    with pytest.raises(DoorError, match="no such participant"):
        store.record("stranger", [happening("x")])


def test_after_a_restart_everything_is_where_it_was(store, reopen):
    ana, word = store.join("Ana")
    store.record(ana.username, [happening("a")])
    store.set_door("closed")
    store.ask_help(ana.username, "stuck")
    again = reopen()
    assert again.state().door == "closed"
    assert again.come_back(word).arms == ana.arms
    assert len(again.events()) == len(again.help_queue()) == 1


def test_to_be_forgotten(store):
    ana, word = store.join("Ana")
    bea, _ = store.join("Bea")
    for person in (ana, bea):
        store.record(person.username, [happening("a")])
        store.ask_help(person.username, "help")
    store.forget(ana.username)
    assert [person.name for person in store.people()] == ["Bea"]
    assert {event.participant_id for event in store.events()} == {bea.id}
    assert [asked.participant_id for asked in store.help_queue(everything=True)] == [bea.id]
    with pytest.raises(DoorError):
        store.come_back(word)
    store.forget("nobody")
    assert store.join("Cem")[0].number == 3


def test_the_plan_stands_still_in_a_pause(store):
    assert store.minutes_gone(NOW) is None
    store.pause(NOW)
    store.begin(NOW)
    assert store.minutes_gone(NOW + timedelta(minutes=5)) == pytest.approx(5)
    store.pause(NOW + timedelta(minutes=5))
    assert store.minutes_gone(NOW + timedelta(minutes=9)) == pytest.approx(5)
    store.begin(NOW + timedelta(minutes=10))
    assert store.minutes_gone(NOW + timedelta(minutes=12)) == pytest.approx(7)
    store.begin(NOW + timedelta(minutes=12))
    assert store.minutes_gone(NOW + timedelta(minutes=12)) == pytest.approx(7)
    store.call_step("freeze")
    assert store.state().step == "freeze"


def test_help_is_a_queue(store):
    ana, _ = store.join("Ana")
    bea, _ = store.join("Bea")
    first = store.ask_help(ana.username, "what is dropout?", step="choose")
    store.ask_help(bea.username, "my cell is red", error="NameError")
    assert store.ask_help(ana.username, "what is dropout, please?").id == first.id
    assert [asked.note for asked in store.help_queue()] == ["what is dropout, please?", "my cell is red"]
    store.change_help(first.id, state="resolved", answer="cells switched off at random")
    assert [asked.participant_id for asked in store.help_queue()] == [bea.id]
    assert store.ask_help(ana.username, "another").id != first.id
    with pytest.raises(SettingError, match="no such request"):
        store.change_help(999, state="taken")
    with pytest.raises(SettingError, match="lost"):
        store.change_help(first.id, state="lost")


def test_what_is_said_to_everyone(store):
    store.broadcast("Five more minutes.")
    store.broadcast("Well done.")
    assert [line.text for line in store.broadcasts()] == ["Five more minutes.", "Well done."]


def test_help_that_is_withdrawn_is_resolved_and_nobody_elses(store):
    ana, bea = store.join("Ana")[0], store.join("Bea")[0]
    store.ask_help(ana.username, "help", notebook="{}")
    store.ask_help(bea.username, "me too")
    store.withdraw_help(ana.username)
    store.withdraw_help(ana.username)
    assert [one.participant_id for one in store.help_queue()] == [bea.id]
    assert [one.state for one in store.help_queue(everything=True)] == ["resolved", "waiting"]
    with pytest.raises(DoorError, match="no such participant"):
        store.withdraw_help("stranger")


def test_lines_of_help_come_without_the_notebooks(store):
    ana, _ = store.join("Ana")
    store.ask_help(ana.username, "help", notebook="x" * 1000)
    (line,) = store.help_lines()
    assert (line.note, line.state) == ("help", "waiting")
    with pytest.raises(Exception, match="notebook"):
        line.notebook  # noqa: B018 - asking for it is the mistake
