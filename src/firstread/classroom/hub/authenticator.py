"""How people come in: the class's code and a name, or the code and a resume word. No account, no password."""

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
from firstread.classroom.home_directory import keep_word
from firstread.classroom.join_codes import same
from firstread.classroom.progress.dashboard import PAGES
from firstread.classroom.rate_limits import Guesses
from firstread.core.errors import FirstreadError

#: an address in somebody's server: (hub/)user/NAME/REST
_IN_A_SERVER = re.compile(r"(?:hub/)?user/([^/?#]+)(?:/(.*))?$", re.DOTALL)
#: where a server sends browsers that it does not know, to come back with the hub's word for them
_FROM_A_SERVER = re.compile(r"hub/api/oauth2/authorize\?(?:.*&)?client_id=jupyterhub-user-([^&]+)", re.DOTALL)


class JoinHandler(LoginHandler):
    """The join page, and the page that shows the resume word once."""

    def _render(self, login_error: str | None = None, username: str | None = None, **more: Any) -> Any:
        typed = {f"typed_{part}": self.get_argument(part, default="")[:100] for part in ("code", "name")}
        return super()._render(
            login_error=login_error, username=username, **more, **typed, lesson=self.authenticator.lesson
        )

    def get_next_url(self, user: Any = None, default: str | None = None) -> str:
        """Where they wanted to go, but in their own server, which is started if need be: a link may come from a neighbour."""
        url = super().get_next_url(user, default)
        if user is None:
            return url
        path, spawn = url.removeprefix(self.base_url), url_path_join(self.hub.base_url, "spawn")
        if found := _IN_A_SERVER.match(path):
            return url_concat(spawn, {"next": url_path_join(user.url, found[2] or "")})
        found = _FROM_A_SERVER.match(path)
        return spawn if found and found[1] != user.escaped_name else url

    async def post(self) -> None:
        """Let them in, begin to start their server, and show the word."""
        typed = {name: self.get_argument(name, default="", strip=True)[:200] for name in ("code", "name", "word")}
        user = await self.login_user({**typed, "username": "someone"})
        if user is None:
            raise web.HTTPError(403)
        self._jupyterhub_user = user
        word = self.authenticator.fresh_words.pop(user.name, None)
        if word is None:
            self.redirect(self.get_next_url(user))
            return
        if not user.spawner.active:
            asyncio.ensure_future(self._begin(user))  # noqa: RUF006 - the hub keeps track of its spawners
        html = await self.render_template("welcome.html", word=word, next_url=self.get_next_url(user))
        self.set_header("Cache-Control", "no-store")
        self.finish(html)

    async def _begin(self, user: Any) -> None:
        try:
            await self.spawn_single_user(user)
        except Exception:  # the page that they go to next tries again, and says what is wrong
            self.log.warning("The server of %s did not start at once", user.name)


class WaitingScript(BaseHandler):
    """The few lines of script of the page that waits for a server."""

    def get(self) -> None:
        """The script, to anybody: it holds nothing of anybody."""
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.finish((PAGES / "waiting.js").read_bytes())


class JoinAuthenticator(Authenticator):
    """Checks the code; the participant is made, or found by their word, in the class's memory."""

    class_path = Unicode(help="The class's folder.").tag(config=True)

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.folder, self.store = self.open_class()
        self.guesses = Guesses()
        self.fresh_words: dict[str, str] = {}
        self.lesson = self.folder.lesson.title

    def open_class(self) -> tuple[ClassFolder, Store]:
        """The class and its memory."""
        return open_class(self.class_path)

    def address_of(self, request: Any) -> str:
        """Where a guess comes from."""
        return request.remote_ip or ""

    def keep_word(self, username: str, word: str) -> None:
        """Put a new participant's resume word where they find it again."""
        keep_word(self.folder.home_of(username), word)  # before any process of theirs has run
        self.folder.make_home(username)

    def get_handlers(self, app: Any) -> list[Any]:
        """One page in place of JupyterHub's, and the script of another."""
        return [("/login", JoinHandler), ("/waiting.js", WaitingScript)]

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str:
        """The participant's name in the hub.

        Raises:
            web.HTTPError: what is wrong, in words that the join page shows.
        """
        address = self.address_of(handler.request)
        if not self.guesses.allowed(address):
            raise web.HTTPError(429, "Too many wrong codes came from here. Wait a minute and try again.")
        if not same(data.get("code", ""), self.folder.settings.join_code):
            self.guesses.wrong(address)
            raise web.HTTPError(403, "This is not the class's code. It stands on the instructor's screen.")
        try:
            if data.get("word"):
                return (await asyncio.to_thread(self.store.come_back, data["word"])).username
            person, word = await asyncio.to_thread(self.store.join, data.get("name", ""))
        except FirstreadError as error:
            if data.get("word"):
                self.guesses.wrong(address)
            raise web.HTTPError(403, str(error)) from error
        self.fresh_words[person.username] = word
        await asyncio.to_thread(self.keep_word, person.username, word)
        return person.username
