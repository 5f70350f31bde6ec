"""What participants' servers may do: tell what happened in their own notebooks, ask how the class stands, and ask for help; nothing about anybody else."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from firstread.classroom.service.state import Room, room_of
from firstread.lessons.events import MOST_CHARACTERS, Kind

MOST_AT_ONCE = 200
#: of a call for help: characters of the note, and of the copy of the notebook
MOST_NOTE, MOST_NOTEBOOK = 1000, 2 * 2**20
router = APIRouter()


class News(BaseModel):
    """One thing that happened in a notebook."""

    model_config = ConfigDict(extra="forbid")
    key: str = Field(min_length=8, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")
    kind: Kind
    step: str | None = Field(default=None, max_length=64)
    values: dict[str, Any] = Field(default_factory=dict)
    happened: AwareDatetime


class Asked(BaseModel):
    """A call for help.

    Attributes:
        note: in their own words; may be empty.
        step: of the lesson, where they are.
        error: the last error's name, such as "NameError", never its message.
        notebook: a copy of the notebook as JSON, if they want to send one.
    """

    model_config = ConfigDict(extra="forbid")
    note: str = Field(default="", max_length=MOST_NOTE)
    step: str | None = Field(default=None, max_length=64)
    error: str | None = Field(default=None, max_length=100, pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$")
    notebook: str | None = Field(default=None, max_length=MOST_NOTEBOOK)

    @field_validator("notebook")
    @classmethod
    def _is_a_notebook(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                found = json.loads(text)
            except RecursionError as error:
                raise ValueError("not a notebook") from error
            if not isinstance(found, dict) or not isinstance(found.get("cells"), list):
                raise ValueError("not a notebook")
        return text


async def participant(request: Request, room: Annotated[Room, Depends(room_of)]) -> str:
    """Whose server sends this; the hub knows its token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "token" or not token:
        raise HTTPException(401, "a participant's token is missing")
    user = await room.hub.user_for_token(token, sync=False)
    if not user or user.get("kind") != "user":
        raise HTTPException(403, "this is no participant's token")
    return user["name"]


@router.post("/api/events")
async def events(
    news: list[News], username: Annotated[str, Depends(participant)], room: Annotated[Room, Depends(room_of)]
) -> dict[str, int]:
    """Keep what happened; what is known already is not kept again, so a sender may repeat itself."""
    if len(news) > MOST_AT_ONCE or any(len(str(one.values)) > 2 * MOST_CHARACTERS for one in news):
        raise HTTPException(413, "too much at once")
    return {"new": await asyncio.to_thread(room.store.record, username, [one.model_dump() for one in news])}


@router.get("/api/now")
async def now(
    username: Annotated[str, Depends(participant)],
    room: Annotated[Room, Depends(room_of)],
    after: Annotated[int, Query(ge=0)] = 0,
) -> dict[str, Any]:
    """How the class stands for one participant, and what they are asked for; of broadcasts only those after the one with this number."""
    told = await room.now.of(username, after=after)
    return told | {"links": await asyncio.to_thread(room.due_links.of, username)}


@router.post("/api/help")
async def ask_help(
    asked: Asked, username: Annotated[str, Depends(participant)], room: Annotated[Room, Depends(room_of)]
) -> dict[str, Any]:
    """Take a place in the help queue, or change the note of the place that they have."""
    step = asked.step if asked.step in [one["id"] for one in room.folder.lesson.steps] else None
    await asyncio.to_thread(
        room.store.ask_help, username, asked.note.strip(), step=step, error=asked.error, notebook=asked.notebook
    )
    room.now.look_again()
    return await room.now.of(username)


@router.delete("/api/help")
async def withdraw_help(
    username: Annotated[str, Depends(participant)], room: Annotated[Room, Depends(room_of)]
) -> dict[str, Any]:
    """They no longer need help."""
    await asyncio.to_thread(room.store.withdraw_help, username)
    room.now.look_again()
    return await room.now.of(username)
