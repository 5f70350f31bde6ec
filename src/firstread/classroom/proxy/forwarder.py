"""Forwarding of HTTP requests and WebSockets to the targets of routes (aiohttp)."""

import asyncio
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, WSMsgType, web
from multidict import CIMultiDict
from yarl import URL

from firstread.classroom.proxy.participant_responses import restrict_headers
from firstread.classroom.proxy.routes import Route
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


class Forwarder:
    """Forwards requests to the targets of routes.

    Args:
        scheme: that browsers use, "http" or "https".
        token: proves to the hub and the service that a request came through the proxy.
    """

    def __init__(self, *, scheme: str, token: str) -> None:
        self.scheme, self.token = scheme, token

    def open(self) -> None:
        """Open the client session; needs a running event loop."""
        self._session = ClientSession(
            auto_decompress=False,
            connector=TCPConnector(limit=0, ttl_dns_cache=300),
            timeout=ClientTimeout(total=None, sock_connect=10),
        )

    async def close(self) -> None:
        """Close all connections to targets."""
        await self._session.close()

    async def forward(self, request: web.Request, route: Route) -> web.StreamResponse:
        """The target's response, or a page that tries again where it does not answer."""
        url, headers = URL(route.target + request.raw_path, encoded=True), self._forwarded_headers(request)
        if self.token and not route.is_participant:  # a participant's server must not learn it
            headers.append((PROXY_TOKEN_HEADER, self.token))
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._forward_websocket(request, url, headers)
            return await self._forward_http(request, url, headers, route)
        except (ClientError, TimeoutError, ConnectionResetError):
            return web.Response(
                status=503, text=_UNAVAILABLE_PAGE, content_type="text/html", headers={"Retry-After": "3"}
            )

    async def _forward_http(
        self, request: web.Request, url: URL, headers: list[tuple[str, str]], route: Route
    ) -> web.StreamResponse:
        body = request.content.iter_chunked(_CHUNK_BYTES) if request.body_exists else None
        if request.content_length is not None and request.content_length > MAX_BODY_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, request.content_length)
        async with self._session.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        ) as upstream:
            kept: CIMultiDict[str] = CIMultiDict(upstream.headers)
            if route.is_participant:
                origin = f"{self.scheme}://{request.host}"
                kept = restrict_headers(upstream.headers, route, origin=origin, raw_path=request.rel_url.raw_path)
            response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
            for name, value in kept.items():
                if name.lower() not in _HOP_BY_HOP_HEADERS:
                    response.headers.add(name, value)
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def _forward_websocket(
        self, request: web.Request, url: URL, headers: list[tuple[str, str]]
    ) -> web.StreamResponse:
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        requested_protocols = [part.strip() for part in offered if part.strip()]
        headers = [(name, value) for name, value in headers if not name.lower().startswith("sec-websocket-")]
        async with self._session.ws_connect(
            url.with_scheme("wss" if url.scheme == "https" else "ws"),
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
            ("X-Forwarded-Proto", self.scheme),
            ("X-Forwarded-Host", request.host),
        ]


async def _relay_messages(source: Any, sink: Any) -> None:
    """Send messages of one WebSocket to another until it closes."""
    async for message in source:
        if message.type == WSMsgType.TEXT:
            await sink.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await sink.send_bytes(message.data)
        elif message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
            return
