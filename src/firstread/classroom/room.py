"""What the parts of the service share."""

from dataclasses import dataclass
from typing import Any

from fastapi import Request

from firstread.classroom.board import Board
from firstread.classroom.folder import ClassFolder
from firstread.classroom.limits import Guesses
from firstread.classroom.now import Now
from firstread.classroom.store import Store

SESSION_SECONDS = 12 * 3600


@dataclass(frozen=True)
class Room:
    """One class, as the service holds it.

    Attributes:
        hub: says whose a token is.
        guesses: wrong instructor's keys, by address.
        now: the class as participants see it.
    """

    folder: ClassFolder
    store: Store
    board: Board
    hub: Any
    guesses: Guesses
    now: Now


def room_of(request: Request) -> Room:
    """The class that a request is about."""
    return request.app.state.room
