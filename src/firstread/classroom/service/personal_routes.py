"""A participant's own pages, reached by their personal link: quizzes, survey, results, their work to take home, and to be forgotten."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.concurrency import iterate_in_threadpool

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.answers import (
    MOST_COMMENT,
    OCCASIONS,
    AnsweredError,
    keep_quiz,
    keep_survey,
    quiz_answers,
)
from firstread.classroom.database.schema import Participant
from firstread.classroom.outcomes.forms import NOT_KNOWN, questions_for, read_quiz, read_survey
from firstread.classroom.outcomes.quiz_schedule import NAMES, Due, due
from firstread.classroom.rate_limits import Guesses, sender
from firstread.classroom.service.deletion import forget, leave_hub
from firstread.classroom.service.icalendar import calendar_entry
from firstread.classroom.service.personal_links import ME, address_of, is_token_of
from firstread.classroom.service.state import SESSION_SECONDS, Room, room_of
from firstread.classroom.service.work_archive import zip_of_work
from firstread.lessons.questionnaires import quiz_of, survey_of

COOKIE = "firstread-me"
MOST_FIELDS = 60
router = APIRouter(prefix="/me")
TheRoom = Annotated[Room, Depends(room_of)]


class StrangerError(Exception):
    """Nobody's link, or no session any more."""


async def me(request: Request, room: TheRoom) -> Participant:
    """Whose browser this is, by the cookie that their link has set."""
    with_cookie = request.cookies.get(COOKIE, "")
    try:
        username = _signer(room.folder).loads(with_cookie, max_age=SESSION_SECONDS)
    except BadSignature as error:
        raise StrangerError from error
    person = await asyncio.to_thread(room.store.person, str(username))
    if person is None:
        raise StrangerError
    return person


Me = Annotated[Participant, Depends(me)]


async def who_are_you(request: Request, _: Exception) -> HTMLResponse:
    """What a stranger gets to see."""
    return HTMLResponse(room_of(request).board.render("me_stranger.html"), 403)


@router.get("/link/{username}/{token}")
async def enter(username: str, token: str, request: Request, room: TheRoom, to: str = "") -> Response:
    """The personal link: sets the cookie and leads to an address that tells nothing."""
    guesses: Guesses = request.app.state.link_guesses
    address = sender(request.headers.get("x-forwarded-for", ""), proxies=room.folder.proxies)
    if not guesses.allowed(address):
        return PlainTextResponse("Too many wrong links came from here. Wait a minute and try again.", 429)
    known = is_token_of(room.folder, username, token)
    if not known or await asyncio.to_thread(room.store.person, username) is None:
        guesses.wrong(address)
        raise StrangerError
    pages = {"survey", "results", *(f"quiz/{occasion}" for occasion in OCCASIONS)}
    answer = RedirectResponse(f"{ME}/{to if to in pages else ''}", 303)
    answer.set_cookie(
        COOKIE, _signer(room.folder).dumps(username), max_age=SESSION_SECONDS, path=ME, httponly=True, samesite="lax",
        secure=bool(room.folder.settings.certificate),
    )  # fmt: skip
    return answer


@router.get("/")
async def home(request: Request, person: Me, room: TheRoom) -> HTMLResponse:
    """What there is to do, and everything else that is theirs."""
    state = await _due(room, person)
    return _page(room, "me_home.html", person=person, due=state, names=NAMES, link=_link(request, room, person))


@router.get("/reminder.ics")
async def reminder(request: Request, person: Me, room: TheRoom) -> Response:
    """The day of the last quiz, for their calendar."""
    day = (await _due(room, person)).retention_day
    if day is None:
        raise HTTPException(404, "The day of the last quiz is known after the lesson")
    entry = calendar_entry(
        title=f"Last quiz: {room.folder.lesson.title}", text="What has stayed? Five minutes, by your personal link:",
        link=_link(request, room, person), day=day, mark=person.username,
    )  # fmt: skip
    return Response(
        entry, media_type="text/calendar", headers={"Content-Disposition": 'attachment; filename="last-quiz.ics"'}
    )


@router.get("/quiz/{occasion}")
async def quiz_page(occasion: str, person: Me, room: TheRoom) -> Response:
    """A quiz to fill in, or, once it is done, what is to be said about it."""
    return await _quiz_page(occasion, person, room, {})


@router.post("/quiz/{occasion}")
async def quiz_sent(occasion: str, request: Request, person: Me, room: TheRoom) -> Response:
    """Keep a quiz; where an answer is missing, the page comes back with all the others."""
    typed = await _typed(request)
    state, quiz = await _due(room, person), quiz_of(room.folder.lesson)
    if quiz is None or state.quizzes.get(occasion) != "due":
        return await _quiz_page(occasion, person, room, {}, again=True)
    questions = questions_for(quiz, who=person.username, occasion=occasion, typed=typed)
    chosen, missing = read_quiz(questions)
    if missing:
        return await _quiz_page(occasion, person, room, typed, missing=missing)
    try:
        await asyncio.to_thread(keep_quiz, room.store, person.id, occasion, items=quiz.items, chosen=chosen)
    except AnsweredError:  # in another window, a moment ago
        return await _quiz_page(occasion, person, room, {}, again=True)
    room.due_links.look_again(person.username)
    return RedirectResponse(f"{ME}/quiz/{occasion}", 303)


