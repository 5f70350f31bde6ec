"""A participant with a real browser and no mouse: from the personal link through quiz and survey."""

import socket
import threading
import time

import pytest

from firstread.classroom.database.answers import load_quiz_answers, load_survey_answers
from firstread.classroom.service.personal_links import personal_path
from firstread.lessons.questionnaires import load_quiz, load_survey

from ..browser import browser_marks, watch_requests
from ..simulated_results import BEGAN, make_event

pytestmark = browser_marks


@pytest.fixture
def listening(service_client):
    """The same service on a port that a browser can reach."""
    uvicorn = pytest.importorskip("uvicorn")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(service_client.app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def page(browser):
    """A phone; what its console complains of is kept."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    asked = watch_requests(context)
    page = context.new_page()
    page.problems = []
    page.on(
        "console",
        lambda said: (
            page.problems.append(said.text) if said.type == "error" and "favicon" not in said.location["url"] else None
        ),
    )
    yield page
    context.close()
    assert not asked


def press(page, key, times=1):
    for _ in range(times):
        page.keyboard.press(key)


def focused(page):
    return page.evaluate(
        "[document.activeElement.tagName, document.activeElement.type || '', document.activeElement.name || '']"
    )


def tab_to(page, wanted):
    for _ in range(60):
        press(page, "Tab")
        if wanted(*focused(page)):
            return
    raise AssertionError("it cannot be reached with the keyboard")


def test_quiz_and_survey_with_the_keyboard_alone(service_client, listening, page):
    page.goto(listening + personal_path(service_client.folder, service_client.ana.username))
    tab_to(page, lambda tag, *_: tag == "A" and "quiz/pre" in page.evaluate("document.activeElement.href"))
    press(page, "Enter")
    page.wait_for_url("**/me/quiz/pre")
    quiz = load_quiz(service_client.folder.lesson)
    for number in range(1, len(quiz.items) + 1):
        tab_to(page, lambda _, kind, name, number=number: kind == "radio" and name == f"q{number}")
        press(page, "ArrowDown", times=number % 4)  # another option of the group
        if number % 4 == 0:
            press(page, "Space")
        assert page.evaluate("getComputedStyle(document.activeElement.closest('label')).outlineStyle") == "solid", (
            "where one is can be seen"
        )
    tab_to(page, lambda tag, *_: tag == "BUTTON")
    press(page, "Enter")
    page.get_by_text("Your answers are kept").wait_for()
    kept = load_quiz_answers(service_client.store)
    assert len(kept) == len(quiz.items)
    assert len({answer.chosen for answer in kept}) > 1

    service_client.store.record_events(service_client.ana.username, [make_event("finish", BEGAN)])
    page.goto(listening + "/services/classroom/me/survey")
    survey = load_survey(service_client.folder.lesson)
    for name in survey.statements:
        tab_to(page, lambda _, kind, given, name=name: kind == "radio" and given == name)
        press(page, "ArrowRight", times=3)
    tab_to(page, lambda tag, *_: tag == "TEXTAREA")
    page.keyboard.type("More time, <b>please</b>.")
    tab_to(page, lambda tag, *_: tag == "BUTTON")
    press(page, "Enter")
    page.get_by_text("Thank you").wait_for()
    answers = {answer.question: answer for answer in load_survey_answers(service_client.store)}
    assert answers["comment"].text == "More time, <b>please</b>."
    assert {answer.value for name, answer in answers.items() if name != "comment"} == {4}
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a phone shows the whole width"
    assert page.problems == []


def test_the_results_fill_while_they_are_looked_at(service_client, listening, page, monkeypatch):
    monkeypatch.setattr("firstread.classroom.outcomes.results.REFRESH_SECONDS", 0.3)
    page.goto(f"{listening}/services/classroom/login")
    page.wait_for_selector("#key:focus")
    page.keyboard.type(service_client.folder.settings.instructor_key)
    press(page, "Enter")
    page.wait_for_url("**/classroom/")
    page.goto(f"{listening}/services/classroom/results")
    page.get_by_text("0 with a result").wait_for()
    page.locator("summary").first.click()
    from ..simulated_results import make_evaluation

    service_client.store.record_events(
        service_client.ana.username,
        [make_event("record", BEGAN, name="evaluation", value=make_evaluation(0.9, 1.0, 0.1))],
    )
    page.get_by_text("1 with a result").wait_for()
    assert page.evaluate("document.querySelector('details').open"), "what was unfolded stays so"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "a phone shows the whole width"
    assert page.problems == []
