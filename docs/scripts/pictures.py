"""Make the pictures in docs/images from what the program shows today. `make pictures` runs it; it needs chromium.

It runs lesson 1 (minutes), opens it in JupyterLab, opens its report, checks data with a planted shortcut, fills a class
with simulated participants, runs lesson 3, and de-identifies an archive of invented patients.
`make pictures ARGS=--run=FOLDER` takes a lesson that `firstread run` has run before,
`make pictures ARGS="class report"` makes those two only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
LESSON = "hello-world"

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "lessons")]


@dataclass
class Studio:
    """Browser, and the lesson that the pictures are of.

    Attributes:
        folder: for what is made on the way.
        given_run: folder of a lesson that was run before, if any.
    """

    browser: Browser
    folder: Path
    given_run: Path | None = None

    @cached_property
    def run(self) -> Path:
        """Folder of the executed lesson: its notebook and its report."""
        if self.given_run is not None:
            return self.given_run
        folder = self.folder / "run"
        command = [sys.executable, "-m", "firstread", "run", LESSON, "--no-measure", "--folder", str(folder)]
        subprocess.run(command, check=True)  # noqa: S603 - our own command, no shell
        return folder

    @contextmanager
    def page(self, width: int, height: int, *, scale: float = 1.25) -> Iterator[Page]:
        """A page of a browser window of this size, in CSS pixels."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=scale, color_scheme="light"
        )
        context.set_default_timeout(120_000)
        yield context.new_page()
        context.close()


def take_lesson(studio: Studio) -> Image.Image:
    """Lesson 1 in JupyterLab, where a learner reads ten images before the network does, and has read four of them."""
    from lesson_browser import Learner, lesson_in_jupyterlab

    mine = studio.folder / "mine"
    mine.mkdir()
    with lesson_in_jupyterlab(LESSON, mine) as url, studio.page(1220, 900) as page:
        learner = Learner(page, url)
        if page.locator("#jp-left-stack").is_visible():
            page.keyboard.press("Control+b")
        learner.select('print("Hello')
        learner.run_down_to("lesson.read_ten")
        cell = learner.run("lesson.read_ten")
        for number, answer in enumerate(("chest", "chest", "chest", "abdomen"), start=1):
            cell.locator(f"button[title='image {number}: {answer}']").click()
        for _ in range(4):  # cells above are drawn on the way, and move it
            cell.evaluate("cell => cell.previousElementSibling.scrollIntoView({block: 'start'})")
            page.wait_for_timeout(1000)
        page.mouse.move(1, 1)
        return _shot(page)


def take_report(studio: Studio) -> Image.Image:
    """The results in the report of lesson 1, and the figures below them."""
    with studio.page(980, 1000) as page:
        page.goto((studio.run / "report.html").as_uri())
        page.locator("h2", has_text="Results").evaluate("heading => heading.scrollIntoView({block: 'start'})")
        return _shot(page)


def take_data_check(studio: Studio) -> Image.Image:
    """The page of a data check of radiographs with a planted side marker."""
    import firstread as fr
    from firstread.curation.synthetic_shortcuts import add_marker

    cohort = add_marker(fr.open_dataset(LESSON), on=["chest"], folder=studio.folder / "marked")
    page_file = fr.check_data(cohort).report().write(studio.folder / "check.html")
    with studio.page(900, 1000) as page:
        page.goto(page_file.as_uri())
        return _shot(page)


def take_class(studio: Studio) -> Image.Image:
    """The instructor's dashboard in the middle of lesson 1, with 23 simulated participants."""
    from classroom.service_process import Service
    from classroom.simulated_class import SimulatedClass
    from firstread.classroom.class_folder import ClassFolder
    from firstread.classroom.shared_folder import write_template

    folder = ClassFolder.create("picture", lesson=LESSON)
    write_template(folder.path / "template.ipynb", folder.lesson)
    store = folder.store()
    store.create()
    SimulatedClass(store, folder.lesson.steps, people=23, hostile=False)
    service = Service(folder)
    service.start()
    try:
        with studio.page(1366, 768) as page:
            page.goto(f"{folder.service_url}login")
            page.fill("#key", folder.settings.instructor_key)
            page.keyboard.press("Enter")
            page.wait_for_selector("#rows tr")
            page.set_extra_http_headers({"X-Forwarded-Host": "class.hospital.example"})  # as behind the class's proxy
            page.reload()
            page.wait_for_selector("#rows tr")
            return _shot(page)
    finally:
        service.kill()
        store.engine.dispose()


def take_missed(studio: Studio) -> Image.Image:
    """What still names the patient of lesson 3 after a header was cleaned by hand."""
    folder = studio.folder / "dicom"
    command = [sys.executable, "-m", "firstread", "run", "dicom", "--folder", str(folder)]
    subprocess.run(command, check=True)  # noqa: S603 - our own command, no shell
    with studio.page(980, 900) as page:
        page.goto((folder / "dicom.html").as_uri())
        page.locator("h2", has_text="What you missed").evaluate("heading => heading.scrollIntoView({block: 'start'})")
        return _shot(page)


def take_project(studio: Studio) -> Image.Image:
    """The page for a data protection officer: an archive of three invented patients, de-identified."""
    import firstread as fr
    from firstread.phantoms.archive import write_archive

    archive = write_archive(studio.folder / "archive", patients=3, processes=1, matrix=64, slices=16)
    words, vault = "a passphrase for a picture", studio.folder / "vault"
    project, _ = fr.Project.create(studio.folder / "liver", archive=archive / "dicom", passphrase=words, vault=vault)
    project.index()
    project.deidentify(passphrase=words)
    with studio.page(980, 900) as page:
        page.goto((project.folder / "20-deidentified" / "report.html").as_uri())
        return _shot(page)


PICTURES: dict[str, Callable[[Studio], Image.Image]] = {
    "lesson": take_lesson,
    "report": take_report,
    "data-check": take_data_check,
    "class": take_class,
    "missed": take_missed,
    "project": take_project,
}


def main() -> None:
    """Make the pictures that were asked for, all by default."""
    from classroom.browser import launch_browser

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], help="pictures to make; all by default")
    parser.add_argument("--run", type=Path, help="folder of a lesson that `firstread run hello-world` has run")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="firstread-pictures-") as folder, launch_browser() as browser:
        os.environ |= {"FIRSTREAD_HOME": folder, "FIRSTREAD_SEED": "0"}  # the same ten images each time
        studio = Studio(browser, Path(folder), chosen.run)
        for name in chosen.names or PICTURES:
            picture = PICTURES[name](studio)
            file = IMAGES / f"{name}.png"
            picture.convert("RGB").save(file, optimize=True)
            print(f"{file.relative_to(ROOT)}: {picture.width} x {picture.height}, {file.stat().st_size / 1000:.0f} kB")


def _shot(page: Page) -> Image.Image:
    return Image.open(BytesIO(page.screenshot(animations="disabled")))


if __name__ == "__main__":
    main()
