"""A participant's own pages: let in by their link alone, asked once, taken home, forgotten."""

import io
import os
import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from firstread.classroom.database.answers import quiz_answers, survey_answers
from firstread.classroom.home_directory import prepare_home
from firstread.classroom.service.personal_links import ME, address_of, token_of
from firstread.core.errors import DataError
from firstread.lessons.questionnaires import quiz_of, survey_of

from ..simulated_results import BEGAN, told

COOKIE = "firstread-me"


@pytest.fixture
def ana(served):
    """The service, in the browser of Ana, who came by her link."""
    assert served.enter(served.ana).status_code == 200
    return served


def finish(served):
    served.store.record(served.ana.username, [told("finish", BEGAN)])


def filled(page, choice="x", **other):
    names = dict.fromkeys(re.findall(r'name="(q\d+)"', page))
    return dict.fromkeys(names, choice) | other


def test_a_link_leads_to_a_clean_address_with_a_cookie_that_no_script_reads(served):
    answer = served.get(address_of(served.folder, served.ana.username), follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{ME}/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert f"path={ME}" in cookie
    page = served.get(f"{ME}/").text
    assert "Ana &lt;b&gt;" in page
    assert "http://testserver/services/classroom/me/link/" in page


def test_the_link_stays_the_same(served):
    before = address_of(served.folder, served.ana.username)
    served.store.come_back(served.word)
    assert address_of(served.folder, served.ana.username) == before
    assert len(token_of(served.folder, served.ana.username)) == 43
    other, _ = served.store.join("Bea")
    assert token_of(served.folder, other.username) != token_of(served.folder, served.ana.username)


@pytest.mark.parametrize("wrong", ["x", "", "A" * 43, "ä" * 43, "%00", "../../login"])
def test_a_guess_leads_nowhere(served, wrong):
    answer = served.get(f"{ME}/link/{served.ana.username}/{wrong}", follow_redirects=False)
    assert answer.status_code in (303, 403, 404)
    assert COOKIE not in answer.headers.get("set-cookie", "")
    assert served.get(f"{ME}/").status_code == 403


def test_ones_own_token_opens_no_other_page(served):
    bea, _ = served.store.join("Bea")
    answer = served.get(
        f"{ME}/link/{bea.username}/{token_of(served.folder, served.ana.username)}", follow_redirects=False
    )
    assert answer.status_code == 403


def test_links_cannot_be_guessed_for_long(served):
    codes = [served.get(f"{ME}/link/p9-x/{'A' * 43}").status_code for _ in range(14)]
    assert codes[:10] == [403] * 10
    assert codes[-1] == 429
    assert served.enter(served.ana).status_code == 429, "even the right link waits now"


@pytest.mark.parametrize("page", ["", "quiz/pre", "survey", "results", "work.zip", "leave"])
def test_without_a_link_there_is_nothing(served, page):
    for cookie in ("", "forged", "InAxIg.x.y"):
        served.cookies.set(COOKIE, cookie, path=ME)
        answer = served.get(f"{ME}/{page}")
        assert answer.status_code == 403
        assert "Your link, please" in answer.text


def test_the_instructors_session_is_no_participants(served):
    served.post("/services/classroom/login", data={"key": served.folder.settings.instructor_key})
    assert served.get(f"{ME}/").status_code == 403
    served.enter(served.ana)
    served.cookies.delete("firstread-instructor")
    assert served.get("/services/classroom/results", headers={"Accept": "application/json"}).status_code == 401


def test_a_link_leads_to_one_of_the_pages_only(served):
    for to in ("https://elsewhere.example", "//elsewhere.example", "../login", "quiz/other", "leave"):
        answer = served.get(f"{address_of(served.folder, served.ana.username)}?to={to}", follow_redirects=False)
        assert answer.headers["location"] == f"{ME}/"


def test_a_quiz_from_the_form_to_the_answers(ana):
    page = ana.get(f"{ME}/quiz/pre").text
    assert page.count("<fieldset") == len(quiz_of(ana.folder.lesson).items)
    assert not any(item.because in page for item in quiz_of(ana.folder.lesson).items)
    assert "✓" not in page
    sent = ana.post(f"{ME}/quiz/pre", data=filled(page))
    assert "Your answers are kept" in sent.text
    assert not any(item.because in sent.text for item in quiz_of(ana.folder.lesson).items), (
        "the second quiz is still to come"
    )
    again = ana.post(f"{ME}/quiz/pre", data=filled(page, "0"))
    assert "first answers count" in again.text
    assert {answer.chosen for answer in quiz_answers(ana.store)} == {None}
    finish(ana)
    after = ana.post(f"{ME}/quiz/post", data=filled(ana.get(f"{ME}/quiz/post").text, "1")).text
    for item in quiz_of(ana.folder.lesson).items:
        assert item.because.replace("'", "&#39;") in after
    assert "Before: <b>0 of 8</b>" in after


def test_what_is_missing_is_asked_for_and_nothing_chosen_is_lost(ana):
    page = ana.get(f"{ME}/quiz/pre").text
    half = filled(page, "2")
    del half["q4"], half["q7"]
    back = ana.post(f"{ME}/quiz/pre", data=half)
    assert back.status_code == 422
    assert "2 questions are not answered" in back.text
    assert back.text.count("checked>") == 6
    assert quiz_answers(ana.store) == []


@pytest.mark.parametrize(
    ("occasion", "words"), [("post", "not time for this quiz yet"), ("retention", "not time for this quiz yet")]
)
def test_no_quiz_before_its_time(ana, occasion, words):
    assert words in ana.get(f"{ME}/quiz/{occasion}").text
    assert words in ana.post(f"{ME}/quiz/{occasion}", data={f"q{n}": "x" for n in range(1, 9)}).text
    assert quiz_answers(ana.store) == []
    assert ana.get(f"{ME}/quiz/other").status_code == 404


def test_a_survey_from_the_form_to_the_store(ana):
    assert "not time for the survey yet" in ana.get(f"{ME}/survey").text
    finish(ana)
    survey = survey_of(ana.folder.lesson)
    full = dict.fromkeys(survey.statements, "4")
    back = ana.post(f"{ME}/survey", data={**full, "pace": "", "comment": "<script>alert(1)</script>"})
    assert back.status_code == 422
    assert "&lt;script&gt;alert(1)" in back.text, "what was typed is there, and is not run"
    assert "longer than 500" in ana.post(f"{ME}/survey", data={**full, "comment": "x" * 501}).text
    assert "Thank you" in ana.post(f"{ME}/survey", data={**full, "comment": "fine"}).text
    ana.post(f"{ME}/survey", data={**full, "comment": "again"})
    assert [answer.text for answer in survey_answers(ana.store) if answer.question == "comment"] == ["fine"]


def test_the_last_quiz_goes_into_the_calendar_once_its_day_is_known(ana):
    assert ana.get(f"{ME}/reminder.ics").status_code == 404
    ana.store.record(ana.ana.username, [told("finish", datetime.now(UTC))])
    assert "Put the last quiz into my calendar" in ana.get(f"{ME}/").text
    entry = ana.get(f"{ME}/reminder.ics")
    assert entry.headers["content-type"].startswith("text/calendar")
    day = datetime.now(UTC) + timedelta(days=quiz_of(ana.folder.lesson).days)
    assert f"DTSTART;VALUE=DATE:{day:%Y%m%d}" in entry.text
    assert token_of(ana.folder, ana.ana.username) in entry.text.replace("\r\n ", "")


def test_another_site_cannot_act_in_a_participants_name(ana):
    answer = ana.post(f"{ME}/leave", data={"sure": "yes"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert ana.store.person(ana.ana.username)


def test_a_form_with_thousands_of_fields_is_refused(ana):
    assert ana.post(f"{ME}/quiz/pre", data={f"q{n}": "x" for n in range(500)}).status_code == 400
    assert ana.post(f"{ME}/quiz/pre", files={"q1": ("a.png", b"x")}).status_code == 400


@pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")
def test_work_is_taken_home_and_counted(ana):
    assert ana.get(f"{ME}/work.zip").status_code == 404
    (ana.folder.path / "template.ipynb").write_text("{}")
    (prepare_home(ana.folder, ana.ana.username) / "mine.txt").write_text("mine")
    answer = ana.get(f"{ME}/work.zip")
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()
    assert {"hello-world/hello-world.ipynb", "hello-world/mine.txt", "hello-world/README.txt"} <= set(names)
    assert answer.headers["content-type"] == "application/zip"
    assert [event.kind for event in ana.store.events()] == ["download"]
    assert ana.app.state.packing == set()
    ana.app.state.packing.add(ana.ana.username)
    assert ana.get(f"{ME}/work.zip").status_code == 429, "one at a time"


@pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")
def test_what_is_deleted_is_not_in_the_database_file_either(ana):
    survey = survey_of(ana.folder.lesson)
    cem, _ = ana.store.join("Cem who leaves for good")
    ana.enter(cem)
    ana.store.record(cem.username, [told("finish", BEGAN)])
    ana.post(
        f"{ME}/survey", data={**dict.fromkeys(survey.statements, "4"), "comment": "only Cem could have written this"}
    )

    def words():
        return b"".join(file.read_bytes() for file in ana.folder.path.glob("class.sqlite*"))

    assert b"Cem who leaves" in words()
    assert b"only Cem could" in words()
    ana.post(f"{ME}/leave", data={"sure": "yes"})
    assert b"Cem who leaves" not in words()
    assert b"only Cem could" not in words()


@pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")
def test_to_be_forgotten(ana):
    bea, _ = ana.store.join("Bea")
    (ana.folder.path / "template.ipynb").write_text("{}")
    homes = [prepare_home(ana.folder, person.username) for person in (ana.ana, bea)]
    (homes[0] / "way-out").symlink_to(homes[1])
    ana.post(f"{ME}/quiz/pre", data=filled(ana.get(f"{ME}/quiz/pre").text))
    assert "Nothing was deleted" in ana.post(f"{ME}/leave", data={}).text
    assert homes[0].exists()
    gone = ana.post(f"{ME}/leave", data={"sure": "yes"})
    assert "Your data are deleted" in gone.text
    assert "could not be ended" in gone.text, "this class has no hub to ask"
    assert [person.name for person in ana.store.people()] == ["Bea"]
    assert quiz_answers(ana.store) == []
    assert not homes[0].exists()
    assert (homes[1] / "hello-world.ipynb").exists()
    assert ana.get(f"{ME}/").status_code == 403
    assert ana.enter(ana.ana).status_code == 403, "the link has gone, too"


def test_what_cannot_be_deleted_is_said(ana, monkeypatch):
    (ana.folder.path / "template.ipynb").write_text("{}")
    prepare_home(ana.folder, ana.ana.username)
    monkeypatch.setattr("firstread.classroom.service.deletion.shutil.rmtree", lambda place, ignore_errors: None)
    with pytest.raises(DataError, match="could not be deleted"):
        ana.post(f"{ME}/leave", data={"sure": "yes"})


def test_ones_own_result_among_the_others(ana):
    assert "You have no result yet" in ana.get(f"{ME}/results").text
    from ..simulated_results import evaluation

    arms = {"assigned": ana.ana.arms, "ran": ana.ana.arms}
    for number in range(4):
        person = ana.ana if number == 0 else ana.store.join(f"Person {number}")[0]
        news = [
            told("record", BEGAN, name="arms", value=arms),
            told("record", BEGAN, name="evaluation", value=evaluation(0.8 + number / 20, 1, 0.1)),
        ]
        ana.store.record(person.username, news, datetime.now(UTC) + timedelta(seconds=number))
        ana.app.state.results._looked = -100.0  # as if some seconds had passed
        page = ana.get(f"{ME}/results").text
        assert ("at least 3 others" in page) == (number < 3)
        assert "Yours: <b>80.0 %</b>" in page
    assert "the 3 others’ on average 90.0 %" in page
    assert "Person" not in page
