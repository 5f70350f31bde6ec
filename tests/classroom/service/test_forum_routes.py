"""The forum's routes: what is posted by whom, seen by whom, refused, moderated and deleted."""

import asyncio
import base64

import pytest
from fastapi import HTTPException
from starlette.testclient import TestClient

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.database import forum as forum_database
from firstread.classroom.database.forum import list_posts, moderate_post
from firstread.classroom.service import forum_routes
from firstread.classroom.service.deletion import delete_participant
from firstread.classroom.service.forum_routes import MAX_POSTS_AT_ONCE, MAX_UPLOADS, MAX_WAITING_UPLOADS, Uploads

from .. import pictures

AT = "/services/classroom"
ATTACK = "<script>document.title='stolen'</script>"


class Member:
    """A participant who asks the service with their token."""

    def __init__(self, client, name):
        self.client = client
        self.username = client.store.join(name)[0].username
        self.headers = {"Authorization": f"token of-{name}"}
        client.hub.tokens[f"of-{name}"] = {"kind": "user", "name": self.username}
        self.count = 0

    def post(self, text="look", *, picture=None, **other):
        self.count += 1
        body = {"key": f"key-{self.count:08d}", "text": text, **other}
        if picture is not None:
            body["picture"] = base64.b64encode(picture).decode()
        return self.client.post(f"{AT}/api/forum", json=body, headers=self.headers)

    def posts(self):
        return self.client.get(f"{AT}/api/forum", headers=self.headers).json()["posts"]

    def status(self):
        return self.client.get(f"{AT}/api/now", headers=self.headers).json()["forum"]

    def withdraw(self, post_id):
        return self.client.delete(f"{AT}/api/forum/{post_id}", headers=self.headers)

    def picture(self, name, size="pictures", **headers):
        return self.client.get(f"{AT}/api/forum/{size}/{name}", headers=self.headers | headers)


@pytest.fixture
def client(service_client, monkeypatch):
    """The service; changes are seen at once, and a test may post as often as it likes."""
    monkeypatch.setattr("firstread.classroom.progress.forum_view.CACHE_SECONDS", 0.0)
    service_client.app.state.uploads.limiter.max_failures = 1000
    return service_client


@pytest.fixture
def ana(client):
    return Member(client, "Ana")


@pytest.fixture
def bea(client):
    return Member(client, "Bea")


@pytest.fixture
def instructor(client):
    """A client of its own, with the instructor's session."""
    other = TestClient(client.app, base_url="http://testserver")
    other.post(f"{AT}/login", data={"key": client.folder.settings.instructor_key})
    return other


def act(instructor, action, number=0, value=""):
    return instructor.post(
        f"{AT}/forum/actions/{action}",
        data={"number": number, "value": value},
        headers={"X-Requested-With": "fetch"},
    )


def test_a_post_is_seen_by_all_at_once_and_names_nobody(client, ana, bea):
    assert bea.status()["newest"] == 0
    answer = ana.post(ATTACK, picture=pictures.png())
    (mine,) = answer.json()["posts"]
    assert (mine["author"], mine["own"], mine["text"]) == ("You", True, ATTACK)
    (seen,) = bea.posts()
    assert (seen["author"], seen["own"], seen["width"], seen["height"]) == ("A participant", False, 320, 200)
    assert bea.status()["newest"] == seen["id"]
    assert (ana.status()["newest"], ana.status()["count"]) == (0, 1), "one's own post is nothing new"
    everything = client.get(f"{AT}/api/forum", headers=bea.headers).text
    assert "Ana" not in everything
    assert ana.username not in everything


def test_a_post_for_the_instructor_alone_and_the_answer_to_it(client, ana, bea, instructor):
    private = ana.post("only you", picture=pictures.png(), audience="instructor").json()["posts"][0]
    assert bea.posts() == []
    assert bea.picture(private["picture"]).status_code == 404
    assert bea.post("mine too", answers=private["id"]).status_code == 400
    assert act(instructor, "answer", private["id"], "Well seen.").status_code == 204
    assert bea.posts() == []
    (answer,) = ana.posts()[0]["answers"]
    assert (answer["author"], answer["text"]) == ("The instructor", "Well seen.")
    assert ana.status()["newest"] == answer["id"]
    assert act(instructor, "project", private["id"]).status_code == 400


