"""Application of the classroom service: notebooks send events to it, the instructor watches the class and acts.

A service of the hub (`python -m firstread.classroom.service.app`), served under /services/classroom/. Participants'
servers authenticate with the token that the hub gave them (`participant_routes.py`), the instructor with the class's
key (`instructor_routes.py`), and participants' browsers with a personal link (`personal_routes.py`).
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from jupyterhub.services.auth import HubAuth
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.sessions import SessionMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firstread.classroom.class_folder import SERVICE_PREFIX, ClassFolder
from firstread.classroom.database.store import AccessError, Store
from firstread.classroom.outcomes.results import Results
from firstread.classroom.progress.capacity import CapacityMonitor
from firstread.classroom.progress.dashboard import Dashboard
from firstread.classroom.progress.participant_view import ParticipantView
from firstread.classroom.queue_broker import QueueBroker
from firstread.classroom.rate_limits import RateLimiter
from firstread.classroom.service import (
    forum_routes,
    instructor_routes,
    participant_routes,
    personal_routes,
    questionnaire_routes,
    record_routes,
    results_routes,
)
from firstread.classroom.service.personal_links import DueLinksCache
from firstread.classroom.service.personal_session import NotAuthenticatedError, forbidden_page
from firstread.classroom.service.state import SESSION_SECONDS, ServiceState
from firstread.core.errors import SettingError

MAX_BODY_BYTES = 8 * 2**20
_ROUTES = (
    participant_routes,
    instructor_routes,
    personal_routes,
    questionnaire_routes,
    results_routes,
    record_routes,
    forum_routes,
)
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; "
        "base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def make_app(folder: ClassFolder, *, store: Store | None = None, hub: Any = None) -> FastAPI:
    """Create the application of one class.

    Args:
        store: the class database; by default the folder's.
        hub: resolves a token to its user, as `HubAuth` does.
    """
    store = store or folder.store()
    queue = QueueBroker(folder, cores=CapacityMonitor(folder.path).cores())
    service = ServiceState(
        folder=folder,
        store=store,
        dashboard=Dashboard(
            folder, store, capacity=CapacityMonitor(folder.path, count_trainings=queue.count_trainings)
        ),
        hub=hub or HubAuth(cache_max_age=300),
        login_limiter=RateLimiter(max_failures=10),
        participant_view=ParticipantView(store, folder.lesson.steps),
        due_links=DueLinksCache(folder, store),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(store.create)
        async with queue.serve() if folder.shares_machine else nullcontext():
            yield

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.service = service
    app.state.results, app.state.link_limiter = Results(folder, store), RateLimiter(max_failures=10)
    app.state.active_downloads, app.state.uploads = set(), forum_routes.Uploads()  # usernames; posts of the forum
    _add_middleware(app, folder)
    app.exception_handler(401)(_redirect_to_login)
    for error in (SettingError, AccessError):
        app.exception_handler(error)(_bad_request)
    app.exception_handler(NotAuthenticatedError)(forbidden_page)
    for module in _ROUTES:
        app.include_router(module.router, prefix=SERVICE_PREFIX)
    return app


def _add_middleware(app: FastAPI, folder: ClassFolder) -> None:
    key = bytes.fromhex(folder.settings.class_key)
    app.add_middleware(
        SessionMiddleware,
        secret_key=hmac.new(key, b"instructor's session", hashlib.sha256).hexdigest(),
        session_cookie="firstread-instructor",
        path=SERVICE_PREFIX,
        same_site="strict",
        https_only=folder.scheme == "https",
        max_age=SESSION_SECONDS,
    )
    app.add_middleware(_SecurityMiddleware)


class _SecurityMiddleware:
    """Limit the body size, refuse cross-site requests (CSRF), and add security headers to each response.

    Plain ASGI: a hundred notebooks poll all the time, and Starlette's `BaseHTTPMiddleware` costs a task and two streams
    for each request.
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
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        app = self._rejection(Headers(scope=scope), scope["method"]) or self.app
        await app(scope, receive, send_with_headers)

    @staticmethod
    def _rejection(headers: Headers, method: str) -> Response | None:
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES or "transfer-encoding" in headers:
            return PlainTextResponse("Too large", 413)
        is_cross_site = headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        origin, host = headers.get("origin", ""), headers.get("x-forwarded-host") or headers.get("host", "")
        is_cross_site |= bool(origin) and urlsplit(origin).netloc != host  # browsers without Sec-Fetch-Site
        if is_cross_site and method not in ("GET", "HEAD"):
            return PlainTextResponse("Sent by another site", 403)
        return None


async def _redirect_to_login(request: Request, error: HTTPException) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"{SERVICE_PREFIX}/login", 303)
    return PlainTextResponse(str(error.detail), 401)


async def _bad_request(_: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 400)


def main() -> None:
    """Serve the class in the folder that FIRSTREAD_CLASS names."""
    import uvicorn

    folder = ClassFolder(Path(os.environ["FIRSTREAD_CLASS"]))
    uvicorn.run(
        make_app(folder),
        host="127.0.0.1",
        port=folder.ports["service"],
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
