"""The lessons in a real browser, by somebody who clicks, types what they are asked to type, and makes mistakes."""

import json
import os
import re

import pytest
from classroom.browser import CHROMIUM, launch_browser
from lesson_browser import ERROR, learner, lesson_in_jupyterlab, pictures_folder

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(os.name != "posix", reason="tested on POSIX systems"),
]
#: a projector's laptop, a large screen, a telephone
WINDOWS = [(1366, 768), (1920, 1080), (390, 844)]
WIDGET_ERRORS = ("Error displaying widget", "Loading widget")


@pytest.fixture(scope="module")
def browser():
    with launch_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("learner")


@pytest.fixture(scope="module")
def lesson_1(folder):
    with lesson_in_jupyterlab("hello-world", folder) as url:
        yield url


def results(firstread_home, lesson):
    return json.loads((firstread_home / "runs" / "lessons" / lesson / "result.json").read_text())


def test_the_first_steps_are_clicked_and_a_slip_is_explained(browser, lesson_1, folder, firstread_home):
    with learner(browser, lesson_1) as ana:
        # the cell that only Colab needs is folded, and takes one line
        assert ana.page.locator(".jp-CodeCell", has_text="On Colab or Kaggle").bounding_box()["height"] < 60
        shown = ana.type('print("Hello, World!")', 'print("Hello, Ana!)')
        assert "a quotation mark is missing" in ana.error_of(shown)
        ana.type('print("Hello, Ana!)', 'print("Hello, Ana!")')
        shown = ana.run("cohort.train.show(10)")
        assert "There is nothing called cohort yet" in ana.error_of(shown)
        shown.locator("summary", has_text="Details").click()
        shown.get_by_text("Traceback (most recent call last)").wait_for()
        ana.select("import firstread as fr")
        ana.run_down_to("3. Read ten images yourself")
        answer_by_keyboard(ana)
        read_by_clicking(ana)
        ana.save_and_come_back()
        text = ana.page.locator(".jp-Notebook").inner_text()
        assert not any(error in text for error in WIDGET_ERRORS)
    saved = (folder / "hello-world.ipynb").read_text()
    assert "widget-view" not in saved
    assert "Ribs, devices and habitus" in saved  # what was answered is there when the notebook is opened again
    kept = results(firstread_home, "hello-world")
    assert kept["answers"]["patient-split"] == {"answer": "b", "right": False}
    assert kept["results"]["my_reading"]["of"] == 10


def answer_by_keyboard(ana):
    question = ana.cell('lesson.question("patient-split")')
    options = question.get_by_role("button")
    options.nth(2).wait_for()
    options.nth(0).focus()
    ana.page.keyboard.press("Tab")
    assert options.nth(1).evaluate("one => one.matches(':focus-visible') && getComputedStyle(one).outlineWidth") == "3px"
    ana.page.keyboard.press("Enter")
    question.get_by_role("alert").wait_for()
    assert "Right is a)" in question.get_by_role("alert").inner_text()
    assert options.nth(0).inner_text().startswith("✓")
    assert options.nth(1).inner_text().startswith("✗")
    assert options.nth(1).evaluate("one => one === document.activeElement"), "the keyboard stays where it was"


def read_by_clicking(ana):
    ana.run("lesson.read_ten")
    shown = ana.run("ten.score()")
    assert "Not yet: you have read 0 of 10 images" in ana.error_of(shown)
    tiles = ana.cell("lesson.read_ten")
    for number in range(1, 11):
        name = "chest" if number % 2 else "abdomen"
        tiles.locator(f"button[title='image {number}: {name}']").click()
    tiles.get_by_text("All 10 are read").wait_for()
    tiles.locator("button[title='image 1: abdomen']").click()
    tiles.get_by_role("button", name="✓ abdomen").first.wait_for()
    shown = ana.run("ten.score()")
    assert re.search(r"You read \d+ of 10 correctly", shown.inner_text())
    assert not tiles.get_by_role("button", name="chest").count(), "once another cell runs, the reading is text"


def test_another_lesson_opens_without_this_ones_tab(browser, lesson_1, folder):
    with learner(browser, lesson_1) as ana:
        ana.page.get_by_role("tab", name="hello-world.ipynb").wait_for()
        ana.page.wait_for_timeout(1500)  # JupyterLab saves what is open
    with lesson_in_jupyterlab("mednist", folder) as url, learner(browser, url) as ana:
        ana.page.get_by_role("tab", name="mednist.ipynb").wait_for()
        assert ana.page.locator(".jp-NotebookPanel").count() == 1
        assert not ana.page.get_by_role("tab", name="hello-world.ipynb").count()


@pytest.mark.slow
def test_lesson_1_from_the_first_cell_to_the_report(browser, lesson_1, firstread_home):
    with learner(browser, lesson_1) as ana:
        ana.select('print("Hello')
        ana.run_down_to("lesson.read_ten")
        tiles = ana.run("lesson.read_ten")
        for number in range(1, 11):
            tiles.locator(f"button[title='image {number}: chest']").click()
        ana.select("ten.score()")
        ana.run_down_to('AUGMENTATION = "type on or off"')
        shown = ana.run("lesson.join_group")
        assert "nothing called AUGMENTATION yet" in ana.error_of(shown)
        shown = ana.type('AUGMENTATION = "type on or off"', 'AUGMENTATION = on\nDROPOUT = "off"')
        assert 'put it between quotation marks: "on"' in ana.error_of(shown)
        ana.type("AUGMENTATION = on", 'AUGMENTATION = "ON"\nDROPOUT = "off"')
        ana.select("lesson.join_group")
        ana.run_down_to("Break it and mend it")
        finish_and_look(ana, "hello-world")
    kept = results(firstread_home, "hello-world")
    assert kept["results"]["arms"]["ran"] == {"augmentation": "on", "dropout": "off"}
    assert kept["results"]["evaluation"]["cases"] == 40


