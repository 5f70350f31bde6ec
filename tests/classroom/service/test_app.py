"""The service: what it takes, from whom, and what it refuses."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.store import DoorError, aware
from firstread.classroom.service.app import make_app
from firstread.core.errors import DataError, SettingError

from ..conftest import Hub

AT = "/services/classroom"


@pytest.fixture
def room(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.make("class", lesson="hello-world")
    hub, store = Hub(), folder.store()
    with TestClient(make_app(folder, store=store, hub=hub), base_url="http://testserver") as client:
        ana, _ = store.join("Ana <script>alert(1)</script>")
        hub.tokens["of-ana"] = {"kind": "user", "name": ana.username}
        hub.tokens["of-service"] = {"kind": "service", "name": "classroom"}
        hub.tokens["of-stranger"] = {"kind": "user", "name": "stranger"}
        client.folder, client.store, client.ana, client.hub = folder, store, ana, hub
        yield client


def news(key="0123456789abcdef", **other):
    return {"key": key, "kind": "step", "step": "look", "values": {}, "happened": "2026-11-21T09:00:00+00:00", **other}


def send(room, body, token="of-ana"):
    return room.post(f"{AT}/api/events", json=body, headers={"Authorization": f"token {token}"})


def log_in(room):
    return room.post(f"{AT}/login", data={"key": room.folder.settings.instructor_key}, follow_redirects=False)


def test_news_are_kept_once(room):
    assert send(
        room, [news(), news("fedcba9876543210", kind="cell", values={"ok": False, "error": "NameError"})]
    ).json() == {"new": 2}
    assert send(room, [news()]).json() == {"new": 0}
    assert [event.participant_id for event in room.store.events()] == [room.ana.id] * 2


@pytest.mark.parametrize("token", ["", "made-up", "of-service"])
def test_only_participants_tell(room, token):
    assert send(room, [news()], token).status_code in (401, 403)
    assert room.store.events() == []


def test_someone_who_is_not_in_the_class_tells_nothing(room):
    answer = send(room, [news()], "of-stranger")
    assert (answer.status_code, "no such participant" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "forged",
    [
        {"key": "short"}, {"key": "x" * 65}, {"key": "../../etc/passwd"}, {"kind": "grade"}, {"step": "x" * 65}, {"happened": "now"},
        {"happened": "2026-11-21T09:00:00"}, {"participant_id": 7}, {"received": "2026-11-21T09:00:00+00:00"}, {"values": "text"},
    ],
)  # fmt: skip
def test_forged_news_are_refused(room, forged):
    assert send(room, [news(**forged)]).status_code == 422
    assert room.store.events() == []


def test_too_much_is_refused(room):
    assert send(room, [news(f"{n:032x}") for n in range(201)]).status_code == 413
    assert send(room, [news(values={"x": "y" * 200_000})]).status_code == 413
    assert send(room, [news(values={"x": "y" * 9_000_000})]).status_code == 413
    chunks = (b"[" + b" " * 1000 for _ in range(3))
    assert room.post(f"{AT}/api/events", content=chunks, headers={"Authorization": "token of-ana"}).status_code == 413


def now(room, token="of-ana", **query):
    return room.get(f"{AT}/api/now", params=query, headers={"Authorization": f"token {token}"})


def help_with(room, body, token="of-ana"):
    return room.post(f"{AT}/api/help", json=body, headers={"Authorization": f"token {token}"})


def no_help(room, token="of-ana"):
    return room.delete(f"{AT}/api/help", headers={"Authorization": f"token {token}"})


def heard(room, **query):
    """What a bar hears once the reading that it shares with others is renewed."""
    room.app.state.room.now.look_again()
    return now(room, **query).json()


def test_the_plan_as_participants_see_it(room):
    told = now(room).json()
    assert (told["plan"]["state"], told["plan"]["minutes_left"], told["called"]) == ("before", None, None)
    assert [step["id"] for step in told["steps"]][:3] == ["hello", "look", "guess"]
    room.store.begin()
    room.store.call_step("guess")
    told = heard(room)
    assert (told["plan"]["state"], told["plan"]["step"], told["called"]) == ("running", "hello", "guess")
    assert 44.9 < told["plan"]["minutes_left"] <= 45
    room.store.pause()
    assert heard(room)["plan"]["state"] == "paused"


def test_the_bars_of_a_large_class_ask_less_often(room):
    assert heard(room)["again_seconds"] == 5
    for number in range(99):
        room.store.join(f"P{number}")
    assert 8 < heard(room)["again_seconds"] < 9
    for number in range(120):
        room.store.join(f"Q{number}")
    assert heard(room)["again_seconds"] == 15, "so long that nobody seems to be away"


def test_a_plan_that_is_over(room):
    room.store.begin(datetime.now(UTC) - timedelta(hours=2))
    assert heard(room)["plan"] == {"state": "over", "minutes_left": 0.0, "step": None}


def test_what_was_said_to_all_since_they_joined_is_heard_once(room):
    room.store.broadcast("first")
    room.store.broadcast("second")
    said = heard(room)["broadcasts"]
    assert [one["text"] for one in said] == ["first", "second"]
    assert [one["text"] for one in heard(room, after=said[0]["id"])["broadcasts"]] == ["second"]
    late, _ = room.store.join("Late")
    room.hub.tokens["of-late"] = {"kind": "user", "name": late.username}
    room.app.state.room.now.look_again()
    assert now(room, "of-late").json()["broadcasts"] == []


def test_an_open_browser_is_noted_and_a_server_alone_is_not(room):
    before = datetime.now(UTC) - timedelta(minutes=5)
    room.store.notice(room.ana.username, now=before)
    assert send(room, []).json() == {"new": 0}
    (ana,) = [one for one in room.store.people() if one.id == room.ana.id]
    assert aware(ana.seen) == before
    heard(room)
    assert aware(room.store.person(ana.username).seen) > before


def test_help_from_the_call_to_the_answer(room):
    before, _ = room.store.join("Before")
    other = room.store.ask_help(before.username, "me first")
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": "1 / 0"}]})
    told = help_with(
        room, {"note": " stuck ", "step": "look", "error": "ZeroDivisionError", "notebook": notebook}
    ).json()
    assert (told["help"]["state"], told["help"]["place"], told["help"]["note"]) == ("waiting", 2, "stuck")
    kept = room.store.help_queue()[1]
    assert (kept.step, kept.error, kept.notebook) == ("look", "ZeroDivisionError", notebook)
    room.store.change_help(other.id, state="resolved", answer="for somebody else")
    told = heard(room)
    assert (told["help"]["place"], told["answers"]) == (1, [])
    room.store.change_help(kept.id, state="taken")
    assert (heard(room)["help"]["state"], heard(room)["help"]["place"]) == ("taken", None)
    room.store.change_help(kept.id, state="resolved", answer="like this")
    told = heard(room)
    assert told["help"] is None
    assert [(one["note"], one["text"]) for one in told["answers"]] == [("stuck", "like this")]
    assert "notebook" not in str(told)


def test_help_that_is_no_longer_needed(room):
    help_with(room, {"note": "once"})
    help_with(room, {"note": "twice", "step": "no such step"})
    assert [(one.note, one.step) for one in room.store.help_queue()] == [("twice", None)]
    assert no_help(room).json()["help"] is None
    assert room.store.help_queue() == []
    assert no_help(room).status_code == 200, "nothing to take back is no mistake"


@pytest.mark.parametrize(
    "wrong",
    [
        {"note": "x" * 1001}, {"note": 7}, {"step": "x" * 65}, {"error": "Name Error: of Mr Smith"}, {"error": "E" * 101}, {"state": "taken"},
        {"notebook": "not JSON"}, {"notebook": "[]"}, {"notebook": "{}"}, {"notebook": '{"cells": 3}'}, {"notebook": "[" * 100_000},
        {"notebook": json.dumps({"cells": ["x" * (2 * 2**20)]})}, {"participant_id": 1},
    ],
)  # fmt: skip
def test_wrong_calls_for_help_are_refused(room, wrong):
    assert help_with(room, wrong).status_code == 422
    assert room.store.help_queue() == []


@pytest.mark.parametrize("token", ["", "made-up", "of-service"])
def test_only_participants_ask(room, token):
    for answer in (now(room, token), help_with(room, {"note": "x"}, token), no_help(room, token)):
        assert answer.status_code in (401, 403)


def test_someone_who_is_not_in_the_class_hears_nothing(room):
    room.store.broadcast("secret")
    for answer in (now(room, "of-stranger"), help_with(room, {}, "of-stranger"), no_help(room, "of-stranger")):
        assert (answer.status_code, "no such participant" in answer.text) == (400, True)
    assert now(room, after=-1).status_code == 422


def test_many_bars_are_answered_from_one_reading(room, monkeypatch):
    looked = []
    monkeypatch.setattr(room.store, "help_lines", lambda: looked.append(1) or [])
    for _ in range(20):
        assert now(room).status_code == 200
    assert len(looked) < 5


@pytest.mark.parametrize(
    "path", ["/", "/projector", "/stream", "/stream?view=projector", "/here", "/api/standings", "/person/1", "/copy/1"]
)
def test_the_dashboard_needs_the_key(room, path):
    assert room.get(AT + path, headers={"Accept": "text/html"}, follow_redirects=False).status_code == 303
    assert room.get(AT + path, headers={"Accept": "application/json"}).status_code == 401


def test_a_participants_token_opens_no_dashboard(room):
    assert room.get(f"{AT}/api/standings", headers={"Authorization": "token of-ana"}).status_code == 401


def test_keys_cannot_be_guessed_for_long(room):
    for _ in range(11):
        assert "wrong=1" in room.post(f"{AT}/login", data={"key": "guess"}, follow_redirects=False).headers["location"]
    assert "wrong=1" in log_in(room).headers["location"], "even the right key waits now"


def test_a_name_is_shown_and_not_run(room):
    assert log_in(room).headers["location"] == f"{AT}/"
    page = room.get(f"{AT}/").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    for path in ("/", "/projector"):
        assert "viewBox" in room.get(AT + path).text, "a QR code that is scaled must be scaled whole"
    assert "Ana" not in room.get(f"{AT}/projector").text


def test_what_the_instructor_does(room):
    log_in(room)
    for what, value in (("door", "closed"), ("begin", ""), ("step", "freeze"), ("say", "Hello"), ("pause", "")):
        assert room.post(f"{AT}/do/{what}", data={"value": value}, follow_redirects=False).status_code == 303
    state = room.store.state()
    assert (state.door, state.step) == ("closed", "freeze")
    assert state.paused is not None
    assert room.store.broadcasts()[0].text == "Hello"
    asked = room.store.ask_help(room.ana.username, "help me")
    assert "help me" in room.get(f"{AT}/").text
    room.post(f"{AT}/do/take", data={"number": asked.id})
    room.post(f"{AT}/do/resolve", data={"number": asked.id, "value": "like this"})
    assert room.store.help_queue(everything=True)[0].answer == "like this"
    assert "ajar" in room.post(f"{AT}/do/door", data={"value": "ajar"}).text
    assert room.post(f"{AT}/do/step", data={"value": "no such"}).status_code == 400
    assert room.post(f"{AT}/do/explode").status_code == 404
    room.post(f"{AT}/logout")
    assert room.get(f"{AT}/api/standings").status_code == 401


def test_where_the_instructor_goes_after_the_key(room):
    key = room.folder.settings.instructor_key
    answer = room.post(f"{AT}/login", data={"key": key, "view": "projector"}, follow_redirects=False)
    assert answer.headers["location"] == f"{AT}/projector"
    assert room.post(f"{AT}/login", data={"key": key, "view": "elsewhere"}, follow_redirects=False).status_code == 422


def test_help_is_taken_answered_put_back_and_resolved(room):
    log_in(room)
    asked = room.store.ask_help(room.ana.username, "my cell is red")

    def act(what, value=""):
        return room.post(
            f"{AT}/do/{what}", data={"number": asked.id, "value": value}, headers={"X-Requested-With": "fetch"}
        ).status_code

    def now():
        found = room.store.help_queue(everything=True)[0]
        return found.state, found.answer

    assert (act("take"), now()) == (204, ("taken", None))
    assert (act("answer", "  "), now()) == (400, ("taken", None))
    assert (act("answer", "x" * 501), now()) == (400, ("taken", None))
    assert (act("answer", "Restart and catch up"), now()) == (204, ("taken", "Restart and catch up"))
    assert "You answered:" in room.get(f"{AT}/").text
    assert (act("release"), now()[0]) == (204, "waiting")
    assert (act("resolve"), now()) == (204, ("resolved", "Restart and catch up"))
    assert room.post(f"{AT}/do/take", data={"number": 999}).status_code == 400


def test_the_plan_can_be_ended_and_begun_again(room):
    log_in(room)
    for what in ("begin", "pause"):
        room.post(f"{AT}/do/{what}")
    room.post(f"{AT}/do/step", data={"value": "freeze"})
    room.post(f"{AT}/do/end")
    state = room.store.state()
    assert (state.began, state.paused, state.pauses_seconds, state.step) == (None, None, 0.0, None)
    assert room.store.minutes_gone() is None
    room.post(f"{AT}/do/begin")
    assert room.store.minutes_gone() < 1


def test_nothing_is_said_by_mistake(room):
    log_in(room)
    for words in ("", "   ", "x" * 501):
        assert room.post(f"{AT}/do/say", data={"value": words}).status_code == 400
    assert room.store.broadcasts() == []


def test_a_copy_is_shown_as_text_under_a_policy_that_lets_nothing_run(room):
    from ..crowd import attacking_notebook

    log_in(room)
    asked = room.store.ask_help(room.ana.username, "look", notebook=attacking_notebook())
    answer = room.get(f"{AT}/copy/{asked.id}")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert "&lt;script&gt;document.title" in answer.text
    assert answer.text.count("<img") == 1, "the one real picture"
    assert "<script" not in answer.text
    none = room.store.change_help(asked.id, state="resolved") or room.store.ask_help(room.ana.username, "without")
    assert "cannot be read" in room.get(f"{AT}/copy/{none.id}").text
    assert room.get(f"{AT}/copy/999").status_code == 400


def test_a_lost_resume_word_is_replaced_and_shown_once(room):
    log_in(room)
    bea, old = room.store.join("Bea")
    home = room.folder.home_of(bea.username)
    home.mkdir(parents=True)
    (home / "my resume word.txt").write_text(old)
    page = room.post(f"{AT}/person/{bea.number}/word")
    new = page.text.split('id="word">')[1].split("<")[0]
    assert page.headers["cache-control"] == "no-store"
    assert room.store.come_back(new).username == bea.username
    with pytest.raises(DoorError, match="nobody's"):
        room.store.come_back(old)
    assert not (home / "my resume word.txt").exists(), "a word that is worth nothing misleads"
    assert new not in room.get(f"{AT}/person/{bea.number}").text
    assert room.post(f"{AT}/person/77/word").status_code == 400


def test_nobody_is_removed_without_being_sure(room):
    log_in(room)
    send(room, [news()])
    assert room.post(f"{AT}/person/1/remove").status_code == 400
    assert room.post(f"{AT}/person/1/remove", data={"sure": "on"}).status_code == 400
    assert len(room.store.people()) == 1
    page = room.post(f"{AT}/person/1/remove", data={"sure": "yes"}).text
    assert "no longer in the class" in page
    assert "could not be ended from here" in page, "this hub has no address"
    assert (room.store.people(), room.store.events()) == ([], [])
    assert send(room, [news()]).status_code == 400
    assert room.get(f"{AT}/person/1").status_code == 400


def test_the_hub_forgets_who_is_removed(room):
    """A hub's API, as the service reaches it."""
    import http.server
    import threading

    asked = []

    class Api(http.server.BaseHTTPRequestHandler):
        def do_DELETE(self):
            asked.append((self.path, self.headers["Authorization"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub = room.app.state.room.hub
    hub.api_url, hub.api_token = f"http://127.0.0.1:{server.server_port}/hub/api/", "of-the-service"
    log_in(room)
    assert "Their server has ended." in room.post(f"{AT}/person/1/remove", data={"sure": "yes"}).text
    server.shutdown()
    server.server_close()
    assert asked == [(f"/hub/api/users/{room.ana.username}", "token of-the-service")]


def test_another_site_cannot_act_in_the_instructors_name(room):
    log_in(room)
    answer = room.post(f"{AT}/do/door", data={"value": "locked"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert room.store.state().door == "open"
    assert "SameSite=strict".lower() in log_in(room).headers["set-cookie"].lower()


def test_strict_headers_on_everything(room):
    for path in ("/login", "/app.js", "/nothing"):
        headers = room.get(AT + path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_class_folder_keeps_its_secrets_when_it_is_started_again(room):
    first = room.folder.settings
    again = ClassFolder.make("class", lesson="hello-world", port=9000).settings
    assert (again.join_code, again.instructor_key, again.class_key, again.seed) == (
        first.join_code, first.instructor_key, first.class_key, first.seed,
    )  # fmt: skip
    assert again.port == 9000
    assert not {"instructor_key", "class_key"} & set(room.folder.plain())
    with pytest.raises(SettingError, match="is of the lesson"):
        ClassFolder.make("class", lesson="mednist")
    with pytest.raises(SettingError, match="cannot be called"):
        ClassFolder.make("../elsewhere", lesson="hello-world")
    with pytest.raises(DataError, match="no class here"):
        ClassFolder(room.folder.path / "nothing")


def test_hub_and_service_never_get_the_same_port(room, monkeypatch):
    import socket

    taken = []

    class Socket(socket.socket):  # an operating system that gives a port that is free again to the next who asks
        def bind(self, _):
            super().bind(("127.0.0.1", 0))
            taken.append(self)

        def getsockname(self):
            return ("127.0.0.1", 40_000 + sum(one.fileno() != -1 for one in taken[: taken.index(self)]))

    monkeypatch.setattr(socket, "socket", Socket)
    assert len(set(room.folder.ports.values())) == 2
    assert room.folder.ports == room.folder.ports
