"""A participant's own pages: let in by their link alone, asked once, taken home, forgotten."""

import io
import os
import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from markupsafe import escape

from firstread.classroom.database.answers import load_quiz_answers, load_survey_answers
from firstread.classroom.database.forum import EncodedPicture, NewPost, add_post, list_posts
from firstread.classroom.home_directory import prepare_home
from firstread.classroom.service.personal_links import PERSONAL_PREFIX, personal_path, personal_token
from firstread.core.errors import DataError
from firstread.lessons.install_requirement import pip_requirement
from firstread.lessons.questionnaires import load_quiz, load_survey

from ..simulated_results import BEGAN, make_event

COOKIE = "firstread-me"


@pytest.fixture
def ana(service_client):
    """The service, in the browser of Ana, who came by her link."""
    assert service_client.enter(service_client.ana).status_code == 200
    return service_client


def finish(service_client):
    service_client.store.record_events(service_client.ana.username, [make_event("finish", BEGAN)])


def filled(page, choice="x", **other):
    names = dict.fromkeys(re.findall(r'name="(q\d+)"', page))
    return dict.fromkeys(names, choice) | other


def test_a_link_leads_to_a_clean_address_with_a_cookie_that_no_script_reads(service_client):
    answer = service_client.get(
        personal_path(service_client.folder, service_client.ana.username), follow_redirects=False
    )
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PERSONAL_PREFIX}/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert f"path={PERSONAL_PREFIX}" in cookie
    page = service_client.get(f"{PERSONAL_PREFIX}/").text
    assert "Ana &lt;b&gt;" in page
    assert "http://testserver/services/classroom/me/link/" in page


def test_the_link_stays_the_same(service_client):
    before = personal_path(service_client.folder, service_client.ana.username)
    service_client.store.resume(service_client.word)
    assert personal_path(service_client.folder, service_client.ana.username) == before
    assert len(personal_token(service_client.folder, service_client.ana.username)) == 43
    other, _ = service_client.store.join("Bea")
    assert personal_token(service_client.folder, other.username) != personal_token(
        service_client.folder, service_client.ana.username
    )


@pytest.mark.parametrize("wrong", ["x", "", "A" * 43, "ä" * 43, "%00", "../../login"])
def test_a_guess_leads_nowhere(service_client, wrong):
    answer = service_client.get(f"{PERSONAL_PREFIX}/link/{service_client.ana.username}/{wrong}", follow_redirects=False)
    assert answer.status_code in (303, 403, 404)
    assert COOKIE not in answer.headers.get("set-cookie", "")
    assert service_client.get(f"{PERSONAL_PREFIX}/").status_code == 403


def test_ones_own_token_opens_no_other_page(service_client):
    bea, _ = service_client.store.join("Bea")
    answer = service_client.get(
        f"{PERSONAL_PREFIX}/link/{bea.username}/{personal_token(service_client.folder, service_client.ana.username)}",
        follow_redirects=False,
    )
    assert answer.status_code == 403


def test_links_cannot_be_guessed_for_long(service_client):
    codes = [service_client.get(f"{PERSONAL_PREFIX}/link/p9-x/{'A' * 43}").status_code for _ in range(14)]
    assert codes[:10] == [403] * 10
    assert codes[-1] == 429
    assert service_client.enter(service_client.ana).status_code == 200, "the right link is let in all the same"


@pytest.mark.parametrize("page", ["", "quiz/pre", "survey", "results", "work.zip", "leave"])
def test_without_a_link_there_is_nothing(service_client, page):
    for cookie in ("", "forged", "InAxIg.x.y"):
        service_client.cookies.set(COOKIE, cookie, path=PERSONAL_PREFIX)
        answer = service_client.get(f"{PERSONAL_PREFIX}/{page}")
        assert answer.status_code == 403
        assert "Your link, please" in answer.text


def test_the_instructors_session_is_no_participants(service_client):
    service_client.post("/services/classroom/login", data={"key": service_client.folder.settings.instructor_key})
    assert service_client.get(f"{PERSONAL_PREFIX}/").status_code == 403
    service_client.enter(service_client.ana)
    service_client.cookies.delete("firstread-instructor")
    assert service_client.get("/services/classroom/results", headers={"Accept": "application/json"}).status_code == 401


