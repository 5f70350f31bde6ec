"""Session of a participant's personal pages: a signed cookie, the current participant, and rendering."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.schema import Participant
from firstread.classroom.outcomes.class_data import session_end
from firstread.classroom.outcomes.engagement import INSTRUCTIONS_PAGE
from firstread.classroom.outcomes.quiz_schedule import QuizSchedule, participant_schedule
from firstread.classroom.service.personal_links import PERSONAL_PREFIX
from firstread.classroom.service.state import SESSION_SECONDS, ServiceState, State, service_state

COOKIE_NAME = "firstread-me"
MAX_FORM_FIELDS = 60


class NotAuthenticatedError(Exception):
    """A personal link with a wrong token, or a session that is missing or has expired."""


async def current_participant(request: Request, service: State) -> Participant:
    """Participant of the session cookie that their personal link has set."""
    cookie = request.cookies.get(COOKIE_NAME, "")
    try:
        username = _cookie_signer(service.folder).loads(cookie, max_age=SESSION_SECONDS)
    except BadSignature as error:
        raise NotAuthenticatedError from error
    participant = await asyncio.to_thread(service.store.find_participant, str(username))
    if participant is None:
        raise NotAuthenticatedError
    return participant


async def visiting_participant(
    request: Request, service: State, participant: Annotated[Participant, Depends(current_participant)]
) -> Participant:
    """The current participant, whose visit is recorded once the session is over for them, at most once a minute."""
    now = datetime.now(UTC)
    if now > session_end(participant):
        path = request.url.path.removeprefix(f"{PERSONAL_PREFIX}/")
        page = path if path == INSTRUCTIONS_PAGE else ""
        # by its key, the first of all requests of a minute is stored
        event: dict[str, Any] = {"key": f"visit-{int(now.timestamp() // 60)}-{page}", "kind": "visit", "step": None}
        event |= {"values": {"page": page}, "happened": now}
        await asyncio.to_thread(service.store.record_events, participant.username, [event])
    return participant


CurrentParticipant = Annotated[Participant, Depends(visiting_participant)]


async def forbidden_page(request: Request, _: Exception) -> HTMLResponse:
    """Response to a request without a valid personal session."""
    return HTMLResponse(service_state(request).dashboard.render("personal_forbidden.html"), 403)


def set_session_cookie(response: Response, folder: ClassFolder, username: str) -> None:
    """Start a participant's session in their browser."""
    response.set_cookie(
        COOKIE_NAME,
        _cookie_signer(folder).dumps(username),
        max_age=SESSION_SECONDS,
        path=PERSONAL_PREFIX,
        httponly=True,
        samesite="lax",
        secure=bool(folder.settings.certificate),
    )


async def load_schedule(service: ServiceState, participant: Participant) -> QuizSchedule:
    """Quizzes and survey of a participant with their state."""
    return await asyncio.to_thread(participant_schedule, service.folder, service.store, participant)


async def read_form(request: Request) -> dict[str, str]:
    """Text fields of a submitted form; uploads and forms with too many fields are refused."""
    form = await request.form(max_files=0, max_fields=MAX_FORM_FIELDS)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def render_page(service: ServiceState, name: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """Render a personal page."""
    return HTMLResponse(service.dashboard.render(name, personal_prefix=PERSONAL_PREFIX, **values), status)


def _cookie_signer(folder: ClassFolder) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(bytes.fromhex(folder.settings.class_key), salt="participant's session")
