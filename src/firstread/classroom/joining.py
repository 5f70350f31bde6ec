"""How people come in: the class's code and a name, or the code and a resume word. No account, no password."""

import asyncio
from typing import Any

from jupyterhub.auth import Authenticator
from jupyterhub.handlers import LoginHandler
from tornado import web
from traitlets import Unicode

from firstread.classroom.folder import ClassFolder, open_class
from firstread.classroom.homes import keep_word
from firstread.classroom.limits import Guesses
from firstread.classroom.store import Store
from firstread.classroom.words import same
from firstread.core.errors import FirstreadError


class JoinHandler(LoginHandler):
    """The join page, and the page that shows the resume word once."""

    def _render(self, login_error: str | None = None, username: str | None = None, **more: Any) -> Any:
        typed = {f"typed_{part}": self.get_argument(part, default="")[:100] for part in ("code", "name")}
        return super()._render(
            login_error=login_error, username=username, **more, **typed, lesson=self.authenticator.lesson
        )

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
        keep_word(self.folder.home_of(username), word)

    def get_handlers(self, app: Any) -> list[Any]:
        """One page in place of JupyterHub's."""
        return [("/login", JoinHandler)]

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
