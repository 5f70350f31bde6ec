"""Files of a participant in a real browser that is logged in to the class: no script in them runs on its origin."""

import gzip
import json
import os
import re
from contextlib import suppress

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from .browser import browser_marks, get_username, join, open_page

pytestmark = browser_marks
SVG = "http://www.w3.org/2000/svg"


#: says that it ran, and asks the hub in the name of whoever has opened it
ATTACK = "console.log('RAN'); fetch('/hub/home?stolen', {credentials: 'include'})"


def make_pdf(script):
    return f"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS({script.replace("(", "[").replace(")", "]")})>>>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj
trailer<</Root 1 0 R>>"""


def make_notebook(script):
    data = {
        "text/html": f"<script>{script}</script><img src='x:' onerror=\"{script}\">",
        "application/javascript": script,
        "image/svg+xml": f'<svg xmlns="{SVG}" onload="{script}"><script>{script}</script></svg>',
    }
    outputs = [{"output_type": "display_data", "metadata": {}, "data": {kind: text}} for kind, text in data.items()]
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": data["text/html"]},
        {"cell_type": "code", "id": "b", "metadata": {"trusted": True}, "source": "", "execution_count": 1}
        | {"outputs": outputs},
    ]
    return json.dumps({"cells": cells, "metadata": {"trusted": True}, "nbformat": 4, "nbformat_minor": 5})


def make_files(script):
    """Name -> text of files that a browser may run."""
    html = f"<!doctype html><h1>EVES PAGE</h1><script>{script}</script><img src='x:' onerror=\"{script}\">"
    xml = script.replace("&", "&amp;").replace("<", "&lt;")
    xhtml = f'<html xmlns="http://www.w3.org/1999/xhtml"><script>{xml}</script></html>'
    return {
        "x.html": html,
        "x.HTM": html,
        "x.shtml": html,
        "x.svg": f'<svg xmlns="{SVG}" width="9" height="9" onload="{xml}"><script>{xml}</script></svg>',
        "x.xhtml": xhtml,
        "x.xml": xhtml,
        "x.rdf": xhtml,
        "x.pdf": make_pdf(script),
        "x.ipynb": make_notebook(script),
        "x.md": html,
        "x.mht": f"MIME-Version: 1.0\nContent-Type: text/html\n\n{html}",
        "noextension": html,
        "x.unknowntype": html,
        "x.txt": html,
        "x.html.gz": gzip.compress(html.encode()),
        "worker.js": script,
    }


@pytest.fixture(scope="module")
def hostile(running_class, browser):
    """Page of a browser that is logged in to the class; the class, who has made the files, and what scripts did."""
    folder, seen = running_class[1], []
    with open_page(browser) as page:
        join(page, folder, "Eve")
        eve = get_username(page)
        home, uid = folder.home_of(eve), folder.uid_of(eve)
        for name, content in make_files(ATTACK).items():
            (home / name).write_bytes(content if isinstance(content, bytes) else content.encode())
            if uid is not None:
                os.chown(home / name, uid, uid)
        page.context.on("console", lambda message: seen.append(message.text) if message.text == "RAN" else None)
        page.context.on("request", lambda one: seen.append(one.url) if "stolen" in one.url else None)
        yield page, folder, eve, seen


def visit(page, url):
    """Open a URL in a new tab and give its scripts time; a download opens nothing."""
    from playwright.sync_api import Error

    tab = page.context.new_page()
    with suppress(Error):  # a download
        tab.goto(url, wait_until="load", timeout=20_000)
        tab.wait_for_timeout(700)
    tab.close()


def test_what_a_script_on_this_origin_gets_is_seen(hostile):
    """What the attacks below would get, if one of them ran, and that it would be noticed."""
    page, _, _, seen = hostile
    seen.clear()
    answer = page.evaluate(f"{ATTACK}.then(response => [response.status, response.redirected])")
    assert answer == [200, False]
    assert "RAN" in seen
    assert any("stolen" in url for url in seen)


@pytest.mark.parametrize("name", sorted(make_files("")))
def test_no_file_of_a_participant_runs_a_script(hostile, name):
    page, folder, eve, seen = hostile
    seen.clear()
    server = f"{folder.public_url}user/{eve}"
    for path in ("files", "view", "nbconvert/html", "api/contents", "lab/api/listings", "static", "lab/extensions"):
        visit(page, f"{server}/{path}/{name}")
    visit(page, f"{server}/files/{name}?download=1")
    assert seen == []


@pytest.mark.parametrize("name", ["x.html", "x.svg", "x.md", "x.ipynb", "x.pdf", "x.xml"])
def test_no_viewer_of_jupyterlab_runs_a_script_of_a_file(hostile, name):
    page, folder, eve, seen = hostile
    tab = page.context.new_page()
    tab.set_default_timeout(60_000)
    seen.clear()
    try:
        tab.goto(f"{folder.public_url}user/{eve}/lab/tree/{name}")
        tab.locator(f".lm-DockPanel-tabBar .lm-TabBar-tab:has-text('{name}')").first.wait_for()
        tab.wait_for_timeout(4000)
        if name == "x.html":  # even when somebody says that they trust it
            tab.get_by_text("Trust HTML").first.click()
            tab.wait_for_timeout(2000)
            assert "allow-scripts" in tab.locator("iframe").first.get_attribute("sandbox")
            assert tab.frame_locator("iframe").first.get_by_text("EVES PAGE").is_visible()
    finally:
        tab.close()
    assert seen == []


def test_no_file_becomes_a_service_worker(hostile):
    page, _, eve, seen = hostile
    seen.clear()
    register = f"navigator.serviceWorker.register('/user/{eve}/files/worker.js').then(() => 'registered', String)"
    assert "registered" not in page.evaluate(register)
    assert seen == []


def test_neighbours_and_the_instructor_get_no_file_of_a_participant(hostile, browser):
    _, folder, eve, seen = hostile
    seen.clear()
    url = f"{folder.public_url}user/{eve}/files/x.html"
    with open_page(browser) as page:
        join(page, folder, "Cleo")
        page.context.on("console", lambda message: seen.append(message.text) if message.text == "RAN" else None)
        page.goto(url)
        assert "EVES PAGE" not in page.content()
    with open_page(browser) as page:
        page.goto(folder.dashboard_url)
        page.get_by_label("Key").fill(folder.settings.instructor_key)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile("services/classroom/$"))
        page.goto(url)
        assert "EVES PAGE" not in page.content()
        page.get_by_label("Code on the screen").wait_for()
    assert seen == []
