"""The results page fills by itself; a notebook gets the others' numbers and no name; nobody makes the service work twice."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from firstread.classroom.outcomes import results as module
from firstread.classroom.outcomes.results import Results
from firstread.classroom.service import results_routes

from ..simulated_results import evaluation, simulate_class, told

AT = "/services/classroom"


def log_in(served):
    served.post(f"{AT}/login", data={"key": served.folder.settings.instructor_key})


def later(served):
    """As if some seconds had passed."""
    served.app.state.results._looked = -100.0


def ask(served, token="of-ana", **headers):
    return served.get(f"{AT}/api/results", headers={"Authorization": f"token {token}", **headers})


def run(served, name, accuracy):
    person = served.store.join(name)[0] if isinstance(name, str) else name
    now = datetime.now(UTC)
    arms = told("record", now, name="arms", value={"assigned": person.arms, "ran": person.arms})
    served.store.record(
        person.username, [arms, told("record", now, name="evaluation", value=evaluation(accuracy, 1.0, 0.1))]
    )
    return person


@pytest.mark.parametrize("path", ["/results", "/results/stream"])
def test_results_are_the_instructors(served, path):
    assert served.get(AT + path, headers={"Accept": "application/json"}).status_code == 401
    served.enter(served.ana)
    assert served.get(AT + path, headers={"Accept": "application/json"}).status_code == 401, (
        "a participant's cookie opens nothing here"
    )


def test_an_empty_class_has_a_page(served):
    log_in(served)
    page = served.get(f"{AT}/results")
    assert page.status_code == 200
    assert "Too few runs" in page.text
    assert "Too few answered both quizzes" in page.text
    assert "<script>" not in page.text
    assert 'style="' not in page.text


def test_a_full_class_has_a_page_with_what_may_be_said(served):
    simulate_class(served.store, served.folder.lesson, 12, seed=2)
    log_in(served)
    page = served.get(f"{AT}/results").text
    for words in (
        "as assigned",
        "as run",
        "runs cannot tell",
        "Gain: +",
        "discrimination",
        "days since",
        "mostly",
        "of those who joined",
    ):
        assert words in page
    assert "nan" not in page.lower().replace("finance", "")
    assert "Person" not in page, "no names"


def test_what_participants_write_is_shown_and_not_run(served):
    from firstread.classroom.database.answers import keep_survey
    from firstread.lessons.questionnaires import survey_of

    survey = survey_of(served.folder.lesson)
    for number in range(3):
        person, _ = served.store.join(f"Person {number}")
        keep_survey(
            served.store,
            person.id,
            survey=survey,
            agreed=dict.fromkeys(survey.statements, 3),
            comment="<script>alert(1)</script>",
        )
    log_in(served)
    page = served.get(f"{AT}/results").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_a_task_that_is_too_easy_is_called_so(served):
    for number in range(6):
        run(served, f"Person {number}", 1.0)
    log_in(served)
    page = served.get(f"{AT}/results").text
    assert "6 of 6 runs reached 100.0 % accuracy" in page
    assert "nothing can be said of chance" in page


def test_a_notebook_gets_the_others_without_names_and_not_too_few(served):
    for number in range(3):
        assert ask(served).json()["runs"] == []
        run(served, f"Person {number}", 0.9 - number / 10)
        run(served, served.ana, 0.5)
        later(served)
    told_ = ask(served).json()
    assert [one["accuracy"] for one in told_["runs"]] == pytest.approx([0.7, 0.8, 0.9]), "sorted, and without one's own"
    assert set(told_["runs"][0]) == {"ran augmentation", "ran dropout", "accuracy", "AUC", "Brier score"}
    assert "Person" not in json.dumps(told_)


def test_what_a_notebook_has_it_does_not_get_again(served):
    first = ask(served)
    assert ask(served, **{"If-None-Match": first.headers["etag"]}).status_code == 304
    for number in range(4):
        run(served, f"Person {number}", 0.9)
    later(served)
    assert ask(served, **{"If-None-Match": first.headers["etag"]}).status_code == 200


@pytest.mark.parametrize("token", ["", "made-up"])
def test_only_participants_ask(served, token):
    assert ask(served, token).status_code in (401, 403)


def test_many_viewers_cost_no_more_than_one(served, monkeypatch):
    worked_out = []
    monkeypatch.setattr(module, "summarise", lambda *given: worked_out.append(1) or {"runs": None})
    results = Results(served.folder, served.store)

    async def look():
        await asyncio.gather(*(results.summary() for _ in range(50)))
        results._looked = -100.0
        await asyncio.gather(*(results.summary() for _ in range(50)))  # nothing has changed

    asyncio.run(look())
    assert worked_out == [1]


def test_the_stream_tells_what_changes(served):
    results = Results(served.folder, served.store)

    async def listen():
        changes = results_routes._changes(served.app.state.room, results)
        first = await anext(changes)
        run(served, "Bea", 0.9)
        results._looked = -100.0
        return first, await anext(changes)

    first, second = asyncio.run(listen())
    assert "<b>0</b> with a result" in json.loads(first.removeprefix("data: "))
    assert "<b>1</b> with a result" in json.loads(second.removeprefix("data: "))
