"""Routes of a participant's questionnaires: the quizzes before, after and weeks after the lesson, and the survey."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from firstread.classroom.database.answers import (
    MAX_COMMENT_CHARACTERS,
    OCCASIONS,
    AlreadyAnsweredError,
    Occasion,
    load_quiz_answers,
    save_quiz_answers,
    save_survey_answers,
)
from firstread.classroom.database.schema import Participant
from firstread.classroom.outcomes.forms import NOT_KNOWN, parse_quiz_form, parse_survey_form, questions_for
from firstread.classroom.outcomes.quiz_schedule import QUIZ_TITLES, QuizSchedule
from firstread.classroom.service.personal_links import PERSONAL_PREFIX
from firstread.classroom.service.personal_session import CurrentParticipant, load_schedule, read_form, render_page
from firstread.classroom.service.state import ServiceState, State
from firstread.lessons.questionnaires import Quiz, load_quiz, load_survey

router = APIRouter(prefix="/me")


@router.get("/quiz/{occasion}")
async def quiz_page(occasion: str, participant: CurrentParticipant, service: State) -> Response:
    """Quiz form, or the answers of a quiz that is done."""
    return await _render_quiz(_parse_occasion(occasion), participant, service, {})


@router.post("/quiz/{occasion}")
async def submit_quiz(occasion: str, request: Request, participant: CurrentParticipant, service: State) -> Response:
    """Save a quiz; where an answer is missing, the form is shown again with the given answers."""
    form, which = await read_form(request), _parse_occasion(occasion)
    schedule, quiz = await load_schedule(service, participant), load_quiz(service.folder.lesson)
    if quiz is None or schedule.quizzes.get(which) != "due":
        return await _render_quiz(which, participant, service, {}, already_answered=True)
    questions = questions_for(quiz, username=participant.username, occasion=which, form=form)
    chosen, missing = parse_quiz_form(questions)
    if missing:
        return await _render_quiz(which, participant, service, form, missing=missing)
    try:
        await asyncio.to_thread(
            save_quiz_answers, service.store, participant.id, which, items=quiz.items, chosen=chosen
        )
    except AlreadyAnsweredError:  # in another window, a moment ago
        return await _render_quiz(which, participant, service, {}, already_answered=True)
    service.due_links.invalidate(participant.username)
    return RedirectResponse(f"{PERSONAL_PREFIX}/quiz/{which}", 303)


@router.get("/survey")
async def survey_page(participant: CurrentParticipant, service: State) -> Response:
    """Survey form."""
    return await _render_survey(participant, service, {}, [])


@router.post("/survey")
async def submit_survey(request: Request, participant: CurrentParticipant, service: State) -> Response:
    """Save a survey; where an answer is missing, the form is shown again with the given answers."""
    form = await read_form(request)
    survey, schedule = load_survey(service.folder.lesson), await load_schedule(service, participant)
    if survey is None or schedule.survey != "due":
        return await _render_survey(participant, service, {}, [])
    ratings, comment, missing = parse_survey_form(survey, form)
    if missing:
        return await _render_survey(participant, service, form, missing)
    save = partial(save_survey_answers, survey=survey, ratings=ratings, comment=comment)
    with suppress(AlreadyAnsweredError):  # in another window, a moment ago: the first answers count
        await asyncio.to_thread(save, service.store, participant.id)
    service.due_links.invalidate(participant.username)
    return RedirectResponse(f"{PERSONAL_PREFIX}/survey", 303)


def _parse_occasion(name: str) -> Occasion:
    for occasion in OCCASIONS:
        if occasion == name:
            return occasion
    raise HTTPException(404)


async def _render_quiz(
    occasion: Occasion,
    participant: Participant,
    service: ServiceState,
    form: Mapping[str, str],
    *,
    missing: list[str] | None = None,
    already_answered: bool = False,
) -> Response:
    quiz, schedule = load_quiz(service.folder.lesson), await load_schedule(service, participant)
    if quiz is None or occasion not in schedule.quizzes:
        raise HTTPException(404)
    state = schedule.quizzes[occasion]
    values = {"title": QUIZ_TITLES[occasion], "occasion": occasion, "state": state, "participant": participant}
    if state == "due":
        questions = questions_for(quiz, username=participant.username, occasion=occasion, form=form)
        values |= {"questions": questions, "missing": missing or [], "not_known": NOT_KNOWN}
        return render_page(service, "quiz.html", 422 if missing else 200, **values)
    values |= await _done_quiz_values(occasion, participant, service, quiz=quiz, schedule=schedule)
    return render_page(service, "quiz_answers.html", already_answered=already_answered, **values)


async def _done_quiz_values(
    occasion: Occasion, participant: Participant, service: ServiceState, *, quiz: Quiz, schedule: QuizSchedule
) -> dict[str, Any]:
    answers = await asyncio.to_thread(load_quiz_answers, service.store, participant.id)
    by_occasion = {name: {a.item: a for a in answers if a.occasion == name} for name in OCCASIONS}
    # the right answers are shown once they can spoil nothing: after the quiz that follows the lesson
    items = quiz.items if occasion != "pre" and by_occasion[occasion] else ()
    correct_counts = {name: sum(a.right for a in given.values()) for name, given in by_occasion.items() if given}
    return {
        "items": items,
        "answers": by_occasion[occasion],
        "correct_counts": correct_counts,
        "item_count": len(quiz.items),
        "schedule": schedule,
    }


async def _render_survey(
    participant: Participant, service: ServiceState, form: Mapping[str, str], missing: list[str]
) -> Response:
    survey, schedule = load_survey(service.folder.lesson), await load_schedule(service, participant)
    if survey is None:
        raise HTTPException(404)
    values = {"participant": participant, "survey": survey, "state": schedule.survey, "form": form, "missing": missing}
    status = 422 if missing else 200
    return render_page(service, "survey.html", status, max_comment_characters=MAX_COMMENT_CHARACTERS, **values)
