"""Routes of the class's results: the instructor's page, and the other participants' runs for a notebook."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from firstread.classroom.database.instructor_store import record_results_opened
from firstread.classroom.outcomes import chart_axes
from firstread.classroom.outcomes import results as class_results
from firstread.classroom.outcomes.results import Results
from firstread.classroom.service.instructor_routes import instructor_only
from firstread.classroom.service.participant_routes import Username
from firstread.classroom.service.state import ServiceState, State

_KEEPALIVE_POLLS = 5
router = APIRouter()


def get_results(request: Request) -> Results:
    """Results of the class that a request belongs to."""
    return request.app.state.results


ClassResults = Annotated[Results, Depends(get_results)]


@router.get("/results", dependencies=instructor_only)
async def class_results_page(service: State, results: ClassResults) -> HTMLResponse:
    """Results page of the experiment, the quiz and the survey."""
    await asyncio.to_thread(record_results_opened, service.store)
    return HTMLResponse(await asyncio.to_thread(_render, service, "results.html", await results.summary()))


@router.get("/results.js")
async def results_script(service: State) -> Response:
    """JavaScript of the results page."""
    return Response(service.dashboard.read_source("results.js"), media_type="text/javascript")


@router.get("/results/stream", dependencies=instructor_only)
async def results_stream(service: State, results: ClassResults) -> StreamingResponse:
    """Updates of the results page (server-sent events)."""
    return StreamingResponse(
        _result_events(service, results), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


@router.get("/api/results")
async def other_runs_json(request: Request, username: Username, service: State, results: ClassResults) -> Response:
    """Runs of the other participants without names, for a notebook; 304 if its ETag is current."""
    participant = await asyncio.to_thread(service.store.find_participant, username)
    body = json.dumps(await results.other_runs(participant.id if participant else None))
    etag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, media_type="application/json", headers={"ETag": etag})


async def _result_events(service: ServiceState, results: Results) -> AsyncIterator[str]:
    sent: dict[str, Any] = {}
    unchanged_polls = 0
    while True:
        summary = await results.summary()
        if summary is not sent:
            html = await asyncio.to_thread(_render, service, "outcomes.html", summary)
            yield f"data: {json.dumps(html)}\n\n"
            sent, unchanged_polls = summary, 0
        else:
            unchanged_polls += 1
            if unchanged_polls % _KEEPALIVE_POLLS == 0:
                yield ": still here\n\n"
        await asyncio.sleep(class_results.REFRESH_SECONDS)


def _render(service: ServiceState, page: str, summary: dict[str, Any]) -> str:
    return service.dashboard.render(page, **summary, charts=chart_axes)
