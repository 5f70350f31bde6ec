"""Headless Chromium for tests (Playwright), without requests to the internet."""

import json
import os
import re
import shutil
import sqlite3
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: pytest marks of a test that opens files in the browser
file_browser_marks = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
#: pytest marks of a test that opens a class in the browser
browser_marks = [
    *file_browser_marks,
    pytest.mark.slow,
    pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems"),
]
_CHROMIUM_OPTIONS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@contextmanager
def launch_browser():
    """Start the browser; closed at the end."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_CHROMIUM_OPTIONS)
        yield browser
        browser.close()


def watch_requests(context):
    """List of the addresses on other machines that pages of this browser context will have asked for."""
    asked = []
    context.on("request", lambda request: asked.append(request.url) if _is_elsewhere(request.url) else None)
    return asked


def _is_elsewhere(url):
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme in ("http", "https", "ws", "wss") and not (
        host in ("localhost", "::1") or host.startswith("127.") or host.endswith(".localhost")
    )


@contextmanager
def open_page(browser, **context_options):
    """Open a page in its own browser context; errors in scripts, and requests to other machines, fail the test."""
    context = browser.new_context(**{"viewport": {"width": 1366, "height": 768}, **context_options})
    context.set_default_timeout(60_000)
    asked = watch_requests(context)
    page = context.new_page()
    script_errors = []
    page.on("pageerror", lambda error: script_errors.append(str(error)))
    yield page
    context.close()
    assert not script_errors
    assert not asked


def join(page, folder, name, *, path=""):
    """Join a class through its pages and open the lesson; returns the resume word."""
    page.goto(folder.public_url.rstrip("/") + "/" + path)
    page.get_by_label("Code on the screen").fill(folder.settings.join_code.lower())
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Join").click()
    word = page.locator("#word").inner_text()
    page.get_by_role("link", name="Go to the lesson").click()
    page.locator(".firstread-bar").wait_for()
    page.get_by_text("Python 3 | Idle").wait_for(state="attached")  # a small window hides it
    return word


def come_back(page, folder, word):
    """Come back with a resume word in a browser that has not been here."""
    page.goto(folder.public_url)
    page.get_by_label("Code on the screen").fill(folder.settings.join_code)
    page.locator("summary").click()
    page.locator("input[name=word]").fill(word)
    page.get_by_role("button", name="Join").click()
    page.locator(".firstread-bar").wait_for()


def get_username(page):
    return re.search(r"/user/([^/]+)/", page.url)[1]


def bar(page):
    return page.locator(".firstread-bar")


def wait_for_text(page, text):
    """Wait until the bar shows this text visibly, not only to screen readers."""
    page.locator(".firstread-inner > :not(.firstread-live)").get_by_text(text).first.wait_for()


def wait_for_text_gone(page, text):
    page.locator(".firstread-inner > :not(.firstread-live)").get_by_text(text).first.wait_for(state="hidden")


def press_button(page, name, **options):
    bar(page).get_by_role("button", name=name, **options).click()


def select_cell(page, text):
    """Select the code cell with this text by a click on its prompt."""
    cell = page.locator(".jp-CodeCell", has_text=text).first
    cell.scroll_into_view_if_needed()
    cell.locator(".jp-InputPrompt").click()
    return cell


def type_into(page, cell, text):
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(text)


def run_selected_cell(page):
    page.keyboard.press("Shift+Enter")


def run_instead_of_images(page, code):
    """Open the lesson, and run `code` in place of the cell that opens its images."""
    select_cell(page, 'lesson = fr.lesson("hello-world")')
    run_selected_cell(page)
    page.locator(".jp-OutputArea-output", has_text="Lesson 1. Hello, World!").wait_for()
    type_into(page, select_cell(page, "cohort = fr.open_dataset(lesson.data)"), code)
    run_selected_cell(page)


def server_of(folder, name):
    """Process id of a participant's server, as the hub knows it."""
    asked = "select s.state from spawners s join users u on u.id = s.user_id where u.name = ?"
    with sqlite3.connect(folder.path / "hub" / "hub.sqlite") as database:
        return json.loads(database.execute(asked, [name]).fetchone()[0])["pid"]


def wait(condition, *, seconds=30):
    """Wait until `condition()` is true; returns its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.2)
    raise AssertionError("it did not happen")