def test_pictures_are_data_and_nothing_else(ana, bea, instructor):
    posted = ana.post(picture=pictures.polyglot()).json()["posts"][0]
    for get in (bea.picture, ana.picture, lambda name, size: instructor.get(f"{AT}/forum/{size}/{name}")):
        for size, media_type in (("pictures", "image/png"), ("previews", "image/jpeg")):
            answer = get(posted["picture"], size)
            assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
            assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert b"script" not in answer.content
    again = bea.picture(posted["picture"], **{"If-None-Match": bea.picture(posted["picture"]).headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "no-cache" in again.headers["cache-control"], "a withdrawn picture is asked for, and not shown"


def test_pictures_are_for_the_members_of_the_class(client, ana):
    name = ana.post(picture=pictures.png()).json()["posts"][0]["picture"]
    stranger = TestClient(client.app, base_url="http://testserver")
    assert stranger.get(f"{AT}/forum/pictures/{name}").status_code == 401
    assert stranger.get(f"{AT}/api/forum/pictures/{name}").status_code == 401
    wrong = {"Authorization": "token made-up"}
    assert stranger.get(f"{AT}/api/forum/pictures/{name}", headers=wrong).status_code == 403
    for path in (f"pictures/{name}x", f"previews/../{name}", f"originals/{name}", "pictures/..%2Fclass.json"):
        assert ana.picture(*path.split("/", 1)[::-1]).status_code in (404, 405), path


@pytest.mark.parametrize("token", ["", "made-up", "of-service"])
def test_only_participants_post(client, token):
    client.hub.tokens["of-service"] = {"kind": "service", "name": "classroom"}
    headers = {"Authorization": f"token {token}"}
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/1")):
        assert client.request(method, f"{AT}/api/forum{path}", headers=headers).status_code in (401, 403)
    assert list_posts(client.store) == []


def test_another_participants_post_is_not_withdrawn(client, ana, bea):
    mine = ana.post().json()["posts"][0]["id"]
    assert bea.withdraw(mine).status_code == 400
    assert len(list_posts(client.store)) == 1
    assert ana.withdraw(mine).json()["posts"] == []


@pytest.mark.parametrize(
    "forged",
    [
        {"key": "short"},
        {"key": "../../etc/passwd"},
        {"text": 7},
        {"text": "x" * 3001},
        {"audience": ["everyone"]},
        {"answers": "1 or 1=1"},
        {"picture": "not base64!"},
        {"participant_id": 7},
        {"state": "shown"},
    ],
)
def test_forged_posts_are_refused(client, ana, forged):
    body = {"key": "key-12345678", "text": "look", **forged}
    assert client.post(f"{AT}/api/forum", json=body, headers=ana.headers).status_code == 422
    assert list_posts(client.store) == []


def test_what_is_no_json_is_refused(client, ana):
    for body in (b"", b"\xff\xfe", b"[" * 100_000, b'{"key": "key-12345678", "text": "\\ud800"}', b"null"):
        assert client.post(f"{AT}/api/forum", content=body, headers=ana.headers).status_code == 422
    assert list_posts(client.store) == []


def test_lines_are_plain_and_short(ana):
    posted = ana.post(" gnp.\u202egpj\nhttps://example.org  ").json()["posts"][0]
    assert posted["text"] == "gnp.gpj https://example.org"
    refused = ana.post("x" * 301)
    assert (refused.status_code, "longer than 300" in refused.text) == (400, True)
    assert ana.post("\u202e\u200b").status_code == 400, "nothing is left of it"


@pytest.mark.parametrize("data", [pictures.SVG, pictures.HTML, pictures.png_bomb(), pictures.png()[:99]])
def test_hostile_pictures_are_refused_in_a_sentence(client, ana, data):
    refused = ana.post("look", picture=data)
    assert (refused.status_code, "icture" in refused.text) == (400, True)
    assert list_posts(client.store) == []


def test_a_file_of_fifty_megabytes_is_refused_before_it_is_read(client, ana):
    size = 50 * 2**20
    refused = client.post(f"{AT}/api/forum", content=b"x" * size, headers=ana.headers)
    assert refused.status_code == 413
    chunks = (b"x" * 2**20 for _ in range(50))
    assert client.post(f"{AT}/api/forum", content=chunks, headers=ana.headers).status_code == 413
    assert ana.post(picture=b"x" * (forum_routes.MAX_PICTURE_BYTES + 2**16)).status_code == 413


def test_a_flood_is_stopped_and_others_still_post(client, ana, bea):
    client.app.state.uploads.limiter.max_failures = MAX_POSTS_AT_ONCE
    answers = [ana.post(f"flood {number}").status_code for number in range(20)]
    taken = answers.count(200)
    assert MAX_POSTS_AT_ONCE <= taken <= MAX_POSTS_AT_ONCE + 2, "and one more each ten seconds"
    assert answers[taken:] == [429] * (20 - taken)
    assert bea.post().status_code == 200


def test_refused_pictures_count_as_well(client, ana):
    client.app.state.uploads.limiter.max_failures = 2
    assert [ana.post(picture=pictures.SVG).status_code for _ in range(6)][4:] == [429, 429]


def test_few_pictures_are_read_at_once_and_not_all_may_wait():
    async def story():
        uploads, running, most, refused = Uploads(), 0, 0, 0

        async def upload():
            nonlocal running, most, refused
            try:
                async with uploads:
                    running += 1
                    most = max(most, running)
                    await asyncio.sleep(0.001)
                    running -= 1
            except HTTPException as error:
                refused += error.status_code == 503

        await asyncio.gather(*(upload() for _ in range(MAX_UPLOADS + MAX_WAITING_UPLOADS + 7)))
        await upload()
        return most, refused

    assert asyncio.run(story()) == (MAX_UPLOADS, 7)


def test_an_upload_that_does_not_arrive_is_given_up(client, ana, monkeypatch):
    monkeypatch.setattr(forum_routes, "_UPLOAD_SECONDS", 0.05)

    async def body(_):
        await asyncio.sleep(10)

    monkeypatch.setattr("starlette.requests.Request.body", body)
    assert ana.post().status_code == 408


def test_the_class_has_room_for_so_many_pictures(ana, monkeypatch):
    monkeypatch.setattr(forum_database, "MAX_TOTAL_BYTES", 1000)
    assert ana.post(picture=pictures.png()).status_code == 200
    refused = ana.post(picture=pictures.png())
    assert (refused.status_code, "no room" in refused.text) == (400, True)
    assert ana.post("a line").status_code == 200


def test_the_instructor_hides_shows_projects_and_deletes(client, ana, bea, instructor):
    posted = ana.post(ATTACK, picture=pictures.png()).json()["posts"][0]
    number, name = posted["id"], posted["picture"]
    assert act(instructor, "project", number).status_code == 204
    projector = instructor.get(f"{AT}/projector").text
    assert name in projector
    assert "Ana" not in projector
    assert act(instructor, "hide", number).status_code == 204
    assert name not in instructor.get(f"{AT}/projector").text
    assert bea.posts() == []
    assert bea.picture(name).status_code == 404
    assert (ana.posts()[0]["state"], ana.picture(name).status_code) == ("hidden", 200)
    assert act(instructor, "show", number).status_code == 204
    assert len(bea.posts()) == 1
    assert act(instructor, "unproject").status_code == 204
    for action in ("wild", "../mode"):
        assert act(instructor, action, number).status_code in (404, 405)
    assert act(instructor, "delete", number).status_code == 204
    assert ana.posts() == []
    assert instructor.get(f"{AT}/forum/pictures/{name}").status_code == 404


def test_posts_wait_for_approval(ana, bea, instructor):
    assert act(instructor, "mode", value="approval").status_code == 204
    waiting = ana.post("may I?").json()["posts"][0]
    assert waiting["state"] == "waiting"
    assert (bea.posts(), bea.status()["newest"]) == ([], 0)
    assert "waits for you" in instructor.get(f"{AT}/forum").text
    act(instructor, "show", waiting["id"])
    assert len(bea.posts()) == 1
    act(instructor, "mode", value="closed")
    assert (ana.post().status_code, ana.status()["mode"], len(bea.posts())) == (400, "closed", 1)
    assert act(instructor, "mode", value="wild").status_code == 400


def test_the_instructor_posts_and_sees_names_escaped(client, ana, instructor):
    files = {"picture": ("a.png", pictures.png(), "text/html")}
    assert instructor.post(f"{AT}/forum/post", data={"text": "Compare"}, files=files).status_code == 200
    ana.post(ATTACK)
    page = instructor.get(f"{AT}/forum").text
    assert "Compare" in page
    assert ">Ana</a>" in page
    assert ATTACK not in page
    dashboard = instructor.get(f"{AT}/").text
    assert "&lt;script&gt;document.title" in dashboard
    assert ATTACK not in dashboard
    seen = ana.posts()[1]
    assert (seen["author"], seen["text"], seen["width"]) == ("The instructor", "Compare", 320)
    refused = instructor.post(f"{AT}/forum/post", files={"picture": ("a.png", pictures.SVG, "image/png")})
    assert (refused.status_code, "Only PNG" in refused.text) == (400, True)


def test_only_the_instructor_moderates(client, ana):
    number = ana.post().json()["posts"][0]["id"]
    for headers in ({}, ana.headers):
        for action in ("hide", "delete", "project", "mode"):
            answer = client.post(f"{AT}/forum/actions/{action}", data={"number": number}, headers=headers)
            assert answer.status_code == 401
        assert client.post(f"{AT}/forum/post", data={"text": "x"}, headers=headers).status_code == 401
        assert client.get(f"{AT}/forum", headers=headers).status_code == 401
    assert list_posts(client.store)[0].state == "shown"


def test_another_site_moderates_nothing(ana, instructor):
    number = ana.post().json()["posts"][0]["id"]
    headers = {"Sec-Fetch-Site": "cross-site"}
    answer = instructor.post(f"{AT}/forum/actions/delete", data={"number": number}, headers=headers)
    assert answer.status_code == 403
    assert len(ana.posts()) == 1


def test_who_deletes_their_data_takes_posts_and_pictures_along(client, ana, bea):
    posted = ana.post(picture=pictures.png()).json()["posts"][0]
    bea.post("yes", answers=posted["id"])
    bea.post("my own")
    delete_participant(client.folder, client.store, ana.username)
    assert [one["text"] for one in bea.posts()] == ["my own"]
    assert bea.picture(posted["picture"]).status_code == 404
    assert ana.post().status_code == 400, "and posts nothing any more"


def test_many_posts_of_one_do_not_hide_those_of_others(ana, bea, client):
    first = ana.post("the first").json()["posts"][0]["id"]
    for number in range(39):
        bea.post(f"for the instructor {number}", audience="instructor")
    moderate_post(client.store, first, "shown")
    cem = Member(client, "Cem")
    assert [one["text"] for one in cem.posts()] == ["the first"]


def test_polls_of_a_class_read_the_posts_once_as_long_as_nothing_changes(client, ana, bea, monkeypatch):
    ana.post()
    ana.status()
    reads = []
    monkeypatch.setattr("firstread.classroom.progress.forum_view.list_posts", lambda _: reads.append(1) or [])
    for _ in range(20):
        ana.status()
        bea.status()
    assert reads == []