def test_a_link_leads_to_one_of_the_pages_only(service_client):
    for to in ("https://elsewhere.example", "//elsewhere.example", "../login", "quiz/other", "leave"):
        answer = service_client.get(
            f"{personal_path(service_client.folder, service_client.ana.username)}?to={to}", follow_redirects=False
        )
        assert answer.headers["location"] == f"{PERSONAL_PREFIX}/"


def test_a_quiz_from_the_form_to_the_answers(ana):
    page = ana.get(f"{PERSONAL_PREFIX}/quiz/pre").text
    assert page.count("<fieldset") == len(load_quiz(ana.folder.lesson).items)
    assert not any(item.explanation in page for item in load_quiz(ana.folder.lesson).items)
    assert "✓" not in page
    sent = ana.post(f"{PERSONAL_PREFIX}/quiz/pre", data=filled(page))
    assert "Your answers are kept" in sent.text
    assert not any(item.explanation in sent.text for item in load_quiz(ana.folder.lesson).items), (
        "the second quiz is still to come"
    )
    again = ana.post(f"{PERSONAL_PREFIX}/quiz/pre", data=filled(page, "0"))
    assert "first answers count" in again.text
    assert {answer.chosen for answer in load_quiz_answers(ana.store)} == {None}
    finish(ana)
    after = ana.post(
        f"{PERSONAL_PREFIX}/quiz/post", data=filled(ana.get(f"{PERSONAL_PREFIX}/quiz/post").text, "1")
    ).text
    for item in load_quiz(ana.folder.lesson).items:
        assert item.explanation.replace("'", "&#39;") in after
    assert "Before: <b>0 of 8</b>" in after


def test_what_is_missing_is_asked_for_and_nothing_chosen_is_lost(ana):
    page = ana.get(f"{PERSONAL_PREFIX}/quiz/pre").text
    half = filled(page, "2")
    del half["q4"], half["q7"]
    back = ana.post(f"{PERSONAL_PREFIX}/quiz/pre", data=half)
    assert back.status_code == 422
    assert "2 questions are not answered" in back.text
    assert back.text.count("checked>") == 6
    assert load_quiz_answers(ana.store) == []


@pytest.mark.parametrize(
    ("occasion", "words"), [("post", "not time for this quiz yet"), ("retention", "not time for this quiz yet")]
)
def test_no_quiz_before_its_time(ana, occasion, words):
    assert words in ana.get(f"{PERSONAL_PREFIX}/quiz/{occasion}").text
    assert words in ana.post(f"{PERSONAL_PREFIX}/quiz/{occasion}", data={f"q{n}": "x" for n in range(1, 9)}).text
    assert load_quiz_answers(ana.store) == []
    assert ana.get(f"{PERSONAL_PREFIX}/quiz/other").status_code == 404


def test_a_survey_from_the_form_to_the_store(ana):
    assert "not time for the survey yet" in ana.get(f"{PERSONAL_PREFIX}/survey").text
    finish(ana)
    survey = load_survey(ana.folder.lesson)
    full = dict.fromkeys(survey.statements, "4")
    back = ana.post(f"{PERSONAL_PREFIX}/survey", data={**full, "pace": "", "comment": "<script>alert(1)</script>"})
    assert back.status_code == 422
    assert "&lt;script&gt;alert(1)" in back.text, "what was typed is there, and is not run"
    assert "longer than 500" in ana.post(f"{PERSONAL_PREFIX}/survey", data={**full, "comment": "x" * 501}).text
    assert "Thank you" in ana.post(f"{PERSONAL_PREFIX}/survey", data={**full, "comment": "fine"}).text
    ana.post(f"{PERSONAL_PREFIX}/survey", data={**full, "comment": "again"})
    assert [answer.text for answer in load_survey_answers(ana.store) if answer.question == "comment"] == ["fine"]


