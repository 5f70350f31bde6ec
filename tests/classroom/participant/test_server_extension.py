"""What a participant's own server passes on: only for who is logged in, only what fits, and never the token."""

import asyncio
import io
import json
from types import SimpleNamespace

import pytest

pytest.importorskip("jupyter_server", reason="the classroom needs firstread[classroom]")

from jupyter_server.auth import AllowAllAuthorizer, PasswordIdentityProvider
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.testing import AsyncHTTPTestCase, bind_unused_port
from tornado.web import Application

from firstread.classroom.participant.server_extension import (
    MAX_BODY_BYTES,
    MAX_CONCURRENT_REQUESTS,
    Forwarder,
    add_handlers,
)

XSRF = "ab" * 16


class Service:
    """Stands for the classroom service, and remembers what it was asked."""

    def __init__(self):
        self.asked, self.status, self.body = [], 200, b'{"help": null}'

    async def fetch(self, address, **given):
        self.asked.append(SimpleNamespace(address=address, **given))
        if isinstance(self.status, Exception):
            raise self.status
        answer = HTTPResponse(HTTPRequest(address), self.status, buffer=io.BytesIO(self.body))
        if self.status >= 400:
            raise HTTPClientError(self.status, response=answer)
        return answer


class Identity(PasswordIdentityProvider):
    """Knows one cookie."""

    def get_user(self, handler):
        from jupyter_server.auth import User

        return User("ana") if handler.request.headers.get("X-Known") else None


class TestHandlers(AsyncHTTPTestCase):
    def get_app(self):
        self.service = Service()
        identity = Identity()
        app = Application(
            [],
            base_url="/user/ana/",
            xsrf_cookies=True,
            identity_provider=identity,
            allow_unauthenticated_access=False,
            authorizer=AllowAllAuthorizer(),
            login_url="/login",
            cookie_secret=b"x" * 32,
            headers={},
        )
        add_handlers(app, Forwarder("http://service/", "secret-token", self.service))
        return app

    def get_http_server(self):
        return HTTPServer(self._app, max_body_size=2 * MAX_BODY_BYTES)

    def ask(self, method, path, body=None, *, known=True, xsrf=True):
        headers = {"X-Known": "yes"} if known else {}
        if xsrf:
            headers |= {"Cookie": f"_xsrf={XSRF}", "X-XSRFToken": XSRF}
        return self.fetch(f"/user/ana/firstread/{path}", method=method, headers=headers, body=body)

    def test_the_participants_question_goes_on_with_the_servers_token(self):
        answer = self.ask("GET", "now?after=7")
        assert (answer.code, json.loads(answer.body)) == (200, {"help": None})
        (asked,) = self.service.asked
        assert (asked.method, asked.address) == ("GET", "http://service/api/now?after=7")
        assert asked.headers["Authorization"] == "token secret-token"
        assert b"secret-token" not in answer.body + str(answer.headers).encode()
        assert answer.headers["Cache-Control"] == "no-store"

    def test_a_call_for_help_goes_on_as_it_is_and_can_be_taken_back(self):
        assert self.ask("POST", "help", b'{"note": "help"}').code == 200
        assert self.ask("DELETE", "help").code == 200
        asked = [(one.method, one.address, one.body) for one in self.service.asked]
        assert asked == [
            ("POST", "http://service/api/help", b'{"note": "help"}'),
            ("DELETE", "http://service/api/help", None),
        ]

    def test_who_is_not_logged_in_and_another_site_ask_nothing(self):
        assert self.ask("GET", "now", known=False).code == 403
        assert self.ask("POST", "help", b"{}", known=False).code == 403
        assert self.ask("POST", "help", b"{}", xsrf=False).code == 403
        assert self.ask("DELETE", "help", xsrf=False).code == 403
        assert self.service.asked == []

    def test_who_is_not_known_any_more_is_led_to_the_hub_and_back(self):
        away = self.fetch("/user/ana/firstread/in", follow_redirects=False)
        assert (away.code, away.headers["Location"]) == (302, "/login?next=%2Fuser%2Fana%2Ffirstread%2Fin")
        back = self.fetch("/user/ana/firstread/in", headers={"X-Known": "yes"})
        assert back.code == 200
        assert "_xsrf=" in back.headers["Set-Cookie"]
        assert self.service.asked == []

    def test_what_is_no_number_or_too_large_stays_here(self):
        for after in ("x", "-1", "1%26token=1", "9" * 12, "%D9%A3"):
            assert self.ask("GET", f"now?after={after}").code == 400
        assert self.ask("POST", "help", b"x" * (MAX_BODY_BYTES + 1)).code == 413
        assert self.service.asked == []

    def test_a_service_that_is_away_is_said_in_words(self):
        for status in (ConnectionRefusedError(), HTTPClientError(599), 500, 401, 403):
            self.service.status = status
            answer = self.ask("GET", "now")
            assert (answer.code, json.loads(answer.body)["message"]) == (
                503,
                "The class cannot be reached at the moment.",
            )

    def test_what_the_service_refuses_is_said_in_words(self):
        for status, words in ((413, "too large"), (422, "did not take"), (400, "no such participant")):
            self.service.status, self.service.body = status, b"There is no such participant"
            answer = self.ask("POST", "help", b"{}")
            assert answer.code == status
            assert words in json.loads(answer.body)["message"]


def test_a_slow_service_is_not_asked_more_and_more():
    async def story():
        gate, asked = asyncio.Event(), []

        class Slow:
            async def fetch(self, address, **_):
                asked.append(address)
                await gate.wait()
                return SimpleNamespace(code=200, body=b"{}")

        forwarder = Forwarder("http://service/", "token", Slow())
        many = [asyncio.ensure_future(forwarder.forward("GET", "now")) for _ in range(20)]
        await asyncio.sleep(0)
        assert len(asked) == MAX_CONCURRENT_REQUESTS
        gate.set()
        answers = [status for status, _ in await asyncio.gather(*many)]
        assert (answers.count(200), answers.count(503)) == (MAX_CONCURRENT_REQUESTS, 20 - MAX_CONCURRENT_REQUESTS)
        assert (await forwarder.forward("GET", "now"))[0] == 200, "and then again"

    asyncio.run(story())


def test_a_real_service_is_asked_over_http():
    from tornado.httpclient import AsyncHTTPClient

    class Now(web.RequestHandler):
        def get(self):
            self.write({"token": self.request.headers["Authorization"], "after": self.get_argument("after")})

    async def story():
        socket, port = bind_unused_port()
        server = HTTPServer(Application([("/services/classroom/api/now", Now)]))
        server.add_socket(socket)
        forwarder = Forwarder(f"http://127.0.0.1:{port}/services/classroom/", "mine", AsyncHTTPClient())
        status, body = await forwarder.forward("GET", "now?after=3")
        assert (status, json.loads(body)) == (200, {"token": "token mine", "after": "3"})
        assert (await forwarder.forward("GET", "nothing"))[0] == 404
        server.stop()
        await server.close_all_connections()
        assert (await forwarder.forward("GET", "now"))[0] == 503

    asyncio.run(story())
