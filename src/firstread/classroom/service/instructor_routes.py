"""Routes for the instructor: login with the class's key, the dashboard, the projector view, and actions."""

import asyncio
import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from firstread.classroom.class_folder import SERVICE_PREFIX
from firstread.classroom.database.help_requests import get_help_request, update_help_request
from firstread.classroom.database.instructor_store import (
    end_plan,
    participant_by_number,
    recent_events,
    renew_resume_word,
)
from firstread.classroom.database.schema import Event
from firstread.classroom.database.store import as_utc
from firstread.classroom.home_directory import RESUME_WORD_FILE
from firstread.classroom.progress.dashboard import DashboardSnapshot
from firstread.classroom.progress.event_stream import View
from firstread.classroom.service.deletion import remove_participant
from firstread.classroom.service.invitation import build_invitation
from firstread.classroom.service.notebook_sanitizer import SanitizedCell, find_step, sanitize_notebook
from firstread.classroom.service.state import SESSION_SECONDS, ServiceState, State
from firstread.core.errors import DataError, SettingError

MAX_MESSAGE_CHARACTERS, MAX_EVENTS_SHOWN = 500, 40
router = APIRouter()


def require_instructor(request: Request) -> None:
    """Refuse a request without a valid instructor session."""
    if request.session.get("until", 0) < time.time():
        raise HTTPException(401, "log in")


instructor_only = [Depends(require_instructor)]


@router.get("/login")
async def login_page(service: State, wrong: Literal["", "1", "often"] = "") -> HTMLResponse:
    """Login form for the instructor key."""
    return HTMLResponse(service.dashboard.render("instructor_login.html", wrong=wrong))


@router.post("/login")
async def login(
    request: Request,
    service: State,
    key: Annotated[str, Form(max_length=100)] = "",
    view: Annotated[View, Form()] = "instructor",
) -> RedirectResponse:
    """Check the instructor key and start a session."""
    # the right key is let in however many wrong ones came from the same address: it is too long to be guessed
    if not hmac.compare_digest(key.strip().encode(), service.folder.settings.instructor_key.encode()):
        address = service.client_address(request)
        is_limited = not service.login_limiter.is_allowed(address)
        service.login_limiter.record_failure(address)
        return RedirectResponse(f"{SERVICE_PREFIX}/login?wrong={'often' if is_limited else '1'}", 303)
    request.session["until"] = time.time() + SESSION_SECONDS
    return RedirectResponse(f"{SERVICE_PREFIX}/" + ("projector" if view == "projector" else ""), 303)


@router.post("/logout")
async def logout(request: Request) -> RedirectResponse:
    """End the instructor's session in this browser."""
    request.session.clear()
    return RedirectResponse(f"{SERVICE_PREFIX}/login", 303)


# ---- the two views


@router.get("/", dependencies=instructor_only)
async def dashboard_page(
    request: Request,
    service: State,
    order: Literal["stuck", "joined"] = "stuck",
    show: Literal["auto", "all", "needs"] = "auto",
) -> HTMLResponse:
    """The instructor's dashboard; its script keeps it up to date.

    Args:
        order: of the participants.
        show: all participants, or those who need help; "auto" decides by the width of the screen.
    """
    snapshot = await asyncio.to_thread(service.dashboard.snapshot)
    rows = sorted(snapshot.values["rows"], key=lambda row: (row["rank"] if order == "stuck" else 0, row["number"]))
    shown = {"order": order, "show": show, "rows": rows}
    return render_view(service, request, "dashboard.html", snapshot, view="instructor", **shown)


@router.get("/projector", dependencies=instructor_only)
async def projector_page(request: Request, service: State) -> HTMLResponse:
    """The projector view for the whole room: join code, plan, and progress as counts without names."""
    snapshot = await asyncio.to_thread(service.dashboard.snapshot)
    return render_view(service, request, "projector.html", snapshot, view="projector")


@router.get("/app.js")
async def dashboard_script(service: State) -> Response:
    """JavaScript of both views."""
    return Response(service.dashboard.read_source("app.js"), media_type="text/javascript")


@router.get("/stream", dependencies=instructor_only)
async def dashboard_stream(service: State, view: View = "instructor") -> StreamingResponse:
    """Updates of a view (server-sent events)."""
    events = service.dashboard.event_stream.events(view)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/session", dependencies=instructor_only, status_code=204)
async def session_check() -> None:
    """Check that the service answers and that the session is valid."""


@router.get("/api/progress", dependencies=instructor_only)
async def progress_json(service: State) -> dict[str, Any]:
    """Values of the dashboard as JSON."""
    return await asyncio.to_thread(service.dashboard.values)


# ---- actions


@router.post("/actions/{action}", dependencies=instructor_only)
async def instructor_action(
    action: str,
    request: Request,
    service: State,
    value: Annotated[str, Form(max_length=2000)] = "",
    number: Annotated[int, Form()] = 0,
) -> Response:
    """Perform an action of the instructor on the door, the plan, the called step, a help request or a broadcast."""
    store, value = service.store, value.strip()
    actions = {
        "door": lambda: store.set_door(value),
        "begin": store.start_plan,
        "pause": store.pause_plan,
        "end": lambda: end_plan(store),
        "step": lambda: store.set_called_step(service.dashboard.check_step(value)),
        "say": lambda: store.add_broadcast(_validate_message(value)),
        "take": lambda: update_help_request(store, number, state="taken"),
        "release": lambda: update_help_request(store, number, state="waiting"),
        "answer": lambda: update_help_request(store, number, state="taken", answer=_validate_message(value)),
        "resolve": lambda: update_help_request(store, number, state="resolved", answer=value or None),
    }
    if action not in actions:
        raise HTTPException(404)
    await asyncio.to_thread(actions[action])
    if request.headers.get("x-requested-with") == "fetch":  # the script of the page updates it
        return Response(status_code=204)
    return RedirectResponse(f"{SERVICE_PREFIX}/", 303)


