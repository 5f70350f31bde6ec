"""Routes of the forum: for participants' servers (by token), and for the instructor (by session)."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, HTTPException, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firstread.classroom.class_folder import SERVICE_PREFIX
from firstread.classroom.database.forum import (
    NewPost,
    Post,
    add_post,
    delete_post,
    moderate_post,
    project_post,
    read_picture,
    set_forum_mode,
    withdraw_post,
)
from firstread.classroom.plain_text import clean_line
from firstread.classroom.progress.forum_view import participant_values
from firstread.classroom.rate_limits import RateLimiter
from firstread.classroom.service.instructor_routes import instructor_only, render_view
from firstread.classroom.service.participant_routes import Username
from firstread.classroom.service.picture_upload import MAX_PICTURE_BYTES, encode_picture
from firstread.classroom.service.state import ServiceState, State
from firstread.core.errors import SettingError

MAX_TEXT_CHARACTERS = 300
#: a post as JSON, its picture as base64
MAX_POST_BYTES = MAX_PICTURE_BYTES * 4 // 3 + 16_384
#: posts of one participant at once, and the seconds after which they may send one more
MAX_POSTS_AT_ONCE, POST_SECONDS = 5, 10.0
#: uploads that are held in memory at once, those that may wait for it, and how long one may take to arrive
MAX_UPLOADS, MAX_WAITING_UPLOADS, _UPLOAD_SECONDS = 3, 60, 20.0
#: a picture is data for an <img>, whatever a browser is told to do with it
PICTURE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "inline",
    # a browser asks each time whether it may still show it, and is answered without the picture (304)
    "Cache-Control": "private, no-cache",
}
router = APIRouter()


class PostIn(BaseModel):
    """A post, as the request body has it; the picture as base64."""

    model_config = ConfigDict(extra="forbid")
    key: str = Field(min_length=8, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")
    text: str = Field(default="", max_length=10 * MAX_TEXT_CHARACTERS)
    audience: str = Field(default="everyone", max_length=64)
    answers: int | None = None
    picture: str | None = None


class Uploads:
    """Limits of posts: how often a participant may send one, and how many the service reads at once.

    Each post counts as the limiter counts failures, refused pictures included: looking at them costs the most.
    """

    def __init__(self) -> None:
        self.limiter = RateLimiter(max_failures=MAX_POSTS_AT_ONCE, recovery_seconds=POST_SECONDS)
        self._slots, self._count = asyncio.Semaphore(MAX_UPLOADS), 0

    async def __aenter__(self) -> None:
        if self._count >= MAX_UPLOADS + MAX_WAITING_UPLOADS:
            raise HTTPException(503, "Many are posting at this moment. Try again in a minute.")
        self._count += 1
        try:
            await self._slots.acquire()
        except BaseException:
            self._count -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()
        self._count -= 1


# ---- participants


@router.get("/api/forum")
async def get_forum(username: Username, service: State) -> dict[str, Any]:
    """The forum as a participant sees it."""
    return await _forum_for(service, username)


@router.post("/api/forum")
async def post_to_forum(request: Request, username: Username, service: State) -> dict[str, Any]:
    """Add a post. The body is read only once the participant is known and has not posted too often."""
    uploads: Uploads = request.app.state.uploads
    if not uploads.limiter.is_allowed(username):
        raise HTTPException(429, "You post very often. Wait a few seconds and try again.")
    uploads.limiter.record_failure(username)
    async with uploads:
        body = await _read_body(request)
        new = await _new_post(body)
    await asyncio.to_thread(add_post, service.store, username, new)
    return await _forum_for(service, username, changed=True)


@router.delete("/api/forum/{post_id}")
async def withdraw_from_forum(post_id: int, username: Username, service: State) -> dict[str, Any]:
    """Withdraw a post of one's own."""
    await asyncio.to_thread(withdraw_post, service.store, username, post_id)
    return await _forum_for(service, username, changed=True)


@router.get("/api/forum/{size}/{name}")
async def get_picture(size: str, name: str, request: Request, username: Username, service: State) -> Response:
    """A picture of a post that this participant sees, or its preview."""
    snapshot = await asyncio.to_thread(service.dashboard.forum.read)
    return await _picture(service, request, snapshot.visible_to(username), size=size, name=name)


# ---- the instructor


@router.get("/forum", dependencies=instructor_only)
async def forum_page(request: Request, service: State) -> HTMLResponse:
    """All posts with their authors, and what can be done about them."""
    snapshot = await asyncio.to_thread(service.dashboard.snapshot)
    return render_view(service, request, "forum.html", snapshot, view="forum", max_characters=MAX_TEXT_CHARACTERS)


