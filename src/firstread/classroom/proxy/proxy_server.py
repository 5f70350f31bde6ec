"""Server of the proxy: the origins of participants and of the instructor, and the redirect from http to https."""

import logging
import posixpath
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from aiohttp import web

from firstread.classroom.class_folder import PERSONAL_PREFIX, SERVICE_PREFIX
from firstread.classroom.proxy.forwarder import MAX_BODY_BYTES, Forwarder
from firstread.classroom.proxy.participant_responses import is_service_worker
from firstread.classroom.proxy.routes import RouteTable
from firstread.classroom.proxy.routes_api import make_api

_LOG = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class ProxySettings:
    """Settings of the proxy.

    Attributes:
        host, port: where it listens for participants; an empty host is every address.
        instructor_port: of the instructor's origin; 0 for none.
        redirect_port: of the redirect from http to https; 0 for none.
        certificate, key: PEM files for https; empty for http.
        token: proves to the hub and the service that a request came through the proxy.
        api_token: of the routes' API.
        api_socket: Unix socket of the API.
        routes_file: where routes are kept for a restart; None for none.
        domain: of the class where each participant's server has a subdomain of it; empty where all share one host.
    """

    host: str
    port: int
    instructor_port: int = 0
    redirect_port: int = 0
    certificate: str = ""
    key: str = ""
    token: str = ""
    api_token: str = ""
    api_socket: Path | None = None
    routes_file: Path | None = None
    domain: str = ""


class ProxyServer:
    """Routes each request to the hub, the classroom service, or a participant's server."""

    def __init__(self, settings: ProxySettings) -> None:
        self.settings = settings
        self.routes = RouteTable(settings.routes_file, host_routing=bool(settings.domain))
        self.scheme = "https" if settings.certificate else "http"
        self.forwarder = Forwarder(scheme=self.scheme, token=settings.token)
        self._runners: list[web.AppRunner] = []

    async def start(self) -> None:
        """Listen at all ports and at the socket of the API.

        Raises:
            OSError: a port cannot be had; for the redirect a warning is logged, since https works without it.
        """
        settings, context = self.settings, self._ssl_context()
        self.forwarder.open()
        await self._listen(self._handle_participant, settings.port, context)
        if settings.instructor_port:
            await self._listen(self._handle_instructor, settings.instructor_port, context)
        if settings.redirect_port:
            try:
                await self._listen(self._redirect_to_https, settings.redirect_port, None)
            except OSError as error:
                _LOG.warning("Port %s sends nobody on to https: %s", settings.redirect_port, error.strerror)
        if settings.api_socket is not None:
            settings.api_socket.unlink(missing_ok=True)
            runner = await self._run(make_api(self.routes, settings.api_token))
            await web.UnixSite(runner, str(settings.api_socket)).start()
            settings.api_socket.chmod(0o600)

    async def stop(self) -> None:
        """Stop listening, and close all connections."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()
        await self.forwarder.close()

    def _ssl_context(self) -> ssl.SSLContext | None:
        if not self.settings.certificate:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.settings.certificate, self.settings.key or None)
        return context

    async def _listen(self, handler: _Handler, port: int, context: ssl.SSLContext | None) -> None:
        """Pass every request at a port to one handler."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", handler)
        runner = await self._run(app)
        host = self.settings.host or None
        await web.TCPSite(runner, host, port, ssl_context=context, backlog=1024, reuse_address=True).start()

    async def _run(self, app: web.Application) -> web.AppRunner:
        runner = web.AppRunner(app, access_log=None, handle_signals=False, auto_decompress=False, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def _handle_participant(self, request: web.Request) -> web.StreamResponse:
        """Participants' origin: everything but the instructor's pages, to which a browser is redirected."""
        path = request.rel_url.raw_path
        if is_service_worker(request):
            raise web.HTTPForbidden()
        if self.settings.instructor_port and _is_instructor_path(path):
            return self._redirect(request, self.settings.domain or _url_host(request), self.settings.instructor_port)
        host = _url_host(request).lower()
        route = self.routes.find(path, host=host)
        is_elsewhere = self._is_foreign(host) and not (route and route.is_participant)
        # no page of the hub or the service shares an origin with a participant's server; a page whose server is stopped
        # hears that from the hub
        if is_elsewhere and (not path.startswith("/user/") or "text/html" in request.headers.get("Accept", "")):
            return self._redirect(request, self.settings.domain, self.settings.port)
        if route is None:
            raise web.HTTPNotFound()
        return await self.forwarder.forward(request, route)

    async def _handle_instructor(self, request: web.Request) -> web.StreamResponse:
        """Instructor's origin: their pages and nothing else, above all nothing of a participant's server."""
        path = request.rel_url.raw_path
        if path in ("", "/", SERVICE_PREFIX):
            raise web.HTTPFound(f"{SERVICE_PREFIX}/")
        host = _url_host(request).lower()
        route = self.routes.find(path, host=host)
        if not _is_instructor_path(path) or self._is_foreign(host) or route is None or route.is_participant:
            raise web.HTTPNotFound()
        return await self.forwarder.forward(request, route)

    async def _redirect_to_https(self, request: web.Request) -> web.StreamResponse:
        port = "" if self.settings.port == 443 else f":{self.settings.port}"
        raise web.HTTPPermanentRedirect(f"https://{_url_host(request)}{port}{request.raw_path}")

    def _redirect(self, request: web.Request, host: str, port: int) -> web.StreamResponse:
        """Send a browser to the same path at another origin; anything but a page is not found."""
        if request.method not in ("GET", "HEAD"):
            raise web.HTTPNotFound()
        raise web.HTTPFound(f"{self.scheme}://{host}:{port}{request.raw_path}")

    def _is_foreign(self, host: str) -> bool:
        """True for a host other than the class's own, where participants' servers have hosts of their own."""
        return bool(self.settings.domain) and host != self.settings.domain


def _url_host(request: web.Request) -> str:
    """Host that the browser asked for, without its port, as it is written in a URL."""
    try:
        name = urlsplit(f"//{request.host}").hostname or "localhost"
    except ValueError:
        raise web.HTTPBadRequest() from None
    return f"[{name}]" if ":" in name else name


def _is_instructor_path(path: str) -> bool:
    """True for paths of the classroom service but participants' own pages, with dot segments and escapes resolved."""
    decoded = posixpath.normpath(unquote(path))
    is_service = decoded == SERVICE_PREFIX or decoded.startswith(f"{SERVICE_PREFIX}/")
    return is_service and not (decoded == PERSONAL_PREFIX or decoded.startswith(f"{PERSONAL_PREFIX}/"))
