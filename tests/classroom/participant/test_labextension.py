"""The JupyterLab extension: its files, and, in a real browser, a participant from the join page on."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from firstread.classroom.database.help_requests import help_queue, request_help, update_help_request
from firstread.classroom.participant.labextension import EXTENSION_NAME, install_labextension

from ..browser import (
    bar,
    browser_marks,
    get_username,
    join,
    open_page,
    press_button,
    run_instead_of_images,
    run_selected_cell,
    select_cell,
    server_of,
    type_into,
    wait,
    wait_for_text,
    wait_for_text_gone,
)

STATIC = Path(__file__).parents[3] / "src" / "firstread" / "classroom" / "participant" / "labextension" / "static"


def test_the_bar_is_found_by_the_servers_of_a_class(tmp_path):
    folder = install_labextension(tmp_path)
    described = json.loads((folder / "package.json").read_text())
    assert folder == tmp_path / "labextensions" / EXTENSION_NAME
    assert described["name"] == EXTENSION_NAME
    assert (folder / described["jupyterlab"]["_build"]["load"]).is_file()
    config = pytest.importorskip("jupyterlab_server.config")
    assert EXTENSION_NAME in config.get_federated_extensions([str(tmp_path / "labextensions")])


def test_it_is_renewed_when_it_changed_and_only_then(tmp_path):
    folder = install_labextension(tmp_path)
    (mark,) = [one for one in folder.iterdir() if one.is_dir()]
    before = {file: file.stat().st_mtime_ns for file in mark.iterdir()}
    install_labextension(tmp_path)
    assert {file: file.stat().st_mtime_ns for file in mark.iterdir()} == before
    (mark / "bar.js").write_text("broken")
    (folder / "0123456789abcdef").mkdir()
    install_labextension(tmp_path)
    assert [one for one in folder.iterdir() if one.is_dir()] == [mark]
    assert (mark / "bar.js").read_bytes() == (STATIC / "bar.js").read_bytes()


@pytest.mark.parametrize("file", sorted(STATIC.glob("*.js")), ids=lambda file: file.name)
def test_what_people_type_is_never_read_as_html_and_nothing_comes_from_elsewhere(file):
    text = file.read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)
    assert not re.search(r"[\"'`](?:https?:)?//", text)
    for name in re.findall(r'from "\./([^"]+)"', text):
        assert (STATIC / name).is_file(), name


@pytest.fixture
def page(browser, folder):
    """A participant's browser."""
    with open_page(browser) as page:
        yield page


