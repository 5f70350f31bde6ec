"""A hub that is asked to forget somebody does so once, and a hub that is away is reported."""

import asyncio
from types import SimpleNamespace

from aiohttp import web

from firstread.classroom.service.deletion import delete_hub_user


def ask(status, times=1):
    """Ask a hub that answers with `status`; gives what it was asked, and our answers."""
    asked = []

    async def answer(request):
        asked.append((request.method, request.path, request.headers["Authorization"]))
        return web.Response(status=status)

    async def story():
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        hub = SimpleNamespace(api_url=f"http://127.0.0.1:{port}/hub/api", api_token="secret")
        try:
            return [await delete_hub_user(hub, "p1-abc") for _ in range(times)]
        finally:
            await runner.cleanup()

    return asked, asyncio.run(story())


def test_the_hub_is_asked_to_delete_its_user():
    asked, answers = ask(204)
    assert asked == [("DELETE", "/hub/api/users/p1-abc", "token secret")]
    assert answers == [True]


def test_who_is_gone_already_is_gone():
    assert ask(404)[1] == [True]


def test_a_hub_that_says_no_or_is_away():
    assert ask(403)[1] == [False]
    hub = SimpleNamespace(api_url="http://127.0.0.1:9/hub/api", api_token="secret")
    assert asyncio.run(delete_hub_user(hub, "p1-abc")) is False
    assert asyncio.run(delete_hub_user(object(), "p1-abc")) is False
