"""The dashboard in a real browser, as an instructor uses it, with a class in which some attack."""

import json
import time

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")
from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.help_requests import help_queue, request_help, update_help_request
from firstread.classroom.shared_folder import write_template

from ..browser import browser_marks, watch_requests
from ..service_process import Service
from ..simulated_class import ATTACK, SimulatedClass

pytestmark = browser_marks


@pytest.fixture
def simulated(monkeypatch, tmp_path):
    """A class of 23, service_client."""
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.create("class", lesson="hello-world")
    write_template(folder.path / "template.ipynb", folder.lesson)
    store = folder.store()
    store.create()
    made = SimulatedClass(store, folder.lesson.steps, people=23)
    made.folder, made.service = folder, Service(folder)
    made.service.start()
    yield made
    made.service.kill()
    store.engine.dispose()


@pytest.fixture
def open_page(browser, simulated):
    """A page of the instructor's, logged in by keyboard; whatever the browser complains about is kept."""
    contexts = []

    def open_page(**how):
        context = browser.new_context(**{"viewport": {"width": 1366, "height": 768}, **how})
        contexts.append((context, watch_requests(context)))
        page = context.new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("dialog", lambda dialog: page.complaints.append(dialog.message))
        page.goto(f"{simulated.folder.service_url}login")
        page.wait_for_selector("#key:focus")
        page.keyboard.type(simulated.folder.settings.instructor_key)
        page.keyboard.press("Enter")
        page.wait_for_selector("#counts")
        return page

    yield open_page
    for context, asked in contexts:
        context.close()
        assert not asked


def tab_to(page, wanted, *, most=150):
    """Press Tab until the focus is on what the selector means; wherever it is on the way, it can be seen."""
    for _ in range(most):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement);"
            " return [s.outlineStyle, parseFloat(s.outlineWidth)] }"
        )
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            assert seen[0] != "none"
            assert seen[1] >= 1
            return
    raise AssertionError(f"{wanted} cannot be reached with the keyboard")


def test_a_call_for_help_is_taken_answered_and_resolved_by_keyboard(simulated, open_page):
    page = open_page()
    asked = help_queue(simulated.store)[0]
    assert page.locator("#rows tr").count() == 23
    tab_to(page, f"[data-key='help-{asked.id}'] form[action='actions/take'] button")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#answer-{asked.id}:focus")
    page.keyboard.type("Run the cell above first, please.")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=You answered:")
    assert help_queue(simulated.store)[0].answer == "Run the cell above first, please."
    assert page.evaluate("(n) => document.getElementById('answer-' + n).value", asked.id) == ""
    tab_to(page, f"[data-key='help-{asked.id}'] button[formaction='actions/resolve']")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"[data-key='help-{asked.id}']", state="detached")
    assert page.evaluate("document.activeElement.id") == "help", "the focus is not lost with what was done"
    assert asked.id not in [one.id for one in help_queue(simulated.store)]
    assert page.complaints == []


def is_seen_whole(page, selector):
    """True if nothing of the element is cut off by the window or by a panel that scrolls."""
    return page.locator(selector).evaluate("""element => {
        let { top, bottom, left, right } = element.getBoundingClientRect();
        if (top < 0 || bottom > innerHeight || left < 0 || right > innerWidth) return false;
        for (let box = element.parentElement; box; box = box.parentElement) {
            const limits = box.getBoundingClientRect();
            const cut = getComputedStyle(box).overflowY !== "visible";
            if (cut && (top < limits.top - 1 || bottom > limits.bottom + 1)) return false;
        }
        return true;
    }""")


