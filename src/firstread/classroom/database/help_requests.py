"""Help requests of participants: add, update, withdraw and list them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import defer

from firstread.classroom.database.schema import HelpRequest, SessionEvent
from firstread.classroom.database.store import Store, require_participant, utc_now
from firstread.core.errors import SettingError

HELP_STATES = ("waiting", "taken", "resolved")


@dataclass(frozen=True)
class OpenHelpRequest:
    """Columns of an open help request; `has_copy` instead of the attached notebook."""

    id: int
    participant_id: int
    asked: datetime
    step: str | None
    note: str
    error: str | None
    state: str
    answer: str | None
    has_copy: bool


def request_help(
    store: Store,
    username: str,
    note: str,
    *,
    step: str | None = None,
    error: str | None = None,
    notebook: str | None = None,
) -> HelpRequest:
    """Put a participant into the help queue; an open request of theirs is replaced and keeps its place.

    Who asks again after an answer needs more: the answered request is resolved, and the new one waits for somebody.
    """
    now = utc_now()
    with store.session_factory.begin() as session:
        participant = require_participant(session, username)
        still_open = select(HelpRequest).where(
            HelpRequest.participant_id == participant.id, HelpRequest.state != "resolved"
        )
        request = session.scalar(still_open)
        if request is not None and is_answered(request):
            request.state, request.changed, request = "resolved", now, None
        request = request or HelpRequest(participant_id=participant.id, asked=now)
        request.note, request.step, request.error = note, step, error
        request.notebook, request.changed = notebook, now
        session.add(request)
    return request


def is_answered(request: HelpRequest) -> bool:
    """True if the instructor has answered an open request, and its participant may ask again."""
    return request.state == "taken" and bool(request.answer)


def update_help_request(store: Store, request_id: int, *, state: str, answer: str | None = None) -> None:
    """Take, release, answer or resolve a help request."""
    if state not in HELP_STATES:
        raise SettingError(f'A request for help is not "{state}"', expected="waiting, taken or resolved")
    with store.session_factory.begin() as session:
        request = session.get(HelpRequest, request_id)
        if request is None:
            raise SettingError("There is no such request for help")
        now = utc_now()
        if answer is not None:
            request.answer = answer
            session.add(SessionEvent(kind="help", value="answered", help_id=request_id, happened=now))
        if state != request.state:
            session.add(SessionEvent(kind="help", value=state, help_id=request_id, happened=now))
        request.state, request.changed = state, now


def withdraw_help_request(store: Store, username: str) -> None:
    """Resolve a participant's open help requests; without one nothing happens."""
    with store.session_factory.begin() as session:
        participant = require_participant(session, username)
        still_open = select(HelpRequest).where(
            HelpRequest.participant_id == participant.id, HelpRequest.state != "resolved"
        )
        for request in session.scalars(still_open):
            request.state, request.changed = "resolved", utc_now()
            session.add(SessionEvent(kind="help", value="withdrawn", help_id=request.id, happened=request.changed))


def help_queue(store: Store, *, include_resolved: bool = False) -> list[HelpRequest]:
    """Open help requests with their notebooks, the longest waiting first."""
    query = select(HelpRequest).order_by(HelpRequest.asked, HelpRequest.id)
    with store.session_factory() as session:
        return list(session.scalars(query if include_resolved else query.where(HelpRequest.state != "resolved")))


def list_help_requests(store: Store) -> list[HelpRequest]:
    """All help requests, the oldest first, without the attached notebooks, which may be large."""
    query = (
        select(HelpRequest)
        .options(defer(HelpRequest.notebook, raiseload=True))
        .order_by(HelpRequest.asked, HelpRequest.id)
    )
    with store.session_factory() as session:
        return list(session.scalars(query))


def open_help_requests(store: Store) -> list[OpenHelpRequest]:
    """Open help requests without the attached notebooks, the longest waiting first.

    The dashboard polls this twice a second, and a notebook may be large.
    """
    request = (HelpRequest.id, HelpRequest.participant_id, HelpRequest.asked, HelpRequest.step, HelpRequest.note)
    status = (HelpRequest.error, HelpRequest.state, HelpRequest.answer)
    query = select(*request, *status, HelpRequest.notebook.is_not(None).label("has_copy"))
    with store.session_factory() as session:
        rows = session.execute(query.where(HelpRequest.state != "resolved").order_by(HelpRequest.asked, HelpRequest.id))
        return [OpenHelpRequest(*row) for row in rows]


def get_help_request(store: Store, request_id: int) -> HelpRequest:
    """One help request with its attached notebook.

    Raises:
        SettingError: there is no request with this id.
    """
    with store.session_factory() as session:
        request = session.get(HelpRequest, request_id)
    if request is None:
        raise SettingError("There is no such request for help")
    return request