@pytest.mark.slow
def test_lesson_2_from_the_first_cell_to_the_report(browser, folder, firstread_home):
    with lesson_in_jupyterlab("mednist", folder) as url, learner(browser, url) as ana:
        ana.select("import firstread as fr")
        ana.run_down_to('lesson.step("more-cycles")')
        code = ana.active.locator(".cm-content").inner_text()
        ana.type('lesson.step("more-cycles")', code.replace("epochs=1", "epochs=2"))
        ana.select("predictions = fr.predict(model, held_out)")
        ana.run_down_to("Break it and mend it")
        finish_and_look(ana, "mednist")
    kept = results(firstread_home, "mednist")
    assert {"evaluation", "data_check"} <= set(kept["results"])


def test_lesson_3_is_done_by_ticking_boxes(browser, folder, firstread_home):
    with lesson_in_jupyterlab("dicom", folder) as url, learner(browser, url) as ana:
        ana.select("import firstread as fr")
        ana.run_down_to('lesson.step("by-hand")')
        shown = ana.run('lesson.step("by-hand")')
        shown = ana.run("by_hand.search()")
        assert "Not yet: nothing is removed" in ana.error_of(shown)
        boxes = ana.run('lesson.step("by-hand")')
        boxes.get_by_role("checkbox", name="Patient's Name").check()
        boxes.get_by_role("checkbox", name="Patient ID: 0047118").focus()
        ana.page.keyboard.press("Space")
        boxes.get_by_text("2 of 72 lines are ticked").wait_for()
        take_pictures(ana.page, "dicom-by-hand")
        ana.select("by_hand.search()")
        ana.run_down_to("Break it and mend it")
        finish_and_look(ana, "dicom", pictures=3)
    kept = results(firstread_home, "dicom")
    assert kept["by_hand"]["removed"] == ["PatientID", "PatientName"]
    assert kept["results"]["by_hand"]["left"]["identity"] > 40


@pytest.mark.slow
def test_lesson_4_is_looked_through_and_a_criterion_is_changed(browser, folder, firstread_home):
    with lesson_in_jupyterlab("archive", folder) as url, learner(browser, url) as ana:
        ana.select("import firstread as fr")
        ana.run_down_to("twelve = lesson.read_series")
        tiles = ana.run("twelve = lesson.read_series")
        shown = ana.run("twelve.score()")
        assert "Not yet: you have read 0 of 12 images" in ana.error_of(shown)
        for number in range(1, 13):
            tiles.locator(f"button[title='image {number}: {'fine' if number > 2 else 'localizer'}']").click()
        tiles.locator("button[title='image 2: here twice']").focus()
        ana.page.keyboard.press("Enter")
        tiles.get_by_text("All 12 are read").wait_for()
        take_pictures(ana.page, "archive-look")
        ana.select("twelve.score()")
        ana.run_down_to('lesson.step("change")')
        code = ana.active.locator(".cm-content").inner_text()
        shown = ana.type('lesson.step("change")', code.replace(">= 10", ">= 30"))
        assert "Flow of participants" in shown.inner_html() or "portal venous CT" in shown.inner_html()
        ana.select("planned.bias")
        ana.run_down_to("Break it and mend it")
        finish_and_look(ana, "archive", pictures=15)
    kept = results(firstread_home, "archive")
    assert kept["results"]["my_reading"]["of"] == 12
    assert kept["results"]["inclusion"]["changed"] == ["Large enough"]
    assert set(kept["results"]["versions"]) == {"as it lies", "curated", "large lesions only"}


def finish_and_look(ana, name, *, pictures=6):
    """All cells were run: no error, a text for each picture, and nothing wider than the window but what scrolls."""
    page = ana.page
    assert not page.locator(ERROR).count()
    texts = page.locator(".jp-OutputArea-output img").evaluate_all("images => images.map((image) => image.alt)")
    assert len(texts) >= pictures
    assert all(len(text) > 5 and "No description" not in text for text in texts)
    ana.save_and_come_back()
    notebook = page.locator(".jp-Notebook").inner_text()
    assert not any(error in notebook for error in WIDGET_ERRORS)
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(1500)
        room = page.locator(".jp-NotebookPanel").bounding_box()["width"]
        assert room > 0.6 * width, "the lesson has the window's room, also of one that was made small"
        widest = page.locator(".jp-MarkdownOutput").evaluate_all("all => Math.max(...all.map((one) => one.clientWidth))")
        assert widest <= 760, "a line of text that can be read"
        outputs = page.locator(".jp-OutputArea-output").evaluate_all(
            "all => all.filter((one) => one.scrollWidth > one.clientWidth + 2)"
            ".filter((one) => !['auto', 'scroll'].includes(getComputedStyle(one).overflowX)).length"
        )
        assert outputs == 0, "what is wider than the window is scrolled, not cut off"
        take_pictures(page, f"{name}-{width}")


def take_pictures(page, name):
    """Pictures of the whole page, a window at a time, if FIRSTREAD_PICTURES names a folder."""
    target = pictures_folder()
    if target is None:
        return
    target.mkdir(parents=True, exist_ok=True)
    panel = page.locator(".jp-WindowedPanel-outer").first
    panel.evaluate("one => { one.scrollTop = 0; }")
    for number in range(80):
        top, height, whole = panel.evaluate("one => [one.scrollTop, one.clientHeight, one.scrollHeight]")
        page.screenshot(path=target / f"{name}-{number:02d}.png")
        if top + height >= whole - 2:
            break
        panel.evaluate("one => { one.scrollTop += one.clientHeight - 40; }")
        page.wait_for_timeout(300)
