"""The classroom service: notebooks tell it what happens, the instructor sees it and acts.

A service of the hub (`python -m firstread.classroom.service.app`), reached under /services/classroom/. Participants' servers come with the token that the hub gave
them (`participant_routes.py`); the instructor comes with the class's key (`instructor_routes.py`).
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from jupyterhub.services.auth import HubAuth
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.sessions import SessionMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firstread.classroom.class_folder import PREFIX, ClassFolder
from firstread.classroom.database.store import DoorError, Store
from firstread.classroom.outcomes.results import Results
from firstread.classroom.progress.dashboard import Board
from firstread.classroom.progress.participant_view import Now
from firstread.classroom.rate_limits import Guesses
from firstread.classroom.service import instructor_routes, participant_routes, personal_routes, results_routes
from firstread.classroom.service.personal_links import DueLinks
from firstread.classroom.service.state import SESSION_SECONDS, Room
from firstread.core.errors import SettingError

MOST_BODY_BYTES = 8 * 2**20
_SECURITY = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def make_app(folder: ClassFolder, *, store: Store | None = None, hub: Any = None) -> FastAPI:
    """The service of one class.

    Args:
        store: the class's memory; by default the folder's.
        hub: says whose a token is, as `HubAuth` does.
    """
    store = store or folder.store()
    guesses, now = Guesses(most=10), Now(store, folder.lesson.steps)
    hub, due = hub or HubAuth(cache_max_age=300), DueLinks(folder, store)
    room = Room(folder, store, Board(folder, store), hub, guesses, now, due)
    secret = hmac.new(bytes.fromhex(folder.settings.class_key), b"instructor's session", hashlib.sha256).hexdigest()

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(store.create)
        yield

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=life)
    app.state.room = room
    app.state.results, app.state.link_guesses = Results(folder, store), Guesses(most=10)
    app.state.packing = set()  # who is downloading their work
    app.add_middleware(
        SessionMiddleware, secret_key=secret, session_cookie="firstread-instructor", path=PREFIX, same_site="strict",
        https_only=folder.scheme == "https", max_age=SESSION_SECONDS,
    )  # fmt: skip
    app.add_middleware(_Guard)
    app.exception_handler(401)(_to_login)
    for error in (SettingError, DoorError):
        app.exception_handler(error)(_in_words)
    app.exception_handler(personal_routes.StrangerError)(personal_routes.who_are_you)
    for router in (participant_routes.router, instructor_routes.router, personal_routes.router, results_routes.router):
        app.include_router(router, prefix=PREFIX)
    return app


class _Guard:
    """Nothing too large, nothing that another site sends in the instructor's name, and strict headers on everything.

    Plain ASGI: a hundred notebooks ask all the time, and Starlette's own way of writing this costs a task and two streams each time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(Headers(scope=scope), scope["method"]) or self.app
        await answer(scope, receive, send_with_headers)

    @staticmethod
    def _refusal(headers: Headers, method: str) -> Response | None:
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MOST_BODY_BYTES or "transfer-encoding" in headers:
            return PlainTextResponse("Too large", 413)
        foreign = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        if foreign and method not in ("GET", "HEAD"):
            return PlainTextResponse("Sent by another site", 403)
        return None


async def _to_login(request: Request, error: HTTPException) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{PREFIX}/login", 303)
    return PlainTextResponse(str(error.detail), 401)


async def _in_words(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 400)


def main() -> None:
    """Serve the class whose folder FIRSTREAD_CLASS names."""
    import uvicorn

    folder = ClassFolder(Path(os.environ["FIRSTREAD_CLASS"]))
    uvicorn.run(
        make_app(folder), host="127.0.0.1", port=folder.ports["service"], log_level="warning", access_log=False,
        server_header=False, timeout_graceful_shutdown=2,
    )  # fmt: skip


if __name__ == "__main__":
    main()