def test_the_last_quiz_goes_into_the_calendar_once_its_day_is_known(ana):
    assert ana.get(f"{PERSONAL_PREFIX}/reminder.ics").status_code == 404
    ana.store.record_events(ana.ana.username, [make_event("finish", datetime.now(UTC))])
    assert "Put the last quiz into my calendar" in ana.get(f"{PERSONAL_PREFIX}/").text
    entry = ana.get(f"{PERSONAL_PREFIX}/reminder.ics")
    assert entry.headers["content-type"].startswith("text/calendar")
    day = datetime.now(UTC) + timedelta(days=load_quiz(ana.folder.lesson).followup_days)
    assert f"DTSTART;VALUE=DATE:{day:%Y%m%d}" in entry.text
    assert personal_token(ana.folder, ana.ana.username) in entry.text.replace("\r\n ", "")


def test_another_site_cannot_act_in_a_participants_name(ana):
    answer = ana.post(f"{PERSONAL_PREFIX}/leave", data={"sure": "yes"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert ana.store.find_participant(ana.ana.username)


def test_a_form_with_thousands_of_fields_is_refused(ana):
    assert ana.post(f"{PERSONAL_PREFIX}/quiz/pre", data={f"q{n}": "x" for n in range(500)}).status_code == 400
    assert ana.post(f"{PERSONAL_PREFIX}/quiz/pre", files={"q1": ("a.png", b"x")}).status_code == 400


@pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")
def test_work_is_taken_home_and_counted(ana):
    assert ana.get(f"{PERSONAL_PREFIX}/work.zip").status_code == 404
    (ana.folder.path / "template.ipynb").write_text("{}")
    (prepare_home(ana.folder, ana.ana.username) / "mine.txt").write_text("mine")
    answer = ana.get(f"{PERSONAL_PREFIX}/work.zip")
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert {"hello-world/hello-world.ipynb", "hello-world/mine.txt", "hello-world/README.txt"} <= set(names)
    assert answer.headers["content-type"] == "application/zip"
    assert [event.kind for event in ana.store.events()] == ["download"]
    assert ana.app.state.active_downloads == set()
    ana.app.state.active_downloads.add(ana.ana.username)
    assert ana.get(f"{PERSONAL_PREFIX}/work.zip").status_code == 429, "one at a time"


@pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")
def test_what_is_deleted_is_not_in_the_database_file_either(ana):
    survey = load_survey(ana.folder.lesson)
    cem, _ = ana.store.join("Cem who leaves for good")
    ana.enter(cem)
    ana.store.record_events(cem.username, [make_event("finish", BEGAN)])
    ana.post(
        f"{PERSONAL_PREFIX}/survey",
        data={**dict.fromkeys(survey.statements, "4"), "comment": "only Cem could have written this"},
    )

    def words():
        return b"".join(file.read_bytes() for file in ana.folder.path.glob("class.sqlite*"))

    assert b"Cem who leaves" in words()
    assert b"only Cem could" in words()
    ana.post(f"{PERSONAL_PREFIX}/leave", data={"sure": "yes"})
    assert b"Cem who leaves" not in words()
    assert b"only Cem could" not in words()


@pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")
def test_to_be_forgotten(ana):
    bea, _ = ana.store.join("Bea")
    (ana.folder.path / "template.ipynb").write_text("{}")
    homes = [prepare_home(ana.folder, person.username) for person in (ana.ana, bea)]
    (homes[0] / "way-out").symlink_to(homes[1])
    ana.post(f"{PERSONAL_PREFIX}/quiz/pre", data=filled(ana.get(f"{PERSONAL_PREFIX}/quiz/pre").text))
    assert "Nothing was deleted" in ana.post(f"{PERSONAL_PREFIX}/leave", data={}).text
    assert homes[0].exists()
    gone = ana.post(f"{PERSONAL_PREFIX}/leave", data={"sure": "yes"})
    assert "Your data are deleted" in gone.text
    assert "could not be ended" in gone.text, "this class has no hub to ask"
    assert [person.name for person in ana.store.participants()] == ["Bea"]
    assert load_quiz_answers(ana.store) == []
    assert not homes[0].exists()
    assert (homes[1] / "hello-world.ipynb").exists()
    assert ana.get(f"{PERSONAL_PREFIX}/").status_code == 403
    assert ana.enter(ana.ana).status_code == 403, "the link has gone, too"


def test_what_cannot_be_deleted_is_said(ana, monkeypatch):
    (ana.folder.path / "template.ipynb").write_text("{}")
    prepare_home(ana.folder, ana.ana.username)
    monkeypatch.setattr("firstread.classroom.service.deletion.shutil.rmtree", lambda place, ignore_errors: None)
    with pytest.raises(DataError, match="could not be deleted"):
        ana.post(f"{PERSONAL_PREFIX}/leave", data={"sure": "yes"})


def test_ones_own_result_among_the_others(ana):
    assert "You have no result yet" in ana.get(f"{PERSONAL_PREFIX}/results").text
    from ..simulated_results import make_evaluation

    arms = {"assigned": ana.ana.arms, "ran": ana.ana.arms}
    for number in range(4):
        person = ana.ana if number == 0 else ana.store.join(f"Person {number}")[0]
        news = [
            make_event("record", BEGAN, name="arms", value=arms),
            make_event("record", BEGAN, name="evaluation", value=make_evaluation(0.8 + number / 20, 1, 0.1)),
        ]
        ana.store.record_events(person.username, news, datetime.now(UTC) + timedelta(seconds=number))
        ana.app.state.results._checked_at = -100.0  # as if some seconds had passed
        page = ana.get(f"{PERSONAL_PREFIX}/results").text
        assert ("at least 3 others" in page) == (number < 3)
        assert "Yours: <b>80.0 %</b>" in page
    assert "the 3 others’ on average 90.0 %" in page
    assert "Person" not in page


def visits(service_client):
    return [event.values["page"] for event in service_client.store.events() if event.kind == "visit"]


def join_yesterday(service_client):
    return service_client.store.join("Bea", datetime.now(UTC) - timedelta(days=1))[0]


def test_during_the_session_no_visit_is_recorded(ana):
    for page in ("", "results", "at-home", "quiz/pre"):
        ana.get(f"{PERSONAL_PREFIX}/{page}")
    assert visits(ana) == []


def test_after_the_session_visits_are_recorded_at_most_once_a_minute(service_client):
    service_client.enter(join_yesterday(service_client))
    for page in ("", "results", "quiz/x" + "y" * 300, "survey", "at-home", "at-home"):
        service_client.get(f"{PERSONAL_PREFIX}/{page}")
    found = visits(service_client)
    assert set(found) == {"", "at-home"}
    assert len(found) <= 4, "two pages, in a minute or over the turn of one"


def test_a_wrong_link_is_no_visit(service_client):
    bea = join_yesterday(service_client)
    service_client.get(f"{PERSONAL_PREFIX}/link/{bea.username}/{'A' * 43}")
    service_client.get(f"{PERSONAL_PREFIX}/")
    assert visits(service_client) == []


def test_how_to_go_on_at_home_is_told_and_loads_nothing(ana):
    page = ana.get(f"{PERSONAL_PREFIX}/at-home").text
    assert "firstread open hello-world" in page
    assert "Never upload patients" in page
    assert not re.search(r"""(src|href|action)=["']?(https?:)?//""", page)
    for extra in ("learn", "all"):  # from the repository: a class's notebook has no cell that installs
        assert escape(pip_requirement(extra)) in page
    assert f'href="{PERSONAL_PREFIX}/at-home"' in ana.get(f"{PERSONAL_PREFIX}/").text


def test_deleting_deletes_visits(service_client):
    service_client.enter(join_yesterday(service_client))
    assert visits(service_client)
    service_client.post(f"{PERSONAL_PREFIX}/leave", data={"sure": "yes"})
    assert visits(service_client) == []


def test_posts_in_the_forum_are_counted_and_go_with_everything_else(ana):
    assert "My posts" not in ana.get(f"{PERSONAL_PREFIX}/").text
    picture = EncodedPicture("image/png", 4, 3, b"picture", b"preview")
    add_post(ana.store, ana.ana.username, NewPost(key="key-00000001", text="a line"))
    add_post(ana.store, ana.ana.username, NewPost(key="key-00000002", text="", picture=picture))
    assert "My posts in the forum: 2, 1 with a picture" in ana.get(f"{PERSONAL_PREFIX}/").text
    ana.post(f"{PERSONAL_PREFIX}/leave", data={"sure": "yes"})
    assert list_posts(ana.store) == []
