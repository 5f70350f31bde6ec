"""The class bar in other windows: a phone's, and that of another browser to which a participant comes back."""

import os
import re
import signal
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from firstread.classroom.database.schema import Broadcast, Participant

from ..browser import (
    bar,
    browser_marks,
    come_back,
    get_username,
    join,
    open_page,
    press_button,
    run_instead_of_images,
    server_of,
    wait,
    wait_for_text,
)

pytestmark = browser_marks


@pytest.fixture
def page(browser, folder):
    """A participant's browser."""
    with open_page(browser) as page:
        yield page


def test_who_comes_back_is_at_their_step_without_old_messages(browser, page, folder):
    store = folder.store()
    word = join(page, folder, "Hal")
    file = folder.home_of(get_username(page)) / "hello-world.ipynb"
    run_instead_of_images(page, "print('as far as', 6 * 7)")
    wait(lambda: "as far as 42" in file.read_text())
    store.add_broadcast("an old message")
    with store.session_factory.begin() as session:  # half an hour passes
        before = datetime.now(UTC) - timedelta(minutes=30)
        session.execute(update(Broadcast).where(Broadcast.text == "an old message").values(sent=before))
        session.execute(update(Participant).values(joined=before - timedelta(minutes=1)))
    with open_page(browser) as again:
        come_back(again, folder, word)
        is_where_they_were(again)
        assert not bar(again).get_by_text("Your notebook was started again.").count(), "the kernel has it all"
        press_button(again, "Messages")
        bar(again).locator("li", has_text="an old message").wait_for()
        store.add_broadcast("a new message")
        wait_for_text(again, "a new message")
    os.kill(server_of(folder, get_username(page)), signal.SIGKILL)
    wait_for_text(page, "Your notebook was started again.")
    page.get_by_text("Python 3 | Idle").wait_for()
    with open_page(browser) as again:
        come_back(again, folder, word)
        is_where_they_were(again)
        wait_for_text(again, "Your notebook was started again.")
        press_button(again, "Restart and catch up")
        wait_for_text(again, re.compile(r"Caught up: \d cells were run"))


def is_where_they_were(page):
    """At the last cell that was run, which can be seen, with no message that is no news."""
    wait_for_text(page, "Step 2 of 13")
    cell = page.locator(".jp-Cell.jp-mod-active")
    assert "as far as" in cell.inner_text()
    box = cell.bounding_box()
    assert 0 < box["y"] < 700
    bar(page).get_by_role("button", name="Messages").wait_for()
    assert not bar(page).locator(".firstread-strip", has_text="an old message").count()


def test_on_a_phone_the_screen_is_the_lessons(browser, folder):
    store = folder.store()
    with open_page(browser, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as page:
        join(page, folder, "Ida")
        long = "A break of ten minutes. Coffee is next door. " * 4
        for text in (long, "Back at ten past.", long + "End."):
            store.add_broadcast(text)
        wait_for_text(page, "End.")
        begin = page.locator(".jp-Notebook").bounding_box()["y"]
        assert begin < 0.22 * 844, "bar and toolbars leave the screen to the lesson"
        assert page.locator(".jp-Notebook").bounding_box()["width"] > 0.95 * 390, "side bars leave no strip behind"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for hidden in (".jp-SideBar", "#jp-top-panel", "#jp-bottom-panel"):
            assert not page.locator(hidden).locator("visible=true").count(), hidden
        for name in ("Messages", "I need help", "Restart and catch up", "More", "My resume word"):
            for one in bar(page).get_by_role("button", name=name).locator("visible=true").all():
                box = one.bounding_box()
                assert box["height"] >= 34
                assert box["x"] + box["width"] <= 390
        page.locator("jp-button[data-command='notebook:run-cell-and-select-next']").tap()
        press_button(page, "Read all of this message")
        assert "End." in bar(page).locator("li").first.inner_text()
        page.keyboard.press("Escape")
        page.set_viewport_size({"width": 1366, "height": 768})
        page.locator(".jp-SideBar.jp-mod-left").wait_for()
        page.locator("#jp-top-panel").wait_for()
        assert page.locator(".jp-SideBar.jp-mod-left").bounding_box()["height"] > 300
