"""What a participant's server may send: nothing that would act on the origin that it shares with others."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from firstread.classroom.proxy.participant_responses import SANDBOX_POLICY, restrict_headers
from firstread.classroom.proxy.routes import Route

PREFIX = "/user/p3-abc"
ROUTE = Route("", PREFIX, "http://127.0.0.1:1", {"user": "p3-abc"})


def restrict(path, *, route=ROUTE, **headers):
    given = CIMultiDict([(name.replace("_", "-"), value) for name, value in headers.items()])
    return restrict_headers(CIMultiDictProxy(given), route, origin="https://class.example", raw_path=PREFIX + path)


@pytest.mark.parametrize(
    "path",
    [
        "/files/x.html",
        "/nbconvert/html/x.ipynb",
        "/view/x.html",
        "/api/contents/x.html",
        "/nothing",
        "/lab/nothing",
        "/lab/api/themes/x.html",
        "/lab/treex/x.html",
        "/labx",
        "//lab",
        "/%6cab",
        "/login",
        "/metrics",
    ],
)
def test_whatever_is_no_page_of_jupyterlab_is_shown_in_a_sandbox(path):
    found = restrict(path, Content_Type="text/html", Content_Security_Policy="frame-ancestors 'none'")
    assert found.getall("Content-Security-Policy") == ["frame-ancestors 'none'", SANDBOX_POLICY]
    assert SANDBOX_POLICY.startswith("sandbox;")
    assert "allow-" not in SANDBOX_POLICY
    assert found["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["", "/", "/lab", "/lab/", "/lab/tree/a/b.ipynb", "/doc", "/lab/workspaces/auto-x/tree/y"]
)
def test_jupyterlab_runs_its_own_scripts_only(path):
    policies = restrict(path, Content_Type="text/html").getall("Content-Security-Policy")
    base = f"https://class.example{PREFIX}"
    assert len(policies) == 1
    assert f"script-src {base}/static/ {base}/lab/extensions/ 'unsafe-eval';" in policies[0]
    assert "inline" not in policies[0]
    assert "sandbox" not in policies[0]


@pytest.mark.parametrize(
    ("kind", "downloaded"),
    [
        ("text/html", False),
        ("text/plain; charset=UTF-8", False),
        ("image/png", False),
        ("image/svg+xml", False),
        ("application/json", False),
        ("application/pdf", True),
        ("application/xhtml+xml", True),
        ("application/xml", True),
        ("text/xml", True),
        ("Text/XML", True),
        ("multipart/related", True),
        ("multipart/x-mixed-replace", True),
        ("message/rfc822", True),
        ("application/octet-stream", True),
        ("", True),
    ],
)
def test_types_that_a_browser_may_open_in_another_way_are_downloaded(kind, downloaded):
    found = restrict("/files/x", Content_Type=kind)
    assert ("Content-Disposition" in found) is downloaded
    named = restrict("/files/x", Content_Type=kind, Content_Disposition="attachment; filename=x")
    assert named["Content-Disposition"] == "attachment; filename=x"


@pytest.mark.parametrize(
    "name",
    [
        *("Clear-Site-Data", "Service-Worker-Allowed", "Strict-Transport-Security", "Access-Control-Allow-Origin"),
        *("Report-To", "NEL", "Reporting-Endpoints", "Alt-Svc", "Refresh", "Link", "Speculation-Rules"),
        *("Use-As-Dictionary", "Public-Key-Pins", "WWW-Authenticate", "SourceMap", "Set-Cookie2"),
    ],
)
def test_headers_that_concern_more_than_the_response_are_dropped(name):
    assert name not in restrict("/lab", **{name.replace("-", "_"): "x"})


@pytest.mark.parametrize(
    ("cookie", "kept"),
    [
        ("a=1; Path=/user/p3-abc/", True),
        ("a=1; path=/user/p3-abc; HttpOnly", True),
        ("a=1; Path=/user/p3-abc/api; SameSite=Lax; expires=Thu, 01 Jan 2026 00:00:00 GMT", True),
        ("a=1", False),
        ("a=1; Path=/", False),
        ("a=1; Path=", False),
        ("a=1; Path=/user/p3-ab", False),
        ("a=1; Path=/user/p3-abcd/", False),
        ("a=1; Path=/user/p4/", False),
        ("a=1; Path=/user/p3-abc/; Path=/", False),
        ("a=1; Path=/; Path=/user/p3-abc/", False),
        ("a=1; Path=/user/p3-abc/; Domain=class.example", False),
        ("a=1; Path=/user/p3-abc/; domain", False),
        ("jupyterhub-hub-login=x; Path=/hub/", False),
    ],
)
def test_cookies_are_for_the_server_itself(cookie, kept):
    assert ("Set-Cookie" in restrict("/lab", Set_Cookie=cookie)) is kept


@pytest.mark.parametrize(
    ("cookie", "kept"),
    [("__Host-a=1; Path=/; Secure", True), ("a=1; Path=/; Domain=class.example", False), ("a=1", False)],
)
def test_at_a_host_of_its_own_all_paths_are_its_own(cookie, kept):
    route = Route("p3-abc.class.example", PREFIX, "http://127.0.0.1:1", {"user": "p3-abc"})
    assert ("Set-Cookie" in restrict("/lab", route=route, Set_Cookie=cookie)) is kept
