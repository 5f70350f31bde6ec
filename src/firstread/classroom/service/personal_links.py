"""Personal links: unguessable URLs that authenticate a participant for as long as the class folder exists."""

import base64
import hashlib
import hmac
import time

from firstread.classroom.class_folder import PERSONAL_PREFIX, ClassFolder
from firstread.classroom.database.schema import Participant
from firstread.classroom.database.store import Store
from firstread.classroom.outcomes.quiz_schedule import QUIZ_TITLES, participant_schedule

_CACHE_SECONDS = 15.0


def personal_token(folder: ClassFolder, username: str) -> str:
    """Token of a participant's link: an HMAC of 256 bits with the class's key."""
    key = bytes.fromhex(folder.settings.class_key)
    digest = hmac.new(key, b"personal page\0" + username.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_valid_token(folder: ClassFolder, username: str, token: str) -> bool:
    """Compare a token with the participant's in constant time."""
    return hmac.compare_digest(personal_token(folder, username).encode(), token.encode())


def personal_path(folder: ClassFolder, username: str, page: str = "") -> str:
    """URL path of a participant's link, optionally to one of the personal pages."""
    return f"{PERSONAL_PREFIX}/link/{username}/{personal_token(folder, username)}" + (f"?to={page}" if page else "")


def due_links(folder: ClassFolder, store: Store, participant: Participant) -> list[dict[str, str]]:
    """Links to the quizzes and the survey that are due for a participant, then to their page: `title` and `address`."""
    schedule = participant_schedule(folder, store, participant)
    links = [
        {"title": QUIZ_TITLES[occasion], "address": personal_path(folder, participant.username, f"quiz/{occasion}")}
        for occasion, state in schedule.quizzes.items()
        if state == "due"
    ]
    if schedule.survey == "due":
        links.append({"title": "Short survey", "address": personal_path(folder, participant.username, "survey")})
    return [*links, {"title": "My page", "address": personal_path(folder, participant.username)}]


class DueLinksCache:
    """Cache of `due_links` by participant, since their notebooks poll all the time."""

    def __init__(self, folder: ClassFolder, store: Store) -> None:
        self.folder, self.store = folder, store
        self._entries: dict[str, tuple[float, list[dict[str, str]]]] = {}

    def get(self, username: str) -> list[dict[str, str]]:
        """Due links of a participant; empty for an unknown username."""
        expires, links = self._entries.get(username, (0.0, []))
        if time.monotonic() > expires:
            participant = self.store.find_participant(username)
            links = due_links(self.folder, self.store, participant) if participant else []
            self._entries[username] = (time.monotonic() + _CACHE_SECONDS, links)
        return links

    def invalidate(self, username: str) -> None:
        """Forget the cached links of a participant who has just answered."""
        self._entries.pop(username, None)


def all_personal_links(folder: ClassFolder, store: Store) -> list[tuple[str, str]]:
    """Display name and absolute link of each participant, in the order of joining."""
    names, root = store.display_names(), folder.public_url.rstrip("/")
    return [
        (names[participant.id], root + personal_path(folder, participant.username))
        for participant in store.participants()
    ]
