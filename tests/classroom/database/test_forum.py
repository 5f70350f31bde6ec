"""The forum in SQLite and PostgreSQL: who posts, withdraws and moderates, and what a deletion leaves."""

import pytest
from sqlalchemy import text

from firstread.classroom.database import forum
from firstread.classroom.database.forum import (
    EncodedPicture,
    NewPost,
    add_post,
    delete_post,
    forum_settings,
    forum_version,
    list_posts,
    moderate_post,
    pictures_by_post,
    project_post,
    read_picture,
    set_forum_mode,
    withdraw_post,
)
from firstread.classroom.database.store import AccessError
from firstread.core.errors import SettingError

PICTURE = EncodedPicture("image/png", 4, 3, b"picture", b"preview")


@pytest.fixture
def ana(store):
    return store.join("Ana")[0].username


@pytest.fixture
def bea(store):
    return store.join("Bea")[0].username


def post(store, username, line="look", *, key=None, **other):
    post.count = getattr(post, "count", 0) + 1
    return add_post(store, username, NewPost(key=key or f"key-{post.count:08d}", text=line, **other))


def test_a_post_is_kept_once_with_its_picture(store, ana):
    first = post(store, ana, key="the-same-key", picture=PICTURE)
    assert post(store, ana, key="the-same-key", picture=PICTURE) == first
    (kept,) = list_posts(store)
    assert (kept.username, kept.text, kept.audience, kept.state) == (ana, "look", "everyone", "shown")
    assert (kept.width, kept.height) == (4, 3)
    assert read_picture(store, kept.picture, preview=False) == ("image/png", b"picture")
    assert read_picture(store, kept.picture, preview=True) == ("image/jpeg", b"preview")
    assert pictures_by_post(store) == {first: ("image/png", b"picture")}
    with pytest.raises(AccessError, match="no such picture"):
        read_picture(store, kept.picture[:-1], preview=False)


def test_two_participants_may_have_the_same_key(store, ana, bea):
    assert post(store, ana, key="the-same-key") != post(store, bea, key="the-same-key")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"line": ""}, "nothing to post"),
        ({"audience": "the press"}, "Nobody is called"),
        ({"parent_id": 99}, "no such post"),
    ],
)
def test_what_is_no_post(store, ana, wrong, words):
    with pytest.raises(SettingError, match=words):
        post(store, ana, **wrong)
    assert list_posts(store) == []


def test_somebody_who_is_not_in_the_class_posts_nothing(store):
    with pytest.raises(AccessError, match="no such participant"):
        post(store, "p9-stranger")


def test_answers_are_one_level_deep_and_seen_by_those_who_see_the_post(store, ana, bea):
    open_post, private = post(store, ana), post(store, ana, audience="instructor")
    answer = post(store, bea, parent_id=open_post, audience="instructor")
    assert list_posts(store)[2].audience == "everyone", "an answer is seen by those who see what it answers"
    for parent_id in (private, answer):
        with pytest.raises(SettingError, match="no such post"):
            post(store, bea, parent_id=parent_id)
    post(store, ana, parent_id=private)
    post(store, None, parent_id=private)
    assert [one.audience for one in list_posts(store)[3:]] == ["instructor", "instructor"]
    moderate_post(store, open_post, "hidden")
    with pytest.raises(SettingError, match="no such post"):
        post(store, bea, parent_id=open_post)


def test_posts_wait_for_approval_or_are_not_taken(store, ana):
    set_forum_mode(store, "approval")
    waiting = post(store, ana)
    post(store, ana, audience="instructor")
    post(store, None)
    assert [one.state for one in list_posts(store)] == ["waiting", "shown", "shown"]
    moderate_post(store, waiting, "shown")
    set_forum_mode(store, "closed")
    with pytest.raises(AccessError, match="closed"):
        post(store, ana)
    post(store, None, "closed now")
    withdraw_post(store, ana, waiting)
    assert [one.text for one in list_posts(store)] == ["look", "look", "closed now"]
    for wrong in (lambda: set_forum_mode(store, "wild"), lambda: moderate_post(store, 1, "pinned")):
        with pytest.raises(SettingError, match="is not"):
            wrong()


