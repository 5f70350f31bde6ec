"""Request handlers of a participant's Jupyter server that forward the class bar's requests to the classroom service.

The browser has no token for the service. It asks its own server, which knows the participant, and the server asks the
classroom service with the participant's hub token.
"""

from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import HTTPClientError

#: a help request with a copy of a notebook, written as JSON within JSON
MAX_BODY_BYTES = 6 * 2**20
#: of all windows of one participant; a slow service must not get more and more requests
MAX_CONCURRENT_REQUESTS = 4
TIMEOUT_SECONDS = 8.0


class Forwarder:
    """Forwards requests to the classroom service with the participant's token.

    Args:
        address: of the service, as this server reaches it.
        token: of this participant in the hub.
        client: tornado's `AsyncHTTPClient`, or an object with the same `fetch`.
    """

    def __init__(self, address: str, token: str, client: Any) -> None:
        self.address, self.client = address, client
        self.headers = {"Authorization": f"token {token}"}
        self._in_flight = 0

    async def forward(
        self, method: str, path: str, body: bytes | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> tuple[int, bytes]:
        """Status and body of the service's response; 503 if it does not answer or too many requests are in flight."""
        if self._in_flight >= MAX_CONCURRENT_REQUESTS:
            return 503, b""
        headers = self.headers | ({"Content-Type": "application/json"} if body is not None else {})
        timeouts = {"request_timeout": timeout_seconds, "connect_timeout": TIMEOUT_SECONDS / 2}
        url = f"{self.address}api/{path}"
        self._in_flight += 1
        try:
            response = await self.client.fetch(
                url, method=method, headers=headers, body=body, follow_redirects=False, **timeouts
            )
            return response.code, response.body
        except HTTPClientError as error:
            if error.response is None or error.code >= 500:
                return 503, b""
            return error.code, error.response.body or b""
        except OSError:
            return 503, b""
        finally:
            self._in_flight -= 1


class ForwardingHandler(APIHandler):
    """Base of the forwarding handlers. Polling by the bar does not count as activity of the participant."""

    auth_resource = "contents"
    _track_activity = False

    def initialize(self, forwarder: Forwarder) -> None:
        self.forwarder = forwarder

    def _log(self) -> None:
        """Log failures only; a line for each poll of each bar would hide them."""
        if self.get_status() >= 400:
            super()._log()

    async def forward(self, method: str, path: str, body: bytes | None = None) -> None:
        self.finish_forwarded(*await self.forwarder.forward(method, path, body))

    def finish_forwarded(self, status: int, answer: bytes) -> None:
        """Answer the browser as the service has answered, or say in words why it has not."""
        if status in (401, 403):  # about this server's token, not the person in front of it: they need not log in
            status = 503
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        if status == 200:
            self.finish(answer)
        else:
            self.finish({"message": _error_message(status, answer)})


class ClassStatusHandler(ForwardingHandler):
    """GET firstread/now?after=N."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Status of the class for this participant."""
        after = self.get_query_argument("after", "0")
        if not (after.isascii() and after.isdigit() and len(after) < 12):
            raise web.HTTPError(400, "after is not a number")
        await self.forward("GET", f"now?after={after}")


class HelpRequestHandler(ForwardingHandler):
    """POST and DELETE firstread/help."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Ask for help."""
        if len(self.request.body) > MAX_BODY_BYTES:
            raise web.HTTPError(413, "the copy of the notebook is too large")
        await self.forward("POST", "help", self.request.body)

    @web.authenticated
    @authorized
    async def delete(self) -> None:
        """Withdraw the help request."""
        await self.forward("DELETE", "help")


class LoginFrameHandler(JupyterHandler):
    """GET firstread/in: page of a hidden frame that renews an expired login through the hub."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """An empty page that sets the XSRF cookie."""
        self.set_header("Cache-Control", "no-store")
        _ = self.xsrf_token
        self.finish("<!doctype html><title>In</title>")


def add_handlers(app: Any, forwarder: Forwarder) -> None:
    """Add the handlers under `firstread/` of this server."""
    base, options = app.settings["base_url"], {"forwarder": forwarder}
    app.add_handlers(
        ".*$",
        [
            (url_path_join(base, "firstread", "now"), ClassStatusHandler, options),
            (url_path_join(base, "firstread", "help"), HelpRequestHandler, options),
            (url_path_join(base, "firstread", "in"), LoginFrameHandler),
        ],
    )


def _error_message(status: int, answer: bytes) -> str:
    if status == 503:
        return "The class cannot be reached at the moment."
    if status == 413:
        return "The copy of the notebook is too large to send."
    if status == 400:
        return answer.decode("utf-8", "replace")[:300]
    return "The class did not take this."
