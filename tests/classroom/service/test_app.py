"""The classroom service: what it accepts, from whom, and what it refuses."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.class_folder import ClassFolder
from firstread.classroom.database.help_requests import help_queue, request_help, update_help_request
from firstread.classroom.database.store import AccessError, as_utc
from firstread.classroom.progress import participant_view
from firstread.classroom.service.app import make_app
from firstread.core.errors import DataError, SettingError

from ..conftest import FakeHub

AT = "/services/classroom"


@pytest.fixture
def client(monkeypatch, tmp_path):
    monkeypatch.setenv("FIRSTREAD_HOME", str(tmp_path))
    folder = ClassFolder.create("class", lesson="hello-world")
    hub, store = FakeHub(), folder.store()
    with TestClient(make_app(folder, store=store, hub=hub), base_url="http://testserver") as client:
        ana, _ = store.join("Ana <script>alert(1)</script>")
        hub.tokens["of-ana"] = {"kind": "user", "name": ana.username}
        hub.tokens["of-service"] = {"kind": "service", "name": "classroom"}
        hub.tokens["of-stranger"] = {"kind": "user", "name": "stranger"}
        client.folder, client.store, client.ana, client.hub = folder, store, ana, hub
        yield client


def event_json(key="0123456789abcdef", **other):
    return {"key": key, "kind": "step", "step": "look", "values": {}, "happened": "2026-11-21T09:00:00+00:00", **other}


def send(client, body, token="of-ana"):
    return client.post(f"{AT}/api/events", json=body, headers={"Authorization": f"token {token}"})


def log_in(client):
    return client.post(f"{AT}/login", data={"key": client.folder.settings.instructor_key}, follow_redirects=False)


def test_news_are_kept_once(client):
    assert send(
        client, [event_json(), event_json("fedcba9876543210", kind="cell", values={"ok": False, "error": "NameError"})]
    ).json() == {"new": 2}
    assert send(client, [event_json()]).json() == {"new": 0}
    assert [event.participant_id for event in client.store.events()] == [client.ana.id] * 2


@pytest.mark.parametrize("token", ["", "made-up", "of-service"])
def test_only_participants_tell(client, token):
    assert send(client, [event_json()], token).status_code in (401, 403)
    assert client.store.events() == []


def test_someone_who_is_not_in_the_class_tells_nothing(client):
    answer = send(client, [event_json()], "of-stranger")
    assert (answer.status_code, "no such participant" in answer.text) == (400, True)


@pytest.mark.parametrize(
    "forged",
    [
        {"key": "short"},
        {"key": "x" * 65},
        {"key": "../../etc/passwd"},
        {"kind": "grade"},
        {"step": "x" * 65},
        {"happened": "now"},
        {"happened": "2026-11-21T09:00:00"},
        {"participant_id": 7},
        {"received": "2026-11-21T09:00:00+00:00"},
        {"values": "text"},
    ],
)
def test_forged_news_are_refused(client, forged):
    assert send(client, [event_json(**forged)]).status_code == 422
    assert client.store.events() == []


def test_too_much_is_refused(client):
    assert send(client, [event_json(f"{n:032x}") for n in range(201)]).status_code == 413
    assert send(client, [event_json(values={"x": "y" * 200_000})]).status_code == 413
    assert send(client, [event_json(values={"x": "y" * 9_000_000})]).status_code == 413
    chunks = (b"[" + b" " * 1000 for _ in range(3))
    assert client.post(f"{AT}/api/events", content=chunks, headers={"Authorization": "token of-ana"}).status_code == 413


def get_status(client, token="of-ana", **query):
    return client.get(f"{AT}/api/now", params=query, headers={"Authorization": f"token {token}"})


def post_help(client, body, token="of-ana"):
    return client.post(f"{AT}/api/help", json=body, headers={"Authorization": f"token {token}"})


def delete_help(client, token="of-ana"):
    return client.delete(f"{AT}/api/help", headers={"Authorization": f"token {token}"})


def fresh_status(client, **query):
    """Class status as a bar gets it, past the cache that bars share."""
    client.app.state.service.participant_view.invalidate()
    return get_status(client, **query).json()


def test_the_plan_as_participants_see_it(client):
    status = get_status(client).json()
    assert (status["plan"]["state"], status["plan"]["minutes_left"], status["called"]) == ("before", None, None)
    assert [step["id"] for step in status["steps"]][:3] == ["hello", "look", "guess"]
    client.store.start_plan()
    client.store.set_called_step("guess")
    status = fresh_status(client)
    assert (status["plan"]["state"], status["plan"]["step"], status["called"]) == ("running", "hello", "guess")
    assert 44.9 < status["plan"]["minutes_left"] <= 45
    client.store.pause_plan()
    assert fresh_status(client)["plan"]["state"] == "paused"


def test_the_bars_of_a_large_class_ask_less_often(client):
    client.store.max_participants = 1000
    assert fresh_status(client)["again_seconds"] == 5
    for number in range(99):
        client.store.join(f"P{number}")
    assert 8 < fresh_status(client)["again_seconds"] < 9
    for number in range(120):
        client.store.join(f"Q{number}")
    assert fresh_status(client)["again_seconds"] == 15, "so long that nobody seems to be away"


def test_a_plan_that_is_over(client):
    client.store.start_plan(datetime.now(UTC) - timedelta(hours=2))
    assert fresh_status(client)["plan"] == {"state": "over", "minutes_left": 0.0, "step": None}


def test_what_was_said_to_all_since_they_joined_is_heard_once(client):
    client.store.add_broadcast("first")
    client.store.add_broadcast("second")
    said = fresh_status(client)["broadcasts"]
    assert [one["text"] for one in said] == ["first", "second"]
    assert [one["text"] for one in fresh_status(client, after=said[0]["id"])["broadcasts"]] == ["second"]
    late, _ = client.store.join("Late")
    client.hub.tokens["of-late"] = {"kind": "user", "name": late.username}
    client.app.state.service.participant_view.invalidate()
    assert get_status(client, "of-late").json()["broadcasts"] == []


def test_an_open_browser_is_noted_and_a_server_alone_is_not(client):
    before = datetime.now(UTC) - timedelta(minutes=5)
    client.store.mark_seen(client.ana.username, now=before)
    assert send(client, []).json() == {"new": 0}
    (ana,) = [one for one in client.store.participants() if one.id == client.ana.id]
    assert as_utc(ana.seen) == before
    fresh_status(client)
    assert as_utc(client.store.find_participant(ana.username).seen) > before


def test_help_from_the_call_to_the_answer(client):
    before, _ = client.store.join("Before")
    other = request_help(client.store, before.username, "me first")
    notebook = json.dumps({"cells": [{"cell_type": "code", "source": "1 / 0"}]})
    status = post_help(
        client, {"note": " stuck ", "step": "look", "error": "ZeroDivisionError", "notebook": notebook}
    ).json()
    assert (status["help"]["state"], status["help"]["place"], status["help"]["note"]) == ("waiting", 2, "stuck")
    kept = help_queue(client.store)[1]
    assert (kept.step, kept.error, kept.notebook) == ("look", "ZeroDivisionError", notebook)
    update_help_request(client.store, other.id, state="resolved", answer="for somebody else")
    status = fresh_status(client)
    assert (status["help"]["place"], status["answers"]) == (1, [])
    update_help_request(client.store, kept.id, state="taken")
    assert (fresh_status(client)["help"]["state"], fresh_status(client)["help"]["place"]) == ("taken", None)
    update_help_request(client.store, kept.id, state="resolved", answer="like this")
    status = fresh_status(client)
    assert status["help"] is None
    assert [(one["note"], one["text"]) for one in status["answers"]] == [("stuck", "like this")]
    assert "notebook" not in str(status)


def test_who_was_answered_may_ask_again_at_once(client):
    post_help(client, {"note": "my cell is red"})
    asked = help_queue(client.store)[0]
    update_help_request(client.store, asked.id, state="taken", answer="Run the cell above.")
    status = fresh_status(client)
    assert (status["help"]["state"], status["help"]["id"]) == ("answered", asked.id)
    assert [one["text"] for one in status["answers"]] == ["Run the cell above."]
    status = post_help(client, {"note": "it is still red"}).json()
    assert (status["help"]["state"], status["help"]["note"]) == ("waiting", "it is still red")
    assert [one["text"] for one in status["answers"]] == ["Run the cell above."], "it can be read again"


def test_a_message_tells_its_age_by_the_clock_of_the_class(client):
    client.store.add_broadcast("just now")
    post_help(client, {"note": "red"})
    update_help_request(client.store, help_queue(client.store)[0].id, state="resolved", answer="blue")
    status = fresh_status(client)
    assert [0 <= one["age_seconds"] < 30 for one in status["broadcasts"] + status["answers"]] == [True, True]


def test_help_that_is_no_longer_needed(client):
    post_help(client, {"note": "once"})
    post_help(client, {"note": "twice", "step": "no such step"})
    assert [(one.note, one.step) for one in help_queue(client.store)] == [("twice", None)]
    assert delete_help(client).json()["help"] is None
    assert help_queue(client.store) == []
    assert delete_help(client).status_code == 200, "nothing to take back is no mistake"


@pytest.mark.parametrize(
    "wrong",
    [
        {"note": "x" * 1001},
        {"note": 7},
        {"step": "x" * 65},
        {"error": "Name Error: of Mr Smith"},
        {"error": "E" * 101},
        {"state": "taken"},
        {"notebook": "not JSON"},
        {"notebook": "[]"},
        {"notebook": "{}"},
        {"notebook": '{"cells": 3}'},
        {"notebook": "[" * 100_000},
        {"notebook": json.dumps({"cells": ["x" * (2 * 2**20)]})},
        {"participant_id": 1},
    ],
)
def test_wrong_calls_for_help_are_refused(client, wrong):
    assert post_help(client, wrong).status_code == 422
    assert help_queue(client.store) == []


@pytest.mark.parametrize("token", ["", "made-up", "of-service"])
def test_only_participants_ask(client, token):
    for answer in (get_status(client, token), post_help(client, {"note": "x"}, token), delete_help(client, token)):
        assert answer.status_code in (401, 403)


def test_someone_who_is_not_in_the_class_hears_nothing(client):
    client.store.add_broadcast("secret")
    for answer in (
        get_status(client, "of-stranger"),
        post_help(client, {}, "of-stranger"),
        delete_help(client, "of-stranger"),
    ):
        assert (answer.status_code, "no such participant" in answer.text) == (400, True)
    assert get_status(client, after=-1).status_code == 422


def test_many_bars_are_answered_from_one_reading(client, monkeypatch):
    looked = []
    monkeypatch.setattr(participant_view, "list_help_requests", lambda _: looked.append(1) or [])
    for _ in range(20):
        assert get_status(client).status_code == 200
    assert len(looked) < 5


@pytest.mark.parametrize(
    "path",
    ["/", "/projector", "/stream", "/stream?view=projector", "/session", "/api/progress", "/participants/1", "/copy/1"],
)
def test_the_dashboard_needs_the_key(client, path):
    assert client.get(AT + path, headers={"Accept": "text/html"}, follow_redirects=False).status_code == 303
    assert client.get(AT + path, headers={"Accept": "application/json"}).status_code == 401


def test_a_participants_token_opens_no_dashboard(client):
    assert client.get(f"{AT}/api/progress", headers={"Authorization": "token of-ana"}).status_code == 401


def test_the_right_key_is_let_in_however_many_wrong_ones_came_from_the_same_address(client):
    answers = [client.post(f"{AT}/login", data={"key": "guess"}, follow_redirects=False) for _ in range(12)]
    assert answers[0].headers["location"].endswith("wrong=1")
    assert answers[-1].headers["location"].endswith("wrong=often")
    assert "the right one is let in all the same" in client.get(answers[-1].headers["location"]).text
    assert log_in(client).headers["location"] == f"{AT}/"


def test_a_request_that_did_not_come_through_the_proxy_cannot_choose_its_address(client):
    for number in range(12):  # as a participant's server would send it, straight to the service's port
        headers = {"X-Forwarded-For": f"10.0.0.{number}"}
        answer = client.post(f"{AT}/login", data={"key": "guess"}, headers=headers, follow_redirects=False)
    assert answer.headers["location"].endswith("wrong=often")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-site", "Origin": "http://testserver:8000"},  # another port of the same name
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"},
        {"Origin": "http://testserver:8000"},  # a browser that does not say where a request comes from
        {"Origin": "null"},
    ],
)
def test_another_origin_cannot_act_in_the_instructors_name(client, headers):
    log_in(client)
    answer = client.post(f"{AT}/actions/door", data={"value": "locked"}, headers=headers, follow_redirects=False)
    assert answer.status_code == 403
    assert client.store.state().door == "open"


def test_a_name_is_shown_and_not_run(client):
    assert log_in(client).headers["location"] == f"{AT}/"
    page = client.get(f"{AT}/").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    for path in ("/", "/projector"):
        assert "viewBox" in client.get(AT + path).text, "a QR code that is scaled must be scaled whole"
    assert "Ana" not in client.get(f"{AT}/projector").text


def test_what_the_instructor_does(client):
    log_in(client)
    for what, value in (("door", "closed"), ("begin", ""), ("step", "freeze"), ("say", "Hello"), ("pause", "")):
        assert client.post(f"{AT}/actions/{what}", data={"value": value}, follow_redirects=False).status_code == 303
    state = client.store.state()
    assert (state.door, state.step) == ("closed", "freeze")
    assert state.paused is not None
    assert client.store.broadcasts()[0].text == "Hello"
    asked = request_help(client.store, client.ana.username, "help me")
    assert "help me" in client.get(f"{AT}/").text
    client.post(f"{AT}/actions/take", data={"number": asked.id})
    client.post(f"{AT}/actions/resolve", data={"number": asked.id, "value": "like this"})
    assert help_queue(client.store, include_resolved=True)[0].answer == "like this"
    assert "ajar" in client.post(f"{AT}/actions/door", data={"value": "ajar"}).text
    assert client.post(f"{AT}/actions/step", data={"value": "no such"}).status_code == 400
    assert client.post(f"{AT}/actions/explode").status_code == 404
    client.post(f"{AT}/logout")
    assert client.get(f"{AT}/api/progress").status_code == 401


def test_where_the_instructor_goes_after_the_key(client):
    key = client.folder.settings.instructor_key
    answer = client.post(f"{AT}/login", data={"key": key, "view": "projector"}, follow_redirects=False)
    assert answer.headers["location"] == f"{AT}/projector"
    assert client.post(f"{AT}/login", data={"key": key, "view": "elsewhere"}, follow_redirects=False).status_code == 422


def test_help_is_taken_answered_put_back_and_resolved(client):
    log_in(client)
    asked = request_help(client.store, client.ana.username, "my cell is red")

    def act(what, value=""):
        return client.post(
            f"{AT}/actions/{what}", data={"number": asked.id, "value": value}, headers={"X-Requested-With": "fetch"}
        ).status_code

    def now():
        found = help_queue(client.store, include_resolved=True)[0]
        return found.state, found.answer

    assert (act("take"), now()) == (204, ("taken", None))
    assert (act("answer", "  "), now()) == (400, ("taken", None))
    assert (act("answer", "x" * 501), now()) == (400, ("taken", None))
    assert (act("answer", "Restart and catch up"), now()) == (204, ("taken", "Restart and catch up"))
    assert "You answered:" in client.get(f"{AT}/").text
    assert (act("release"), now()[0]) == (204, "waiting")
    assert (act("resolve"), now()) == (204, ("resolved", "Restart and catch up"))
    assert client.post(f"{AT}/actions/take", data={"number": 999}).status_code == 400


def test_the_plan_can_be_ended_and_begun_again(client):
    log_in(client)
    for what in ("begin", "pause"):
        client.post(f"{AT}/actions/{what}")
    client.post(f"{AT}/actions/step", data={"value": "freeze"})
    client.post(f"{AT}/actions/end")
    state = client.store.state()
    assert (state.began, state.paused, state.pauses_seconds, state.step) == (None, None, 0.0, None)
    assert client.store.elapsed_minutes() is None
    client.post(f"{AT}/actions/begin")
    assert client.store.elapsed_minutes() < 1


def test_the_same_error_several_times_in_a_row_is_one_line(client):
    log_in(client)
    now = datetime.now(UTC)
    failed = {"ok": False, "error": "NameError", "cell": "mine"}
    rows = [("cell", failed)] * 3 + [("step", {})] + [("cell", {**failed, "cell": "my other"})] * 2
    news = [
        {"key": f"{place:08d}", "kind": kind, "step": "look", "values": values, "happened": now}
        for place, (kind, values) in enumerate(rows)
    ]
    client.store.record_events(client.ana.username, news)
    page = client.get(f"{AT}/participants/1").text
    lines = re.findall(r"(\d × )?<span class=\"tag error-tag\">! NameError</span>|came to a step", page)
    assert lines == ["2 × ", "", "3 × "]


def test_nothing_is_said_by_mistake(client):
    log_in(client)
    for words in ("", "   ", "x" * 501):
        assert client.post(f"{AT}/actions/say", data={"value": words}).status_code == 400
    assert client.store.broadcasts() == []


def test_a_copy_is_shown_as_text_under_a_policy_that_lets_nothing_run(client):
    from ..simulated_class import malicious_notebook

    log_in(client)
    asked = request_help(client.store, client.ana.username, "look", notebook=malicious_notebook())
    answer = client.get(f"{AT}/copy/{asked.id}")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert "&lt;script&gt;document.title" in answer.text
    assert answer.text.count("<img") == 1, "the one real picture"
    assert "<script" not in answer.text
    none = update_help_request(client.store, asked.id, state="resolved") or request_help(
        client.store, client.ana.username, "without"
    )
    assert "cannot be read" in client.get(f"{AT}/copy/{none.id}").text
    assert client.get(f"{AT}/copy/999").status_code == 400


def test_a_lost_resume_word_is_replaced_and_shown_once(client):
    log_in(client)
    bea, old = client.store.join("Bea")
    home = client.folder.home_of(bea.username)
    home.mkdir(parents=True)
    (home / "my resume word.txt").write_text(old)
    page = client.post(f"{AT}/participants/{bea.number}/word")
    new = page.text.split('id="word">')[1].split("<")[0]
    assert page.headers["cache-control"] == "no-store"
    assert client.store.resume(new).username == bea.username
    with pytest.raises(AccessError, match="nobody's"):
        client.store.resume(old)
    assert not (home / "my resume word.txt").exists(), "a word that is worth nothing misleads"
    assert new not in client.get(f"{AT}/participants/{bea.number}").text
    assert client.post(f"{AT}/participants/77/word").status_code == 400


def test_nobody_is_removed_without_being_sure(client):
    log_in(client)
    send(client, [event_json()])
    assert client.post(f"{AT}/participants/1/remove").status_code == 400
    assert client.post(f"{AT}/participants/1/remove", data={"sure": "on"}).status_code == 400
    assert len(client.store.participants()) == 1
    page = client.post(f"{AT}/participants/1/remove", data={"sure": "yes"}).text
    assert "no longer in the class" in page
    assert "could not be ended from here" in page, "this hub has no address"
    assert (client.store.participants(), client.store.events()) == ([], [])
    assert send(client, [event_json()]).status_code == 400
    assert client.get(f"{AT}/participants/1").status_code == 400


def test_the_hub_forgets_who_is_removed(client):
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
    hub = client.app.state.service.hub
    hub.api_url, hub.api_token = f"http://127.0.0.1:{server.server_port}/hub/api/", "of-the-service"
    log_in(client)
    assert "Their server has ended." in client.post(f"{AT}/participants/1/remove", data={"sure": "yes"}).text
    server.shutdown()
    server.server_close()
    assert asked == [(f"/hub/api/users/{client.ana.username}", "token of-the-service")]


def test_another_site_cannot_act_in_the_instructors_name(client):
    log_in(client)
    answer = client.post(f"{AT}/actions/door", data={"value": "locked"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert client.store.state().door == "open"
    assert "SameSite=strict".lower() in log_in(client).headers["set-cookie"].lower()


def test_strict_headers_on_everything(client):
    for path in ("/login", "/app.js", "/nothing"):
        headers = client.get(AT + path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_class_folder_keeps_its_secrets_when_it_is_started_again(client):
    first = client.folder.settings
    again = ClassFolder.create("class", lesson="hello-world", port=9000).settings
    assert (again.join_code, again.instructor_key, again.class_key, again.seed) == (
        first.join_code,
        first.instructor_key,
        first.class_key,
        first.seed,
    )
    assert again.port == 9000
    assert not {"instructor_key", "class_key"} & set(client.folder.public_settings())
    with pytest.raises(SettingError, match="is of the lesson"):
        ClassFolder.create("class", lesson="mednist")
    with pytest.raises(SettingError, match="cannot be called"):
        ClassFolder.create("../elsewhere", lesson="hello-world")
    with pytest.raises(DataError, match="no class here"):
        ClassFolder(client.folder.path / "nothing")


def test_hub_and_service_never_get_the_same_port(client, monkeypatch):
    import socket

    taken = []

    class Socket(socket.socket):  # an operating system that gives a port that is free again to the next who asks
        def bind(self, _):
            super().bind(("127.0.0.1", 0))
            taken.append(self)

        def getsockname(self):
            return ("127.0.0.1", 40_000 + sum(one.fileno() != -1 for one in taken[: taken.index(self)]))

    monkeypatch.setattr(socket, "socket", Socket)
    assert len(set(client.folder.ports.values())) == 2
    assert client.folder.ports == client.folder.ports
