"""JupyterHub authenticator of a class: join code and name, or join code and resume word; no accounts or passwords."""

import asyncio
import re
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.handlers import BaseHandler, LoginHandler
from jupyterhub.utils import url_path_join
from tornado import web
from tornado.httputil import url_concat
from traitlets import Unicode

from firstread.classroom.class_folder import ClassFolder, open_class
from firstread.classroom.database.store import Store
from firstread.classroom.home_directory import write_resume_word
from firstread.classroom.join_codes import codes_equal
from firstread.classroom.progress.dashboard import PAGES
from firstread.classroom.rate_limits import RateLimiter, trusted_client_address
from firstread.core.errors import FirstreadError

#: URL path in a participant's server: (hub/)user/NAME/REST
_SERVER_PATH = re.compile(r"(?:hub/)?user/([^/?#]+)(?:/(.*))?$", re.DOTALL)
#: URL path of the OAuth authorization that a participant's server requests from the hub
_SERVER_OAUTH_PATH = re.compile(r"hub/api/oauth2/authorize\?(?:.*&)?client_id=jupyterhub-user-([^&]+)", re.DOTALL)


class JoinHandler(LoginHandler):
    """The join page, and the page that shows the resume word once."""

    def _render(self, login_error: str | None = None, username: str | None = None, **values: Any) -> Any:
        typed = {f"typed_{name}": self.get_argument(name, default="")[:100] for name in ("code", "name")}
        return super()._render(
            login_error=login_error, username=username, **values, **typed, lesson=self.authenticator.lesson
        )

    def get_next_url(self, user: Any = None, default: str | None = None) -> str:
        """The requested URL, moved to the user's own server if needed: a link may be another participant's."""
        url = super().get_next_url(user, default)
        if user is None:
            return url
        path, spawn = url.removeprefix(self.base_url), url_path_join(self.hub.base_url, "spawn")
        if found := _SERVER_PATH.match(path):
            return url_concat(spawn, {"next": url_path_join(user.url, found[2] or "")})
        found = _SERVER_OAUTH_PATH.match(path)
        return spawn if found and found[1] != user.escaped_name else url

    async def post(self) -> None:
        """Log a participant in; for a new one, start their server and show the resume word."""
        form = {name: self.get_argument(name, default="", strip=True)[:200] for name in ("code", "name", "word")}
        user = await self.login_user({**form, "username": "someone"})
        if user is None:
            raise web.HTTPError(403)
        self._jupyterhub_user = user
        word = self.authenticator.new_resume_words.pop(user.name, None)
        if word is None:
            self.redirect(self.get_next_url(user))
            return
        if not user.spawner.active:
            asyncio.ensure_future(self._start_server(user))  # noqa: RUF006 - the hub keeps track of its spawners
        html = await self.render_template("welcome.html", word=word, next_url=self.get_next_url(user))
        self.set_header("Cache-Control", "no-store")
        self.finish(html)

    async def _start_server(self, user: Any) -> None:
        try:
            await self.spawn_single_user(user)
        except Exception:  # the next page tries again, and shows the error
            self.log.warning("The server of %s did not start at once", user.name)


class WaitingScriptHandler(BaseHandler):
    """Serves the script of the page that waits for a server."""

    def get(self) -> None:
        """Send the script, without authentication: it contains no data."""
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.finish((PAGES / "waiting.js").read_bytes())


class JoinAuthenticator(Authenticator):
    """Checks the join code, and creates the participant in the class database or finds them by their resume word."""

    class_path = Unicode(help="The class's folder.").tag(config=True)

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.folder, self.store = self.open_class()
        self.rate_limiter = RateLimiter()
        self.new_resume_words: dict[str, str] = {}
        self.lesson = self.folder.lesson.title

    def open_class(self) -> tuple[ClassFolder, Store]:
        """Open the class and its database."""
        return open_class(self.class_path)

    def get_client_address(self, request: Any) -> str:
        """Client address of a request, for the rate limit."""
        folder = self.folder
        return trusted_client_address(request.headers, proxy_token=folder.proxy_token, proxy_count=folder.proxy_count)

    def save_resume_word(self, username: str, word: str) -> None:
        """Write a new participant's resume word into their home."""
        write_resume_word(self.folder.home_of(username), word)  # before any process of theirs has run
        self.folder.ensure_home(username)

    def get_handlers(self, app: Any) -> list[Any]:
        """Replace JupyterHub's login page, and add the script of its waiting page."""
        return [("/login", JoinHandler), ("/waiting.js", WaitingScriptHandler)]

    def _wrong_code_error(self, request: Any, message: str) -> web.HTTPError:
        """Count a wrong code or word; past the limit the answer no longer says which of them was wrong."""
        address = self.get_client_address(request)
        is_limited = not self.rate_limiter.is_allowed(address)
        self.rate_limiter.record_failure(address)
        if is_limited:
            return web.HTTPError(
                429, "Too many wrong codes came from here. Check the code and the word; right ones are let in."
            )
        return web.HTTPError(403, message)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str:
        """Authenticate a participant; returns their username.

        Raises:
            web.HTTPError: the code or word is wrong, or too many were; the join page shows the message.
        """
        if not codes_equal(data.get("code", ""), self.folder.settings.join_code):
            raise self._wrong_code_error(
                handler.request, "This is not the class's code. It stands on the instructor's screen."
            )
        try:
            if data.get("word"):
                return (await asyncio.to_thread(self.store.resume, data["word"])).username
            participant, word = await asyncio.to_thread(self.store.join, data.get("name", ""))
        except FirstreadError as error:
            if data.get("word"):
                raise self._wrong_code_error(handler.request, str(error)) from error
            raise web.HTTPError(403, str(error)) from error
        self.new_resume_words[participant.username] = word
        await asyncio.to_thread(self.save_resume_word, participant.username, word)
        return participant.username