@pytest.mark.parametrize("height", [768, 650])  # a laptop's screen, and what a browser leaves of it
@pytest.mark.parametrize("quiet", [True, False])
def test_three_calls_for_help_are_worked_on_a_laptop_without_scrolling(simulated, open_page, quiet, height):
    for one in help_queue(simulated.store)[3:]:
        update_help_request(simulated.store, one.id, state="resolved")
    if quiet:  # nobody is stuck
        for person in simulated.people:
            row = simulated.make_event("finish", simulated.now)
            mended = simulated.make_event("cell", simulated.now, "own", ok=True, cell="cell-060")
            simulated.store.record_events(person.username, [row, mended])
    page = open_page(viewport={"width": 1366, "height": height})
    page.wait_for_selector("#stuck:has-text('Nobody is stuck.')" if quiet else "#stuck li")
    for asked in help_queue(simulated.store):
        card = f"[data-key='help-{asked.id}']"
        for control in page.locator(f"{card} :is(button, .who, .note, input:not([type=hidden]), .copy-link)").all():
            control.evaluate("element => element.setAttribute('data-looked-at', '')")
            assert is_seen_whole(page, "[data-looked-at]"), (card, control.inner_text())
            control.evaluate("element => element.removeAttribute('data-looked-at')")
    heights = page.evaluate("['stuck', 'machine'].map((id) => document.getElementById(id).offsetHeight)")
    assert heights[1] < 50
    assert not quiet or heights[0] < 50, "what is empty gives its room away"
    assert page.evaluate("document.documentElement.scrollHeight") <= height


def test_a_long_note_is_read_whole(simulated, open_page):
    simulated.store.set_door("closed")
    person = simulated.people[0]
    asked = request_help(simulated.store, person.username, "What is a cohort? " * 30 + "And the end.")
    page = open_page(viewport={"width": 1366, "height": 1400})
    note = page.locator(f"[data-key='help-{asked.id}'] .note")
    before = note.bounding_box()["height"]
    assert before < 60
    note.locator("summary").click()
    assert note.bounding_box()["height"] > 150
    simulated.record_failed_cell(1, error="MeanwhileError")
    page.wait_for_selector("#stuck:has-text('MeanwhileError')")
    assert note.bounding_box()["height"] > 150, "what is open stays open"


def test_the_copy_of_a_notebook_is_read_at_their_step(simulated, open_page):
    notebook = json.loads((simulated.folder.path / "template.ipynb").read_text())
    printed = {"output_type": "stream", "name": "stdout", "text": "a line of a hundred characters " * 3 + "and more"}
    next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")["outputs"] = [printed]
    asked = request_help(
        simulated.store, simulated.people[0].username, "?", step="freeze", notebook=json.dumps(notebook)
    )
    page = open_page()
    link = page.locator(f"[data-key='help-{asked.id}'] .copy-link")
    page.goto(f"{simulated.folder.service_url}{link.get_attribute('href')}")
    heading = page.get_by_role("heading", name="5. Train the last layers")
    assert 0 < heading.bounding_box()["y"] < 150
    page.click("text=Top")
    assert page.get_by_role("heading", name="Lesson 1. Hello, World!").bounding_box()["y"] < 400
    page.click("text=Their step, 5. Train the last layers")
    assert 0 < heading.bounding_box()["y"] < 150
    output = page.locator("pre.output")
    assert output.evaluate("output => output.scrollWidth <= output.clientWidth"), "a line is as wide as the page"
    text = "".join(page.locator(".prose").all_inner_texts())
    assert "Why." in text
    assert "**" not in text
    assert "](" not in text
    for width in (390, 1366):
        page.set_viewport_size({"width": width, "height": 768})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.complaints == []


def test_no_script_of_a_participant_runs(simulated, open_page):
    page = open_page()
    simulated.record_failed_cell(0, error=ATTACK, cell=ATTACK)
    page.wait_for_selector("#stuck:has-text('onerror')")
    assert "stolen" not in page.title()
    for path in ("copy/1", "participants/5", "projector"):
        page.goto(simulated.folder.service_url + path)
        page.wait_for_timeout(300)
        assert page.title() != "stolen", path
        for what in ("img[src='x']", "body script:not([src])", "[onerror]", "iframe", "svg script"):
            assert page.locator(what).count() == 0, (path, what)
    page.goto(f"{simulated.folder.service_url}copy/1")
    picture = page.locator("img")
    assert picture.count() == 1
    assert picture.evaluate("image => image.naturalWidth") == 240
    assert page.complaints == []