@router.get("/forum.js")
async def forum_script(service: State) -> Response:
    """JavaScript of the instructor's form, beside that of the dashboard."""
    return Response(service.dashboard.read_source("forum.js"), media_type="text/javascript")


@router.post("/forum/post", dependencies=instructor_only)
async def post_as_instructor(
    service: State,
    request: Request,
    text: Annotated[str, Form(max_length=10 * MAX_TEXT_CHARACTERS)] = "",
    picture: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Post to everyone as the instructor."""
    data = await picture.read(MAX_PICTURE_BYTES + 1) if picture is not None else b""
    encoded = await encode_picture(data) if data else None
    new = NewPost(key=secrets.token_hex(16), text=validate_text(text), picture=encoded)
    await asyncio.to_thread(add_post, service.store, None, new)
    return _done(service, request)


@router.post("/forum/actions/{action}", dependencies=instructor_only)
async def moderate(
    action: str,
    request: Request,
    service: State,
    value: Annotated[str, Form(max_length=10 * MAX_TEXT_CHARACTERS)] = "",
    number: Annotated[int, Form()] = 0,
) -> Response:
    """Show, hide, project, answer or delete a post, or open, moderate or close the forum."""
    store = service.store
    actions = {
        "show": lambda: moderate_post(store, number, "shown"),
        "hide": lambda: moderate_post(store, number, "hidden"),
        "project": lambda: project_post(store, number),
        "unproject": lambda: project_post(store, None),
        "answer": lambda: add_post(store, None, _answer(value, number)),
        "delete": lambda: delete_post(store, number),
        "mode": lambda: set_forum_mode(store, value),
    }
    if action not in actions:
        raise HTTPException(404)
    await asyncio.to_thread(actions[action])
    return _done(service, request)


@router.get("/forum/{size}/{name}", dependencies=instructor_only)
async def instructor_picture(size: str, name: str, request: Request, service: State) -> Response:
    """A picture of any post, or its preview."""
    snapshot = await asyncio.to_thread(service.dashboard.forum.read)
    return await _picture(service, request, snapshot.posts, size=size, name=name)


# ---- common


def validate_text(text: str) -> str:
    """One clean line of at most 300 characters.

    Raises:
        SettingError: it is longer.
    """
    line = clean_line(text)
    if len(line) > MAX_TEXT_CHARACTERS:
        raise SettingError(f"That is longer than {MAX_TEXT_CHARACTERS} characters", do="shorten it")
    return line


async def _read_body(request: Request) -> bytes:
    """The body, if it is not too large and arrives in time."""
    if int(request.headers.get("content-length", "0")) > MAX_POST_BYTES:
        raise HTTPException(413, f"The picture is larger than {MAX_PICTURE_BYTES // 2**20} MB. Make it smaller.")
    try:
        async with asyncio.timeout(_UPLOAD_SECONDS):
            return await request.body()
    except TimeoutError as error:
        raise HTTPException(408, "The picture took too long to arrive. Try again.") from error


async def _new_post(body: bytes) -> NewPost:
    try:
        given = await asyncio.to_thread(PostIn.model_validate_json, body)
        data = await asyncio.to_thread(base64.b64decode, given.picture, validate=True) if given.picture else b""
    except (ValidationError, binascii.Error) as error:
        raise HTTPException(422, "This is no post") from error
    text = validate_text(given.text)
    picture = await encode_picture(data) if data else None
    return NewPost(key=given.key, text=text, audience=given.audience, parent_id=given.answers, picture=picture)


async def _forum_for(service: ServiceState, username: str, *, changed: bool = False) -> dict[str, Any]:
    if changed:
        service.dashboard.forum.invalidate()
    return participant_values(await asyncio.to_thread(service.dashboard.forum.read), username)


async def _picture(service: ServiceState, request: Request, posts: Sequence[Post], *, size: str, name: str) -> Response:
    """A picture of one of the posts, or its preview."""
    if size not in ("pictures", "previews") or all(post.picture != name for post in posts):
        raise HTTPException(404, "There is no such picture")
    headers = PICTURE_HEADERS | {"ETag": f'"{size}-{name}"'}  # another picture has another name
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    media_type, content = await asyncio.to_thread(read_picture, service.store, name, preview=size == "previews")
    return Response(content, media_type=media_type, headers=headers)


def _answer(text: str, post_id: int) -> NewPost:
    return NewPost(key=secrets.token_hex(16), text=validate_text(text), parent_id=post_id)


def _done(service: ServiceState, request: Request) -> Response:
    service.dashboard.forum.invalidate()
    if request.headers.get("x-requested-with") == "fetch":  # the script of the page updates it
        return Response(status_code=204)
    return RedirectResponse(f"{SERVICE_PREFIX}/forum", 303)
