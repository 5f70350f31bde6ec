"""Request handlers of a participant's Jupyter server for the forum: its posts, and their pictures."""

import asyncio
import json
from contextlib import suppress
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from firstread.classroom.participant.server_extension import Forwarder, ForwardingHandler

#: a post with its picture as base64
MAX_POST_BYTES = 6 * 2**20
#: the service reads a picture in a process of its own, which may have to wait for its turn
POST_TIMEOUT_SECONDS, PICTURE_TIMEOUT_SECONDS = 40.0, 20.0
#: pictures of one participant's pages at once; further ones wait
MAX_CONCURRENT_PICTURES = 3
#: all that a picture can be
_MEDIA_TYPES = ("image/png", "image/jpeg")


class ForumHandler(ForwardingHandler):
    """GET and POST firstread/forum."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """The forum as this participant sees it."""
        await self.forward("GET", "forum")

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Add a post."""
        if len(self.request.body) > MAX_POST_BYTES:
            raise web.HTTPError(413, "the picture is too large")
        await self.forward_post(self.request.body)

    async def forward_post(self, body: bytes) -> None:
        """Send a post to the service, and its reason if it refuses the post."""
        status, answer = await self.forwarder.forward("POST", "forum", body, timeout_seconds=POST_TIMEOUT_SECONDS)
        if status not in (400, 408, 413, 422, 429):
            self.finish_forwarded(status, answer)
            return
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish({"message": _reason(answer)})


class ForumPostHandler(ForwardingHandler):
    """DELETE firstread/forum/ID."""

    @web.authenticated
    @authorized
    async def delete(self, post_id: str) -> None:
        """Withdraw a post of one's own."""
        await self.forward("DELETE", f"forum/{post_id}")


class ForumPictureHandler(JupyterHandler):
    """GET firstread/forum/pictures/NAME, and previews/NAME."""

    auth_resource = "contents"
    _track_activity = False

    def initialize(self, forwarder: Forwarder, turn: asyncio.Semaphore) -> None:
        self.forwarder, self.turn = forwarder, turn

    @property
    def content_security_policy(self) -> str:
        """Nothing runs or loads, whatever the bytes are."""
        return "default-src 'none'; sandbox"

    def compute_etag(self) -> None:
        """None: the service's own ETag is passed on."""

    def _log(self) -> None:
        if self.get_status() >= 500:
            super()._log()

    @web.authenticated
    @authorized
    async def get(self, size: str, name: str) -> None:
        """A picture as data for an <img>."""
        url, headers = f"{self.forwarder.address}api/forum/{size}/{name}", dict(self.forwarder.headers)
        if known := self.request.headers.get("If-None-Match"):
            headers["If-None-Match"] = known
        try:
            async with self.turn:
                response = await self.forwarder.client.fetch(
                    url, headers=headers, request_timeout=PICTURE_TIMEOUT_SECONDS, raise_error=False
                )
        except OSError as error:
            raise web.HTTPError(503) from error
        media_type = response.headers.get("Content-Type", "")
        if response.code not in (200, 304) or (response.code == 200 and media_type not in _MEDIA_TYPES):
            raise web.HTTPError(404 if response.code in (400, 404) else 503)
        self.set_status(response.code)
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Etag", response.headers.get("ETag", ""))
        if response.code == 200:
            self.set_header("Content-Type", media_type)
            self.set_header("Content-Disposition", "inline")
            self.write(response.body)
        await self.finish()


def add_forum_handlers(app: Any, forwarder: Forwarder) -> None:
    """Add the handlers under `firstread/forum` of this server."""
    base, options = url_path_join(app.settings["base_url"], "firstread", "forum"), {"forwarder": forwarder}
    picture_options = options | {"turn": asyncio.Semaphore(MAX_CONCURRENT_PICTURES)}
    app.add_handlers(
        ".*$",
        [
            (base, ForumHandler, options),
            (rf"{base}/([0-9]{{1,12}})", ForumPostHandler, options),
            (rf"{base}/(pictures|previews)/([0-9A-Za-z_-]{{1,64}})", ForumPictureHandler, picture_options),
        ],
    )


def _reason(answer: bytes) -> str:
    """The service's sentence, which is plain text or FastAPI's JSON."""
    text = answer.decode("utf-8", "replace")
    with suppress(ValueError, KeyError, TypeError):
        text = str(json.loads(text)["detail"])
    return text[:300]
