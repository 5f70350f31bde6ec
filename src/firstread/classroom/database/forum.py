"""The forum: add, withdraw, moderate and list posts, and read their pictures."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from firstread.classroom.database.schema import Forum, ForumPicture, ForumPost, Participant
from firstread.classroom.database.store import AccessError, Store, require_participant, utc_now
from firstread.core.errors import SettingError

FORUM_MODES, AUDIENCES = ("open", "approval", "closed"), ("everyone", "instructor")
POST_STATES = ("shown", "waiting", "hidden")
#: of one participant; of one thread; of the pictures of a class
MAX_POSTS, MAX_PICTURES, MAX_ANSWERS, MAX_TOTAL_BYTES = 40, 12, 60, 512 * 2**20


@dataclass(frozen=True)
class EncodedPicture:
    """A picture as the class has encoded it, with a small preview (JPEG)."""

    media_type: str
    width: int
    height: int
    content: bytes
    preview: bytes


@dataclass(frozen=True)
class NewPost:
    """A post to add; see `ForumPost`. The audience of an answer is that of its parent."""

    key: str
    text: str
    audience: str = "everyone"
    parent_id: int | None = None
    picture: EncodedPicture | None = None


@dataclass(frozen=True)
class Post:
    """Columns of a post, without the bytes of its picture; `username` and `participant_id` are None for the instructor.

    `picture` is the name of its picture, with `width` and `height`; None without one.
    """

    id: int
    participant_id: int | None
    username: str | None
    parent_id: int | None
    audience: str
    state: str
    text: str
    posted: datetime
    picture: str | None
    width: int | None
    height: int | None


def forum_version(store: Store) -> str:
    """Version of the forum, another one after each change, also after the deletion of a participant's posts."""
    count_and_last = (select(func.count()).select_from(ForumPost), select(func.max(ForumPost.id)))
    with store.session_factory() as session:
        version, count, last = session.execute(
            select(Forum.version, *(query.scalar_subquery() for query in count_and_last))
        ).one()
    return f"{version}-{count}-{last or 0}"


def forum_settings(store: Store) -> Forum:
    """Mode of the forum, and the post on the projector."""
    with store.session_factory() as session:
        return session.get_one(Forum, 1)


def list_posts(store: Store) -> list[Post]:
    """All posts, the oldest first."""
    picture = (ForumPicture.name, ForumPicture.width, ForumPicture.height)
    place = (ForumPost.id, ForumPost.participant_id, Participant.username, ForumPost.parent_id)
    query = (
        select(*place, ForumPost.audience, ForumPost.state, ForumPost.text, ForumPost.posted, *picture)
        .outerjoin(Participant, Participant.id == ForumPost.participant_id)
        .outerjoin(ForumPicture, ForumPicture.post_id == ForumPost.id)
        .order_by(ForumPost.id)
    )
    with store.session_factory() as session:
        return [Post(*row) for row in session.execute(query)]


def add_post(store: Store, username: str | None, new: NewPost) -> int:
    """Add a post of a participant, or of the instructor if `username` is None; returns its id.

    Raises:
        AccessError: there is no such participant, or the forum is closed.
        SettingError: it says nothing, answers a post that its author cannot see, or is one too many.
    """
    if not new.text and new.picture is None:
        raise SettingError("There is nothing to post", do="type a line, or choose a picture")
    if new.audience not in AUDIENCES:
        raise SettingError(f'Nobody is called "{new.audience}"', expected=" or ".join(AUDIENCES))
    with store.session_factory.begin() as session:
        _count_change(session)  # first, because it locks: the limits are checked against what is there
        mode = session.get_one(Forum, 1).mode
        author = require_participant(session, username).id if username is not None else None
        if author is not None:
            if known := session.scalar(select(ForumPost.id).filter_by(participant_id=author, key=new.key)):
                return known  # sent again, because the answer to the first was lost
            if mode == "closed":
                raise AccessError("The forum is closed", do="ask for help instead")
            _check_limits(session, author, with_picture=new.picture is not None)
        audience = _answered_audience(session, new.parent_id, author) if new.parent_id is not None else new.audience
        waits = mode == "approval" and author is not None and audience == "everyone"
        row = ForumPost(key=new.key, participant_id=author, parent_id=new.parent_id, audience=audience)
        row.state, row.text, row.posted = "waiting" if waits else "shown", new.text, utc_now()
        session.add(row)
        session.flush()
        if new.picture is not None:
            _add_picture(session, row.id, new.picture)
        return row.id


def withdraw_post(store: Store, username: str, post_id: int) -> None:
    """Delete a participant's own post with its picture, and the answers to it.

    Raises:
        AccessError: it is another's, or there is none.
    """
    with store.session_factory() as session:
        author, post = require_participant(session, username).id, session.get(ForumPost, post_id)
    if post is None or post.participant_id != author:
        raise AccessError("There is no such post of yours")
    delete_post(store, post_id)


def delete_post(store: Store, post_id: int) -> None:
    """Delete a post with its picture, and the answers to it, so that nothing of them is left in the database."""
    with store.session_factory.begin() as session:
        _count_change(session)
        session.delete(_require_post(session, post_id))
    store.truncate_log()