async def _quiz_page(
    occasion: str,
    person: Participant,
    room: Room,
    typed: Mapping[str, str],
    *,
    missing: list[str] | None = None,
    again: bool = False,
) -> Response:
    quiz, state = quiz_of(room.folder.lesson), await _due(room, person)
    if quiz is None or occasion not in state.quizzes:
        raise HTTPException(404)
    more: dict[str, Any] = {
        "title": NAMES[occasion],
        "occasion": occasion,
        "state": state.quizzes[occasion],
        "again": again,
    }
    if more["state"] == "due":
        questions = questions_for(quiz, who=person.username, occasion=occasion, typed=typed)
        return _page(
            room, "me_quiz.html", 422 if missing else 200, person=person, questions=questions,
            missing=missing or [], not_known=NOT_KNOWN, **more,
        )  # fmt: skip
    answers = await asyncio.to_thread(quiz_answers, room.store, person.id)
    mine = {name: {a.item: a for a in answers if a.occasion == name} for name in OCCASIONS}
    # the right answers are shown once they can spoil nothing: after the quiz that follows the lesson
    shown = quiz.items if occasion != "pre" and mine[occasion] else ()
    right = {name: sum(a.right for a in given.values()) for name, given in mine.items() if given}
    return _page(
        room, "me_quiz_done.html", person=person, items=shown, mine=mine[occasion], right=right, of=len(quiz.items), due=state,
        names=NAMES, **more,
    )  # fmt: skip


@router.get("/survey")
async def survey_page(person: Me, room: TheRoom) -> Response:
    """The survey to fill in."""
    return await _survey_page(person, room, {}, [])


@router.post("/survey")
async def survey_sent(request: Request, person: Me, room: TheRoom) -> Response:
    """Keep a survey; where something is missing, the page comes back with all that was typed."""
    typed = await _typed(request)
    survey, state = survey_of(room.folder.lesson), await _due(room, person)
    if survey is None or state.survey != "due":
        return await _survey_page(person, room, {}, [])
    agreed, comment, missing = read_survey(survey, typed)
    if missing:
        return await _survey_page(person, room, typed, missing)
    with suppress(AnsweredError):  # in another window, a moment ago: the first answers count
        await asyncio.to_thread(keep_survey, room.store, person.id, survey=survey, agreed=agreed, comment=comment)
    room.due_links.look_again(person.username)
    return RedirectResponse(f"{ME}/survey", 303)


async def _survey_page(person: Participant, room: Room, typed: Mapping[str, str], missing: list[str]) -> Response:
    survey, state = survey_of(room.folder.lesson), await _due(room, person)
    if survey is None:
        raise HTTPException(404)
    return _page(
        room, "me_survey.html", 422 if missing else 200, person=person, survey=survey, state=state.survey, typed=typed,
        missing=missing, most=MOST_COMMENT,
    )  # fmt: skip


@router.get("/results")
async def results_page(person: Me, room: TheRoom, request: Request) -> HTMLResponse:
    """One's own run among the class's, without names."""
    mine = await request.app.state.results.for_participant(person.id)
    return _page(room, "me_results.html", person=person, **mine)


@router.get("/work.zip")
async def work(request: Request, person: Me, room: TheRoom) -> Response:
    """Notebook, results, report and network, to take home; one ZIP at a time for each participant."""
    folder, packing = room.folder.home_of(person.username), request.app.state.packing
    if not await asyncio.to_thread(folder.is_dir):
        raise HTTPException(404, "There is nothing of yours to take home yet")
    if person.username in packing:
        return PlainTextResponse("Your work is being downloaded already. Wait until that is done.", 429)
    now = datetime.now(UTC)
    told = {"key": secrets.token_hex(16), "kind": "download", "step": None, "values": {}, "happened": now}
    await asyncio.to_thread(room.store.record, person.username, [told])
    name = room.folder.settings.lesson
    pieces = zip_of_work(folder, lesson=name, title=room.folder.lesson.title)
    return StreamingResponse(
        _one_at_a_time(pieces, person.username, packing),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}.zip"'},
    )


async def _one_at_a_time(pieces: Iterator[bytes], username: str, packing: set[str]) -> AsyncIterator[bytes]:
    packing.add(username)
    try:
        async for piece in iterate_in_threadpool(pieces):
            yield piece
    finally:
        packing.discard(username)


@router.get("/leave")
async def leave_page(person: Me, room: TheRoom) -> HTMLResponse:
    """Asks once more before everything is deleted."""
    return _page(room, "me_leave.html", person=person)


@router.post("/leave")
async def leave(request: Request, person: Me, room: TheRoom) -> Response:
    """Delete everything that is kept of a participant."""
    if (await _typed(request)).get("sure") != "yes":
        return _page(room, "me_leave.html", 422, person=person, unsure=True)
    ended = await leave_hub(room.hub, person.username)
    await asyncio.to_thread(forget, room.folder, room.store, person.username)
    answer = _page(room, "me_gone.html", ended=ended)
    answer.delete_cookie(COOKIE, path=ME)
    return answer


def _link(request: Request, room: Room, person: Participant) -> str:
    """Their link as it can be kept: with the host under which this browser reached the class."""
    host = request.headers.get("x-forwarded-host") or request.headers.get("host", "")
    scheme = "https" if room.folder.settings.certificate else "http"
    return f"{scheme}://{host}{address_of(room.folder, person.username)}"


async def _due(room: Room, person: Participant) -> Due:
    return await asyncio.to_thread(due, room.folder, room.store, person)


async def _typed(request: Request) -> dict[str, str]:
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _page(room: Room, name: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    return HTMLResponse(room.board.render(name, me=ME, **values), status)


def _signer(folder: ClassFolder) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(bytes.fromhex(folder.settings.class_key), salt="participant's session")
