"""The forum in browsers: two participants, the instructor, the projector, and a phone."""

import os
from pathlib import Path

import pytest

from .browser import bar, browser_marks, join, open_page, press_button, run_selected_cell, select_cell, type_into

pytestmark = browser_marks
ATTACK = "<img src=x onerror='window.harmed = 1'> What is the bright line?"
#: a figure as a lesson's cell shows one
FIGURE = (
    "import io, matplotlib.pyplot as plt, numpy as np; from IPython.display import Image; "
    "figure, axes = plt.subplots(); "
    "axes.imshow(np.add.outer(np.arange(64), np.sin(np.arange(64) / 4) * 20), cmap='gray'); "
    "axes.set_title('case 12, prediction 0.83'); file = io.BytesIO(); figure.savefig(file); Image(file.getvalue())"
)


@pytest.fixture
def look():
    """Save a screenshot in the folder of FIRSTREAD_PICTURES: they are reviewed before a release."""

    def look(page, name):
        if folder := os.environ.get("FIRSTREAD_PICTURES"):
            page.wait_for_timeout(300)
            page.screenshot(path=Path(folder) / f"forum-{name}.png")

    return look


def enter(page, folder, path=""):
    page.goto(f"{folder.dashboard_url}login")
    page.wait_for_selector("#key:focus")
    page.keyboard.type(folder.settings.instructor_key)
    page.keyboard.press("Enter")
    page.wait_for_selector("#counts")
    if path:
        page.goto(folder.dashboard_url + path)


def post_of(page, text):
    return bar(page).locator(".firstread-posts > .firstread-post", has_text=text)


def is_loaded(picture):
    picture.scroll_into_view_if_needed()
    return picture.evaluate("image => image.decode().then(() => image.naturalWidth > 50)")


def test_a_figure_is_posted_seen_answered_projected_hidden_and_withdrawn(browser, folder, look):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "color_scheme": "dark"}
    wall_size = {"viewport": {"width": 1920, "height": 1080}}
    with (
        open_page(browser) as ana,
        open_page(browser, **phone) as bea,
        open_page(browser) as dashboard,
        open_page(browser, **wall_size) as wall,
    ):
        join(ana, folder, "Ana Mbeki")
        join(bea, folder, "Bea")
        enter(dashboard, folder)
        enter(wall, folder, "projector")
        post_the_figure(ana, look)
        others_see_it_without_a_name(bea, look)
        the_instructor_sees_who_it_was(dashboard, look)
        it_is_answered(ana, bea, dashboard, look)
        it_is_shown_on_the_projector(dashboard, wall, look)
        it_is_hidden_and_shown_again(ana, bea, dashboard, wall)
        it_is_withdrawn(ana, bea, dashboard)


def post_the_figure(ana, look):
    cell = select_cell(ana, 'print("Hello, World!")')
    type_into(ana, cell, FIGURE)
    run_selected_cell(ana)
    ana.locator(".jp-OutputArea-output img").first.wait_for()
    press_button(ana, "Forum")
    bar(ana).get_by_text("Nobody has posted yet.").wait_for()
    assert bar(ana).get_by_role("button", name="This cell’s figure").is_disabled(), "the next cell shows none"
    ana.locator(".jp-CodeCell", has_text="case 12").first.locator(".jp-InputPrompt").click()
    bar(ana).get_by_role("button", name="This cell’s figure").click()
    assert is_loaded(bar(ana).locator(".firstread-chosen img"))
    bar(ana).get_by_label("Post what you see").fill(ATTACK)
    look(ana, "form")
    bar(ana).get_by_role("button", name="Post", exact=True).click()
    post = post_of(ana, ATTACK)
    post.wait_for()
    assert "You" in post.inner_text()
    assert is_loaded(post.locator("img"))
    look(ana, "posted")


def others_see_it_without_a_name(bea, look):
    bar(bea).get_by_role("button", name="Forum (new)").click()
    post = post_of(bea, ATTACK)
    post.wait_for()
    assert post.locator("b").first.inner_text() == "A participant"
    assert "Ana" not in bar(bea).inner_text()
    assert is_loaded(post.locator("img"))
    assert not bea.evaluate("window.harmed")
    assert bea.evaluate("document.documentElement.scrollWidth") <= 390
    look(bea, "phone")