def moderate_post(store: Store, post_id: int, state: str) -> None:
    """Show or hide a post; a hidden one also leaves the projector."""
    if state not in POST_STATES:
        raise SettingError(f'A post is not "{state}"', expected=", ".join(POST_STATES))
    with store.session_factory.begin() as session:
        _count_change(session)
        _require_post(session, post_id).state = state
        forum = session.get_one(Forum, 1)
        if state != "shown" and forum.projected == post_id:
            forum.projected = None


def set_forum_mode(store: Store, mode: str) -> None:
    """Open the forum, let posts wait for approval, or close it; see `Forum.mode`."""
    if mode not in FORUM_MODES:
        raise SettingError(f'A forum is not "{mode}"', expected=", ".join(FORUM_MODES))
    with store.session_factory.begin() as session:
        _count_change(session)
        session.get_one(Forum, 1).mode = mode


def project_post(store: Store, post_id: int | None) -> None:
    """Put a post onto the projector, or none.

    Raises:
        SettingError: the class does not see this post, so the projector must not show it.
    """
    with store.session_factory.begin() as session:
        _count_change(session)
        post = _require_post(session, post_id) if post_id is not None else None
        if post is not None and (post.audience != "everyone" or post.state != "shown"):
            raise SettingError("The class does not see this post, so it is not shown on the projector")
        session.get_one(Forum, 1).projected = post_id


def read_picture(store: Store, name: str, *, preview: bool) -> tuple[str, bytes]:
    """Media type and bytes of a picture or of its preview.

    Raises:
        AccessError: there is none of this name.
    """
    column = ForumPicture.preview if preview else ForumPicture.content
    with store.session_factory() as session:
        found = session.execute(select(ForumPicture.media_type, column).filter_by(name=name)).one_or_none()
    if found is None:
        raise AccessError("There is no such picture")
    return ("image/jpeg", found[1]) if preview else (found[0], found[1])


def count_own_posts(store: Store, participant_id: int) -> tuple[int, int]:
    """Number of posts of a participant, and of those that have a picture."""
    posts = select(func.count()).select_from(ForumPost).filter_by(participant_id=participant_id)
    with store.session_factory() as session:
        with_picture = posts.join(ForumPicture, ForumPicture.post_id == ForumPost.id)
        return _scalar(session, posts), _scalar(session, with_picture)


def pictures_by_post(store: Store) -> dict[int, tuple[str, bytes]]:
    """Media type and bytes of all pictures by the id of their post."""
    query = select(ForumPicture.post_id, ForumPicture.media_type, ForumPicture.content)
    with store.session_factory() as session:
        return {post_id: (media_type, content) for post_id, media_type, content in session.execute(query)}


def _count_change(session: Session) -> None:
    session.execute(update(Forum).values(version=Forum.version + 1))


def _require_post(session: Session, post_id: int) -> ForumPost:
    post = session.get(ForumPost, post_id)
    if post is None:
        raise SettingError("There is no such post")
    return post


def _check_limits(session: Session, author: int, *, with_picture: bool) -> None:
    """Limits of one participant, and the storage that all pictures share."""
    posts = select(func.count()).select_from(ForumPost).filter_by(participant_id=author)
    if _scalar(session, posts) >= MAX_POSTS:
        raise SettingError(f"You have posted {MAX_POSTS} times, which is the most", do="withdraw one first")
    if not with_picture:
        return
    if _scalar(session, posts.join(ForumPicture, ForumPicture.post_id == ForumPost.id)) >= MAX_PICTURES:
        raise SettingError(f"You have posted {MAX_PICTURES} pictures, which is the most", do="withdraw one first")
    if _scalar(session, select(func.sum(ForumPicture.size_bytes))) >= MAX_TOTAL_BYTES:
        raise SettingError("The forum has no room for more pictures", do="post the line without a picture")


def _answered_audience(session: Session, parent_id: int, author: int | None) -> str:
    """Audience of an answer; only a post that its author can see, and no answer, is answered."""
    parent = session.get(ForumPost, parent_id)
    is_seen = parent is not None and (
        author is None or parent.participant_id == author or (parent.audience == "everyone" and parent.state == "shown")
    )
    if parent is None or not is_seen or parent.parent_id is not None:
        raise SettingError("There is no such post to answer")
    if _scalar(session, select(func.count()).select_from(ForumPost).filter_by(parent_id=parent_id)) >= MAX_ANSWERS:
        raise SettingError("This post has as many answers as it may have", do="begin a post of its own")
    return parent.audience


def _add_picture(session: Session, post_id: int, picture: EncodedPicture) -> None:
    size_bytes = len(picture.content) + len(picture.preview)
    values = {"media_type": picture.media_type, "width": picture.width, "height": picture.height}
    content = {"size_bytes": size_bytes, "content": picture.content, "preview": picture.preview}
    session.add(ForumPicture(post_id=post_id, name=secrets.token_urlsafe(18), **values, **content))


def _scalar(session: Session, query: Any) -> int:
    return session.scalar(query) or 0
