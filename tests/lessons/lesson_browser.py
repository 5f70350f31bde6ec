"""A lesson in a real browser: `firstread open` in a folder of its own, and a learner at the keyboard and mouse."""

import os
import re
import secrets
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from classroom.browser import open_page

from firstread.lessons.jupyterlab import copy_lesson, jupyterlab_command, jupyterlab_environment


#: how JupyterLab shows an error, and what is printed to stderr
ERROR = "[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr']"


class Learner:
    """Who works through a lesson in a page of JupyterLab."""

    def __init__(self, page, url):
        self.page, self.url = page, url
        page.goto(url)
        self.wait_until_idle()

    def wait_until_idle(self):
        """Wait until the kernel has done what it was asked for, and the page shows it."""
        self.page.wait_for_timeout(150)
        self.page.get_by_text("Python 3 | Idle").wait_for(state="attached", timeout=300_000)

    def cell(self, text):
        """The first code cell with this text, in view."""
        cell = self.page.locator(".jp-CodeCell", has_text=text).first
        cell.scroll_into_view_if_needed()
        return cell

    @property
    def active(self):
        return self.page.locator(".jp-Cell.jp-mod-active")

    def select(self, text):
        self.cell(text).locator(".jp-InputPrompt").click()

    def run(self, text):
        """Run one cell, and give it back."""
        self.select(text)
        self.page.keyboard.press("Control+Enter")
        self.wait_until_done(text)
        return self.cell(text)

    def wait_until_done(self, text):
        cell = self.page.locator(".jp-CodeCell", has_text=text).first
        cell.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]")).wait_for(timeout=300_000)
        self.wait_until_idle()

    def run_down_to(self, text):
        """Shift + Enter from the selected cell until the cell with this text is selected, which is not run."""
        while text not in self.active.inner_text():
            before = self.page.locator(".jp-Cell").evaluate_all(
                "cells => cells.findIndex((cell) => cell.classList.contains('jp-mod-active'))"
            )
            self.page.keyboard.press("Shift+Enter")
            self.wait_until_idle()
            assert self.error_above(before) == "", f"before {text}"

    def error_above(self, index):
        """Text of the error that the cell with this index shows."""
        error = self.page.locator(".jp-Cell").nth(index).locator(ERROR)
        return error.first.inner_text() if error.count() else ""

    def type(self, text, code):
        """Replace the code of a cell, and run it."""
        cell = self.cell(text)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Control+Enter")
        self.wait_until_done(code.splitlines()[0])
        return self.cell(code.splitlines()[0])

    def error_of(self, cell):
        return cell.locator(ERROR).inner_text()

    def save_and_come_back(self):
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(1500)
        self.page.goto(self.url)
        self.wait_until_idle()


@contextmanager
def lesson_in_jupyterlab(name, folder: Path):
    """JupyterLab on a learner's copy of a lesson; yields its address."""
    notebook = copy_lesson(name, folder=folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    environment = {**jupyterlab_environment(notebook), "JUPYTER_TOKEN": token, "OMP_NUM_THREADS": "1"}
    environment.pop("FIRSTREAD_PROGRESS", None)
    command = jupyterlab_command(notebook, browser=False, port=port)
    with open(folder / f"{name}.log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}")
        yield f"http://127.0.0.1:{port}/lab/tree/{notebook.name}?token={token}"
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def learner(browser, url, **context_options):
    """A learner in a window of their own; an error in a script of the page fails the test."""
    with open_page(browser, **context_options) as page:
        yield Learner(page, url)


def _wait_for(url, *, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url)
            return
        except OSError:
            time.sleep(0.3)
    raise AssertionError("JupyterLab did not start")


def pictures_folder():
    """Where pictures of the pages go, to be looked at: FIRSTREAD_PICTURES, or nowhere."""
    folder = os.environ.get("FIRSTREAD_PICTURES")
    return Path(folder) if folder else None
