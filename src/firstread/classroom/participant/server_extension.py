"""In a participant's server: what the bar above the notebook asks of the class.

The browser knows no token. It asks its own server, which knows who it is, and the server asks the classroom service in the participant's name.
"""

from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import HTTPClientError

#: a call for help with a copy of a notebook, written as JSON within JSON
MOST_BODY_BYTES = 6 * 2**20
#: of one participant's windows together; a service that is slow must not be asked more and more
MOST_AT_ONCE = 4
SECONDS = 8.0


class Forwarder:
    """Asks the classroom service.

    Args:
        address: of the service, as this server reaches it.
        token: of this participant in the hub.
        client: tornado's AsyncHTTPClient, or what can do the same.
    """

    def __init__(self, address: str, token: str, client: Any) -> None:
        self.address, self.client = address, client
        self.headers = {"Authorization": f"token {token}"}
        self._on_the_way = 0

    async def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of the service's answer; 503 where it is away or has more than enough to do."""
        if self._on_the_way >= MOST_AT_ONCE:
            return 503, b""
        headers = self.headers | ({"Content-Type": "application/json"} if body is not None else {})
        self._on_the_way += 1
        try:
            answer = await self.client.fetch(
                f"{self.address}api/{path}", method=method, headers=headers, body=body, request_timeout=SECONDS, connect_timeout=SECONDS / 2,
                follow_redirects=False,
            )  # fmt: skip
            return answer.code, answer.body
        except HTTPClientError as error:
            if error.response is None or error.code >= 500:
                return 503, b""
            return error.code, error.response.body or b""
        except OSError:
            return 503, b""
        finally:
            self._on_the_way -= 1


class _Beside(APIHandler):
    """What both have in common. A bar that asks by itself is no sign that somebody works."""

    auth_resource = "contents"
    _track_activity = False

    def initialize(self, forwarder: Forwarder) -> None:
        self.forwarder = forwarder

    def _log(self) -> None:
        """A line for each question of each bar would bury what matters; trouble is written."""
        if self.get_status() >= 400:
            super()._log()

    async def pass_on(self, method: str, path: str, body: bytes | None = None) -> None:
        status, answer = await self.forwarder.ask(method, path, body)
        if status in (
            401,
            403,
        ):  # of this server's token, not of the person in front of it, who must not be sent to log in
            status = 503
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        if status == 200:
            self.finish(answer)
        else:
            self.finish({"message": _words(status, answer)})


class NowHandler(_Beside):
    """GET firstread/now?after=N."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """How the class stands for this participant."""
        after = self.get_query_argument("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 12):
            raise web.HTTPError(400, "after is not a number")
        await self.pass_on("GET", f"now?after={after}")


class HelpHandler(_Beside):
    """POST and DELETE firstread/help."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Ask for help."""
        if len(self.request.body) > MOST_BODY_BYTES:
            raise web.HTTPError(413, "the copy of the notebook is too large")
        await self.pass_on("POST", "help", self.request.body)

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """No longer need it."""
        await self.pass_on("DELETE", "help")


class InHandler(JupyterHandler):
    """GET firstread/in: a page for a frame that nobody sees. Who is not known goes by way of the hub and comes back known."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """An empty page, and with it the cookie against forged requests."""
        self.set_header("Cache-Control", "no-store")
        _ = self.xsrf_token
        self.finish("<!doctype html><title>In</title>")


def add_handlers(app: Any, forwarder: Forwarder) -> None:
    """Answer under `firstread/` of this server."""
    base, given = app.settings["base_url"], {"forwarder": forwarder}
    app.add_handlers(
        ".*$",
        [
            (url_path_join(base, "firstread", "now"), NowHandler, given),
            (url_path_join(base, "firstread", "help"), HelpHandler, given),
            (url_path_join(base, "firstread", "in"), InHandler),
        ],
    )


def _words(status: int, answer: bytes) -> str:
    if status == 503:
        return "The class cannot be reached at the moment."
    if status == 413:
        return "The copy of the notebook is too large to send."
    if status == 400:
        return answer.decode("utf-8", "replace")[:300]
    return "The class did not take this."
