"""Pages in a real browser ask no other server for anything: documentation, executed lessons, reports, data checks.

The pages of a class are watched in the same way by every test that opens them (`classroom.browser.open_page`).
"""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import firstread as fr
from classroom.browser import file_browser_marks, launch_browser, open_page, watch_requests
from classroom.simulated_class import make_png
from firstread.lessons.notebook_page import render_notebook_page

pytestmark = file_browser_marks
ROOT = Path(__file__).resolve().parents[1]
NAVIGATION = re.compile(r"^ +- (?:.+: )?(\S+\.md)$", re.MULTILINE)


@pytest.fixture(scope="module")
def browser():
    with launch_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The documentation as `make docs` builds it: any warning is an error."""
    pytest.importorskip("mkdocs", reason="mkdocs is not installed")
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_no_page_of_the_documentation_asks_another_server(browser, site):
    pages = sorted(set(site.rglob("*.html")) - {site / "404.html"})  # which only a server shows
    names = {path.relative_to(site).as_posix() for path in pages}
    assert {name.replace(".md", ".html") for name in NAVIGATION.findall((ROOT / "mkdocs.yml").read_text())} <= names
    with open_page(browser) as page:
        for path in pages:
            page.goto(path.as_uri())
            assert page.locator("h1").count() >= 1, path
            assert page.locator("article img:not([alt]), article img[alt='']").count() == 0, path
            broken = "all => all.filter(one => !one.complete || !one.naturalWidth).map(one => one.src)"
            assert page.locator("img").evaluate_all(broken) == [], path


def test_the_search_works_in_a_page_that_is_opened_as_a_file(browser, site):
    with open_page(browser) as page:
        page.goto((site / "how-to" / "first-class.html").as_uri())
        page.locator("input.md-search__input").click()
        page.keyboard.type("Couinaud")
        found = page.locator(".md-search-result__item a[href*='explanation/phantoms.html']").first
        found.click()
        page.wait_for_url(re.compile("phantoms.html"))
        assert "Couinaud" in page.inner_text("article")


@pytest.mark.parametrize("width", [390, 1366, 1920])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_page_leads_each_reader_in_one_click_on_any_screen(browser, site, width, scheme):
    readers = {
        "never written code": "lessons/hello-world",
        "teach": "how-to/first-class",
        "images of your own": "how-to/own-images",
        "protect data": "explanation/privacy",
        "hospital's machines": "how-to/offline-install",
        "build such networks": "reference/architecture",
    }
    with open_page(browser, viewport={"width": width, "height": 768}, color_scheme=scheme) as page:
        page.goto((site / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for words, target in readers.items():
            link = page.locator(".readers a", has_text=words)
            assert link.get_attribute("href") == f"{target}.html"
            assert link.is_visible()
        assert page.locator(".shots img").count() == 6
        for button in page.locator(".hero .md-button").all():
            contrast = button.evaluate(CONTRAST)
            assert contrast >= 4.5, (button.inner_text(), contrast)


#: WCAG 2.2, "contrast ratio": of a text against the first opaque colour behind it
CONTRAST = """element => {
    const parse = (color) => color.match(/[\\d.]+/g).map(Number);
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    let box = element, back;
    do { back = parse(getComputedStyle(box).backgroundColor); box = box.parentElement; } while (box && back[3] === 0);
    if (back[3] === 0) back = [255, 255, 255];
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(back)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
}"""

ELSEWHERE = "https://elsewhere.example/"


def make_curious_notebook():
    """An executed notebook whose text and outputs ask other servers, as a lesson of somebody's own may."""
    html = f'<script src="{ELSEWHERE}a.js"></script><img src="{ELSEWHERE}b.png"><iframe src="{ELSEWHERE}c"></iframe>'
    html += f'<link rel="stylesheet" href="{ELSEWHERE}d.css"><style>@import url({ELSEWHERE}e.css);</style>'
    output = nbformat.v4.new_output("display_data", data={"text/html": html, "text/plain": "shown"})
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "a bar"}
    cells = [
        nbformat.v4.new_markdown_cell(
            f"# Title\n\n$x^2$\n\n![far]({ELSEWHERE}f.png)\n\n```mermaid\ngraph TD;A-->B;\n```"
        ),
        nbformat.v4.new_code_cell("1", outputs=[output, nbformat.v4.new_output("display_data", data=widget)]),
    ]
    state = {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}}
    return nbformat.v4.new_notebook(cells=cells, metadata={"widgets": state})


def test_the_page_of_an_executed_lesson_asks_nobody_whatever_its_outputs_want(browser, tmp_path):
    path = tmp_path / "lesson.html"
    path.write_text(render_notebook_page(make_curious_notebook(), title="Lesson"), encoding="utf-8")
    with browser.new_context() as context:
        sent = []
        context.on("requestfinished", lambda request: sent.append(request.url))
        context.on("requestfailed", lambda request: sent.append(request.failure))
        page = context.new_page()
        page.goto(path.as_uri())
        page.get_by_role("heading", name="Title").wait_for()
        page.get_by_text("a bar").wait_for()  # the text that a widget has beside it
        page.wait_for_timeout(500)
        assert set(sent) <= {path.as_uri(), "csp"}, "what an output wants is refused by the browser itself"


@pytest.mark.parametrize(
    "alt", ["chart: loss by epoch", 'a "quoted" <b>alt</b>', "\"><script>document.title='stolen'</script>"]
)
def test_a_figure_keeps_its_alternative_text(browser, tmp_path, alt):
    picture = base64.b64encode(make_png()).decode()
    metadata = {"image/png": {"alt": alt}}
    figure = nbformat.v4.new_output("display_data", data={"image/png": picture, "text/plain": "x"}, metadata=metadata)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("plot()", outputs=[figure])])
    path = tmp_path / "lesson.html"
    path.write_text(render_notebook_page(notebook, title="Lesson"), encoding="utf-8")
    with open_page(browser) as page:
        page.goto(path.as_uri())
        image = page.locator("img")
        assert image.get_attribute("alt") == alt
        assert image.evaluate("image => image.naturalWidth") == 240
        assert page.locator("script").count() == 0


def test_reports_and_data_checks_ask_nobody(browser, tiny_cohort, tmp_path):
    model = fr.build_model("test_resnet", classes=tiny_cohort.classes, size=32)
    run = fr.train(model, tiny_cohort, epochs=1, folder=tmp_path / "run")
    predictions = fr.predict(model, tiny_cohort.test)
    parts = {"cohort": tiny_cohort, "run": run, "model": model, "predictions": predictions}
    pages = [fr.write_report(tmp_path / "report.html", evaluation=fr.evaluate(predictions), **parts)]
    pages.append(fr.check_data(tiny_cohort).report().write(tmp_path / "check.html"))
    with open_page(browser) as page:
        for path in pages:
            page.goto(path.as_uri())
            page.locator("h1").wait_for()


def test_a_request_to_another_server_is_noticed(browser, tmp_path):
    """The watch itself: without it the tests above would pass for any page."""
    path = tmp_path / "page.html"
    path.write_text(f'<!doctype html><h1>x</h1><img src="{ELSEWHERE}a.png"><script src="{ELSEWHERE}b.js"></script>')
    with browser.new_context() as context:
        asked = watch_requests(context)
        context.route("**/*elsewhere*/**", lambda route: route.abort())
        context.new_page().goto(path.as_uri())
        assert sorted(asked) == [f"{ELSEWHERE}a.png", f"{ELSEWHERE}b.js"]
