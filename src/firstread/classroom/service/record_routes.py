"""Routes of the record of a session: its page, its script, and the page as one file to keep."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from firstread.classroom.outcomes.record_page import SCRIPT, session_record_page
from firstread.classroom.service.instructor_routes import instructor_only
from firstread.classroom.service.state import State

router = APIRouter()


@router.get("/record", dependencies=instructor_only)
async def record_page(service: State) -> HTMLResponse:
    """Record of the session, replayed by a script; without names."""
    return HTMLResponse(await asyncio.to_thread(session_record_page, service.store, service.folder.lesson))


@router.get("/record.js")
async def record_script(service: State) -> Response:
    """JavaScript of the record."""
    return Response(service.dashboard.read_source(SCRIPT), media_type="text/javascript")


@router.get("/record.html", dependencies=instructor_only)
async def record_file(service: State) -> HTMLResponse:
    """Record of the session as one file to download, which opens from disk."""
    page = await asyncio.to_thread(session_record_page, service.store, service.folder.lesson, self_contained=True)
    return HTMLResponse(page, headers={"Content-Disposition": 'attachment; filename="record.html"'})