# ---- one participant


@router.get("/participants/{number}", dependencies=instructor_only)
async def participant_page(number: int, service: State) -> HTMLResponse:
    """Page of one participant: step, recent events and actions."""
    return await asyncio.to_thread(_render_participant, service, number)


@router.post("/participants/{number}/word", dependencies=instructor_only)
async def replace_resume_word(number: int, service: State) -> HTMLResponse:
    """Replace a resume word and show the new one once; the file with the old one is deleted, since it would mislead."""
    participant, word = await asyncio.to_thread(renew_resume_word, service.store, number)
    old_file = service.folder.home_of(participant.username) / RESUME_WORD_FILE
    await asyncio.to_thread(old_file.unlink, missing_ok=True)
    return await asyncio.to_thread(_render_participant, service, number, word)


@router.post("/participants/{number}/remove", dependencies=instructor_only)
async def remove_from_class(
    number: int, service: State, sure: Annotated[str, Form(max_length=10)] = ""
) -> HTMLResponse:
    """Remove a participant from the class after confirmation."""
    if sure != "yes":
        raise SettingError("Nobody was removed", do="tick the box beside the name first")
    participant = await asyncio.to_thread(participant_by_number, service.store, number)
    server_note = await remove_participant(service.store, service.hub, participant.username)
    values = {"name": participant.name, "server_note": server_note, "back": f"{SERVICE_PREFIX}/"}
    return HTMLResponse(service.dashboard.render("participant_removed.html", **values))


@router.get("/copy/{number}", dependencies=instructor_only)
async def notebook_copy_page(number: int, service: State) -> HTMLResponse:
    """Notebook copy of a help request, under a policy that lets nothing run or load."""
    return await asyncio.to_thread(_render_notebook_copy, service, number)


def render_view(
    service: ServiceState, request: Request, page: str, snapshot: DashboardSnapshot, *, view: View, **values: Any
) -> HTMLResponse:
    """Render a page that its script keeps up to date."""
    join = build_invitation(service.folder, request.headers)
    shown = {"join": join, "view": view, "values": snapshot.values, "parts": snapshot.parts[view]}
    return HTMLResponse(service.dashboard.render(page, **shown, **values))


def _render_participant(service: ServiceState, number: int, word: str | None = None) -> HTMLResponse:
    participant, values = participant_by_number(service.store, number), service.dashboard.values()
    row = next(row for row in values["rows"] if row["number"] == number)
    titles = {step["id"]: f"{step['number']}. {step['title']}" for step in values["steps"]}
    events = [
        _event_values(service, event, titles)
        for event in reversed(recent_events(service.store, participant))
        if event.kind != "cell" or not event.values.get("ok", True)
    ]
    shown = {"row": row, "steps": values["steps"], "events": _merge_equal(events)[:MAX_EVENTS_SHOWN], "word": word}
    return HTMLResponse(
        service.dashboard.render("participant.html", **shown, door=values["door"], service_prefix=SERVICE_PREFIX)
    )


def _merge_equal(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One line for what happened several times in a row, such as the same error; its time is that of the first line."""
    groups = (list(group) for _, group in groupby(events, key=itemgetter("kind", "error", "where")))
    return [{**group[0], "count": len(group)} for group in groups]


def _event_values(service: ServiceState, event: Event, titles: dict[str, str]) -> dict[str, Any]:
    if event.kind == "cell":
        where = str(service.dashboard.cells.find(str(event.values.get("cell"))))
    else:
        where = titles.get(event.step or "", "")
    error = None if event.values.get("ok", True) else str(event.values.get("error") or "Error")[:60]
    minutes = int((datetime.now(UTC) - as_utc(event.received)).total_seconds() // 60)
    return {"kind": event.kind, "minutes": minutes, "error": error, "where": where}


def _render_notebook_copy(service: ServiceState, number: int) -> HTMLResponse:
    help_request, unreadable = get_help_request(service.store, number), ""
    cells: list[SanitizedCell] = []
    names = service.store.display_names()
    try:
        cells = sanitize_notebook(help_request.notebook or "")
    except DataError as error:
        unreadable = str(error)
    style = service.dashboard.read_source("base.css") + service.dashboard.read_source("notebook_copy.css")
    failed_cell = next((cell.number for cell in cells if cell.has_error), None)
    numbers = {"failed_cell": failed_cell, "step_cell": find_step(cells, help_request.step)}
    titles = {step["id"]: f"{place}. {step['title']}" for place, step in enumerate(service.folder.lesson.steps, 1)}
    values = {"note": help_request.note, "step": titles.get(help_request.step or "", ""), "unreadable": unreadable}
    name = names.get(help_request.participant_id, "somebody")
    html = service.dashboard.render("notebook_copy.html", **values, **numbers, name=name, cells=cells, style=style)
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def _validate_message(text: str) -> str:
    if not text:
        raise SettingError("Nothing was said", do="type what you want to say")
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise SettingError(f"That is longer than {MAX_MESSAGE_CHARACTERS} characters", do="shorten it")
    return text
