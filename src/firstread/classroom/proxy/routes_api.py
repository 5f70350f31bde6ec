"""REST API of the proxy's routes, as configurable-http-proxy has it, for JupyterHub's `ConfigurableHTTPProxy`."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from firstread.classroom.proxy.routes import Route, RouteTable

_PREFIX = "/api/routes"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_api(routes: RouteTable, token: str) -> web.Application:
    """Create the API's application: GET, POST and DELETE /api/routes/PATH with `Authorization: token TOKEN`."""

    @web.middleware
    async def authorize(request: web.Request, handler: _Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("token ")
        if not token or not hmac.compare_digest(given.encode(), token.encode()):
            raise web.HTTPForbidden()
        return await handler(request)

    async def get(request: web.Request) -> web.Response:
        path = _route_path(request)
        if path in ("", "/"):
            return web.json_response({route.key: _to_json(route) for route in routes})
        if (route := routes.get(path)) is None:
            raise web.HTTPNotFound()
        return web.json_response(_to_json(route))

    async def add(request: web.Request) -> web.Response:
        try:
            data = dict(await request.json())
            target = str(data.pop("target"))
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest(text="The body is no JSON object with a target") from None
        routes.add(_route_path(request), target, data)
        return web.Response(status=201)

    async def remove(request: web.Request) -> web.Response:
        if not routes.remove(_route_path(request)):
            raise web.HTTPNotFound()
        return web.Response(status=204)

    app = web.Application(middlewares=[authorize])
    app.router.add_get(_PREFIX + "{path:(/.*)?}", get)
    app.router.add_post(_PREFIX + "{path:(/.*)?}", add)
    app.router.add_delete(_PREFIX + "{path:(/.*)?}", remove)
    return app


def _route_path(request: web.Request) -> str:
    return request.match_info["path"]


def _to_json(route: Route) -> dict[str, Any]:
    return {**route.data, "target": route.target}
