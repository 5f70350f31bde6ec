"""JupyterHub proxy inside the hub's own process (aiohttp): no Node.js, and no further process that could stop."""

import asyncio
import posixpath
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, WSMsgType, web
from jupyterhub.proxy import Proxy
from traitlets import Integer, Unicode

from firstread.classroom.class_folder import PERSONAL_PREFIX, SERVICE_PREFIX
from firstread.classroom.rate_limits import PROXY_TOKEN_HEADER

# RFC 9110, section 7.6.1: not forwarded
_HOP_BY_HOP_HEADERS = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
_FORWARDED_HEADERS = frozenset(
    (
        *("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-scheme", "forwarded"),
        PROXY_TOKEN_HEADER,
    )
)
_CHUNK_BYTES = 64 * 1024
#: largest body of a request; a notebook with its outputs is smaller
MAX_BODY_BYTES = 200 * 2**20
_UNAVAILABLE_PAGE = """<!doctype html>\
<meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>One moment</title>
<body style="font:18px system-ui;margin:15vh auto;max-width:30em"><h1>One moment</h1>\
<p>This part of the class is starting again. Your work is kept.
The page tries again by itself.</p>"""


class HubProxy(Proxy):
    """Routes each request to the hub, the classroom service, or a participant's server.

    Attributes:
        redirect_port: port that redirects http to https; None without https at its default port.
    """

    instructor_port = Integer(0, help="Port of the instructor's origin; 0 for none.").tag(config=True)
    token = Unicode(help="Proves to the hub and the service that a request came through this proxy.").tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.routes: dict[str, dict[str, Any]] = {}
        self._runner: web.AppRunner | None = None
        self._redirect_runner: web.AppRunner | None = None
        self._instructor_runner: web.AppRunner | None = None
        self.redirect_port = 80 if self.ssl_cert and (urlsplit(self.public_url).port or 443) == 443 else None

    async def start(self) -> None:
        """Start listening at the public URL."""
        address = urlsplit(self.public_url)
        self._session = ClientSession(
            auto_decompress=False,
            connector=TCPConnector(limit=0, ttl_dns_cache=300),
            timeout=ClientTimeout(total=None, sock_connect=10),
        )
        context = None
        if self.ssl_cert:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(self.ssl_cert, self.ssl_key or None)
        host = address.hostname if address.hostname not in (None, "", "*") else None
        port = address.port or (443 if context else 80)
        self._runner = await _listen(self._handle_participant, host, port, context)
        if self.instructor_port:
            self._instructor_runner = await _listen(self._handle_instructor, host, self.instructor_port, context)
        if self.redirect_port is not None:
            await self._start_redirect(host, port)

    async def _start_redirect(self, host: str | None, port: int) -> None:
        """Redirect http requests to https; if the port is taken, a warning is logged and https still works."""

        async def redirect(request: web.Request) -> web.Response:
            name = _url_host(request, default=host)
            raise web.HTTPPermanentRedirect(f"https://{name}{'' if port == 443 else f':{port}'}{request.raw_path}")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", redirect)
        self._redirect_runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._redirect_runner.setup()
        try:
            await web.TCPSite(self._redirect_runner, host, self.redirect_port, reuse_address=True).start()
        except OSError as error:
            self.log.warning("Port %s sends nobody on to https: %s", self.redirect_port, error.strerror)

    async def stop(self) -> None:
        """Stop listening."""
        if self._redirect_runner is not None:
            await self._redirect_runner.cleanup()
            self._redirect_runner = None
        if self._instructor_runner is not None:
            await self._instructor_runner.cleanup()
            self._instructor_runner = None
        if self._runner is not None:
            await self._runner.cleanup()
            await self._session.close()
            self._runner = None

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        """Route requests under `routespec` to `target`."""
        spec = self.validate_routespec(routespec)
        self.routes[spec] = {"routespec": spec, "target": target.rstrip("/"), "data": data}

    async def delete_route(self, routespec: str) -> None:
        """Remove the route of `routespec`."""
        self.routes.pop(self.validate_routespec(routespec), None)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """All routes: routespec -> routespec, target, data."""
        return dict(self.routes)

    def find_route(self, path: str) -> dict[str, Any] | None:
        """The longest route that is a prefix of the path; None if there is none."""
        segments = path.split("/")
        for count in range(len(segments), 0, -1):
            spec = "/".join(segments[:count]).rstrip("/") + "/"
            if spec in self.routes:
                return self.routes[spec]
        return None

    async def _handle_participant(self, request: web.Request) -> web.StreamResponse:
        """Participants' origin: everything but the instructor's pages, to which a browser is redirected."""
        if not self.instructor_port or not _is_instructor_path(request.rel_url.raw_path):
            return await self._handle(request)
        if request.method not in ("GET", "HEAD"):
            raise web.HTTPNotFound()
        scheme = "https" if self.ssl_cert else "http"
        raise web.HTTPFound(f"{scheme}://{_url_host(request)}:{self.instructor_port}{request.raw_path}")

    async def _handle_instructor(self, request: web.Request) -> web.StreamResponse:
        """Instructor's origin: their pages and nothing else, above all nothing of a participant's server."""
        path = request.rel_url.raw_path
        if path in ("", "/", SERVICE_PREFIX):
            raise web.HTTPFound(f"{SERVICE_PREFIX}/")
        if not _is_instructor_path(path):
            raise web.HTTPNotFound()
        return await self._handle(request)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        route = self.find_route(request.rel_url.raw_path)
        if route is None:
            raise web.HTTPNotFound()
        url, headers = route["target"] + request.raw_path, self._forwarded_headers(request)
        if self.token and "user" not in route["data"]:  # a participant's server must not learn it
            headers.append((PROXY_TOKEN_HEADER, self.token))
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._proxy_websocket(request, url, headers)
            return await self._proxy_http(request, url, headers)
        except (ClientError, TimeoutError, ConnectionResetError):
            return web.Response(
                status=503, text=_UNAVAILABLE_PAGE, content_type="text/html", headers={"Retry-After": "3"}
            )

    async def _proxy_http(self, request: web.Request, url: str, headers: list[tuple[str, str]]) -> web.StreamResponse:
        body = request.content.iter_chunked(_CHUNK_BYTES) if request.body_exists else None
        if request.content_length is not None and request.content_length > MAX_BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, request.content_length)
        async with self._session.request(
            request.method, _encoded_url(url), headers=headers, data=body, allow_redirects=False
        ) as upstream:
            response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
            for name, value in upstream.headers.items():
                if name.lower() not in _HOP_BY_HOP_HEADERS:
                    response.headers.add(name, value)
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def _proxy_websocket(
        self, request: web.Request, url: str, headers: list[tuple[str, str]]
    ) -> web.StreamResponse:
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        requested_protocols = [part.strip() for part in offered if part.strip()]
        headers = [(name, value) for name, value in headers if not name.lower().startswith("sec-websocket-")]
        url = url.replace("http", "ws", 1)
        async with self._session.ws_connect(
            _encoded_url(url),
            headers=headers,
            protocols=requested_protocols,
            max_msg_size=0,
            autoclose=True,
            compress=0,
        ) as upstream:
            protocols = [upstream.protocol] if upstream.protocol else []
            client = web.WebSocketResponse(protocols=protocols, max_msg_size=0, heartbeat=30, compress=False)
            await client.prepare(request)
            directions = ((client, upstream), (upstream, client))
            relays = [asyncio.ensure_future(_relay_messages(source, sink)) for source, sink in directions]
            await asyncio.wait(relays, return_when=asyncio.FIRST_COMPLETED)
            for relay in relays:
                relay.cancel()
            await asyncio.gather(*relays, return_exceptions=True)
            await client.close(code=upstream.close_code or 1000)
            return client

    def _forwarded_headers(self, request: web.Request) -> list[tuple[str, str]]:
        """Headers sent upstream: without hop-by-hop headers, and without forwarding headers set by the client."""
        connection_headers = {part.strip().lower() for part in request.headers.get("Connection", "").split(",")}
        skipped = _HOP_BY_HOP_HEADERS | _FORWARDED_HEADERS | connection_headers
        kept = [(name, value) for name, value in request.headers.items() if name.lower() not in skipped]
        return [
            *kept,
            ("X-Forwarded-For", request.remote or ""),
            ("X-Forwarded-Proto", "https" if self.ssl_cert else "http"),
            ("X-Forwarded-Host", request.host),
        ]


async def _listen(handler: Any, host: str | None, port: int, context: ssl.SSLContext | None) -> web.AppRunner:
    """Start a server that passes every request to one handler."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, host, port, ssl_context=context, backlog=1024, reuse_address=True).start()
    return runner


def _url_host(request: web.Request, *, default: str | None = None) -> str:
    """Host that the browser asked for, without its port, as it is written in a URL."""
    name = urlsplit(f"//{request.host}").hostname or default or "localhost"
    return f"[{name}]" if ":" in name else name


def _is_instructor_path(path: str) -> bool:
    """True for paths of the classroom service but participants' own pages, with dot segments and escapes resolved."""
    decoded = posixpath.normpath(unquote(path))
    is_service = decoded == SERVICE_PREFIX or decoded.startswith(f"{SERVICE_PREFIX}/")
    return is_service and not (decoded == PERSONAL_PREFIX or decoded.startswith(f"{PERSONAL_PREFIX}/"))


async def _relay_messages(source: Any, sink: Any) -> None:
    """Send messages of one WebSocket to another until it closes."""
    async for message in source:
        if message.type == WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
            return


def _encoded_url(url: str) -> Any:
    """The URL with its percent-encoding unchanged."""
    from yarl import URL

    return URL(url, encoded=True)
