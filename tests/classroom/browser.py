"""A real browser for tests: Chromium, without a window, that asks nobody on the internet for anything."""

import os
import re
import shutil
from contextlib import contextmanager

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: marks of a test that drives it
in_a_browser = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems"),
]
_QUIETLY = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


@contextmanager
def started_browser():
    """The browser, for as many pages as one likes."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIETLY)
        yield browser
        browser.close()


@contextmanager
def browser_page(browser, **how):
    """A browser of somebody's own, with one page; an error in its scripts, or a window that pops up, fails the test."""
    context = browser.new_context(**{"viewport": {"width": 1366, "height": 768}, **how})
    context.set_default_timeout(60_000)
    page = context.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert not wrong


def join(page, folder, name, *, at=""):
    """As a person does: the code, a name, the word, and on to the lesson; gives the resume word."""
    page.goto(folder.address.rstrip("/") + "/" + at)
    page.get_by_label("Code on the screen").fill(folder.settings.join_code.lower())
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    word = page.locator("#word").inner_text()
    page.get_by_role("link", name="Go to the lesson").click()
    page.locator(".firstread-bar").wait_for()
    page.get_by_text("Python 3 | Idle").wait_for()
    return word


def username(page):
    return re.search(r"/user/([^/]+)/", page.url)[1]


def bar(page):
    return page.locator(".firstread-bar")


def sees(page, words):
    """Wait until the bar shows it, not only reads it out."""
    page.locator(".firstread-inner > :not(.firstread-live)").get_by_text(words).first.wait_for()


def no_longer_sees(page, words):
    page.locator(".firstread-inner > :not(.firstread-live)").get_by_text(words).first.wait_for(state="hidden")


def press(page, name, **more):
    bar(page).get_by_role("button", name=name, **more).click()


def select(page, text):
    """Select the code cell with this text, as a click beside it does."""
    cell = page.locator(".jp-CodeCell", has_text=text).first
    cell.scroll_into_view_if_needed()
    cell.locator(".jp-InputPrompt").click()
    return cell


def type_into(page, cell, text):
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(text)


def run(page):
    page.keyboard.press("Shift+Enter")


def run_in_place_of_the_images(page, code):
    """Open the lesson, and run `code` in the cell that would open its images."""
    select(page, 'lesson = fr.lesson("hello-world")')
    run(page)
    page.locator(".jp-OutputArea-output", has_text="Lesson 1. Hello, World!").wait_for()
    type_into(page, select(page, "cohort = fr.open_dataset(lesson.data)"), code)
    run(page)
