"""Subdomains: each participant's server has a name and so an origin of its own (browsers know *.localhost)."""

import re
from urllib.parse import urlsplit

import psutil
import pytest
from cryptography import x509

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.lifecycle import find_supervisor

from .browser import browser_marks, get_username, join, run_instead_of_images
from .browser import open_page as open_any_page
from .live_class import run_class
from .test_tls_certificates import make

pytestmark = browser_marks
DOMAIN = "class.localhost"


@pytest.fixture(scope="module")
def running_class(home):
    files = make(home, names=[x509.DNSName(DOMAIN), x509.DNSName(f"*.{DOMAIN}")])
    options = ["--certificate", str(files["certificate"]), "--key", str(files["key"])]
    with run_class(home, "--subdomain-host", DOMAIN, *options) as process_and_folder:
        yield process_and_folder


def open_page(browser):
    return open_any_page(browser, ignore_https_errors=True)


def fetch(page, url, **options):
    """What a script of the page gets: the response's text, or "refused"."""
    return page.evaluate(
        "([url, options]) => fetch(url, options).then(response => response.text()).catch(() => 'refused')",
        [url, {"credentials": "include", **options}],
    )


def test_a_participants_page_reaches_nothing_but_its_own_server(folder, browser):
    root = folder.public_url.rstrip("/")
    assert urlsplit(root).hostname == DOMAIN
    with open_page(browser) as page, open_page(browser) as other:
        join(page, folder, "Ana")
        ana = get_username(page)
        assert urlsplit(page.url).hostname == f"{ana}.{DOMAIN}"
        run_instead_of_images(page, "print(6 * 7)")
        page.locator(".jp-OutputArea-output", has_text="42").wait_for()
        join(other, folder, "Bea")
        bea = get_username(other)
        assert "jupyter" in fetch(page, f"/user/{ana}/api").lower() or "version" in fetch(page, f"/user/{ana}/api")
        # the hub as she is logged in there, her personal pages, and a neighbour: all at other origins
        for url in (
            f"{root}/hub/home",
            f"{root}/services/classroom/me/",
            f"{root.replace(DOMAIN, f'{bea}.{DOMAIN}')}/user/{bea}/api",
            folder.dashboard_url,
        ):
            assert fetch(page, url) == "refused", url
        # nor do these answer at her own origin
        for path in ("/hub/home", "/services/classroom/me/", f"/user/{bea}/api/contents", "/hub/api/user"):
            assert fetch(page, path) == "refused" or "Ana" not in fetch(page, path), path
        # and a link to them works
        page.goto(f"{root.replace(DOMAIN, f'{ana}.{DOMAIN}')}/hub/home")
        assert urlsplit(page.url).hostname in {DOMAIN, f"{ana}.{DOMAIN}"}
        assert "/hub/home" not in page.url or urlsplit(page.url).hostname == DOMAIN


def test_a_server_that_died_is_started_again_by_its_page(folder, browser):
    with open_page(browser) as page:
        join(page, folder, "Cleo")
        cleo = get_username(page)
        for process in find_supervisor(folder).children(recursive=True):
            uids = {folder.uid_of(cleo)} if folder.uid_of(cleo) is not None else set()
            try:
                if uids & set(process.uids()) or f"/user/{cleo}/" in " ".join(process.environ().values()):
                    process.kill()
            except psutil.Error:
                continue
        status = f"fetch('/user/{cleo}/api/status').then(r => r.status).catch(() => 0)"
        page.wait_for_function(f"() => {status}.then(code => code !== 200)")
        page.wait_for_function(f"() => {status}.then(code => code === 200)", timeout=120_000)


def test_the_instructors_pages_are_at_the_classes_own_name(folder, browser):
    with open_page(browser) as page:
        page.goto(folder.dashboard_url)
        page.get_by_label("Key").fill(folder.settings.instructor_key)
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(f"//{DOMAIN}:{folder.settings.instructor_port}/services/classroom/$"))