def test_only_the_author_withdraws_and_everything_of_it_goes(store, ana, bea):
    mine = post(store, ana, picture=PICTURE)
    post(store, bea, parent_id=mine, picture=PICTURE)
    for wrong in ((bea, mine), (ana, mine + 2), (bea, 0)):
        with pytest.raises(AccessError, match="no such post of yours"):
            withdraw_post(store, *wrong)
    assert len(list_posts(store)) == 2
    withdraw_post(store, ana, mine)
    assert list_posts(store) == []
    assert pictures_by_post(store) == {}


def test_the_instructor_deletes_any_post(store, ana):
    delete_post(store, post(store, ana, picture=PICTURE))
    assert pictures_by_post(store) == {}
    with pytest.raises(SettingError, match="no such post"):
        delete_post(store, 1)


def test_the_projector_shows_only_what_the_class_sees(store, ana):
    shown, private, later = post(store, ana), post(store, ana, audience="instructor"), post(store, ana)
    for wrong in (private, 99):
        with pytest.raises(SettingError):
            project_post(store, wrong)
    project_post(store, shown)
    assert forum_settings(store).projected == shown
    moderate_post(store, shown, "hidden")
    assert forum_settings(store).projected is None
    with pytest.raises(SettingError, match="does not see"):
        project_post(store, shown)
    project_post(store, later)
    withdraw_post(store, ana, later)
    assert post(store, ana) > later, "no other post takes its place on the projector"


def test_one_participant_cannot_fill_the_forum(store, ana, bea, monkeypatch):
    monkeypatch.setattr(forum, "MAX_POSTS", 3)
    monkeypatch.setattr(forum, "MAX_PICTURES", 1)
    first = post(store, ana, picture=PICTURE)
    with pytest.raises(SettingError, match="1 pictures"):
        post(store, ana, picture=PICTURE)
    post(store, ana)
    post(store, ana)
    with pytest.raises(SettingError, match="3 times"):
        post(store, ana)
    withdraw_post(store, ana, first)
    post(store, ana, picture=PICTURE)
    monkeypatch.setattr(forum, "MAX_TOTAL_BYTES", len(b"picturepreview"))
    with pytest.raises(SettingError, match="no room for more pictures"):
        post(store, bea, picture=PICTURE)
    monkeypatch.setattr(forum, "MAX_ANSWERS", 1)
    begun = post(store, bea)
    post(store, bea, parent_id=begun)
    with pytest.raises(SettingError, match="as many answers"):
        post(store, bea, parent_id=begun)


def test_each_change_has_another_version_also_a_deletion_of_a_participant(store, ana, bea):
    versions = [forum_version(store)]
    changes = (
        lambda: post(store, ana),
        lambda: post(store, bea),
        lambda: moderate_post(store, 1, "hidden"),
        lambda: set_forum_mode(store, "approval"),
        lambda: store.delete_participant(bea),
        lambda: post(store, ana),
        lambda: withdraw_post(store, ana, 3),
    )
    for change in changes:
        change()
        versions.append(forum_version(store))
        assert forum_version(store) == versions[-1]
    assert len(set(versions)) == len(versions)


def test_a_participants_deletion_takes_posts_answers_and_pictures(store, ana, bea):
    mine = post(store, ana, picture=PICTURE)
    post(store, bea, parent_id=mine)
    kept = post(store, bea)
    post(store, ana, parent_id=kept, picture=PICTURE)
    store.delete_participant(ana)
    assert [one.id for one in list_posts(store)] == [kept]
    with store.engine.connect() as connection:
        assert connection.scalar(text("select count(*) from forum_picture")) == 0


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_nothing_of_a_withdrawn_post_is_left_in_the_file(store, ana, tmp_path):
    secret = EncodedPicture("image/png", 4, 3, b"burnt-in name" * 400, b"burnt-in name")
    mine = post(store, ana, "a line nobody should keep", picture=secret)
    withdraw_post(store, ana, mine)
    files = b"".join(file.read_bytes() for file in tmp_path.glob("class.sqlite*"))
    assert b"burnt-in name" not in files
    assert b"nobody should keep" not in files
