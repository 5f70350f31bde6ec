"""The record in a real browser: from disk and from the service, by keyboard, on a phone and on paper."""

import re

import pytest
from sqlalchemy.orm import Session

from firstread.classroom.database.schema import Broadcast
from firstread.classroom.database.store import Store
from firstread.classroom.outcomes.record_page import SCRIPT, session_record_page, write_session_record
from firstread.classroom.outcomes.session_data import load_session_data
from firstread.classroom.outcomes.session_record import build_session_record
from firstread.classroom.progress.dashboard import PAGES
from firstread.lessons import find_lesson

from ..browser import browser_marks, open_page
from ..simulated_class import ATTACK
from ..simulated_session import BEGAN, simulate_session

pytestmark = browser_marks
LESSON = find_lesson("hello-world")


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A session of 26 as a file, and its record; one of its messages is an attack."""
    folder = tmp_path_factory.mktemp("record")
    store = Store(f"sqlite:///{folder / 'class.sqlite'}", key=b"key", experiments=LESSON.values["arms"], seed=3)
    store.create()
    simulate_session(store, LESSON, 26)
    with Session(store.engine) as database, database.begin():
        database.add(Broadcast(text=f"{ATTACK}</script>", sent=BEGAN.replace(minute=29)))
    yield write_session_record(store, LESSON, folder / "record.html"), store
    store.engine.dispose()


def open_record(page, session):
    """Open the file, and return what the browser complained about."""
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
    page.goto(session[0].as_uri())
    page.locator("#clock", has_text="0:00 of 0:57").wait_for()
    return complaints


def set_time(page, seconds):
    page.evaluate(
        "seconds => { const time = document.getElementById('time'); time.value = seconds; "
        "time.dispatchEvent(new Event('input')); }",
        seconds,
    )


def test_the_replay_shows_what_the_record_says(browser, session):
    record = build_session_record(load_session_data(session[1]), LESSON)
    with open_page(browser) as page:
        complaints = open_record(page, session)
        for second in (*range(0, record.seconds, 97), 29 * 60 + 5, record.seconds):
            set_time(page, second)
            expected = record.state_at(second)
            counts = page.locator("[data-place]:not([data-place=help])").all_inner_texts()
            assert [int(count) for count in counts] == list(expected.at_place)
            assert page.locator("#help").inner_text() == f"{expected.waiting} waiting, {expected.taken} taken"
            assert page.locator("#call").inner_text() == (expected.call or "own pace")
            assert page.locator("#plan").inner_text() == expected.plan
            assert page.locator("#message").inner_text() == " ".join((expected.message or "–").split())
            marked = page.locator("[aria-current]").evaluate_all("found => found.map((one) => one.dataset.seconds)")
            past = [entry.seconds for entry in record.entries if entry.seconds <= second]
            assert [int(one) for one in marked] == ([max(past)] if past else [])
        assert page.title().startswith("Record of the session"), "no message runs"
        assert complaints == []


def test_everything_can_be_done_by_keyboard(browser, session):
    with open_page(browser) as page:
        open_record(page, session)
        clock = page.locator("#clock")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        clock.get_by_text("0:02 of").wait_for()
        page.keyboard.press("ArrowLeft")
        clock.get_by_text("0:01 of").wait_for()
        page.keyboard.press("End")
        clock.get_by_text("0:57 of").wait_for()
        page.keyboard.press("Home")
        page.keyboard.press("n")
        before = page.evaluate("exact")
        page.keyboard.press("n")
        assert page.evaluate("exact") > before
        page.keyboard.press("p")
        assert page.evaluate("exact") == before
        page.locator("#play").focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Pause").wait_for()
        page.locator("#clock", has_text=re.compile("^0:0[1-9]")).wait_for()
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Play").wait_for()
        page.locator("#entries button").nth(5).focus()
        page.keyboard.press("Enter")
        assert page.evaluate("exact") == int(page.locator("#entries button").nth(5).get_attribute("data-seconds"))
        assert page.locator("#spoken").inner_text().startswith("0:")


def test_it_plays_to_the_end_and_from_the_start_again(browser, session):
    with open_page(browser) as page:
        open_record(page, session)
        page.locator("#speed").select_option("600")
        set_time(page, 57 * 60 - 30)
        page.locator("#play").click()
        page.locator("#clock", has_text="0:57 of").wait_for()
        page.get_by_role("button", name="Play").wait_for()
        page.locator("#speed").select_option("10")
        page.locator("#play").click()
        page.locator("#clock", has_text=re.compile("^0:0")).wait_for()


def test_a_click_into_the_time_line_jumps(browser, session):
    with open_page(browser) as page:
        open_record(page, session)
        lane = page.locator(".lane").nth(4)
        box = lane.bounding_box()
        lane.click(position={"x": box["width"] / 2, "y": 8})
        page.locator("#clock", has_text="0:28 of").wait_for()


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844), (1920, 1080)])
def test_nothing_is_cut_off_sideways(browser, session, width, height):
    with open_page(browser, viewport={"width": width, "height": height}) as page:
        open_record(page, session)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        lane, clock = page.locator(".lane").first.bounding_box(), page.locator("#clock").bounding_box()
        assert lane["width"] > width / 3
        assert clock["x"] + clock["width"] <= width
        if width > 1000:
            axis = page.locator(".lane").last.bounding_box()
            assert axis["y"] + axis["height"] <= height, "the whole time line is seen at once"


def test_on_paper_all_entries_stand_and_no_control(browser, session):
    with open_page(browser) as page:
        open_record(page, session)
        page.emulate_media(media="print")
        assert not page.locator("#play").is_visible()
        entries = page.locator("#entries")
        assert entries.evaluate("list => list.scrollHeight <= list.clientHeight + 1")
        assert page.locator("#entries li").last.is_visible()


def test_from_the_service_its_script_runs_under_the_services_policy(browser, session):
    from firstread.classroom.service.app import _SECURITY_HEADERS

    bodies = {
        "record": (session_record_page(session[1], LESSON), "text/html"),
        "record.js": ((PAGES / SCRIPT).read_text(encoding="utf-8"), "text/javascript"),
    }

    def answer(route):
        body, kind = bodies[route.request.url.rsplit("/", 1)[1]]
        route.fulfill(body=body, content_type=kind, headers=dict(_SECURITY_HEADERS))

    with open_page(browser) as page:
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.route("http://class.localhost/**", answer)
        page.goto("http://class.localhost/record")
        page.locator("#clock", has_text="0:00 of 0:57").wait_for()
        assert complaints == []
        assert page.get_by_role("link", name="Keep this page as a file").is_visible()
