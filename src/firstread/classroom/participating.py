"""What participants' servers may do: tell what happened in their own notebooks, and nothing about anybody else."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from firstread.classroom.room import Room, room_of
from firstread.lessons.telling import MOST_CHARACTERS, Kind

MOST_AT_ONCE = 200
router = APIRouter()


class News(BaseModel):
    """One thing that happened in a notebook."""

    model_config = ConfigDict(extra="forbid")
    key: str = Field(min_length=8, max_length=64, pattern=r"^[0-9A-Za-z_-]+$")
    kind: Kind
    step: str | None = Field(default=None, max_length=64)
    values: dict[str, Any] = Field(default_factory=dict)
    happened: AwareDatetime


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
