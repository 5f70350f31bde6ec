"""The forum as each sees it: a participant (others have no names), the instructor (names), the projector (one post).

Notebooks learn with their usual poll whether the forum has changed, and read it only then, while it is open. All are
answered from one cached read of the class database.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firstread.classroom.database.forum import Post, forum_settings, forum_version, list_posts
from firstread.classroom.database.store import Store, as_utc

#: how long the version that was read last is taken for the current one
CACHE_SECONDS = 0.7
#: threads on a participant's and on the instructor's page, and posts on the dashboard
MAX_THREADS, MAX_INSTRUCTOR_THREADS, MAX_NEWEST = 60, 300, 3
PARTICIPANT_NAME, INSTRUCTOR_NAME, OWN_NAME = "A participant", "The instructor", "You"


@dataclass(frozen=True)
class ForumSnapshot:
    """The whole forum at one version, the oldest post first."""

    version: str
    mode: str
    projected: int | None
    posts: tuple[Post, ...]

    def visible_to(self, username: str) -> list[Post]:
        """Posts that a participant sees: their own, what is shown to everyone, and the instructor's answers to them."""
        visible: dict[int, Post] = {}
        for post in self.posts:
            parent = visible.get(post.parent_id) if post.parent_id is not None else None
            if post.parent_id is not None and parent is None:
                continue
            is_answer_to_them = parent is not None and parent.username == username
            is_shown = post.state == "shown" and (post.audience == "everyone" or is_answer_to_them)
            if post.username == username or is_shown:
                visible[post.id] = post
        return list(visible.values())


class ForumCache:
    """Reads the forum again only when its version has changed."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._snapshot: ForumSnapshot | None = None
        self._valid_until = 0.0

    def invalidate(self) -> None:
        """Look at the database again at the next read."""
        self._valid_until = 0.0

    def read(self) -> ForumSnapshot:
        """The current forum; blocks while it is read."""
        with self._lock:
            if self._snapshot is None or time.monotonic() > self._valid_until:
                # set before the read, so that `invalidate` during the read is not overwritten
                self._valid_until = time.monotonic() + CACHE_SECONDS
                version = forum_version(self.store)
                if self._snapshot is None or self._snapshot.version != version:
                    settings, posts = forum_settings(self.store), tuple(list_posts(self.store))
                    self._snapshot = ForumSnapshot(version, settings.mode, settings.projected, posts)
            return self._snapshot

    async def status_for(self, username: str) -> dict[str, Any]:
        """What a poll says: version, mode, number of posts, and the newest that another has written (or 0)."""
        snapshot = self._snapshot
        if snapshot is None or time.monotonic() > self._valid_until:
            snapshot = await asyncio.to_thread(self.read)
        visible = snapshot.visible_to(username)
        newest = max((post.id for post in visible if post.username != username), default=0)
        return {"version": snapshot.version, "mode": snapshot.mode, "count": len(visible), "newest": newest}


def participant_values(snapshot: ForumSnapshot, username: str) -> dict[str, Any]:
    """The forum for a participant as JSON: threads, the newest first, with their answers; nobody is named."""
    threads = []
    for post, answers in _threads(snapshot.visible_to(username), MAX_THREADS):
        values = _participant_post(post, username)
        threads.append(values | {"answers": [_participant_post(answer, username) for answer in answers]})
    return {"version": snapshot.version, "mode": snapshot.mode, "posts": threads}


def _participant_post(post: Post, username: str) -> dict[str, Any]:
    is_own = post.username == username
    author = OWN_NAME if is_own else INSTRUCTOR_NAME if post.username is None else PARTICIPANT_NAME
    state = {"id": post.id, "author": author, "own": is_own, "posted": as_utc(post.posted).isoformat()}
    return state | {"audience": post.audience, "state": post.state} | _content(post)


def instructor_values(
    snapshot: ForumSnapshot, labels: Mapping[int, Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    """The forum for the instructor: all posts with names, the newest thread first.

    Args:
        labels: participant id -> number and name.
    """
    posts = [post for post in snapshot.posts if post.participant_id is None or post.participant_id in labels]
    threads = [
        _instructor_post(post, snapshot, labels, now)
        | {"answers": [_instructor_post(answer, snapshot, labels, now) for answer in answers]}
        for post, answers in _threads(posts, MAX_INSTRUCTOR_THREADS)
    ]
    # those that wait for approval first: nobody else sees them
    newest = sorted((post for post in reversed(posts) if post.participant_id is not None), key=_is_approved)
    return {
        "mode": snapshot.mode,
        "version": snapshot.version,
        "count": len(posts),
        "waiting": sum(post.state == "waiting" for post in posts),
        "threads": threads,
        "newest": [_instructor_post(post, snapshot, labels, now) for post in newest[:MAX_NEWEST]],
    }


def _is_approved(post: Post) -> bool:
    return post.state != "waiting"


def _instructor_post(
    post: Post, snapshot: ForumSnapshot, labels: Mapping[int, Mapping[str, Any]], now: datetime
) -> dict[str, Any]:
    label = (
        labels[post.participant_id] if post.participant_id is not None else {"number": None, "name": INSTRUCTOR_NAME}
    )
    minutes = max(0, int((now - as_utc(post.posted)).total_seconds() // 60))
    state = {"id": post.id, "name": label["name"], "participant": label["number"], "minutes": minutes}
    state |= {"audience": post.audience, "state": post.state, "is_answer": post.parent_id is not None}
    return state | {"projected": post.id == snapshot.projected} | _content(post)


def projected_values(snapshot: ForumSnapshot) -> dict[str, Any] | None:
    """The post that the instructor has put onto the projector, without its author; None if there is none."""
    post = next((post for post in snapshot.posts if post.id == snapshot.projected), None)
    if post is None or post.state != "shown" or post.audience != "everyone":
        return None
    return {"id": post.id} | _content(post)


def _content(post: Post) -> dict[str, Any]:
    return {"text": post.text, "picture": post.picture, "width": post.width, "height": post.height}


def _threads(posts: Sequence[Post], most: int) -> Iterator[tuple[Post, list[Post]]]:
    """First posts, the newest first, each with its answers, the oldest first."""
    answers: dict[int, list[Post]] = {}
    for post in posts:
        if post.parent_id is not None:
            answers.setdefault(post.parent_id, []).append(post)
    for post in [post for post in reversed(posts) if post.parent_id is None][:most]:
        yield post, answers.get(post.id, [])
