"""A participant's personal link: who has it is let in, as with a key. It works for as long as the class's folder exists."""

import base64
import hashlib
import hmac
import time
from typing import Any

from firstread.classroom.class_folder import PREFIX, ClassFolder
from firstread.classroom.database.schema import Participant
from firstread.classroom.database.store import Store
from firstread.classroom.outcomes.quiz_schedule import NAMES, due

ME = f"{PREFIX}/me"
_FRESH_SECONDS = 15.0


def token_of(folder: ClassFolder, username: str) -> str:
    """The unguessable part of a participant's link: 256 bits, made with the class's key."""
    key = bytes.fromhex(folder.settings.class_key)
    mark = hmac.new(key, b"personal page\0" + username.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mark).decode().rstrip("=")


def is_token_of(folder: ClassFolder, username: str, token: str) -> bool:
    """True if this is their token; takes as long for a near miss as for a far one."""
    return hmac.compare_digest(token_of(folder, username).encode(), token.encode())


def address_of(folder: ClassFolder, username: str, page: str = "") -> str:
    """The link's address on this class's host, to one of the pages if one is named."""
    return f"{ME}/link/{username}/{token_of(folder, username)}" + (f"?to={page}" if page else "")


def links(folder: ClassFolder, store: Store, person: Participant) -> list[dict[str, str]]:
    """What a participant is asked for now, as title and address; the personal page comes last."""
    now = due(folder, store, person)
    found: list[dict[str, Any]] = [
        {"title": NAMES[occasion], "address": address_of(folder, person.username, f"quiz/{occasion}")}
        for occasion, state in now.quizzes.items()
        if state == "due"
    ]
    if now.survey == "due":
        found.append({"title": "Short survey", "address": address_of(folder, person.username, "survey")})
    return [*found, {"title": "My page", "address": address_of(folder, person.username)}]


class DueLinks:
    """The links of each participant, looked up anew every few seconds: their notebooks ask all the time."""

    def __init__(self, folder: ClassFolder, store: Store) -> None:
        self.folder, self.store = folder, store
        self._kept: dict[str, tuple[float, list[dict[str, str]]]] = {}

    def of(self, username: str) -> list[dict[str, str]]:
        """What this participant is asked for; nothing for a stranger."""
        until, found = self._kept.get(username, (0.0, []))
        if time.monotonic() > until:
            person = self.store.person(username)
            found = links(self.folder, self.store, person) if person else []
            self._kept[username] = (time.monotonic() + _FRESH_SECONDS, found)
        return found

    def look_again(self, username: str) -> None:
        """They have just done what they were asked for."""
        self._kept.pop(username, None)


def everyones_links(folder: ClassFolder, store: Store) -> list[tuple[str, str]]:
    """Display name and whole link of each participant, in the order of joining."""
    shown = store.shown_names()
    return [(shown[one.id], folder.address.rstrip("/") + address_of(folder, one.username)) for one in store.people()]
