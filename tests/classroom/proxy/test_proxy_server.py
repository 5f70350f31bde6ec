"""Proxy: requests are routed unchanged; a page that retries where no server answers."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from firstread.classroom.proxy.proxy_server import ProxyServer, ProxySettings


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


async def a_server(name):
    """Start a server that answers with the request, and echoes WebSocket messages."""

    async def echo(request):
        if request.headers.get("Upgrade", "").lower() == "websocket":
            socket_ = web.WebSocketResponse(protocols=["v1.kernel.websocket.jupyter.org"])
            await socket_.prepare(request)
            async for message in socket_:
                if message.type == aiohttp.WSMsgType.BINARY:
                    await socket_.send_bytes(message.data)
                else:
                    await socket_.send_str(f"{name}: {message.data}")
            return socket_
        body = await request.read()
        answer = web.json_response(
            {
                "server": name,
                "path": request.raw_path,
                "headers": dict(request.headers),
                "body": len(body),
                "method": request.method,
            }
        )
        for cookie in ("a=1; Path=/", "b=2; Path=/user/ana/", "c=3; Path=/user/ana/; Domain=example.com"):
            answer.headers.add("Set-Cookie", cookie)
        return answer

    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner, f"http://127.0.0.1:{port}"


def through(story, **settings):
    """Run a test coroutine with a proxy before two servers."""

    async def whole():
        address = f"http://127.0.0.1:{free_port()}"
        ports = {"port": URL(address).port, "instructor_port": free_port()}
        proxy = ProxyServer(ProxySettings("127.0.0.1", **ports, token="secret", **settings))
        hub, hub_url = await a_server("hub")
        user, user_url = await a_server("user")
        await proxy.start()
        proxy.routes.add("/", hub_url, {"hub": True})
        if not settings:
            proxy.routes.add("/services/classroom", hub_url, {"service": "classroom"})
            proxy.routes.add("/user/ana", user_url, {"user": "ana"})
            proxy.routes.add("/user/gone", f"http://127.0.0.1:{free_port()}", {"user": "gone"})
        try:
            async with aiohttp.ClientSession() as session:
                await story(proxy, session, address)
        finally:
            await proxy.stop()
            await hub.cleanup()
            await user.cleanup()

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("path", "server"),
    [
        ("/", "hub"),
        ("/hub/login", "hub"),
        ("/user/ana/lab", "user"),
        ("/user/ana", "user"),
        ("/user/anabel/lab", "hub"),
        ("/user/ana%2Fb?x=%2F", "hub"),
    ],
)
def test_the_longest_route_wins_and_the_path_stays_as_it_is(path, server):
    async def story(proxy, session, address):
        async with session.get(aiohttp.client.URL(address + path, encoded=True)) as answer:
            found = await answer.json()
        assert (found["server"], found["path"]) == (server, path)

    through(story)


def test_headers_cookies_and_bodies_go_through():
    async def story(proxy, session, address):
        lies = {"X-Forwarded-For": "10.0.0.1", "Connection": "close, X-Secret", "X-Secret": "1", "Cookie": "c=3"}
        async with session.put(address + "/user/ana/api", data=b"x" * 5_000_000, headers=lies) as answer:
            found = await answer.json()
            assert answer.headers.getall("Set-Cookie") == ["b=2; Path=/user/ana/"]
        assert (found["body"], found["method"]) == (5_000_000, "PUT")
        assert found["headers"]["X-Forwarded-For"] == "127.0.0.1"
        assert found["headers"]["Cookie"] == "c=3"
        assert "X-Secret" not in found["headers"]

    through(story)


def test_websockets_go_through_both_ways():
    async def story(proxy, session, address):
        url = address.replace("http", "ws") + "/user/ana/api/kernels/1/channels"
        async with session.ws_connect(url, protocols=["v1.kernel.websocket.jupyter.org"]) as socket_:
            assert socket_.protocol == "v1.kernel.websocket.jupyter.org"
            await socket_.send_str("hello")
            assert await socket_.receive_str() == "user: hello"
            await socket_.send_bytes(b"\x00" * 300_000)
            assert len(await socket_.receive_bytes()) == 300_000

    through(story)


def test_where_nobody_answers_the_page_tries_again():
    async def story(proxy, session, address):
        async with session.get(address + "/user/gone/lab") as answer:
            assert answer.status == 503
            assert "tries again by itself" in await answer.text()
        proxy.routes.remove("/user/ana")
        async with session.get(address + "/user/ana/lab") as answer:
            assert (await answer.json())["server"] == "hub"

    through(story)


def test_the_hub_knows_what_came_through_the_proxy_and_a_participants_server_does_not_learn_how():
    async def story(proxy, session, address):
        forged = {"X-Firstread-Proxy": "made up"}
        async with session.get(address + "/hub/login", headers=forged) as answer:
            headers = {name.lower(): value for name, value in (await answer.json())["headers"].items()}
            assert headers["x-firstread-proxy"] == "secret"
        async with session.get(address + "/user/ana/lab", headers=forged) as answer:
            assert "x-firstread-proxy" not in {name.lower() for name in (await answer.json())["headers"]}

    through(story)


INSTRUCTOR_PATHS = [
    "/",
    "/login",
    "/stream",
    "/actions/door",
    "/me/../login",
    "/me/%2e%2e/login",
    "/me%2f..%2flogin",
    "/melon",
]


@pytest.mark.parametrize("path", INSTRUCTOR_PATHS)
def test_the_participants_origin_has_no_page_of_the_instructor(path):
    async def story(proxy, session, address):
        url = aiohttp.client.URL(f"{address}/services/classroom{path}", encoded=True)
        async with session.get(url, allow_redirects=False) as answer:
            assert answer.status == 302
            assert answer.headers["Location"].startswith(f"http://127.0.0.1:{proxy.settings.instructor_port}/")
        async with session.post(url, allow_redirects=False) as answer:
            assert answer.status == 404

    through(story)


@pytest.mark.parametrize(
    "path", ["/user/ana/lab", "/hub/login", "/services/classroom/me/", "/services/classroom/../../user/ana/lab"]
)
def test_the_instructors_origin_has_nothing_of_a_participant(path):
    async def story(proxy, session, address):
        origin = f"http://127.0.0.1:{proxy.settings.instructor_port}"
        async with session.get(aiohttp.client.URL(origin + path, encoded=True), allow_redirects=False) as answer:
            assert answer.status == 404
        async with session.get(f"{origin}/services/classroom/login") as answer:
            assert (await answer.json())["server"] == "hub"

    through(story)


def test_participants_reach_their_own_pages_at_their_own_origin():
    async def story(proxy, session, address):
        async with session.get(f"{address}/services/classroom/me/quiz/pre") as answer:
            assert (await answer.json())["path"] == "/services/classroom/me/quiz/pre"

    through(story)


def test_no_service_worker_is_served():
    async def story(proxy, session, address):
        for header in ({"Service-Worker": "script"}, {"Sec-Fetch-Dest": "serviceworker"}):
            for path in ("/user/ana/files/worker.js", "/hub/static/worker.js"):
                async with session.get(address + path, headers=header) as answer:
                    assert answer.status == 403

    through(story)


def test_what_the_hub_sends_is_left_as_it_is():
    async def story(proxy, session, address):
        async with session.get(address + "/hub/login") as answer:
            assert len(answer.headers.getall("Set-Cookie")) == 3
            assert "Content-Security-Policy" not in answer.headers
        async with session.get(address + "/user/ana/files/x") as answer:
            assert answer.headers["Content-Security-Policy"].startswith("sandbox;")

    through(story)


def test_with_subdomains_a_participants_server_shares_an_origin_with_nobody():
    async def story(proxy, session, address):
        server, user_url = await a_server("user of a subdomain")
        proxy.routes.add("/ana.class.example/user/ana", user_url, {"user": "ana"})
        proxy.routes.add("/class.example/services/classroom", proxy.routes.get("/").target, {"extra": True})
        port, instructor_port = proxy.settings.port, proxy.settings.instructor_port

        async def get(host, path, at=port, **headers):
            url = f"http://127.0.0.1:{at}{path}"
            headers = {"Host": f"{host}:{at}", "Accept": "text/html,*/*", **headers}
            async with session.get(url, headers=headers, allow_redirects=False) as answer:
                is_json = answer.content_type == "application/json"
                return (await answer.json())["server"] if is_json else answer.headers.get("Location", answer.status)

        assert await get("ana.class.example", "/user/ana/lab") == "user of a subdomain"
        assert await get("class.example", "/hub/login") == "hub"
        assert await get("class.example", "/services/classroom/me/") == "hub"
        # no page but the server's own at its name, and the server at no other
        for host, path in (
            ("ana.class.example", "/hub/login"),
            ("ana.class.example", "/user/bea/lab"),
            ("bea.class.example", "/user/ana/lab"),
            ("ana.class.example", "/services/classroom/me/"),
            ("127.0.0.1", "/hub/login"),
        ):
            assert await get(host, path) == f"http://class.example:{port}{path}"
        assert await get("class.example", "/user/ana/lab") == "hub"
        # a page that asks for its stopped server gets the hub's answer to scripts
        assert await get("bea.class.example", "/user/bea/api", Accept="application/json") == "hub"
        assert (await get("bea.class.example", "/hub/api", Accept="application/json")).startswith("http://class")
        # the instructor's pages are at the class's own name only
        assert await get("class.example", "/services/classroom/login", instructor_port) == "hub"
        assert await get("ana.class.example", "/services/classroom/login", instructor_port) == 404
        moved = await get("ana.class.example", "/services/classroom/login")
        assert moved == f"http://class.example:{instructor_port}/services/classroom/login"
        await server.cleanup()

    through(story, domain="class.example")


@pytest.mark.parametrize("host", ["[", "[::1", "a]b"])
def test_a_host_that_is_none_is_refused(host):
    async def story(proxy, session, address):
        async with session.get(address + "/services/classroom/", headers={"Host": host}) as answer:
            assert answer.status == 400

    through(story)
