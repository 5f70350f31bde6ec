"""Routes for participants' servers: send events, read the status of the class, and ask for help."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from firstread.classroom.database.help_requests import request_help, withdraw_help_request
from firstread.classroom.service.state import State
from firstread.lessons.events import MAX_EVENT_CHARACTERS, EventKind

MAX_EVENTS_PER_REQUEST = 200
#: of a help request: its note and its copy of the notebook
MAX_NOTE_CHARACTERS, MAX_NOTEBOOK_CHARACTERS = 1000, 2 * 2**20
router = APIRouter()


class EventIn(BaseModel):
    """An event of a participant's notebook, as the request body has it."""

    model_config = ConfigDict(extra="forbid")
    key: str = Field(min_length=8, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")
    kind: EventKind
    step: str | None = Field(default=None, max_length=64)
    values: dict[str, Any] = Field(default_factory=dict)
    happened: AwareDatetime


class HelpRequestIn(BaseModel):
    """A help request, as the request body has it.

    Attributes:
        note: in the participant's words; may be empty.
        step: of the lesson, where they are.
        error: name of the last error, such as "NameError", never its message.
        notebook: a copy of the notebook as JSON, if they agreed to send one.
    """

    model_config = ConfigDict(extra="forbid")
    note: str = Field(default="", max_length=MAX_NOTE_CHARACTERS)
    step: str | None = Field(default=None, max_length=64)
    error: str | None = Field(default=None, max_length=100, pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")
    notebook: str | None = Field(default=None, max_length=MAX_NOTEBOOK_CHARACTERS)

    @field_validator("notebook")
    @classmethod
    def _validate_notebook(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                notebook = json.loads(text)
            except RecursionError as error:
                raise ValueError("not a notebook") from error
            if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
                raise ValueError("not a notebook")
        return text


async def authenticated_username(request: Request, service: State) -> str:
    """Username of the participant who sent a request, resolved by the hub from its token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "token" or not token:
        raise HTTPException(401, "a participant's token is missing")
    user = await service.hub.user_for_token(token, sync=False)
    if not user or user.get("kind") != "user":
        raise HTTPException(403, "this is no participant's token")
    return user["name"]


Username = Annotated[str, Depends(authenticated_username)]


@router.post("/api/events")
async def post_events(events: list[EventIn], username: Username, service: State) -> dict[str, int]:
    """Store events; known ones are skipped, so an uploader may send a batch again."""
    if len(events) > MAX_EVENTS_PER_REQUEST:
        raise HTTPException(413, "too much at once")
    if any(len(str(event.values)) > 2 * MAX_EVENT_CHARACTERS for event in events):
        raise HTTPException(413, "too much at once")
    rows = [event.model_dump() for event in events]
    return {"new": await asyncio.to_thread(service.store.record_events, username, rows)}


@router.get("/api/now")
async def class_status(username: Username, service: State, after: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
    """Status of the class for a participant, with links that are due and broadcasts with an id above `after`."""
    status = await service.participant_view.for_participant(username, after=after)
    links, forum = await asyncio.to_thread(service.due_links.get, username), service.dashboard.forum
    return status | {"links": links, "forum": await forum.status_for(username)}


@router.post("/api/help")
async def post_help_request(body: HelpRequestIn, username: Username, service: State) -> dict[str, Any]:
    """Enter the help queue, or replace the participant's open request."""
    known_steps = [step["id"] for step in service.folder.lesson.steps]
    step = body.step if body.step in known_steps else None
    details = {"step": step, "error": body.error, "notebook": body.notebook}
    await asyncio.to_thread(request_help, service.store, username, body.note.strip(), **details)
    service.participant_view.invalidate()
    return await service.participant_view.for_participant(username)


@router.delete("/api/help")
async def delete_help_request(username: Username, service: State) -> dict[str, Any]:
    """Withdraw the participant's open help request."""
    await asyncio.to_thread(withdraw_help_request, service.store, username)
    service.participant_view.invalidate()
    return await service.participant_view.for_participant(username)
