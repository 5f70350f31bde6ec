"""API of the proxy's routes: JupyterHub's own client speaks to it, and nobody without the token."""

import asyncio
import stat
from types import SimpleNamespace
from urllib.parse import quote

import aiohttp
import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from jupyterhub.proxy import ConfigurableHTTPProxy

from firstread.classroom.proxy.proxy_server import ProxyServer, ProxySettings

from .test_proxy_server import free_port

TOKEN = "of the routes"


def with_api(story, folder, **settings):
    async def whole():
        files = {"api_socket": folder / "api", "routes_file": folder / "routes.json"}
        proxy = ProxyServer(ProxySettings("127.0.0.1", free_port(), api_token=TOKEN, **files, **settings))
        await proxy.start()
        try:
            await story(proxy, f"http+unix://{quote(str(folder / 'api'), safe='')}")
        finally:
            await proxy.stop()

    asyncio.run(whole())


def client(url, *, host_routing=False):
    app = SimpleNamespace(subdomain_host="", internal_ssl=False)
    return ConfigurableHTTPProxy(
        should_start=False, auth_token=TOKEN, api_url=url, app=app, host_routing=host_routing, parent=None
    )


@pytest.mark.parametrize(
    ("spec", "host_routing"),
    [("/user/p1-ana/", False), ("/user/b%C3%A9a/", False), ("p1.class.example/user/p1/", True)],
)
def test_jupyterhubs_own_client_sets_and_removes_routes(tmp_path, spec, host_routing):
    async def story(proxy, url):
        hub = client(url, host_routing=host_routing)
        await hub.add_route(spec, "http://127.0.0.1:5", {"user": "p1-ana", "server_name": ""})
        await hub.add_route("/", "http://127.0.0.1:6", {"hub": True})
        routes = await hub.get_all_routes()
        assert routes[spec]["target"] == "http://127.0.0.1:5"
        assert routes[spec]["data"] == {"user": "p1-ana", "server_name": ""}
        assert set(routes) == {spec, "/"}
        await hub.delete_route(spec)
        await hub.delete_route(spec)  # it is gone already: no error
        assert set(await hub.get_all_routes()) == {"/"}

    with_api(story, tmp_path, domain="class.example" if host_routing else "")


def test_without_the_token_nothing_is_answered(tmp_path):
    async def story(proxy, url):
        assert stat.S_IMODE((tmp_path / "api").stat().st_mode) == 0o600
        proxy.routes.add("/", "http://127.0.0.1:6", {"hub": True})
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(tmp_path / "api"))) as session:
            for given in (
                {},
                {"Authorization": "token "},
                {"Authorization": "token wrong"},
                {"Authorization": TOKEN[:-1]},
            ):
                for method, path in (("GET", ""), ("POST", "/user/x"), ("DELETE", "/")):
                    url = f"http://proxy/api/routes{path}"
                    async with session.request(method, url, headers=given, json={"target": "http://evil"}) as answer:
                        assert (answer.status, "127" in await answer.text()) == (403, False)
            own = {"Authorization": f"token {TOKEN}"}
            async with session.post("http://proxy/api/routes/x", headers=own, data="no JSON") as answer:
                assert answer.status == 400
            async with session.get("http://proxy/api/routes/x", headers=own) as answer:
                assert answer.status == 404
        assert [route.key for route in proxy.routes] == ["/"]

    with_api(story, tmp_path)


def test_the_api_is_at_no_port(tmp_path):
    async def story(proxy, url):
        address = f"http://127.0.0.1:{proxy.settings.port}/api/routes"
        given = {"Authorization": f"token {TOKEN}"}
        async with aiohttp.ClientSession() as session, session.get(address, headers=given) as answer:
            assert answer.status == 404

    with_api(story, tmp_path)
