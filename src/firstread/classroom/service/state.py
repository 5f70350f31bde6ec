"""What the parts of the service share."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.store import Store
from firstread.classroom.progress.dashboard import Board
from firstread.classroom.progress.participant_view import Now
from firstread.classroom.rate_limits import Guesses
from firstread.classroom.service.personal_links import DueLinks

SESSION_SECONDS = 12 * 3600


@dataclass(frozen=True)
class Room:
    """One class, as the service holds it.

    Attributes:
        hub: says whose a token is.
        guesses: wrong instructor's keys, by address.
        now: the class as participants see it.
        due_links: what each of them is asked for.
    """

    folder: ClassFolder
    store: Store
    board: Board
    hub: Any
    guesses: Guesses
    now: Now
    due_links: DueLinks


def room_of(request: Request) -> Room:
    """The class that a request is about."""
    return request.app.state.room
