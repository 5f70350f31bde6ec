"""Restrictions of what a participant's server may send to a browser, where servers share an origin with others.

A server is ours, but what it sends may be its participant's: their files, notebooks and outputs. On a shared origin a
script in one of them would act with the cookies of everybody who opens it.
"""

import re
from urllib.parse import unquote

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from firstread.classroom.proxy.routes import Route

#: all others are dropped, such as those that would change how a browser treats the whole origin (Clear-Site-Data,
#: Service-Worker-Allowed, Strict-Transport-Security, Report-To, Access-Control-Allow-Origin)
_RESPONSE_HEADERS = frozenset(
    (
        *("accept-ranges", "allow", "cache-control", "content-disposition", "content-encoding", "content-language"),
        *("content-length", "content-range", "content-security-policy", "content-type", "date", "etag", "expires"),
        *("last-modified", "location", "retry-after", "set-cookie", "vary", "x-jupyterhub-version"),
    )
)
#: JupyterLab's own pages and files, below a server's prefix; what these are made of is the class's
_APPLICATION_PATHS = re.compile(
    r"(?:/|/(?:lab|doc)(?:/(?:tree|workspaces)/.*|/)?|/(?:static|lab/extensions|firstread)/.*|/oauth_callback)?"
)
_SCRIPT_FOLDERS = ("static", "lab/extensions")
#: JupyterLab runs its own scripts only: none in an output or an HTML file, trusted or not (a frame that shows a file
#: inherits this), and none out of a participant's files
_APPLICATION_POLICY = (
    "script-src {sources} 'unsafe-eval'; worker-src {sources} blob:; object-src blob:; base-uri 'none'"
)
#: a document of anybody else: it is shown, and can do nothing; it loads nothing, submits nothing and runs no script
SANDBOX_POLICY = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; media-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
#: types that a browser shows in a sandbox, or never as a document; the rest is downloaded
_SHOWN_TYPES = re.compile(r"text/(?!xml)|image/|audio/|video/|application/(?:json|javascript)")


def restrict_headers(headers: CIMultiDictProxy[str], route: Route, *, origin: str, raw_path: str) -> CIMultiDict[str]:
    """Headers of a participant's server as a browser gets them.

    Args:
        headers: of the server's response.
        route: of the server.
        origin: that the browser asked: scheme, host and port.
        raw_path: of the request, percent-encoded.
    """
    own_cookie_path = "" if route.host else route.path  # at a host of its own all cookies are its own
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in _RESPONSE_HEADERS:
            continue
        if name.lower() == "set-cookie" and not _is_own_cookie(value, own_cookie_path):
            continue
        kept.add(name, value)
    kept["X-Content-Type-Options"] = "nosniff"
    kept["Cross-Origin-Resource-Policy"] = "same-origin"
    segments, depth = raw_path.split("/"), route.path.count("/") + 1
    base, own_path = "/".join(segments[:depth]), "".join(f"/{segment}" for segment in segments[depth:])
    if _APPLICATION_PATHS.fullmatch(own_path):
        sources = " ".join(f"{origin}{base}/{folder}/" for folder in _SCRIPT_FOLDERS)
        kept.add("Content-Security-Policy", _APPLICATION_POLICY.format(sources=sources))
    else:
        kept.add("Content-Security-Policy", SANDBOX_POLICY)
        if not _SHOWN_TYPES.match(kept.get("Content-Type", "").lower()):
            kept.setdefault("Content-Disposition", "attachment")
    return kept


def is_service_worker(request: web.Request) -> bool:
    """True if the browser fetches the script of a service worker, which would answer in other pages' place."""
    return "Service-Worker" in request.headers or request.headers.get("Sec-Fetch-Dest") == "serviceworker"


def _is_own_cookie(value: str, own_path: str) -> bool:
    """True if a browser sends this cookie to its own server only; of what could be read in two ways none is."""
    attributes = [part.partition("=") for part in value.split(";")[1:]]
    names = [name.strip().lower() for name, _, _ in attributes]
    paths = [unquote(text.strip()) for name, (_, _, text) in zip(names, attributes, strict=True) if name == "path"]
    return "domain" not in names and len(paths) == 1 and f"{paths[0].rstrip('/')}/".startswith(f"{own_path}/")