class TestInABrowser:
    pytestmark = browser_marks

    def test_from_the_join_page_through_an_error_and_help_to_catching_up(self, page, folder):
        store = folder.store()
        word = join(page, folder, "Ana <b>")
        store.start_plan()
        wait_for_text(page, "45 min left")
        press_button(page, "More")
        press_button(page, "My resume word")
        wait_for_text(page, word)
        press_button(page, "More")
        # the first cells, then an error
        select_cell(page, 'print("Hello, World!")')
        run_selected_cell(page)
        page.locator(".jp-OutputArea-output", has_text="Hello, World!").wait_for()
        wait_for_text(page, "Step 1 of 13")
        run_instead_of_images(page, "1 / 0")
        page.get_by_text("ZeroDivisionError: division by zero").first.wait_for()
        self.ask_and_be_answered(page, store)
        self.hear_a_broadcast(page, store)
        self.go_where_the_instructor_calls(page, store)
        self.catch_up(page)

    def ask_and_be_answered(self, page, store):
        person = store.find_participant(get_username(page))
        other, _ = store.join("Somebody before")
        before = request_help(store, other.username, "me first")
        press_button(page, "I need help")
        page.keyboard.type("What is <img src=x onerror=alert(1)> wrong?")
        bar(page).get_by_label("Send a copy of my notebook").check()
        wait_for_text(page, "the name of the last error (ZeroDivisionError) and a copy of your notebook")
        press_button(page, "Ask for help")
        bar(page).get_by_role("button", name="Waiting, place 2 in line").wait_for()
        asked = next(one for one in help_queue(store) if one.participant_id == person.id)
        assert (asked.note, asked.step, asked.error) == (
            "What is <img src=x onerror=alert(1)> wrong?",
            "look",
            "ZeroDivisionError",
        )
        assert any("1 / 0" in "".join(cell["source"]) for cell in json.loads(asked.notebook)["cells"])
        update_help_request(store, before.id, state="resolved")
        bar(page).get_by_role("button", name="Waiting, place 1 in line").wait_for()
        update_help_request(store, asked.id, state="taken")
        bar(page).get_by_role("button", name="Somebody is coming").wait_for()
        update_help_request(store, asked.id, state="taken", answer="Nothing can be divided by <b>zero</b>.")
        wait_for_text(page, "Nothing can be divided by <b>zero</b>.")
        self.ask_again(page, store, person)

    def ask_again(self, page, store, person):
        """After an answer nobody is said to come: they ask again at once, or say that it helped."""

        def own():
            return [(one.note, one.state) for one in help_queue(store) if one.participant_id == person.id]

        press_button(page, "I need help")
        wait_for_text(page, "You were answered (see Messages).")
        page.keyboard.type("And by one?")
        press_button(page, "Ask for help")
        bar(page).get_by_role("button", name="Waiting, place 1 in line").wait_for()
        assert own() == [("And by one?", "waiting")]
        update_help_request(store, help_queue(store)[-1].id, state="taken", answer="Everything can.")
        wait_for_text(page, "Everything can.")
        press_button(page, "I need help")
        press_button(page, "It helped")
        wait(lambda: own() == [])
        # asked, and no longer needed
        press_button(page, "I need help")
        assert not bar(page).get_by_text("You were answered").count()
        press_button(page, "Ask for help")
        press_button(page, "Waiting, place 1 in line")
        press_button(page, "I no longer need help")
        bar(page).get_by_role("button", name="I need help").wait_for()
        assert own() == []

    def hear_a_broadcast(self, page, store):
        store.add_broadcast("A break of <i>five</i> minutes")
        wait_for_text(page, "A break of <i>five</i> minutes")
        bar(page).locator(".firstread-strip", has_text="A break").get_by_role("button").click()
        assert not bar(page).locator(".firstread-strip", has_text="A break").count()
        page.reload()
        wait_for_text(page, "Step 2 of 13")
        press_button(page, "Messages (3)")
        bar(page).locator("li", has_text="A break of <i>five</i> minutes").wait_for()
        bar(page).locator("li", has_text="Nothing can be divided").wait_for()
        page.keyboard.press("Escape")
        assert not bar(page).locator("li").count()
        store.pause_plan()
        wait_for_text(page, "Paused, 4")

    def go_where_the_instructor_calls(self, page, store):
        store.set_called_step("guess")
        press_button(page, "Go there")
        wait_for_text(page, "Step 3 of 13")
        assert 'lesson.step("guess")' in page.locator(".jp-Cell.jp-mod-active").inner_text()
        assert page.locator(".jp-Cell.jp-mod-active").is_visible()
        store.set_called_step(None)

    def catch_up(self, page):
        # what is only in the kernel's memory is lost, and it is said before
        last = select_cell(page, "# ten.read(")
        type_into(page, last, "import time; mine = time.time_ns(); print('begun', mine)")
        run_selected_cell(page)
        begun = page.locator(".jp-OutputArea-output", has_text="begun ")
        first = begun.inner_text()
        select_cell(page, "1 / 0")
        press_button(page, "Restart and catch up")
        wait_for_text(page, "You have also run 1 cell further down")
        bar(page).locator(".firstread-panel").get_by_role("button", name="Restart and catch up").click()
        wait_for_text(page, "Stopped at an error. ZeroDivisionError")
        assert "1 / 0" in page.locator(".jp-Cell.jp-mod-active").inner_text()
        broken = select_cell(page, "1 / 0")
        type_into(page, broken, 'lesson.step("look"); cohort = fr.open_dataset(lesson.data)')
        select_cell(page, "print('begun', mine)")
        press_button(page, "Restart and catch up")
        wait_for_text(page, re.compile(r"Running cell \d+ of 8|Caught up: 8 cells were run"))
        wait_for_text(page, "Caught up: 8 cells were run.")
        assert begun.inner_text() != first, "it is another kernel"
        assert "print('begun', mine)" in page.locator(".jp-Cell.jp-mod-active").inner_text()

    def test_catching_up_can_be_stopped(self, page, folder):
        join(page, folder, "Bea")
        cell = select_cell(page, 'print("Hello, World!")')
        type_into(page, cell, "import time; time.sleep(600)")
        press_button(page, "Restart and catch up")
        wait_for_text(page, "Running cell 1 of 1")
        page.wait_for_timeout(500)
        press_button(page, "Stop")
        wait_for_text(page, "Stopped, as you asked.")
        page.get_by_text("Python 3 | Idle").wait_for()

    def test_what_is_typed_outlives_a_lost_connection_and_a_closed_page(self, page, folder):
        join(page, folder, "Cem")
        context, name = page.context, get_username(page)
        file = folder.home_of(name) / "hello-world.ipynb"
        cell = select_cell(page, 'print("Hello, World!")')
        type_into(page, cell, "print('kept soon')")
        wait(lambda: "kept soon" in file.read_text())
        context.set_offline(True)
        wait_for_text(page, "Connection lost. What you type is kept; trying again.")
        type_into(page, page.locator(".jp-CodeCell", has_text="kept soon").first, "print('typed while away')")
        page.wait_for_timeout(1500)
        assert not page.locator(".jp-Dialog").count(), "nothing stands in the way of typing"
        context.set_offline(False)
        wait_for_text_gone(page, "Connection lost")
        wait(lambda: "typed while away" in file.read_text())
        run_selected_cell(page)
        page.locator(".jp-OutputArea-output", has_text="typed while away").wait_for()
        # typed, and the page is gone before anything could be sent
        wait(lambda: not page.locator(".jp-mod-dirty").count())
        context.set_offline(True)
        type_into(page, page.locator(".jp-CodeCell", has_text="typed while away").first, "print('typed last')")
        page.wait_for_timeout(1200)
        page.close(run_before_unload=False)
        context.set_offline(False)
        again = context.new_page()
        again.goto(f"{folder.public_url}user/{name}/lab/tree/hello-world.ipynb")
        press_button(again, "Put it back")
        again.locator(".jp-CodeCell", has_text="print('typed last')").wait_for()
        wait(lambda: "typed last" in file.read_text())

    def test_a_class_that_is_away_is_said_and_comes_back(self, page, folder):
        from firstread.classroom.lifecycle import find_supervisor

        join(page, folder, "Dot")
        family = find_supervisor(folder).children(recursive=True)
        service = [one for one in family if "firstread.classroom.service.app" in " ".join(one.cmdline())]
        press_button(page, "I need help")
        page.keyboard.type("a note that is kept")
        for one in service:
            one.send_signal(signal.SIGSTOP)  # it hangs
        wait_for_text(page, "The class cannot be reached just now")
        press_button(page, "Ask for help")
        wait_for_text(page, "Your note is still here; try again.")
        for one in service:
            one.send_signal(signal.SIGCONT)
        wait_for_text_gone(page, "The class cannot be reached")
        # what was sent may have waited for the service; who asks again has still one place in line
        bar(page).get_by_role("button", name=re.compile("Ask for help|Waiting")).first.wait_for()
        if not bar(page).get_by_role("button", name="Waiting").count():
            press_button(page, "Ask for help")
        bar(page).get_by_role("button", name="Waiting").wait_for()
        assert [one.note for one in help_queue(folder.store())].count("a note that is kept") == 1

    def test_a_server_that_was_killed_is_there_again_without_help(self, page, folder):
        join(page, folder, "Gil")
        name = get_username(page)
        file = folder.home_of(name) / "hello-world.ipynb"
        os.kill(server_of(folder, name), signal.SIGKILL)
        wait_for_text(page, "Connection lost. What you type is kept; trying again.")
        type_into(page, select_cell(page, 'print("Hello, World!")'), "print('still here')")
        wait_for_text(page, "Your notebook was started again.")
        page.get_by_text("Python 3 | Idle").wait_for()
        assert not page.locator(".jp-Dialog").count()
        wait(lambda: "still here" in file.read_text())
        select_cell(page, "still here")
        press_button(page, "Restart and catch up")
        wait_for_text(page, "Caught up: 1 cell was run.")

    def test_a_link_into_the_lesson_leads_there_before_the_server_runs(self, page, folder):
        store = folder.store()
        somebody, _ = store.join("Somebody else")
        word = join(page, folder, "Eve", path=f"user/{somebody.username}/lab/workspaces/mine/tree/hello-world.ipynb")
        assert somebody.username not in page.url
        assert word
        assert "/lab/workspaces/mine" in page.url

    def test_the_bar_is_worked_with_the_keyboard_alone(self, page, folder):
        join(page, folder, "Fay")
        page.locator(".firstread-tools button").first.wait_for(state="attached")
        bar(page).get_by_role("button", name="I need help").focus()
        page.keyboard.press("Enter")
        page.keyboard.type("dd by keyboard")  # in the notebook, d d would delete a cell
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert bar(page).get_by_label("Send a copy of my notebook").is_checked()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        bar(page).get_by_role("button", name="Waiting").wait_for()
        assert help_queue(folder.store())[-1].note == "dd by keyboard"
