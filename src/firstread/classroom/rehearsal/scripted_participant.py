"""Scripted (virtual) participant: joins, opens the lesson and runs its cells over HTTP and WebSockets.

Used by the load test and by tests.
"""

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
_RESUME_WORD = re.compile(r'id="word">([^<]+)<')
_ERROR = re.compile(r'class="error" role="alert">([^<]+)<')


class LoadTestError(FirstreadError):
    """A scripted participant could not do what a participant does."""


class ScriptedParticipant:
    """HTTP and WebSocket client of one participant; an asynchronous context manager.

    Attributes:
        username: in the hub, once the server runs.
        resume_word: of a participant who joined with a name; empty otherwise.
        durations_seconds: of "join", "server" and "kernel".
    """

    def __init__(self, address: str, code: str) -> None:
        self.address, self.code = address.rstrip("/"), code
        self.username = self.resume_word = ""
        self.durations_seconds: dict[str, float] = {}
        self._kernel_id = self._session_id = ""
        self._socket: Any = None

    async def __aenter__(self) -> "ScriptedParticipant":
        # unsafe: a class on this computer is reached by IP address, and aiohttp drops cookies of such hosts by default
        self.session = ClientSession(cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(total=120))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.close()
        await self.session.close()

    async def join(self, name: str = "", *, resume_word: str = "") -> None:
        """Join the class with a name, or return with a resume word.

        Raises:
            LoadTestError: the join page refused, with the page's message.
        """
        begin = time.perf_counter()
        async with self.session.get(f"{self.address}/hub/login?code={self.code}") as page:
            token = _XSRF.search(await page.text())
        if token is None:
            raise LoadTestError("There is no join page", where=self.address)
        form = {"_xsrf": token[1], "code": self.code, "name": name, "word": resume_word}
        headers = {"Sec-Fetch-Mode": "navigate"}  # as browsers send it
        async with self.session.post(f"{self.address}/hub/login", data=form, headers=headers) as page:
            text, status = await page.text(), page.status
        if message := _ERROR.search(text):
            raise LoadTestError(unescape(message[1]))
        if status >= 400:
            raise LoadTestError(f"The join page answered {status}", where=self.address)
        if found := _RESUME_WORD.search(text):
            self.resume_word = found[1]
        self.durations_seconds["join"] = time.perf_counter() - begin

    async def open_server(self, *, timeout_seconds: float = 120) -> None:
        """Start the participant's server and poll until it answers, as the page with the spinner does."""
        begin = time.perf_counter()
        await self._get(f"{self.address}/hub/spawn")
        while time.perf_counter() - begin < timeout_seconds:
            url, status = await self._get(f"{self.address}/hub/user-redirect/lab")
            parts = urlsplit(url).path.split("/")
            if status == 200 and parts[1] == "user":
                self.username = parts[2]
                self.durations_seconds["server"] = time.perf_counter() - begin
                return
            await asyncio.sleep(0.25)
        raise LoadTestError("The server did not start", where=url)

    async def _get(self, url: str) -> tuple[str, int]:
        async with self.session.get(url) as response:
            await response.read()
            return str(response.url), response.status

    @property
    def server_url(self) -> str:
        """Address of the participant's server."""
        return f"{self.address}/user/{self.username}"

    async def api_request(self, method: str, path: str, /, **json_body: Any) -> Any:
        """Call the REST API of the participant's Jupyter server and return the JSON of the response."""
        cookies = self.session.cookie_jar.filter_cookies(URL(f"{self.server_url}/"))
        headers = {"X-XSRFToken": cookies["_xsrf"].value} if "_xsrf" in cookies else {}
        async with self.session.request(
            method, f"{self.server_url}/api/{path}", json=json_body or None, headers=headers
        ) as response:
            if response.status >= 400:
                raise LoadTestError(f"The server answered {response.status}", where=path)
            return await response.json() if response.status != 204 else None

    async def read_code_cells(self, name: str) -> list[dict[str, Any]]:
        """Read the code cells of the participant's copy of the lesson."""
        return [cell for cell in (await self.read_notebook(name)).cells if cell["cell_type"] == "code"]

    async def read_notebook(self, name: str) -> Any:
        """Read the participant's copy of the lesson (nbformat), after the page that shows it."""
        await self._get(f"{self.server_url}/lab/tree/{name}")  # the page sets the XSRF cookie
        return nbformat.from_dict((await self.api_request("GET", f"contents/{name}?content=1"))["content"])

    async def read_class_state(self) -> dict[str, Any]:
        """Read the class's state, as the bar above the notebook does."""
        async with self.session.get(f"{self.server_url}/firstread/now?after=0") as response:
            if response.status != 200:
                raise LoadTestError(f"The server answered {response.status}", where="firstread/now")
            return await response.json()

    async def save_notebook(self, name: str) -> None:
        """Save the notebook, as JupyterLab's autosave does."""
        content = (await self.api_request("GET", f"contents/{name}?content=1"))["content"]
        await self.api_request("PUT", f"contents/{name}", type="notebook", format="json", content=content)

    async def start_kernel(self, name: str) -> None:
        """Start the notebook's kernel and wait until it answers."""
        begin = time.perf_counter()
        kernel = {"name": "python3"}
        session = await self.api_request("POST", "sessions", path=name, type="notebook", name=name, kernel=kernel)
        self._kernel_id = session["kernel"]["id"]
        await self.connect_kernel()
        self.durations_seconds["kernel"] = time.perf_counter() - begin

    async def connect_kernel(self) -> None:
        """Connect the WebSocket to the notebook's kernel; also after the kernel was restarted."""
        if self._socket is not None:
            await self._socket.close()
        self._session_id = uuid.uuid4().hex
        url = f"{self.server_url}/api/kernels/{self._kernel_id}/channels?session_id={self._session_id}"
        self._socket = await self.session.ws_connect(url.replace("http", "ws", 1), max_msg_size=0, heartbeat=30)
        await self._send_kernel_request("kernel_info_request", {})

    async def run_cell(self, code: str, *, cell: str = "", timeout_seconds: float = 900) -> dict[str, Any]:
        """Run code as a cell; returns `status` ("ok" or "error"), `ename` of an error, and printed `text`."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
        metadata = {"cellId": cell}
        return await self._send_kernel_request(
            "execute_request", content, metadata=metadata, timeout_seconds=timeout_seconds
        )

    async def _send_kernel_request(
        self,
        message_type: str,
        content: dict[str, Any],
        *,
        metadata: dict[str, Any] | None = None,
        timeout_seconds: float = 60,
    ) -> dict[str, Any]:
        """Send a message of the Jupyter protocol on the shell channel; return the reply's content and printed text."""
        message_id = uuid.uuid4().hex
        header = {"msg_id": message_id, "msg_type": message_type, "session": self._session_id}
        header |= {"username": "", "version": "5.3", "date": ""}
        request = {"header": header, "parent_header": {}, "metadata": metadata or {}, "content": content}
        await self._socket.send_str(json.dumps(request | {"channel": "shell"}))
        text, reply, idle = [], None, message_type == "kernel_info_request"
        async with asyncio.timeout(timeout_seconds):
            while reply is None or not idle:
                frame = await self._socket.receive()
                if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    raise LoadTestError("The connection to the kernel was cut", where=message_type)
                if frame.type != WSMsgType.TEXT:
                    continue
                message = json.loads(frame.data)
                if message.get("parent_header", {}).get("msg_id") != message_id:
                    continue
                if message["msg_type"] == "stream":
                    text.append(message["content"]["text"])
                elif message["msg_type"] == "status":
                    idle = idle or message["content"]["execution_state"] == "idle"
                elif message["channel"] == "shell":
                    reply = message["content"]
        return {**reply, "text": "".join(text)}