def the_instructor_sees_who_it_was(dashboard, look):
    card = dashboard.locator("#forum .post", has_text=ATTACK)
    card.wait_for()
    assert card.get_by_role("link", name="Ana Mbeki", exact=True).is_visible()
    assert is_loaded(card.locator("img"))
    assert not dashboard.evaluate("window.harmed")
    look(dashboard, "dashboard")


def it_is_answered(ana, bea, dashboard, look):
    post_of(bea, ATTACK).get_by_role("button", name="Answer").click()
    bea.keyboard.type("The diaphragm?")
    bar(bea).locator("form").get_by_role("button", name="Answer", exact=True).click()
    post_of(ana, "The diaphragm?").wait_for()
    dashboard.goto(dashboard.url.split("/services")[0] + "/services/classroom/forum")
    thread = dashboard.locator("#forum_posts .threads > .post")
    thread.get_by_label("Answer").fill("Yes, and the colour bar tells how bright.")
    dashboard.keyboard.press("Enter")
    answer = post_of(ana, ATTACK).locator(".firstread-answers .firstread-post", has_text="how bright")
    answer.wait_for()
    assert answer.locator("b").inner_text() == "The instructor"
    dashboard.locator("#post-text").fill("Compare your figures with case 12")
    dashboard.get_by_role("button", name="Post", exact=True).click()
    post_of(bea, "Compare your figures").wait_for()
    look(dashboard, "page")
    look(ana, "answered")


def it_is_shown_on_the_projector(dashboard, wall, look):
    thread = dashboard.locator("#forum_posts .threads > .post", has_text=ATTACK)
    thread.get_by_role("button", name="Projector").first.click()
    picture = wall.locator("#projected img")
    picture.wait_for()
    assert is_loaded(picture)
    assert ATTACK in wall.locator("#projected").inner_text()
    assert "Ana" not in wall.inner_text("body")
    assert wall.evaluate("document.documentElement.scrollHeight") <= 1080, "the room sees all of it"
    look(wall, "projector")


def it_is_hidden_and_shown_again(ana, bea, dashboard, wall):
    thread = dashboard.locator("#forum_posts .threads > .post", has_text=ATTACK)
    thread.get_by_role("button", name="Hide").first.click()
    post_of(bea, ATTACK).wait_for(state="detached")
    wall.locator("#projected img").wait_for(state="detached")
    ana.get_by_text("hidden by the instructor; only you see it").wait_for()
    thread.get_by_role("button", name="Show to everyone").first.click()
    post_of(bea, ATTACK).wait_for()


def it_is_withdrawn(ana, bea, dashboard):
    post_of(ana, ATTACK).get_by_role("button", name="Withdraw").click()
    bar(ana).get_by_role("button", name="Really, with its answers").click()
    post_of(bea, ATTACK).wait_for(state="detached")
    dashboard.locator("#forum_posts .post", has_text="onerror").first.wait_for(state="detached")
    assert post_of(bea, "Compare your figures").is_visible()


def test_a_picture_is_pasted_for_the_instructor_alone(browser, folder, look):
    with open_page(browser) as cem, open_page(browser) as dov:
        join(cem, folder, "Cem")
        join(dov, folder, "Dov")
        press_button(cem, "Forum")
        field = bar(cem).get_by_label("Post what you see")
        field.evaluate(
            """async field => {
                const canvas = Object.assign(document.createElement('canvas'), {width: 3000, height: 1500});
                const blob = await new Promise(resolve => canvas.toBlob(resolve, 'image/png'));
                const data = new DataTransfer();
                data.items.add(new File([blob], 'screen.png', {type: 'image/png'}));
                const options = {clipboardData: data, bubbles: true, cancelable: true};
                field.dispatchEvent(new ClipboardEvent('paste', options));
            }"""
        )
        bar(cem).locator(".firstread-chosen img").wait_for()
        bar(cem).get_by_label("Only the instructor", exact=True).check()
        bar(cem).get_by_role("button", name="Post", exact=True).click()
        post = post_of(cem, "only you and the instructor see it")
        post.wait_for()
        assert post.locator("img").get_attribute("width") == "1600"
        press_button(dov, "Forum")
        bar(dov).locator(".firstread-thread-list").wait_for()
        dov.wait_for_timeout(1000)
        assert not bar(dov).locator(".firstread-posts img").count()
        posted = [one for one in folder.store().participants() if one.name == "Cem"]
        assert posted