def test_an_error_is_seen_within_two_seconds_and_what_is_typed_stays(simulated, open_page):
    page = open_page()
    page.click("#say")
    page.keyboard.type("In five min")
    page.click(".error summary >> nth=0")
    page.focus("#say")
    slowest = 0.0
    for number in (0, 1, 4, 6, 8):
        begin = time.monotonic()
        simulated.record_failed_cell(number, error=f"Unheard{number}Error")
        page.wait_for_selector(f"#row-{number + 1} .state:has-text('Unheard')")
        slowest = max(slowest, time.monotonic() - begin)
    assert slowest < 2.0
    page.keyboard.type("utes")
    assert page.input_value("#say") == "In five minutes"
    assert page.locator(".error details[open]").count() == 1, "what was opened stays open"
    rows = page.eval_on_selector_all("#rows tr", "rows => rows.map(row => Number(row.dataset.rank))")
    assert rows == sorted(rows), "stuck first"
    page.click("text=Order of joining")
    rows = page.eval_on_selector_all("#rows tr", "rows => rows.map(row => Number(row.id.slice(4)))")
    assert rows == list(range(1, 24))


def test_a_killed_service_is_noticed_and_found_again(simulated, open_page):
    page = open_page()
    page.click("#say")
    page.keyboard.type("half a sent")
    simulated.service.kill()
    page.wait_for_selector("#cut-off:not([hidden])", timeout=20_000)
    assert "Cut off" in page.text_content("#cut-off")
    page.keyboard.press("Enter")
    page.wait_for_selector("#toast:has-text('Not sent')")
    page.route("**/stream*", lambda route: route.fulfill(status=503, body="one moment"))  # as a proxy answers meanwhile
    page.wait_for_timeout(4000)
    simulated.record_failed_cell(2, error="MeanwhileError")
    simulated.service.start()
    page.unroute("**/stream*")
    page.wait_for_selector("#row-3:has-text('MeanwhileError')", timeout=15_000)
    page.wait_for_selector("#cut-off", state="hidden")
    page.keyboard.type("ence")
    assert page.input_value("#say") == "half a sentence"
    page.keyboard.press("Enter")
    page.wait_for_selector("#broadcasts:has-text('half a sentence')")
    assert [one.text for one in simulated.store.broadcasts()] == ["half a sentence"]


def test_one_key_between_the_two_views_and_nobody_is_named_in_public(simulated, open_page):
    page = open_page()
    page.keyboard.press("v")
    page.wait_for_selector("#progress")
    text = page.inner_text("body")
    assert simulated.folder.settings.join_code in text
    assert "Bea" not in text
    assert "Error" not in text
    simulated.store.set_called_step("own")
    page.wait_for_selector("#now:has-text('13. Your own image')")
    page.keyboard.press("v")
    page.wait_for_selector("#rows")
    page.click("#say")
    page.keyboard.type("very")
    assert page.input_value("#say") == "very", "a letter typed into a field is a letter"


def test_the_projector_shows_all_steps_below_a_long_broadcast(simulated, open_page):
    simulated.store.add_broadcast("A break of ten minutes; please be back at ten past. " * 9)
    page = open_page()
    page.keyboard.press("v")
    page.wait_for_selector(".broadcast")
    assert page.evaluate("document.documentElement.scrollHeight") <= 768
    assert is_seen_whole(page, "#progress li:last-child")


def test_without_script_it_is_a_page_with_forms(simulated, open_page):
    page = open_page(java_script_enabled=False)
    page.click("#door >> text=Locked")
    assert "Nobody joins or comes back" in page.inner_text("#door")
    assert simulated.store.state().door == "locked"
    page.fill("#say", "Hello")
    page.click("text=Say it")
    assert simulated.store.broadcasts()[0].text == "Hello"
    page.click("text=Order of joining")
    assert page.locator("#rows tr").first.get_attribute("id") == "row-1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_it_is_a_list_of_who_needs_somebody(simulated, open_page, scheme):
    page = open_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    needs = page.locator("#rows tr.needs")
    assert 0 < needs.count() < 23
    assert page.locator("#rows tr:visible").count() == needs.count()
    page.click("a[data-show=all]")
    assert page.locator("#rows tr:visible").count() == 23
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.click("#other-view")
    page.wait_for_selector("#progress")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_removing_somebody_takes_two_steps(simulated, open_page):
    page = open_page()
    page.click("#row-2 a")
    page.click("text=Remove from the class")
    page.click("button:has-text('Remove')")
    assert len(simulated.store.participants()) == 23, "the box was not ticked"
    page.check("input[name=sure]")
    page.click("button:has-text('Remove')")
    page.wait_for_selector("text=is no longer in the class")
    assert len(simulated.store.participants()) == 22
