"""The results page renews itself; a notebook gets the others' numbers without names; work is shared by all viewers."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from firstread.classroom.outcomes import results as module
from firstread.classroom.outcomes.results import Results
from firstread.classroom.service import results_routes

from ..simulated_results import make_evaluation, make_event, simulate_results

AT = "/services/classroom"


def log_in(service_client):
    service_client.post(f"{AT}/login", data={"key": service_client.folder.settings.instructor_key})


def later(service_client):
    """As if some seconds had passed."""
    service_client.app.state.results._checked_at = -100.0


def ask(service_client, token="of-ana", **headers):
    return service_client.get(f"{AT}/api/results", headers={"Authorization": f"token {token}", **headers})


def run(service_client, name, accuracy):
    person = service_client.store.join(name)[0] if isinstance(name, str) else name
    now = datetime.now(UTC)
    arms = make_event("record", now, name="arms", value={"assigned": person.arms, "ran": person.arms})
    service_client.store.record_events(
        person.username, [arms, make_event("record", now, name="evaluation", value=make_evaluation(accuracy, 1.0, 0.1))]
    )
    return person


@pytest.mark.parametrize("path", ["/results", "/results/stream"])
def test_results_are_the_instructors(service_client, path):
    assert service_client.get(AT + path, headers={"Accept": "application/json"}).status_code == 401
    service_client.enter(service_client.ana)
    assert service_client.get(AT + path, headers={"Accept": "application/json"}).status_code == 401, (
        "a participant's cookie opens nothing here"
    )


def test_an_empty_class_has_a_page(service_client):
    log_in(service_client)
    page = service_client.get(f"{AT}/results")
    assert page.status_code == 200
    assert "Too few runs" in page.text
    assert "the primary outcome of augmentation and of dropout is accuracy" in page.text
    assert "Too few answered both quizzes" in page.text
    assert "<script>" not in page.text
    assert 'style="' not in page.text


def test_a_full_class_has_a_page_with_what_may_be_said(service_client):
    simulate_results(service_client.store, service_client.folder.lesson, 12, seed=2)
    log_in(service_client)
    page = service_client.get(f"{AT}/results").text
    for words in (
        "as assigned",
        "as run",
        "Stated before the class:",
        "the primary outcome of augmentation and of dropout is accuracy",
        "the same 40 test images: intervals are about trainings, not about patients",
        "Primary outcome, as assigned",
        "Secondary outcome, as assigned",
        "As run is a sensitivity analysis",
        "(Holm, 2 comparisons)",
        "(Holm, 12 comparisons)",
        "runs cannot tell",
        "Gain: +",
        "discrimination",
        "days since",
        "mostly",
        "of those of whom it is known",
    ):
        assert words in page
    assert "nan" not in page.lower().replace("finance", "")
    assert "Person" not in page, "no names"


def test_what_participants_write_is_shown_and_not_run(service_client):
    from firstread.classroom.database.answers import save_survey_answers
    from firstread.lessons.questionnaires import load_survey

    survey = load_survey(service_client.folder.lesson)
    for number in range(3):
        person, _ = service_client.store.join(f"Person {number}")
        save_survey_answers(
            service_client.store,
            person.id,
            survey=survey,
            ratings=dict.fromkeys(survey.statements, 3),
            comment="<script>alert(1)</script>",
        )
    log_in(service_client)
    page = service_client.get(f"{AT}/results").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_a_task_that_is_too_easy_is_called_so(service_client):
    for number in range(6):
        run(service_client, f"Person {number}", 1.0)
    log_in(service_client)
    page = service_client.get(f"{AT}/results").text
    assert "6 of 6 runs reached 100.0 % accuracy" in page
    assert "nothing can be said of chance" in page


def test_a_notebook_gets_the_others_without_names_and_not_too_few(service_client):
    for number in range(3):
        assert ask(service_client).json()["runs"] == []
        run(service_client, f"Person {number}", 0.9 - number / 10)
        run(service_client, service_client.ana, 0.5)
        later(service_client)
    told_ = ask(service_client).json()
    assert [one["accuracy"] for one in told_["runs"]] == pytest.approx([0.7, 0.8, 0.9]), "sorted, and without one's own"
    assert set(told_["runs"][0]) == {"ran augmentation", "ran dropout", "accuracy", "AUC", "Brier score"}
    assert "Person" not in json.dumps(told_)


def test_what_a_notebook_has_it_does_not_get_again(service_client):
    first = ask(service_client)
    assert ask(service_client, **{"If-None-Match": first.headers["etag"]}).status_code == 304
    for number in range(4):
        run(service_client, f"Person {number}", 0.9)
    later(service_client)
    assert ask(service_client, **{"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize("token", ["", "made-up"])
def test_only_participants_ask(service_client, token):
    assert ask(service_client, token).status_code in (401, 403)


def test_many_viewers_cost_no_more_than_one(service_client, monkeypatch):
    worked_out = []
    monkeypatch.setattr(module, "summarize_class", lambda *given: worked_out.append(1) or {"runs": None})
    results = Results(service_client.folder, service_client.store)

    async def look():
        await asyncio.gather(*(results.summary() for _ in range(50)))
        results._checked_at = -100.0
        await asyncio.gather(*(results.summary() for _ in range(50)))  # nothing has changed

    asyncio.run(look())
    assert worked_out == [1]


def test_the_stream_tells_what_changes(service_client):
    results = Results(service_client.folder, service_client.store)

    async def listen():
        changes = results_routes._result_events(service_client.app.state.service, results)
        first = await anext(changes)
        run(service_client, "Bea", 0.9)
        results._checked_at = -100.0
        return first, await anext(changes)

    first, second = asyncio.run(listen())
    assert "<b>0</b> with a result" in json.loads(first.removeprefix("data: "))
    assert "<b>1</b> with a result" in json.loads(second.removeprefix("data: "))
