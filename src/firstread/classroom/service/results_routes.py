"""Routes of the class's results: the instructor's page, and the others' runs for a participant's notebook."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from firstread.classroom.outcomes import chart_axes
from firstread.classroom.outcomes import results as class_results
from firstread.classroom.outcomes.results import Results
from firstread.classroom.service.instructor_routes import only_instructor
from firstread.classroom.service.participant_routes import participant
from firstread.classroom.service.state import Room, room_of

router = APIRouter()
TheRoom = Annotated[Room, Depends(room_of)]


def results_of(request: Request) -> Results:
    """The results of the class that a request is about."""
    return request.app.state.results


TheResults = Annotated[Results, Depends(results_of)]


@router.get("/results", dependencies=only_instructor)
async def page(room: TheRoom, results: TheResults) -> HTMLResponse:
    """The class's experiment, quiz and survey, as they fill."""
    return HTMLResponse(await asyncio.to_thread(_render, room, "results.html", await results.summary()))


@router.get("/results.js")
async def script(room: TheRoom) -> Response:
    """The page's few lines of script."""
    return Response(room.board.source("results.js"), media_type="text/javascript")


@router.get("/results/stream", dependencies=only_instructor)
async def stream(room: TheRoom, results: TheResults) -> StreamingResponse:
    """The page's moving part, whenever it changes (server-sent events)."""
    return StreamingResponse(
        _changes(room, results), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


@router.get("/api/results")
async def for_notebook(
    request: Request, username: Annotated[str, Depends(participant)], room: TheRoom, results: TheResults
) -> Response:
    """The others' runs for a participant's notebook, without names; 304 if it has them already."""
    person = await asyncio.to_thread(room.store.person, username)
    body = json.dumps(await results.others(person.id if person else None))
    mark = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == mark:
        return Response(status_code=304, headers={"ETag": mark})
    return Response(body, media_type="application/json", headers={"ETag": mark})


async def _changes(room: Room, results: Results) -> AsyncIterator[str]:
    shown: dict[str, Any] = {}
    quiet = 0
    while True:
        now = await results.summary()
        if now is not shown:
            html = await asyncio.to_thread(_render, room, "outcomes.html", now)
            yield f"data: {json.dumps(html)}\n\n"
            shown, quiet = now, 0
        else:
            quiet += 1
            if quiet % 5 == 0:
                yield ": still here\n\n"
        await asyncio.sleep(class_results.LOOK_SECONDS)


def _render(room: Room, page: str, summary: dict[str, Any]) -> str:
    return room.board.render(page, **summary, draw=chart_axes)
