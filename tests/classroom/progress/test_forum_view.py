"""What each sees of the forum: visibility, order, names, and how much a long forum costs."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from firstread.classroom.progress.forum_view import (
    MAX_NEWEST,
    MAX_THREADS,
    ForumSnapshot,
    instructor_values,
    participant_values,
    projected_values,
)

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
LABELS = {1: {"number": 1, "name": "Ana"}, 2: {"number": 2, "name": "Bea"}}


def make_post(number, author=1, **other):
    from firstread.classroom.database.forum import Post

    given = {"parent_id": None, "audience": "everyone", "state": "shown", "text": f"post {number}"} | other
    picture = {"picture": None, "width": None, "height": None}
    username = f"p{author}" if author else None
    return Post(
        id=number,
        participant_id=author or None,
        username=username,
        posted=NOW - timedelta(minutes=5),
        **(given | {name: other.get(name, value) for name, value in picture.items()}),
    )


def snapshot(*posts, projected=None):
    return ForumSnapshot("1", "open", projected, posts)


@pytest.mark.parametrize(
    ("other", "seen_by_author", "seen_by_another"),
    [
        ({}, True, True),
        ({"state": "waiting"}, True, False),
        ({"state": "hidden"}, True, False),
        ({"audience": "instructor"}, True, False),
        ({"audience": "instructor", "state": "hidden"}, True, False),
    ],
)
def test_who_sees_a_post(other, seen_by_author, seen_by_another):
    forum = snapshot(make_post(1, **other))
    assert bool(forum.visible_to("p1")) is seen_by_author
    assert bool(forum.visible_to("p2")) is seen_by_another


def test_who_sees_an_answer():
    private = {"audience": "instructor"}
    forum = snapshot(
        make_post(1, **private),
        make_post(2, author=None, parent_id=1, **private),
        make_post(3, author=2, state="hidden"),
        make_post(4, author=1, parent_id=3),
        make_post(5, author=2),
        make_post(6, author=1, parent_id=5, state="hidden"),
    )
    assert [post.id for post in forum.visible_to("p1")] == [1, 2, 5, 6]
    assert [post.id for post in forum.visible_to("p2")] == [3, 4, 5]
    assert [post.id for post in forum.visible_to("p3")] == [5]


def test_the_newest_thread_is_first_and_its_answers_are_in_order():
    forum = snapshot(make_post(1), make_post(2), make_post(3, 2, parent_id=1), make_post(4, None, parent_id=1))
    first, second = participant_values(forum, "p1")["posts"]
    assert (first["id"], second["id"]) == (2, 1)
    assert [(answer["id"], answer["author"]) for answer in second["answers"]] == [
        (3, "A participant"),
        (4, "The instructor"),
    ]


def test_a_notebook_gets_the_newest_threads_only():
    forum = snapshot(*(make_post(number) for number in range(1, MAX_THREADS + 50)))
    assert len(participant_values(forum, "p2")["posts"]) == MAX_THREADS


def test_the_dashboard_shows_those_that_wait_first():
    posts = [
        make_post(1, state="waiting"),
        *(make_post(number, author=2) for number in range(2, 9)),
        make_post(9, None),
    ]
    values = instructor_values(snapshot(*posts), LABELS, NOW)
    assert [post["id"] for post in values["newest"]] == [1, 8, 7]
    assert len(values["newest"]) == MAX_NEWEST
    assert (values["count"], values["waiting"]) == (9, 1)
    assert [(post["name"], post["minutes"]) for post in values["threads"][:2]] == [("The instructor", 5), ("Bea", 5)]


def test_the_projector_gets_a_post_without_its_author_and_only_if_the_class_sees_it():
    shown = projected_values(snapshot(make_post(1, picture="abc", width=4, height=3), projected=1))
    assert shown == {"id": 1, "text": "post 1", "picture": "abc", "width": 4, "height": 3}
    for post in (make_post(1, state="hidden"), make_post(1, audience="instructor"), make_post(2)):
        assert projected_values(snapshot(post, projected=1)) is None


def test_a_full_forum_costs_a_poll_little():
    posts = tuple(make_post(number, author=number % 100 + 1) for number in range(1, 4001))
    forum = ForumSnapshot("1", "open", None, posts)
    begin = time.perf_counter()
    for number in range(10):
        forum.visible_to(f"p{number}")
    assert (time.perf_counter() - begin) / 10 < 0.05
