"""What the instructor sees and does, with the class's key."""

import asyncio
import hmac
import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from firstread.classroom.folder import PREFIX
from firstread.classroom.limits import sender
from firstread.classroom.room import SESSION_SECONDS, Room, room_of

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
async def login(request: Request, room: TheRoom, key: Annotated[str, Form(max_length=100)] = "") -> RedirectResponse:
    """Check the key."""
    address = sender(request.headers.get("x-forwarded-for", ""), proxies=room.folder.proxies)
    right = hmac.compare_digest(key.strip().encode(), room.folder.settings.instructor_key.encode())
    if not room.guesses.allowed(address) or not right:
        room.guesses.wrong(address)
        return RedirectResponse(f"{PREFIX}/login?wrong=1", 303)
    request.session["until"] = time.time() + SESSION_SECONDS
    return RedirectResponse(f"{PREFIX}/", 303)


@router.post("/logout")
async def logout(request: Request) -> RedirectResponse:
    """Forget the instructor in this browser."""
    request.session.clear()
    return RedirectResponse(f"{PREFIX}/login", 303)


@router.get("/", dependencies=only_instructor)
async def dashboard(request: Request, room: TheRoom) -> HTMLResponse:
    """The class, as it is now; the page renews itself."""
    values = await asyncio.to_thread(room.board.values)
    return HTMLResponse(room.board.render("dashboard.html", join=room.board.join_address(request.headers), **values))


@router.get("/app.js")
async def script(room: TheRoom) -> Response:
    """The dashboard's few lines of script."""
    return Response(room.board.source("app.js"), media_type="text/javascript")


@router.get("/stream", dependencies=only_instructor)
async def stream(room: TheRoom) -> StreamingResponse:
    """The dashboard's moving part, whenever it changes (server-sent events)."""
    return StreamingResponse(room.board.changes(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


@router.get("/api/standings", dependencies=only_instructor)
async def standings(room: TheRoom) -> dict[str, Any]:
    """The same as data."""
    return await asyncio.to_thread(room.board.plain)


@router.post("/do/{what}", dependencies=only_instructor)
async def do(
    what: str, room: TheRoom, value: Annotated[str, Form(max_length=2000)] = "", number: Annotated[int, Form()] = 0
) -> RedirectResponse:
    """What the instructor does: door, plan, step, help, a word to all."""
    store = room.store
    deeds = {
        "door": lambda: store.set_door(value),
        "begin": store.begin,
        "pause": store.pause,
        "step": lambda: store.call_step(room.board.known_step(value)),
        "say": lambda: store.broadcast(value),
        "take": lambda: store.change_help(number, state="taken"),
        "resolve": lambda: store.change_help(number, state="resolved", answer=value or None),
    }
    if what not in deeds:
        raise HTTPException(404)
    await asyncio.to_thread(deeds[what])
    return RedirectResponse(f"{PREFIX}/", 303)
