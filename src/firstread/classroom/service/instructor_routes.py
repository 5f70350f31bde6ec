"""What the instructor sees and does, with the class's key."""

import asyncio
import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from firstread.classroom.class_folder import PREFIX
from firstread.classroom.database.instructor_store import call_for_help, end_plan, events_of, new_word, participant
from firstread.classroom.database.store import aware
from firstread.classroom.progress.event_stream import View
from firstread.classroom.rate_limits import sender
from firstread.classroom.service.invitation import invitation
from firstread.classroom.service.notebook_sanitizer import read_copy
from firstread.classroom.service.removing import remove
from firstread.classroom.service.state import SESSION_SECONDS, Room, room_of
from firstread.core.errors import DataError, SettingError

MOST_SAID, MOST_SHOWN = 500, 40
router = APIRouter()
TheRoom = Annotated[Room, Depends(room_of)]


def instructor(request: Request) -> None:
    """Only who typed the key, and not too long ago."""
    if request.session.get("until", 0) < time.time():
        raise HTTPException(401, "log in")


only_instructor = [Depends(instructor)]


@router.get("/login")
async def login_page(room: TheRoom, wrong: bool = False) -> HTMLResponse:
    """Where the instructor types the key."""
    return HTMLResponse(room.board.render("instructor_login.html", wrong=wrong))


@router.post("/login")
async def login(
    request: Request,
    room: TheRoom,
    key: Annotated[str, Form(max_length=100)] = "",
    view: Annotated[View, Form()] = "instructor",
) -> RedirectResponse:
    """Check the key."""
    address = sender(request.headers.get("x-forwarded-for", ""), proxies=room.folder.proxies)
    right = hmac.compare_digest(key.strip().encode(), room.folder.settings.instructor_key.encode())
    if not room.guesses.allowed(address) or not right:
        room.guesses.wrong(address)
        return RedirectResponse(f"{PREFIX}/login?wrong=1", 303)
    request.session["until"] = time.time() + SESSION_SECONDS
    return RedirectResponse(f"{PREFIX}/" + ("projector" if view == "projector" else ""), 303)


@router.post("/logout")
async def logout(request: Request) -> RedirectResponse:
    """Forget the instructor in this browser."""
    request.session.clear()
    return RedirectResponse(f"{PREFIX}/login", 303)


# ---- the two views


@router.get("/", dependencies=only_instructor)
async def dashboard(
    request: Request,
    room: TheRoom,
    order: Literal["stuck", "joined"] = "stuck",
    show: Literal["auto", "all", "needs"] = "auto",
) -> HTMLResponse:
    """Everything, for the instructor; the page renews itself.

    Args:
        order: of the participants.
        show: all of them, or who needs somebody; "auto" decides by the width of the screen.
    """
    look = await asyncio.to_thread(room.board.look)
    rows = sorted(look.values["rows"], key=lambda row: (row["rank"] if order == "stuck" else 0, row["number"]))
    return _page(room, request, "dashboard.html", look, view="instructor", order=order, show=show, rows=rows)


@router.get("/projector", dependencies=only_instructor)
async def projector(request: Request, room: TheRoom) -> HTMLResponse:
    """For the room: how to join, the plan, and how far the class is, as counts."""
    return _page(room, request, "projector.html", await asyncio.to_thread(room.board.look), view="projector")


@router.get("/app.js")
async def script(room: TheRoom) -> Response:
    """The script of both views."""
    return Response(room.board.source("app.js"), media_type="text/javascript")


