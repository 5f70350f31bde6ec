"""A participant who is a program: joins, opens the lesson and runs its cells over real HTTP and WebSockets. For rehearsals and tests."""

import asyncio
import json
import re
import time
import uuid
from html import unescape
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import nbformat
from aiohttp import ClientSession, ClientTimeout, CookieJar, WSMsgType
from yarl import URL

from firstread.core.errors import FirstreadError

_XSRF = re.compile(r'name="_xsrf" value="([^"]+)"')
_WORD = re.compile(r'id="word">([^<]+)<')
_ERROR = re.compile(r'class="error" role="alert">([^<]+)<')


class RehearsalError(FirstreadError):
    """A scripted participant could not do what a participant does."""


class ScriptedParticipant:
    """One of them; an asynchronous context manager.

    Attributes:
        username: in the hub, once the server runs.
        word: resume word, after joining as someone new.
        seconds: how long each thing took: "join", "server", "kernel".
    """

    def __init__(self, address: str, code: str) -> None:
        self.address, self.code = address.rstrip("/"), code
        self.username = self.word = ""
        self.seconds: dict[str, float] = {}
        self._kernel = self._notebook_session = ""
        self._socket: Any = None

    async def __aenter__(self) -> "ScriptedParticipant":
        # a class on this computer is reached by number, and cookies must come along
        self.session = ClientSession(cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(total=120))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.close()
        await self.session.close()

    async def join(self, name: str = "", *, word: str = "") -> None:
        """Come in with a name, or come back with a word.

        Raises:
            RehearsalError: the join page said no, with its words.
        """
        begin = time.perf_counter()
        async with self.session.get(f"{self.address}/hub/login?code={self.code}") as page:
            token = _XSRF.search(await page.text())
        if token is None:
            raise RehearsalError("There is no join page", where=self.address)
        form = {"_xsrf": token[1], "code": self.code, "name": name, "word": word}
        headers = {"Sec-Fetch-Mode": "navigate"}  # as a browser says
        async with self.session.post(f"{self.address}/hub/login", data=form, headers=headers) as page:
            text, status = await page.text(), page.status
        if said := _ERROR.search(text):
            raise RehearsalError(unescape(said[1]))
        if status >= 400:
            raise RehearsalError(f"The join page answered {status}", where=self.address)
        if found := _WORD.search(text):
            self.word = found[1]
        self.seconds["join"] = time.perf_counter() - begin

    async def open(self, *, patience_seconds: float = 120) -> None:
        """Wait for their server, as the page does that shows a spinner."""
        begin = time.perf_counter()
        await self._get(f"{self.address}/hub/spawn")
        while time.perf_counter() - begin < patience_seconds:
            url, status = await self._get(f"{self.address}/hub/user-redirect/lab")
            parts = urlsplit(url).path.split("/")
            if status == 200 and parts[1] == "user":
                self.username = parts[2]
                self.seconds["server"] = time.perf_counter() - begin
                return
            await asyncio.sleep(0.25)
        raise RehearsalError("The server did not start", where=url)

    async def _get(self, url: str) -> tuple[str, int]:
        async with self.session.get(url) as answer:
            await answer.read()
            return str(answer.url), answer.status

    @property
    def home(self) -> str:
        """Address of their server."""
        return f"{self.address}/user/{self.username}"

    async def api(self, method: str, path: str, /, **json_body: Any) -> Any:
        """A request to their server's own interface."""
        cookies = self.session.cookie_jar.filter_cookies(URL(f"{self.home}/"))
        headers = {"X-XSRFToken": cookies["_xsrf"].value} if "_xsrf" in cookies else {}
        async with self.session.request(
            method, f"{self.home}/api/{path}", json=json_body or None, headers=headers
        ) as answer:
            if answer.status >= 400:
                raise RehearsalError(f"The server answered {answer.status}", where=path)
            return await answer.json() if answer.status != 204 else None

    async def notebook(self, name: str) -> list[dict[str, Any]]:
        """The code cells of their copy of the lesson."""
        return [cell for cell in (await self.document(name)).cells if cell["cell_type"] == "code"]

    async def document(self, name: str) -> Any:
        """Their copy of the lesson (nbformat), after the page that shows it."""
        await self._get(f"{self.home}/lab/tree/{name}")  # a browser would have the page, and with it the cookie
        return nbformat.from_dict((await self.api("GET", f"contents/{name}?content=1"))["content"])

    async def now(self) -> dict[str, Any]:
        """How the class stands, as the bar above the notebook asks."""
        async with self.session.get(f"{self.home}/firstread/now?after=0") as answer:
            if answer.status != 200:
                raise RehearsalError(f"The server answered {answer.status}", where="firstread/now")
            return await answer.json()

    async def save(self, name: str) -> None:
        """Save their notebook, as the page does by itself."""
        content = (await self.api("GET", f"contents/{name}?content=1"))["content"]
        await self.api("PUT", f"contents/{name}", type="notebook", format="json", content=content)

    async def start_kernel(self, name: str) -> None:
        """Open the notebook's kernel and wait until it answers."""
        begin = time.perf_counter()
        made = await self.api("POST", "sessions", path=name, type="notebook", name=name, kernel={"name": "python3"})
        self._kernel = made["kernel"]["id"]
        await self.connect()
        self.seconds["kernel"] = time.perf_counter() - begin

    async def connect(self) -> None:
        """Listen to the notebook's kernel, again after it was restarted."""
        if self._socket is not None:
            await self._socket.close()
        self._notebook_session = uuid.uuid4().hex
        url = f"{self.home}/api/kernels/{self._kernel}/channels?session_id={self._notebook_session}"
        self._socket = await self.session.ws_connect(url.replace("http", "ws", 1), max_msg_size=0, heartbeat=30)
        await self._ask("kernel_info_request", {})

    async def run(self, code: str, *, cell: str = "", patience_seconds: float = 900) -> dict[str, Any]:
        """Run a cell; gives `status` ("ok" or "error"), `ename` of an error, and printed `text`."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        return await self._ask("execute_request", content, metadata={"cellId": cell}, patience_seconds=patience_seconds)

    async def _ask(
        self,
        kind: str,
        content: dict[str, Any],
        *,
        metadata: dict[str, Any] | None = None,
        patience_seconds: float = 60,
    ) -> dict[str, Any]:
        number = uuid.uuid4().hex
        header = {
            "msg_id": number,
            "msg_type": kind,
            "username": "",
            "session": self._notebook_session,
            "version": "5.3",
            "date": "",
        }
        await self._socket.send_str(
            json.dumps(
                {
                    "header": header,
                    "parent_header": {},
                    "metadata": metadata or {},
                    "content": content,
                    "channel": "shell",
                }
            )
        )
        text, reply, idle = [], None, kind == "kernel_info_request"
        async with asyncio.timeout(patience_seconds):
            while reply is None or not idle:
                message = await self._socket.receive()
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    raise RehearsalError("The connection to the kernel was cut", where=kind)
                if message.type != WSMsgType.TEXT:
                    continue
                told = json.loads(message.data)
                if told.get("parent_header", {}).get("msg_id") != number:
                    continue
                if told["msg_type"] == "stream":
                    text.append(told["content"]["text"])
                elif told["msg_type"] == "status":
                    idle = idle or told["content"]["execution_state"] == "idle"
                elif told["channel"] == "shell":
                    reply = told["content"]
        return {**reply, "text": "".join(text)}
