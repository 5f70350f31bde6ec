"""JupyterHub's proxy, inside the hub's own process: no Node.js, nothing more to install, and nothing more that can stop by itself."""

import asyncio
import ssl
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, WSMsgType, web
from jupyterhub.proxy import Proxy

# RFC 9110, section 7.6.1: of one connection only
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade")
)  # fmt: skip
_FORWARDED = frozenset(
    ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-scheme", "forwarded")
)
_CHUNK = 64 * 1024
#: of one request; a notebook with its outputs is smaller
MAX_BODY_BYTES = 200 * 2**20
_AWAY = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>One moment</title>
<body style="font:18px system-ui;margin:15vh auto;max-width:30em"><h1>One moment</h1><p>This part of the class is starting again. Your work is kept.
The page tries again by itself.</p>"""


class HubProxy(Proxy):
    """Takes every request to where it belongs: the hub, the classroom service, or a participant's server.

    Attributes:
        plain_port: with https at its usual port, who comes over http to this one is sent on; None at other ports.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.routes: dict[str, dict[str, Any]] = {}
        self._runner: web.AppRunner | None = None
        self._plain_runner: web.AppRunner | None = None
        self.plain_port = 80 if self.ssl_cert and (urlsplit(self.public_url).port or 443) == 443 else None

    async def start(self) -> None:
        """Listen at the public address."""
        address = urlsplit(self.public_url)
        self._session = ClientSession(
            auto_decompress=False,
            connector=TCPConnector(limit=0, ttl_dns_cache=300),
            timeout=ClientTimeout(total=None, sock_connect=10),
        )
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, auto_decompress=False)
        await self._runner.setup()
        context = None
        if self.ssl_cert:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(self.ssl_cert, self.ssl_key or None)
        host = address.hostname if address.hostname not in (None, "", "*") else None
        port = address.port or (443 if context else 80)
        await web.TCPSite(self._runner, host, port, ssl_context=context, backlog=1024, reuse_address=True).start()
        if self.plain_port is not None:
            await self._send_on(host, port)

    async def _send_on(self, host: str | None, port: int) -> None:
        """Who types the address without https comes to it all the same; where that port is taken, the printed address still leads there."""

        async def answer(request: web.Request) -> web.Response:
            name = urlsplit(f"//{request.host}").hostname or host or "localhost"
            name = f"[{name}]" if ":" in name else name
            raise web.HTTPPermanentRedirect(f"https://{name}{'' if port == 443 else f':{port}'}{request.raw_path}")

        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        self._plain_runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._plain_runner.setup()
        try:
            await web.TCPSite(self._plain_runner, host, self.plain_port, reuse_address=True).start()
        except OSError as error:
            self.log.warning("Port %s sends nobody on to https: %s", self.plain_port, error.strerror)

    async def stop(self) -> None:
        """Stop listening."""
        if self._plain_runner is not None:
            await self._plain_runner.cleanup()
            self._plain_runner = None
        if self._runner is not None:
            await self._runner.cleanup()
            await self._session.close()
            self._runner = None

    async def add_route(self, routespec: str, target: str, data: dict[str, Any]) -> None:
        """Requests under `routespec` go to `target` from now on."""
        spec = self.validate_routespec(routespec)
        self.routes[spec] = {"routespec": spec, "target": target.rstrip("/"), "data": data}

    async def delete_route(self, routespec: str) -> None:
        """Requests under `routespec` go to what is left."""
        self.routes.pop(self.validate_routespec(routespec), None)

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """All routes: routespec -> routespec, target, data."""
        return dict(self.routes)

    def find(self, path: str) -> str | None:
        """Where a path leads: the target of the longest route that it begins with."""
        parts = path.split("/")
        for count in range(len(parts), 0, -1):
            spec = "/".join(parts[:count]).rstrip("/") + "/"
            if spec in self.routes:
                return self.routes[spec]["target"]
        return None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        target = self.find(request.rel_url.raw_path)
        if target is None:
            raise web.HTTPNotFound()
        url, headers = target + request.raw_path, self._headers(request)
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._websocket(request, url, headers)
            return await self._plain(request, url, headers)
        except (ClientError, TimeoutError, ConnectionResetError):
            return web.Response(status=503, text=_AWAY, content_type="text/html", headers={"Retry-After": "3"})

    async def _plain(self, request: web.Request, url: str, headers: list[tuple[str, str]]) -> web.StreamResponse:
        body = request.content.iter_chunked(_CHUNK) if request.body_exists else None
        if request.content_length is not None and request.content_length > MAX_BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, request.content_length)
        async with self._session.request(
            request.method, _as_it_is(url), headers=headers, data=body, allow_redirects=False
        ) as answer:
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    response.headers.add(name, value)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def _websocket(self, request: web.Request, url: str, headers: list[tuple[str, str]]) -> web.StreamResponse:
        asked = [part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if part.strip()]
        headers = [(name, value) for name, value in headers if not name.lower().startswith("sec-websocket-")]
        url = url.replace("http", "ws", 1)
        async with self._session.ws_connect(
            _as_it_is(url), headers=headers, protocols=asked, max_msg_size=0, autoclose=True, compress=0
        ) as inside:
            protocols = [inside.protocol] if inside.protocol else []
            outside = web.WebSocketResponse(protocols=protocols, max_msg_size=0, heartbeat=30, compress=False)
            await outside.prepare(request)
            pumps = [asyncio.ensure_future(_pump(outside, inside)), asyncio.ensure_future(_pump(inside, outside))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await outside.close(code=inside.close_code or 1000)
            return outside

    def _headers(self, request: web.Request) -> list[tuple[str, str]]:
        """What goes on: not what belongs to one connection, and nothing that a stranger says about where they come from."""
        named = {part.strip().lower() for part in request.headers.get("Connection", "").split(",")}
        skipped = _HOP_BY_HOP | _FORWARDED | named
        kept = [(name, value) for name, value in request.headers.items() if name.lower() not in skipped]
        return [
            *kept,
            ("X-Forwarded-For", request.remote or ""),
            ("X-Forwarded-Proto", "https" if self.ssl_cert else "http"),
            ("X-Forwarded-Host", request.host),
        ]


async def _pump(source: Any, sink: Any) -> None:
    async for message in source:
        if message.type == WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
            return


def _as_it_is(url: str) -> Any:
    """The address with its escapes untouched."""
    from yarl import URL

    return URL(url, encoded=True)
