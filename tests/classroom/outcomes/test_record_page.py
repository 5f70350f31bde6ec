"""The page of a record: one file that loads nothing and names nobody, whatever participants wrote."""

import base64
import hashlib
import json
import re

import pytest
from sqlalchemy.orm import Session

from firstread.classroom.database.schema import Broadcast, Event, HelpRequest
from firstread.classroom.database.store import Store
from firstread.classroom.outcomes.record_page import session_record_page, write_session_record
from firstread.classroom.outcomes.session_data import load_session_data
from firstread.classroom.outcomes.session_record import build_session_record
from firstread.lessons import find_lesson

from ..simulated_class import ATTACK
from ..simulated_session import BEGAN, NOTE, simulate_session

LESSON = find_lesson("hello-world")
MAX_BYTES = 500_000


@pytest.fixture
def sqlite_store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'class.sqlite'}", key=b"key", experiments=LESSON.values["arms"], seed=3)
    store.create()
    yield store
    store.engine.dispose()


def hostile_session(store, people):
    """A session in which names, notes, errors, cells and steps are attacks, and one message quotes a name."""
    simulated = simulate_session(store, LESSON, people)
    word = store.join(ATTACK[:40], BEGAN)[1]
    with Session(store.engine) as session, session.begin():
        session.add(Broadcast(text=f"{ATTACK} Ana Mbeki </script>", sent=BEGAN.replace(minute=5)))
        for number, person in enumerate(simulated.people[:5]):
            values = {"ok": False, "error": ATTACK, "cell": ATTACK, "seconds": ATTACK}
            for step in (ATTACK[:60], "look"):
                event = Event(
                    key=f"a{step[:4]}{number}",
                    participant_id=person.id,
                    kind="cell",
                    step=step,
                    values=values,
                    happened=BEGAN,
                    received=BEGAN.replace(minute=9),
                )
                session.add(event)
            asked = BEGAN.replace(minute=7)
            session.add(
                HelpRequest(
                    participant_id=person.id,
                    asked=asked,
                    changed=asked,
                    state="resolved",
                    note=f"note of mine {ATTACK}",
                    answer="answer to them",
                    notebook="cells of mine",
                    error=ATTACK,
                )
            )
    return word


@pytest.mark.parametrize("people", [1, 7, 25, 99])
@pytest.mark.parametrize("self_contained", [False, True])
def test_nothing_of_anybody_is_in_the_page(sqlite_store, people, self_contained):
    word = hostile_session(sqlite_store, people)
    page = session_record_page(sqlite_store, LESSON, self_contained=self_contained)
    for person in sqlite_store.participants():
        assert person.username not in page
        assert person.resume_mark not in page
        assert not re.search(rf"(?<!\w){re.escape(person.name)}(?!\w)", page)
        assert person.pseudonym not in page
    for secret in (word, NOTE, "note of mine", "answer to", "cells of mine", 'onerror="', "<img", "stolen</script>"):
        assert secret not in page
    assert not re.search(r"\bp\d+-[0-9a-f]{8}", page)
    assert "participant_id" not in page
    assert len(page.encode()) < MAX_BYTES


@pytest.mark.parametrize("people", [0, 1, 6, 26])
def test_the_file_opens_from_disk_and_allows_only_its_own_script(sqlite_store, tmp_path, people):
    if people:
        hostile_session(sqlite_store, people)
    page = write_session_record(sqlite_store, LESSON, tmp_path / "record.html").read_text(encoding="utf-8")
    assert not re.search(r"""\ssrc=|@import|url\(|href=["'](?!data:)|\sstyle=|\son\w+=["']""", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    assert f"style-src '{source_hash(style)}'" in policy
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == (people > 0)
    assert all(f"script-src '{source_hash(script)}'" in policy for script in scripts)
    assert len(re.findall(r"<script", page)) == 2 * (people > 0), "the data and one script, nothing that was sent"


def source_hash(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_data_in_the_page_are_those_of_the_record(sqlite_store):
    hostile_session(sqlite_store, 26)
    page = session_record_page(sqlite_store, LESSON)
    found = json.loads(re.search(r'<script type="application/json" id="record">(.*?)</script>', page, re.DOTALL)[1])
    record = build_session_record(load_session_data(sqlite_store), LESSON)
    assert found == json.loads(json.dumps(record.to_dict()))
    assert any("<script>" in value for _, kind, value in found["states"] if kind == "message"), "as it was said"


def test_all_that_happened_is_in_the_page_without_its_script(sqlite_store):
    simulate_session(sqlite_store, LESSON, 26)
    page = session_record_page(sqlite_store, LESSON)
    record = build_session_record(load_session_data(sqlite_store), LESSON)
    assert page.count("data-seconds=") == len(record.entries)
    assert "Everyone called to 3. Read ten images yourself" in page
    assert page.count('class="lane"') == len(record.resolution.places) + 6
    assert 'aria-label="Finished: at most' in page


@pytest.mark.parametrize(("people", "words"), [(0, "Nothing has happened"), (1, "only what the instructor did")])
def test_a_class_of_nobody_and_of_one_says_why_there_is_little(sqlite_store, people, words):
    if people:
        simulate_session(sqlite_store, LESSON, people)
    page = session_record_page(sqlite_store, LESSON)
    assert words in page
    assert "data-place" not in page


def test_a_class_in_which_the_instructor_did_nothing(sqlite_store):
    for number in range(12):
        sqlite_store.join(f"P{number}", BEGAN)
    page = session_record_page(sqlite_store, LESSON, self_contained=True)
    assert "12 participants" in page
    assert "12 of 12 have joined" in page