@router.get("/stream", dependencies=only_instructor)
async def stream(room: TheRoom, view: View = "instructor") -> StreamingResponse:
    """What has changed in a view, whenever something has (server-sent events)."""
    events = room.board.stream.changes(view)
    return StreamingResponse(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/here", dependencies=only_instructor, status_code=204)
async def here() -> None:
    """Says that the service answers and that the instructor is logged in."""


@router.get("/api/standings", dependencies=only_instructor)
async def standings(room: TheRoom) -> dict[str, Any]:
    """The same as data."""
    return await asyncio.to_thread(room.board.plain)


# ---- acts


@router.post("/do/{what}", dependencies=only_instructor)
async def do(
    what: str,
    request: Request,
    room: TheRoom,
    value: Annotated[str, Form(max_length=2000)] = "",
    number: Annotated[int, Form()] = 0,
) -> Response:
    """What the instructor does: door, plan, step, help, a word to all."""
    store, value = room.store, value.strip()
    deeds = {
        "door": lambda: store.set_door(value),
        "begin": store.begin,
        "pause": store.pause,
        "end": lambda: end_plan(store),
        "step": lambda: store.call_step(room.board.known_step(value)),
        "say": lambda: store.broadcast(_words(value)),
        "take": lambda: store.change_help(number, state="taken"),
        "release": lambda: store.change_help(number, state="waiting"),
        "answer": lambda: store.change_help(number, state="taken", answer=_words(value)),
        "resolve": lambda: store.change_help(number, state="resolved", answer=value or None),
    }
    if what not in deeds:
        raise HTTPException(404)
    await asyncio.to_thread(deeds[what])
    if request.headers.get("x-requested-with") == "fetch":  # the page renews itself
        return Response(status_code=204)
    return RedirectResponse(f"{PREFIX}/", 303)


# ---- one participant


@router.get("/person/{number}", dependencies=only_instructor)
async def person(number: int, room: TheRoom) -> HTMLResponse:
    """One participant: where they are, what happened last, and what can be done."""
    return await asyncio.to_thread(_person_page, room, number)


@router.post("/person/{number}/word", dependencies=only_instructor)
async def make_word(number: int, room: TheRoom) -> HTMLResponse:
    """A new resume word, shown once; the file with the old one is taken out of their folder, since it would mislead."""
    who, word = await asyncio.to_thread(new_word, room.store, number)
    await asyncio.to_thread((room.folder.home_of(who.username) / "my resume word.txt").unlink, missing_ok=True)
    return await asyncio.to_thread(_person_page, room, number, word)


@router.post("/person/{number}/remove", dependencies=only_instructor)
async def remove_person(number: int, room: TheRoom, sure: Annotated[str, Form(max_length=10)] = "") -> HTMLResponse:
    """Take somebody out of the class, if the instructor is sure."""
    if sure != "yes":
        raise SettingError("Nobody was removed", do="tick the box beside the name first")
    who = await asyncio.to_thread(participant, room.store, number)
    words = await remove(room.store, room.hub, who.username)
    return HTMLResponse(room.board.render("removed.html", name=who.name, words=words, back=f"{PREFIX}/"))


@router.get("/copy/{number}", dependencies=only_instructor)
async def copy(number: int, room: TheRoom) -> HTMLResponse:
    """The copy of a notebook that came with a call for help: as text, under a policy that lets nothing run or load."""
    return await asyncio.to_thread(_copy_page, room, number)


def _page(room: Room, request: Request, page: str, look: Any, *, view: View, **values: Any) -> HTMLResponse:
    join = invitation(room.folder, request.headers)
    return HTMLResponse(
        room.board.render(page, join=join, view=view, values=look.values, parts=look.parts[view], **values)
    )


def _person_page(room: Room, number: int, word: str | None = None) -> HTMLResponse:
    who, values, now = participant(room.store, number), room.board.plain(), datetime.now(UTC)
    row = next(row for row in values["rows"] if row["number"] == number)
    titles = {step["id"]: f"{step['number']}. {step['title']}" for step in values["steps"]}
    events = [
        {
            "kind": event.kind, "minutes": int((now - aware(event.received)).total_seconds() // 60),
            "error": None if event.values.get("ok", True) else str(event.values.get("error") or "Error")[:60],
            "where": titles.get(event.step, "") if event.kind != "cell" else str(room.board.cells.find(str(event.values.get("cell")))),
        }
        for event in reversed(events_of(room.store, who))
        if event.kind != "cell" or not event.values.get("ok", True)
    ]  # fmt: skip
    return HTMLResponse(
        room.board.render(
            "person.html",
            row=row,
            steps=values["steps"],
            events=events[:MOST_SHOWN],
            word=word,
            door=values["door"],
            at=PREFIX,
        )
    )


def _copy_page(room: Room, number: int) -> HTMLResponse:
    asked, trouble, cells = call_for_help(room.store, number), "", []
    names = room.store.shown_names()
    try:
        cells = read_copy(asked.notebook or "")
    except DataError as error:
        trouble = str(error)
    style = room.board.source("base.css") + room.board.source("copy.css")
    failed = next((cell.number for cell in cells if cell.failed), None)
    html = room.board.render(
        "copy.html", asked=asked, name=names.get(asked.participant_id, "somebody"), cells=cells, trouble=trouble,
        failed=failed, style=style,
    )  # fmt: skip
    mark = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{mark}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return HTMLResponse(html, headers={"Content-Security-Policy": policy})


def _words(text: str) -> str:
    if not text:
        raise SettingError("Nothing was said", do="type what you want to say")
    if len(text) > MOST_SAID:
        raise SettingError(f"That is longer than {MOST_SAID} characters", do="shorten it")
    return text
