"""The record of a session over HTTP: for the instructor alone, and kept as a file."""

import re

import pytest

from ..simulated_session import simulate_session

AT = "/services/classroom"


@pytest.fixture
def instructor(service_client):
    service_client.post(f"{AT}/login", data={"key": service_client.folder.settings.instructor_key})
    return service_client


@pytest.mark.parametrize("page", ["record", "record.html"])
def test_only_the_instructor_sees_the_record(service_client, page):
    service_client.enter(service_client.ana)
    assert service_client.get(f"{AT}/{page}", headers={"Accept": "application/json"}).status_code == 401


def test_the_page_runs_the_services_script_and_nothing_inline(instructor):
    simulate_session(instructor.store, instructor.folder.lesson, 12)
    answer = instructor.get(f"{AT}/record")
    assert answer.status_code == 200
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert scripts == ['<script type="application/json" id="record">', '<script src="record.js" defer>']
    assert "script-src" not in answer.headers["content-security-policy"], "its default is the service itself"
    assert "Ana" not in answer.text
    script = instructor.get(f"{AT}/record.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "eval(" not in script.text
    assert "innerHTML" not in script.text


def test_the_file_to_keep_is_the_same_record_with_its_script(instructor):
    simulate_session(instructor.store, instructor.folder.lesson, 12)
    answer = instructor.get(f"{AT}/record.html")
    assert answer.headers["content-disposition"] == 'attachment; filename="record.html"'
    assert "Content-Security-Policy" in answer.text
    assert "src=" not in answer.text


def test_the_results_page_leads_to_it_and_is_recorded_when_it_is_opened(instructor):
    for _ in range(3):
        page = instructor.get(f"{AT}/results").text
    assert 'href="record"' in page
    from firstread.classroom.database.instructor_store import load_session_events

    assert [event.kind for event in load_session_events(instructor.store)] == ["results"], "one showing, not three"


def test_what_the_instructor_does_is_recorded_in_order(instructor):
    from firstread.classroom.database.instructor_store import load_session_events

    actions = (("begin", ""), ("step", "guess"), ("pause", ""), ("pause", ""), ("begin", ""), ("step", ""))
    for action, value in (*actions, ("door", "closed"), ("end", ""), ("step", "made-up")):
        instructor.post(f"{AT}/actions/{action}", data={"value": value})
    found = [(event.kind, event.value) for event in load_session_events(instructor.store)]
    expected = [("plan", "begun"), ("step", "guess"), ("plan", "paused"), ("plan", "resumed"), ("step", None)]
    assert found == [*expected, ("door", "closed"), ("plan", "ended")]
