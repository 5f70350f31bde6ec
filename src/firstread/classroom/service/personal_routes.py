"""Routes of a participant's own page: personal link, calendar entry, results, download and deletion of work."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.concurrency import iterate_in_threadpool

from firstread.classroom.database.answers import OCCASIONS
from firstread.classroom.database.forum import count_own_posts
from firstread.classroom.database.schema import Participant
from firstread.classroom.outcomes.engagement import INSTRUCTIONS_PAGE
from firstread.classroom.outcomes.quiz_schedule import QUIZ_TITLES
from firstread.classroom.rate_limits import RateLimiter
from firstread.classroom.service.deletion import delete_hub_user, delete_participant
from firstread.classroom.service.icalendar import all_day_event
from firstread.classroom.service.personal_links import PERSONAL_PREFIX, is_valid_token, personal_path
from firstread.classroom.service.personal_session import (
    COOKIE_NAME,
    CurrentParticipant,
    NotAuthenticatedError,
    load_schedule,
    read_form,
    render_page,
    set_session_cookie,
)
from firstread.classroom.service.state import ServiceState, State
from firstread.classroom.service.work_archive import stream_work_zip
from firstread.lessons.install_requirement import pip_requirement

router = APIRouter(prefix="/me")


@router.get("/link/{username}/{token}")
async def open_personal_link(username: str, token: str, request: Request, service: State, to: str = "") -> Response:
    """Personal link: set the session cookie, and redirect to an address without the token."""
    is_valid = is_valid_token(service.folder, username, token)
    if not is_valid or await asyncio.to_thread(service.store.find_participant, username) is None:
        limiter: RateLimiter = request.app.state.link_limiter
        address = service.client_address(request)
        if not limiter.is_allowed(address):
            return PlainTextResponse("Too many wrong links came from here. Wait a minute and try again.", 429)
        limiter.record_failure(address)
        raise NotAuthenticatedError
    pages = {"survey", "results", *(f"quiz/{occasion}" for occasion in OCCASIONS)}
    response = RedirectResponse(f"{PERSONAL_PREFIX}/{to if to in pages else ''}", 303)
    set_session_cookie(response, service.folder, username)
    return response


@router.get("/")
async def home_page(request: Request, participant: CurrentParticipant, service: State) -> HTMLResponse:
    """Personal page: due questionnaires, earlier answers, results, download and deletion."""
    values = {"schedule": await load_schedule(service, participant), "quiz_titles": QUIZ_TITLES}
    values |= {"posts": await asyncio.to_thread(count_own_posts, service.store, participant.id)}
    return render_page(
        service,
        "personal_home.html",
        participant=participant,
        link=_absolute_link(request, service, participant),
        **values,
    )


@router.get("/reminder.ics")
async def calendar_reminder(request: Request, participant: CurrentParticipant, service: State) -> Response:
    """Calendar entry for the day of the last quiz."""
    day = (await load_schedule(service, participant)).retention_day
    if day is None:
        raise HTTPException(404, "The day of the last quiz is known after the lesson")
    entry = all_day_event(
        title=f"Last quiz: {service.folder.lesson.title}",
        description="What has stayed? Five minutes, by your personal link:",
        url=_absolute_link(request, service, participant),
        day=day,
        uid=participant.username,
    )
    return Response(
        entry, media_type="text/calendar", headers={"Content-Disposition": 'attachment; filename="last-quiz.ics"'}
    )


@router.get("/results")
async def own_results_page(participant: CurrentParticipant, service: State, request: Request) -> HTMLResponse:
    """A participant's run among those of the class, without names."""
    values = await request.app.state.results.for_participant(participant.id)
    return render_page(service, "personal_results.html", participant=participant, **values)


@router.get("/work.zip")
async def download_work(request: Request, participant: CurrentParticipant, service: State) -> Response:
    """A participant's notebook, results, report and network as a ZIP; one download at a time for each participant."""
    home, active_downloads = service.folder.home_of(participant.username), request.app.state.active_downloads
    if not await asyncio.to_thread(home.is_dir):
        raise HTTPException(404, "There is nothing of yours to take home yet")
    if participant.username in active_downloads:
        return PlainTextResponse("Your work is being downloaded already. Wait until that is done.", 429)
    event: dict[str, Any] = {"key": secrets.token_hex(16), "kind": "download", "step": None, "values": {}}
    await asyncio.to_thread(
        service.store.record_events, participant.username, [event | {"happened": datetime.now(UTC)}]
    )
    name = service.folder.settings.lesson
    chunks = stream_work_zip(home, lesson=name, title=service.folder.lesson.title)
    return StreamingResponse(
        _stream_exclusively(chunks, participant.username, active_downloads),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}.zip"'},
    )


async def _stream_exclusively(
    chunks: Iterator[bytes], username: str, active_downloads: set[str]
) -> AsyncIterator[bytes]:
    active_downloads.add(username)
    try:
        async for chunk in iterate_in_threadpool(chunks):
            yield chunk
    finally:
        active_downloads.discard(username)


@router.get(f"/{INSTRUCTIONS_PAGE}")
async def home_instructions_page(participant: CurrentParticipant, service: State) -> HTMLResponse:
    """Instructions on how to go on with the lesson at home."""
    return render_page(
        service,
        "personal_at_home.html",
        participant=participant,
        lesson_name=service.folder.settings.lesson,
        requirement=pip_requirement("all"),
        notebook_requirement=pip_requirement(),
    )


@router.get("/leave")
async def deletion_page(participant: CurrentParticipant, service: State) -> HTMLResponse:
    """Confirmation form for the deletion of a participant's data."""
    return render_page(service, "personal_delete.html", participant=participant)


@router.post("/leave")
async def delete_my_data(request: Request, participant: CurrentParticipant, service: State) -> Response:
    """Delete all data of a participant after confirmation."""
    if (await read_form(request)).get("sure") != "yes":
        return render_page(service, "personal_delete.html", 422, participant=participant, unconfirmed=True)
    server_ended = await delete_hub_user(service.hub, participant.username)
    await asyncio.to_thread(delete_participant, service.folder, service.store, participant.username)
    response = render_page(service, "personal_deleted.html", server_ended=server_ended)
    response.delete_cookie(COOKIE_NAME, path=PERSONAL_PREFIX)
    return response


def _absolute_link(request: Request, service: ServiceState, participant: Participant) -> str:
    """A participant's link with the host under which their browser reaches the class."""
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "")
    scheme = "https" if service.folder.settings.certificate else "http"
    return f"{scheme}://{host}{personal_path(service.folder, participant.username)}"
