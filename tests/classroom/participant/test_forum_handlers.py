"""The forum through a participant's own server: posts, pictures as data, and nothing of the token."""

import asyncio
import io
import json
from types import SimpleNamespace

import pytest

pytest.importorskip("jupyter_server", reason="the classroom needs firstread[classroom]")

from jupyter_server.auth import AllowAllAuthorizer
from tornado.httpclient import HTTPClientError, HTTPRequest, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.testing import AsyncHTTPTestCase
from tornado.web import Application

from firstread.classroom.participant.forum_handlers import (
    MAX_CONCURRENT_PICTURES,
    MAX_POST_BYTES,
    POST_TIMEOUT_SECONDS,
    add_forum_handlers,
)
from firstread.classroom.participant.server_extension import Forwarder

from ..pictures import HTML, png
from .test_server_extension import XSRF, Identity


class Service:
    """Stands for the classroom service: answers each request with the same response."""

    def __init__(self):
        self.asked, self.status, self.body, self.headers = [], 200, b'{"posts": []}', {}
        self.running = self.most = 0

    async def fetch(self, address, *, raise_error=True, **given):
        self.asked.append(SimpleNamespace(address=address, **given))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.01)
        self.running -= 1
        if isinstance(self.status, Exception):
            raise self.status
        headers = HTTPHeaders(self.headers)
        answer = HTTPResponse(HTTPRequest(address), self.status, headers=headers, buffer=io.BytesIO(self.body))
        if self.status >= 400 and raise_error:
            raise HTTPClientError(self.status, response=answer)
        return answer


class TestForumHandlers(AsyncHTTPTestCase):
    def get_app(self):
        self.service = Service()
        app = Application(
            [],
            base_url="/user/ana/",
            xsrf_cookies=True,
            identity_provider=Identity(),
            allow_unauthenticated_access=False,
            authorizer=AllowAllAuthorizer(),
            login_url="/login",
            cookie_secret=b"x" * 32,
            headers={},
        )
        add_forum_handlers(app, Forwarder("http://service/", "secret-token", self.service))
        return app

    def get_http_server(self):
        return HTTPServer(self._app, max_body_size=2 * MAX_POST_BYTES)

    def ask(self, method, path="", body=None, *, known=True, xsrf=True, **headers):
        headers |= {"X-Known": "yes"} if known else {}
        if xsrf:
            headers |= {"Cookie": f"_xsrf={XSRF}", "X-XSRFToken": XSRF}
        return self.fetch(f"/user/ana/firstread/forum{path}", method=method, headers=headers, body=body)

    def show_picture(self, body=None, **headers):
        self.service.body, self.service.headers = png() if body is None else body, headers
        return self.ask("GET", "/pictures/abc-DEF_1")

    def test_posts_are_read_sent_and_withdrawn_with_the_servers_token(self):
        assert json.loads(self.ask("GET").body) == {"posts": []}
        assert self.ask("POST", body=b'{"text": "look"}').code == 200
        assert self.ask("DELETE", "/7").code == 200
        asked = [(one.method, one.address, one.body) for one in self.service.asked]
        assert asked == [
            ("GET", "http://service/api/forum", None),
            ("POST", "http://service/api/forum", b'{"text": "look"}'),
            ("DELETE", "http://service/api/forum/7", None),
        ]
        assert {one.headers["Authorization"] for one in self.service.asked} == {"token secret-token"}
        assert self.service.asked[1].request_timeout == POST_TIMEOUT_SECONDS

    def test_a_picture_is_data(self):
        answer = self.show_picture(**{"Content-Type": "image/png", "ETag": '"pictures-abc"'})
        assert (answer.code, answer.body) == (200, png())
        assert answer.headers["Content-Type"] == "image/png"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["Etag"] == '"pictures-abc"'
        assert b"secret-token" not in str(answer.headers).encode()

    def test_whatever_is_no_picture_is_not_passed_on(self):
        for media_type in ("text/html", "image/svg+xml", "image/png; charset=x", ""):
            answer = self.show_picture(HTML, **{"Content-Type": media_type})
            assert answer.code == 503
            assert HTML not in answer.body

    def test_a_picture_that_was_not_changed_is_not_sent_again(self):
        self.service.status, self.service.headers, self.service.body = 304, {"ETag": '"one"'}, b""
        answer = self.ask("GET", "/previews/abc", **{"If-None-Match": '"one"'})
        assert (answer.code, answer.body) == (304, b"")
        assert self.service.asked[0].headers["If-None-Match"] == '"one"'

    def test_a_picture_that_is_gone_or_a_service_that_is_away(self):
        for status, code in ((404, 404), (400, 404), (401, 503), (500, 503), (ConnectionRefusedError(), 503)):
            self.service.status = status
            assert self.show_picture(**{"Content-Type": "image/png"}).code == code

    def test_a_page_full_of_pictures_waits_for_its_turn(self):
        async def many():
            headers = {"X-Known": "yes"}
            url = self.get_url("/user/ana/firstread/forum/previews/abc")
            return await asyncio.gather(*(self.http_client.fetch(url, headers=headers) for _ in range(10)))

        self.service.body, self.service.headers = png(), {"Content-Type": "image/png"}
        answers = self.io_loop.run_sync(many)
        assert [answer.code for answer in answers] == [200] * 10
        assert self.service.most == MAX_CONCURRENT_PICTURES

    def test_who_is_not_logged_in_and_another_site_get_nothing(self):
        assert self.ask("GET", known=False).code == 403
        assert self.fetch("/user/ana/firstread/forum/pictures/abc", follow_redirects=False).code in (302, 403)
        assert self.ask("POST", body=b"{}", known=False).code == 403
        assert self.ask("POST", body=b"{}", xsrf=False).code == 403
        assert self.ask("DELETE", "/7", xsrf=False).code == 403
        assert self.service.asked == []

    def test_other_paths_are_not_passed_on(self):
        for path in ("/x", "/7/8", "/pictures/..%2F..%2Fnow", "/pictures/a.b", "/originals/abc", f"/{'9' * 13}"):
            assert self.ask("GET", path).code == 404
        assert self.ask("POST", body=b"x" * (MAX_POST_BYTES + 1)).code == 413
        assert self.service.asked == []

    def test_why_a_post_is_refused_is_said_in_the_services_words(self):
        for status, body, words in (
            (400, b"The picture is broken.", "The picture is broken."),
            (429, b'{"detail": "You post very often."}', "You post very often."),
            (413, b'{"detail": "The picture is larger than 4 MB."}', "larger than 4 MB"),
        ):
            self.service.status, self.service.body = status, body
            answer = self.ask("POST", body=b"{}")
            assert answer.code == status
            assert words in json.loads(answer.body)["message"]
        self.service.status = ConnectionRefusedError()
        assert self.ask("POST", body=b"{}").code == 503
