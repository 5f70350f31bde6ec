"""Participant and instructor in two browsers: what one does is shown to the other."""

import os
import time
from pathlib import Path

import pytest

from .browser import bar, browser_marks, join, open_page, press_button, run_instead_of_images, wait_for_text

pytestmark = browser_marks
#: time until the instructor must see an error
STUCK_SECONDS = 10


@pytest.fixture
def look(request):
    """Save a screenshot in the folder of FIRSTREAD_PICTURES: they are reviewed before a release."""

    def look(page, name):
        if folder := os.environ.get("FIRSTREAD_PICTURES"):
            page.screenshot(path=Path(folder) / f"{name}.png")

    return look


@pytest.fixture
def participant(browser, folder):
    with open_page(browser) as page:
        yield page


@pytest.fixture
def instructor(browser, folder):
    """The instructor's page, in dark mode."""
    with open_page(browser, color_scheme="dark") as page:
        enter(page, folder)
        yield page


def enter(page, folder):
    """Log in as the instructor with the keyboard."""
    page.goto(f"{folder.dashboard_url}login")
    page.wait_for_selector("#key:focus")
    page.keyboard.type(folder.settings.instructor_key)
    page.keyboard.press("Enter")
    page.wait_for_selector("#counts")


def test_a_lesson_from_both_sides(participant, instructor, browser, folder, look):
    join(participant, folder, "Ana <b>Bold</b>")
    row = instructor.locator("#rows tr", has_text="Ana <b>Bold</b>")
    row.wait_for()
    with open_page(browser, viewport={"width": 1920, "height": 1080}) as wall:
        the_plan_begins(participant, instructor, wall, folder)
        somebody_is_stuck(participant, instructor, row, look)
        help_is_asked_for_and_given(participant, instructor, look)
        all_are_told(participant, instructor, wall, look)
    with open_page(browser, viewport={"width": 390, "height": 844}, has_touch=True) as phone:
        enter(phone, folder)
        look(phone, "instructor-phone")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    somebody_is_removed(participant, instructor, row)


def the_plan_begins(participant, instructor, wall, folder):
    """The instructor starts the plan; the participant's bar and the projector show it."""
    enter(wall, folder)
    wall.goto(f"{folder.dashboard_url}projector")
    wall.get_by_text(folder.settings.join_code).first.wait_for()
    instructor.get_by_role("button", name="Start the plan").click()
    wait_for_text(participant, "min left")


def somebody_is_stuck(participant, instructor, row, look):
    run_instead_of_images(participant, "print(undefined_name)")
    began = time.monotonic()
    instructor.locator("#stuck", has_text="NameError").wait_for()
    assert time.monotonic() - began < STUCK_SECONDS
    look(participant, "participant-error")
    look(instructor, "instructor-stuck")


def help_is_asked_for_and_given(participant, instructor, look):
    press_button(participant, "I need help")
    participant.keyboard.type("<script>window.harmed = 1</script> What is a name?")
    press_button(participant, "Ask for help")
    call = instructor.locator("#help [data-key^='help-']", has_text="What is a name?")
    call.wait_for()
    assert not instructor.evaluate("window.harmed")
    call.get_by_role("button", name="Take").click()
    bar(participant).get_by_role("button", name="Somebody is coming").wait_for()
    call.get_by_label("Answer").fill("Run the first cell again.")
    instructor.keyboard.press("Enter")
    wait_for_text(participant, "Run the first cell again.")
    look(participant, "participant-answered")
    call.get_by_role("button", name="Resolved").click()
    call.wait_for(state="detached")
    bar(participant).get_by_role("button", name="I need help").wait_for()


def all_are_told(participant, instructor, wall, look):
    instructor.locator("#say").fill("A break of five minutes")
    instructor.keyboard.press("Enter")
    wait_for_text(participant, "A break of five minutes")
    wall.get_by_text("A break of five minutes").wait_for()
    look(wall, "projector")


def somebody_is_removed(participant, instructor, row):
    """Removed after a confirmation, from the dashboard and from the hub."""
    row.get_by_role("link").first.click()
    instructor.get_by_text("Remove from the class…").click()
    instructor.get_by_label("Remove Ana <b>Bold</b>").check()
    instructor.get_by_role("button", name="Remove").click()
    instructor.get_by_role("link", name="Back to the class").click()
    instructor.wait_for_selector("#counts")
    row.wait_for(state="detached")
    participant.goto(participant.url)
    participant.get_by_label("Code on the screen").wait_for()
